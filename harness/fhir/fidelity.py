"""Whether a resource that was read is the one that was written, field by field.

What the server lost or changed is one list, what it added without being asked is another. Ids,
`meta`, narrative and display texts are the server's own business.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from typing import Any

from harness.fhir.dates import Interval, parse

_SERVERS_OWN = frozenset({"id", "meta", "text", "implicitRules", "language", "contained"})
_PRESENTATION = frozenset({"display", "text", "id", "extension"})
_TIMES = ("DateTime", "Instant", "issued", "start", "end")
_MISSING = "nothing"


@dataclass(frozen=True, slots=True)
class Difference:
    """One element; `read` is None where it is missing."""

    path: str
    written: Any
    read: Any

    def __str__(self) -> str:
        came = _MISSING if self.read is None else f"{self.read!r}"
        return f"{self.path}: wrote {self.written!r}, read {came}"


@dataclass(frozen=True, slots=True)
class Comparison:
    """`differences` are losses and changes; `additions` are paths that nobody wrote."""

    differences: tuple[Difference, ...]
    additions: tuple[str, ...]

    def __bool__(self) -> bool:
        """Whether what was read is what was written, additions apart."""
        return not self.differences


def same(written: Mapping[str, Any], read: Mapping[str, Any]) -> Comparison:
    """Compare a resource as written with the same resource as read (both JSON objects).

    Numbers compare by value, times by instant, references by type and id, lists regardless of
    order: codings by system and code, identifiers by system and value, components by code.
    """
    found = list(_resource(written, read))
    return Comparison(
        tuple(each for each in found if isinstance(each, Difference)),
        tuple(each for each in found if isinstance(each, str)),
    )


def _resource(written: Mapping[str, Any], read: Mapping[str, Any]) -> Iterator[Difference | str]:
    # A tag that was written must come back, whatever else the server keeps in meta.
    tags = _list("meta.tag", _tags(written), _tags(read))
    yield from (each for each in tags if isinstance(each, Difference))
    own = {name: value for name, value in written.items() if name not in _SERVERS_OWN}
    came = {name: value for name, value in read.items() if name not in _SERVERS_OWN}
    yield from _object("", own, came)


def _tags(resource: Mapping[str, Any]) -> list[Any]:
    meta = resource.get("meta")
    tags = meta.get("tag") if isinstance(meta, dict) else None
    return tags if isinstance(tags, list) else []


def _object(
    path: str, written: Mapping[str, Any], read: Mapping[str, Any]
) -> Iterator[Difference | str]:
    prefix = f"{path}." if path else ""
    for name, value in written.items():
        if not (path and name in _PRESENTATION):
            yield from _element(f"{prefix}{name}", value, read.get(name))
    for name in read:
        if name not in written and not (path and name in _PRESENTATION):
            yield f"{prefix}{name}"


def _element(path: str, written: Any, read: Any) -> Iterator[Difference | str]:
    if isinstance(written, dict) and isinstance(read, dict):
        yield from _object(path, written, read)
    elif isinstance(written, list) and isinstance(read, list):
        yield from _list(path, written, read)
    elif not _equal(path, written, read):
        yield Difference(path, written, read)


def _list(path: str, written: list[Any], read: list[Any]) -> Iterator[Difference | str]:
    left = list(read)
    for value in written:
        at = f"{path}[{_label(value)}]"
        keys = _keys(value)
        partner = next((place for place, each in enumerate(left) if keys & _keys(each)), None)
        if partner is None:
            yield Difference(at, value, None)
        else:
            yield from _element(at, value, left.pop(partner))
    yield from (f"{path}[{_label(each)}]" for each in left)


def _keys(value: Any) -> set[str]:
    """What identifies an item of a list; two items that share one are the same item."""
    if not isinstance(value, dict):
        return {repr(value)}
    if isinstance(value.get("coding"), list):
        return {key for each in value["coding"] for key in _keys(each)} or {_text(value)}
    if isinstance(value.get("code"), dict):
        return _keys(value["code"])
    named = value.get("code", value.get("value", value.get("reference")))
    if named is not None:
        return {f"{value.get('system', '')}|{_tail(str(named))}"}
    return {_text(value)}


def _text(value: Mapping[str, Any]) -> str:
    return repr(value.get("text", sorted(value.items(), key=str)))


def _label(value: Any) -> str:
    return min(_keys(value)).rpartition("|")[2][:60]


def _equal(path: str, written: Any, read: Any) -> bool:
    if isinstance(written, bool) or isinstance(read, bool):
        return written is read
    if isinstance(written, int | float) and isinstance(read, int | float | str):
        return _number(written) == _number(read)
    if not isinstance(written, str) or not isinstance(read, str):
        return bool(written == read)
    if path.endswith("reference"):
        return _tail(written) == _tail(read)
    return written == read or (path.endswith(_TIMES) and _same_time(written, read))


def _same_time(written: str, read: str) -> bool:
    before, after = parse(written), parse(read)
    if before is None or after is None:
        return False
    return before.low == after.low and _spans_days(before) == _spans_days(after)


def _spans_days(interval: Interval) -> bool:
    """Midnight is not the whole day, though both begin at once."""
    return interval.precision in ("day", "month", "year")


def _number(value: Any) -> Decimal | None:
    try:
        return Decimal(str(value))
    except InvalidOperation:
        return None


def _tail(reference: str) -> str:
    """`Patient/85` of a relative, absolute or versioned reference."""
    plain = reference.partition("/_history/")[0]
    return "/".join(plain.split("/")[-2:])
