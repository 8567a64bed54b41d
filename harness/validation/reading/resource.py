"""Bytes to a resource: JSON as strict as FHIR wants it, at the speed of the fastest parser.

https://hl7.org/fhir/R4/json.html and RFC 8259.

What the parser refuses by itself: wrong UTF-8, NaN and Infinity, trailing commas, control
characters, half surrogates. What it lets pass is found here at the cost of writing the value once
more: names that an object has twice, and nesting. Each name has one colon behind it. Written again,
the value has every colon that its strings had, and one for each name that survived; so as long as
no colon was written as an escape, the number of colons is the same if, and only if, no name was
dropped. Where it differs, a slower reading names the places.
"""

from __future__ import annotations

import codecs
import json
import re
from collections.abc import Iterator
from typing import Any, Final

import orjson

from harness.validation.findings import Finding, Rule, Severity
from harness.validation.values.primitives import LONGEST_STRING

UNREADABLE: Final = object()
"""The value of what is no JSON; findings say why."""

LONGEST: Final = 64 << 20
"""Bytes that a resource may have."""

DEEPEST: Final = 254
"""Levels of nesting: what the library can write. FHIR's own types need a tenth."""

_MOST_REPEATED = 100
_SHOWN = 40
_CODECS = (
    (codecs.BOM_UTF32_LE, "UTF-32"),
    (codecs.BOM_UTF32_BE, "UTF-32"),
    (codecs.BOM_UTF16_LE, "UTF-16"),
    (codecs.BOM_UTF16_BE, "UTF-16"),
)
_not_plain = re.compile(rb"\\(?:u00[01]|[bf])").search
_TOO_DEEP = ("ecursion", "depth")
_NO_NUMBERS = ("NaN", "Infinity", "-Infinity")


def read(raw: bytes) -> tuple[Any, tuple[Finding, ...]]:
    """The value of a JSON text, and what is wrong with the text.

    Args:
        raw: the whole text, UTF-8.

    Returns:
        The value, of names given twice the last one's, or `UNREADABLE`; and findings by
        `Rule.JSON`: an error for what is no JSON, nested deeper than `DEEPEST`, longer than
        `LONGEST` or has a name twice in one object; a warning for a byte order mark.
        Never raises; takes time in proportion to the text.
    """
    if len(raw) > LONGEST:
        return UNREADABLE, (too_long(len(raw)),)
    try:
        value = orjson.loads(raw)
        again = orjson.dumps(value)
    except (ValueError, TypeError, RecursionError) as error:
        return _refused(raw, error)
    # Most texts are written as the library would: then nothing at all was dropped.
    if again == raw:
        return value, ()
    # Encoders that write < and > as escapes are common, one that does so with colons is not.
    colons_escaped = b"\\" in raw and (b"\\u003a" in raw or b"\\u003A" in raw)
    if raw.count(b":") == again.count(b":") and not colons_escaped:
        return value, ()
    return value, tuple(_repetitions(raw))


def is_plain(raw: bytes) -> bool:
    """Whether the strings of a JSON text need no look at their characters.

    Returns:
        True where none of them is longer than a FHIR string may be, nor has a control character
        but tab, carriage return and line feed. False where that is not known.
    """
    return len(raw) <= LONGEST_STRING and (b"\\" not in raw or _not_plain(raw) is None)


def written(value: Any) -> bytes:
    """A value as JSON text.

    Raises:
        TypeError: it is not made of what JSON is made of.
    """
    return orjson.dumps(value)


def too_long(size: int | None = None) -> Finding:
    """That a text is beyond `LONGEST`; `size` in bytes, where it is known."""
    actual = "more" if size is None else f"{size:,} bytes"
    return flaw(f"at most {LONGEST >> 20} MiB for one resource", actual)


def flaw(expected: str, actual: str, path: str = "") -> Finding:
    """An error of the text itself."""
    return Finding(Severity.ERROR, Rule.JSON, path, expected, actual)


def _refused(raw: bytes, error: Exception) -> tuple[Any, tuple[Finding, ...]]:
    """Why the library did not take it, in words for a person."""
    if raw.startswith(codecs.BOM_UTF8):
        value, flaws = read(raw[len(codecs.BOM_UTF8) :])
        note = Finding(
            Severity.WARNING, Rule.JSON, "", "no byte order mark (RFC 8259, 8.1)", "one of UTF-8"
        )
        return value, (note, *flaws)
    return UNREADABLE, (flaw(*_reason(raw, error)),)


def _reason(raw: bytes, error: Exception) -> tuple[str, str]:
    """What was expected, and what came instead."""
    if not raw.strip():
        return "a resource", "nothing"
    if raw[:_SHOWN].lstrip()[:1] == b"<":
        return "a resource as JSON", "XML or HTML"
    if (other := _other_encoding(raw)) is not None:
        return "UTF-8", other
    if isinstance(error, RecursionError) or any(word in str(error) for word in _TOO_DEEP):
        return f"at most {DEEPEST} levels of nesting", "more"
    if not isinstance(error, json.JSONDecodeError):
        return "JSON", "something that cannot be read"
    return "JSON", _place(error)


def _other_encoding(raw: bytes) -> str | None:
    """What it is encoded in, or the first byte that is not UTF-8; None where it is."""
    other = next((name for mark, name in _CODECS if raw.startswith(mark)), None)
    if other is not None or b"\0" in raw[:2]:
        return other or "UTF-16 or binary data"
    try:
        raw.decode()
    except UnicodeDecodeError as wrong:
        return f"the byte 0x{raw[wrong.start]:02x} at offset {wrong.start:,}"
    return None


def _place(error: json.JSONDecodeError) -> str:
    """What the parser says, where, and what stands there."""
    rest = error.doc[error.pos : error.pos + _SHOWN]
    said = error.msg.strip()
    name = next((each for each in _NO_NUMBERS if rest.startswith(each)), None)
    if name is not None:
        said = f"{name}, which is no JSON"
    line = f"line {error.lineno:,}, " if error.lineno > 1 else ""
    return f"{said} at {line}column {error.colno:,}"


class _Object(dict[str, Any]):
    """An object, with the names that stood in it more than once."""

    repeated: tuple[str, ...] = ()


def _object(members: list[tuple[str, Any]]) -> _Object:
    made = _Object(members)
    if len(made) != len(members):
        names = [name for name, _ in members]
        made.repeated = tuple(name for name in made if names.count(name) > 1)
    return made


def _repetitions(raw: bytes) -> Iterator[Finding]:
    """Names that an object has twice; a number of them is enough."""
    root = json.loads(
        raw.decode(), object_pairs_hook=_object, parse_int=str, parse_float=str, parse_constant=str
    )
    kind = root.get("resourceType") if isinstance(root, dict) else None
    waiting: list[tuple[str, Any]] = [(kind if isinstance(kind, str) else "", root)]
    found = 0
    while waiting:
        path, value = waiting.pop()
        if isinstance(value, _Object):
            for name in value.repeated:
                yield flaw("each name once in an object", "more than once", f"{path}.{name}")
                found += 1
                if found >= _MOST_REPEATED:
                    return
            waiting += [(f"{path}.{name}", each) for name, each in value.items()]
        elif isinstance(value, list):
            waiting += [(f"{path}[{index}]", each) for index, each in enumerate(value)]
