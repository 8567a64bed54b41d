"""The resources of a searchset with the very bytes that the server sent for each.

What is stored is evidence and may be hashed, signed or quoted (decimals keep their zeros, FHIR R4
datatypes, "decimal"), so parsing and encoding again will not do. msgspec says where each value ends
without reading it, ten times as fast as any walk in Python; the bytes between are the resource.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import msgspec
from msgspec.structs import asdict

from harness.errors import ProtocolError
from harness.http.exchange import MAX_DEPTH, Exchange, nests_deeper
from harness.sync.scan import resources_of

_BOM = b"\xef\xbb\xbf"


class _Entry(msgspec.Struct, gc=False):
    resource: msgspec.Raw = msgspec.Raw(b"")


class _Telling(msgspec.Struct, gc=False):
    """The members by which a sync knows what a resource is; the others are not even parsed."""

    resourceType: Any = None  # noqa: N815 - as FHIR spells it
    id: Any = None
    meta: Any = None
    subject: Any = None
    patient: Any = None
    link: Any = None
    issue: Any = None


_MEMBERS = msgspec.json.Decoder(dict[str, msgspec.Raw])
_ENTRIES = msgspec.json.Decoder(list[_Entry])
_VALUE = msgspec.json.Decoder()
_TELLING = msgspec.json.Decoder(_Telling)


@dataclass(frozen=True, slots=True)
class RawPage:
    """A JSON object, read as a Bundle.

    Attributes:
        head: its members; the entries may be left out.
        resources: each `entry[].resource` as (value, raw bytes), in order; entries without one are
            left out. Of a value that is an object the members that tell what it is are there, as
            None where they are absent, others may be missing. Of repeated members the last one
            counts, as it does for `json.loads`.
    """

    head: dict[str, Any]
    resources: tuple[tuple[Any, bytes], ...]


def page_of(exchange: Exchange) -> RawPage:
    """The body of an answer, which need not be a Bundle.

    Raises:
        ProtocolError: it is not UTF-8 JSON with an object at its top, or is nested too deep.
    """
    body = exchange.body.removeprefix(_BOM)
    try:
        body.decode()  # what is skipped below is not looked at for wrong UTF-8
        members = _MEMBERS.decode(body)
        entries = _ENTRIES.decode(members.pop("entry", b"[]"))
        head = {name: _VALUE.decode(raw) for name, raw in members.items()}
        raws = [bytes(each.resource) for each in entries if each.resource]
        resources = tuple([(asdict(_TELLING.decode(raw)), raw) for raw in raws])
    except (ValueError, RecursionError):
        # This says what is wrong. Half a character (a text cut off within a surrogate pair), a
        # number beyond all floats or a resource that is no object are no reason to lose a page.
        return RawPage(exchange.json_object(), resources_of(exchange.body))
    deep = [raw for raw in raws if raw.count(b"{") + raw.count(b"[") > MAX_DEPTH]
    if any(nests_deeper(raw, MAX_DEPTH) for raw in (*map(bytes, members.values()), *deep)):
        raise ProtocolError(f"{exchange.where}: JSON nested deeper than {MAX_DEPTH} levels")
    return RawPage(head, resources)
