"""Where a resource was created: the answer to a create.

https://hl7.org/fhir/R4/http.html#create
"""

from __future__ import annotations

import re
from urllib.parse import unquote

from harness.errors import ProtocolError
from harness.http.exchange import Exchange


def created_id(exchange: Exchange, kind: str) -> str | None:
    """The id of a resource of type `kind` that was just created; None where nothing says it.

    From `Location`, else `Content-Location` (US Core writing), else the resource in the body.
    """
    pattern = re.compile(rf"(?:^|/){re.escape(kind)}/(?P<id>[^/?#\s]+)(?:/_history/[^/?#\s]+)?/?$")
    for name in ("Location", "Content-Location"):
        if found := pattern.search(exchange.headers.get(name, "") or ""):
            return unquote(found["id"])
    try:
        value = exchange.json()
    except ProtocolError:
        return None
    if not isinstance(value, dict) or value.get("resourceType") != kind:
        return None
    identity = value.get("id")
    return identity if isinstance(identity, str) and identity else None
