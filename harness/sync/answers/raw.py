"""The resources of a searchset with the very bytes that the server sent for each.

What is stored is evidence and may be hashed, signed or quoted (decimals keep their zeros, FHIR R4
datatypes, "decimal"), so parsing and encoding again will not do. msgspec says where each value ends
without reading it, ten times as fast as any walk in Python; the bytes between are the resource.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import msgspec

from harness.errors import ProtocolError
from harness.http.exchange import MAX_DEPTH, Exchange, nests_deeper
from harness.sync.answers.scan import resources_of
from harness.sync.answers.told import Told, told, told_by

_BOM = b"\xef\xbb\xbf"
_ABSENT = msgspec.Raw(b"")


class _Entry(msgspec.Struct, gc=False):
    resource: msgspec.Raw = _ABSENT


class _Bundle(msgspec.Struct, gc=False):
    """The members that a sync looks at, of a Bundle or of what came in its place."""

    entry: list[_Entry] = []
    resourceType: msgspec.Raw = _ABSENT  # noqa: N815 - as FHIR spells it
    link: msgspec.Raw = _ABSENT
    total: msgspec.Raw = _ABSENT
    issue: msgspec.Raw = _ABSENT


_HEAD = ("resourceType", "link", "total", "issue")
_BUNDLE = msgspec.json.Decoder(_Bundle)
_VALUE = msgspec.json.Decoder()
_NOT_OPENING = bytes(sorted(set(range(256)) - set(b"{[")))


@dataclass(frozen=True, slots=True)
class RawPage:
    """A JSON object, read as a Bundle.

    Attributes:
        head: its members; those that a sync does not look at may be missing.
        resources: each `entry[].resource` with its raw bytes, in order; None for one that is no
            object. Entries without one are left out. Of repeated members the last one counts, as it
            does for `json.loads`.
    """

    head: dict[str, Any]
    resources: tuple[tuple[Told | None, bytes], ...]


def page_of(exchange: Exchange) -> RawPage:
    """The body of an answer, which need not be a Bundle.

    Raises:
        ProtocolError: it is not UTF-8 JSON with an object at its top, or is nested too deep.
    """
    body = exchange.body.removeprefix(_BOM)
    try:
        if not body.isascii():
            body.decode()  # what is skipped below is not looked at for wrong UTF-8
        bundle = _BUNDLE.decode(body)
        members = {name: bytes(raw) for name in _HEAD if (raw := getattr(bundle, name))}
        head = {name: _VALUE.decode(raw) for name, raw in members.items()}
        raws = [bytes(each.resource) for each in bundle.entry if each.resource]
        resources = tuple([(told_by(raw), raw) for raw in raws])
    except (ValueError, RecursionError):
        # This says what is wrong. Half a character (a text cut off within a surrogate pair), a
        # number beyond all floats or a resource that is no object are no reason to lose a page.
        head = exchange.json_object()
        found = resources_of(exchange.body)
        return RawPage(head, tuple([(told(value), raw) for value, raw in found]))
    deep = [raw for raw in raws if len(raw.translate(None, _NOT_OPENING)) > MAX_DEPTH]
    if any(nests_deeper(raw, MAX_DEPTH) for raw in (*members.values(), *deep)):
        raise ProtocolError(f"{exchange.where}: JSON nested deeper than {MAX_DEPTH} levels")
    return RawPage(head, resources)
