"""What breaks the rules of FHIR in a resource that is stored all the same, byte by byte.

Ids have at most 64 characters of letters, digits, `-` and `.`, and arrays have no null but where
an extension stands in its place (https://hl7.org/fhir/R4/json.html). A sync reports it and loses
nothing; whether a resource keeps to its profile is for the checks to say.
"""

from __future__ import annotations

import re

from harness.sync.model import Received

ODD = "breaks the rules of FHIR for ids or null"

_ID = re.compile(r"[A-Za-z0-9.-]{1,64}", re.ASCII)
_NULL_IN_ARRAY = re.compile(rb"[\[,]\s*null\s*[\],]")


def is_odd(received: Received) -> bool:
    """Whether a resource has an id that is none, or perhaps a null in an array."""
    if _ID.fullmatch(received.id) is None:
        return True
    return b"null" in received.raw and _NULL_IN_ARRAY.search(received.raw) is not None
