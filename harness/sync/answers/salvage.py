"""What can be saved of a page that is not JSON because some of its resources are not.

NaN, or bytes that are no UTF-8, in one resource are no reason to lose its neighbours. Such a page
is walked with patience; each resource then has to be JSON by itself, and those that are not count
as entries without a resource. They are not stored: what reads the store expects JSON.
"""

from __future__ import annotations

import json

from harness.errors import ProtocolError
from harness.http.exchange import MAX_DEPTH, nests_deeper, parse_json
from harness.sync.answers.raw import RawPage
from harness.sync.answers.scan import Walk
from harness.sync.answers.told import told

_ESCAPED = "surrogateescape"


def salvaged(body: bytes) -> RawPage | None:
    """The page in `body`, resources that are no JSON with None in their place.

    Returns:
        None where the page itself is not a Bundle, such as one that was cut off.
    """
    try:
        text = body.decode("utf-8-sig", _ESCAPED)
        resources = tuple([(told(value), raw) for value, raw in _Patient(text).resources()])
        head = json.loads(text)
    except (ValueError, IndexError, RecursionError):
        return None
    if head.get("resourceType") != "Bundle" or nests_deeper(body, MAX_DEPTH):
        return None
    head.pop("entry", None)
    return RawPage(head, resources)


class _Patient(Walk):
    """A walk that minds neither NaN nor bytes that are no UTF-8, but in what it keeps."""

    decoder = json.JSONDecoder()

    def _entry_member(self, name: str, at: int) -> int:
        value, end = self._value(at)
        if name == "resource":
            raw = self.text[at:end].encode("utf-8", _ESCAPED)
            self.resource = value if _is_json(raw) else None, raw
        return end


def _is_json(raw: bytes) -> bool:
    try:
        parse_json(raw, "a resource")
    except ProtocolError:
        return False
    return True
