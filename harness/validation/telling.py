"""What stands in a resource, told to a person in a few words."""

from __future__ import annotations

from itertools import islice
from typing import Any

_LONGEST = 80
_LONGEST_TEXT = 300
_NAMES = 6
_ITEMS = 3
_DIGITS = 10**40


def told(value: Any) -> str:
    """A JSON value, shortened and without control characters: `"fnal"`, `an array of 3`."""
    if isinstance(value, str):
        return _quoted(value)
    if isinstance(value, list):
        return f"an array of {len(value)}"
    if isinstance(value, dict):
        return _members(value)
    return _literal(value)


def worded(pattern: Any) -> str:
    """A fixed or pattern value of a definition, compact: `{coding: [{code: 85354-9}]}`."""
    if isinstance(pattern, dict):
        return "{" + ", ".join(f"{key}: {worded(value)}" for key, value in pattern.items()) + "}"
    if isinstance(pattern, list):
        return "[" + ", ".join(worded(item) for item in pattern) + "]"
    return str(pattern) if isinstance(pattern, str) else told(pattern)


def worded_like(value: Any, pattern: Any) -> str:
    """As much of a value as a fixed or pattern value speaks of, in the same words."""
    if isinstance(pattern, dict) and isinstance(value, dict):
        members = [f"{key}: {worded_like(value.get(key), part)}" for key, part in pattern.items()]
        return "{" + ", ".join(members) + "}"
    if isinstance(pattern, list) and pattern and isinstance(value, list):
        items = [worded_like(item, pattern[0]) for item in value[:_ITEMS]]
        return "[" + ", ".join(items) + (", …]" if len(value) > _ITEMS else "]")
    if isinstance(value, str):
        return harmless(value[:_LONGEST])
    return "nothing" if value is None else told(value)


def harmless(text: str) -> str:
    """Text of an EHR, bounded, with what is not printable replaced."""
    return printable(text if len(text) <= _LONGEST_TEXT else text[: _LONGEST_TEXT - 1] + "…")


def printable(text: str) -> str:
    """Text in which what is not printable is replaced."""
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() else " " if c.isspace() else "\ufffd" for c in text)


def _literal(value: Any) -> str:
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int) and not -_DIGITS < value < _DIGITS:
        # Python refuses to write out what an EHR may well send: ten thousand digits.
        return "a number of more than 40 digits"
    return str(value)[:_LONGEST]


def _quoted(text: str) -> str:
    short = text if len(text) <= _LONGEST else text[: _LONGEST - 1] + "…"
    return f'"{harmless(short)}"'


def _members(value: dict[Any, Any]) -> str:
    if not value:
        return "an empty object"
    listed = ", ".join(map(str, islice(value, _NAMES)))
    return f"an object with {harmless(listed)}{', …' if len(value) > _NAMES else ''}"
