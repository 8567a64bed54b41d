"""What breaks the rules of FHIR in a resource that is stored all the same, byte by byte.

Ids have at most 64 characters of letters, digits, `-` and `.`, and arrays have no null but where
an extension stands in its place (https://hl7.org/fhir/R4/json.html). A sync reports it and loses
nothing; whether a resource keeps to its profile is for the checks to say.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from harness.sync.model import Received

ODD = "breaks the rules of FHIR for ids or null"

_ID = re.compile(r"[A-Za-z0-9.-]{1,64}", re.ASCII)
_SIGNS = re.compile(r"[A-Za-z0-9.-]*", re.ASCII)
_LONGEST = 64
_NULL = re.compile(rb"null")  # twice as fast as `in`
_NULL_IN_ARRAY = re.compile(rb"[\[,]\s*null\s*[\],]")


def odd_among(page: Sequence[Received], body: bytes) -> list[Received]:
    """Resources with an id that is none, or perhaps a null in an array.

    Args:
        page: what was read of `body`.
        body: the whole answer, in which one look spares one at each resource.
    """
    nulls = _NULL.search(body) is not None
    ids = [each.id for each in page]
    if not nulls and max(map(len, ids), default=0) <= _LONGEST and _SIGNS.fullmatch("".join(ids)):
        return []
    return [each for each in page if _ID.fullmatch(each.id) is None or (nulls and _null(each.raw))]


def _null(raw: bytes) -> bool:
    return _NULL.search(raw) is not None and _NULL_IN_ARRAY.search(raw) is not None
