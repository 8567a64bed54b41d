"""Whether one JSON value is a value of a FHIR primitive type.

https://hl7.org/fhir/R4/datatypes.html#primitive

The regular expressions are those of the specification, made exact where its text says more: dates
are real days, base64 is padded, an OID in a `uri` is an OID. Every one of them is linear in the
length of the string, because the string is the EHR's. White space is what XML calls so (space, tab,
carriage return, line feed), and no string holds another control character: the specification asks
for that with a SHOULD, but the XML form, which every resource has, cannot carry one.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from decimal import Decimal
from math import isfinite
from types import MappingProxyType
from typing import Any

from harness.validation.values import narrative

Check = Callable[[Any], str | None]

LONGEST_STRING = 1024 * 1024
"""Characters; strings SHALL NOT exceed 1 MB."""

LARGEST_INTEGER = 2**31 - 1

_YEAR = "(?!0000)[0-9]{4}"
_LEAP = "(?:[0-9]{2}(?:0[48]|[2468][048]|[13579][26])|(?:[02468][048]|[13579][26])00)"
_DAY = (
    f"(?:{_YEAR}-(?:(?:0[1-9]|1[0-2])-(?:0[1-9]|1[0-9]|2[0-8])"
    f"|(?:0[13-9]|1[0-2])-(?:29|30)|(?:0[13578]|1[02])-31)|(?!0000){_LEAP}-02-29)"
)
_MONTH = f"{_YEAR}(?:-(?:0[1-9]|1[0-2]))?"
_TIME = r"(?:[01][0-9]|2[0-3]):[0-5][0-9]:(?:[0-5][0-9]|60)(?:\.[0-9]+)?"
_ZONE = "(?:Z|[+-](?:(?:0[0-9]|1[0-3]):[0-5][0-9]|14:00))"
_UUID = "[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}"
_OID = r"[0-2](?:\.(?:0|[1-9][0-9]*+))++"

_VISIBLE = r"[^\x00-\x20]"
_text = re.compile(r"[^\x00-\x08\x0b\x0c\x0e-\x1f]++").fullmatch
_uri = re.compile(f"{_VISIBLE}++").fullmatch
_words = re.compile(f"{_VISIBLE}++(?: {_VISIBLE}++)*+").fullmatch
_half = re.compile("[\ud800-\udfff]").search
_urn = re.compile(f"urn:(?:oid:{_OID}|uuid:(?i:{_UUID}))(?:[#?|/].*+)?", re.DOTALL).fullmatch
_base64 = re.compile("[A-Za-z0-9+/]++={0,2}").fullmatch
_base64_lines = re.compile(
    "(?:[ \t\r\n]*+[A-Za-z0-9+/]{4})*+[ \t\r\n]*+"
    "(?:[A-Za-z0-9+/]{2}(?:==|[A-Za-z0-9+/]=))?+[ \t\r\n]*+"
).fullmatch
_LIKE_A_DATE = re.compile(r"[0-9]{4}(?:-[0-9]{2}(?:-[0-9]{2})?)?")

_A_STRING = "a JSON string"


def _boolean(value: Any) -> str | None:
    return None if value is True or value is False else "true or false"


def _decimal(value: Any) -> str | None:
    kind = value.__class__
    if kind is float:
        right = isfinite(value)
    else:
        right = kind is int or (kind is Decimal and value.is_finite())
    return None if right else "a decimal, as a JSON number"


def _whole_number(least: int, expected: str) -> Check:
    def check(value: Any) -> str | None:
        if value.__class__ is int and least <= value <= LARGEST_INTEGER:
            return None
        return expected

    return check


def _string(value: Any) -> str | None:
    if value.__class__ is not str:
        return _A_STRING
    if value and value.isprintable() and len(value) <= LONGEST_STRING:
        return None
    if not value:
        return "a string that is not empty"
    if len(value) > LONGEST_STRING:
        return f"at most {LONGEST_STRING} characters"
    if _text(value) and _is_unicode(value):
        return None
    return "no control character but tab, carriage return, line feed"


def _uri_like(value: Any) -> str | None:
    if value.__class__ is not str:
        return _A_STRING
    if not _uri(value) or not _is_unicode(value):
        return "a URI without spaces" if value else "a URI that is not empty"
    if value.startswith(("urn:oid:", "urn:uuid:")) and not _urn(value):
        return "an OID or UUID after urn:oid: or urn:uuid:"
    return None


def _code(value: Any) -> str | None:
    if value.__class__ is not str:
        return _A_STRING
    if _words(value) and _is_unicode(value):
        return None
    return "a code: not empty, no space at either end, none but single spaces within"


def _is_unicode(text: str) -> bool:
    """Whether it has no half of a character, which JSON can write but nothing can carry on."""
    return text.isascii() or _half(text) is None


def _base64_binary(value: Any) -> str | None:
    if value.__class__ is not str:
        return _A_STRING
    if _base64(value) and len(value) % 4 == 0:
        return None
    if value and not value.isspace() and _base64_lines(value):
        return None
    return "base64, padded to groups of four characters"


def _pattern(pattern: str, expected: str) -> Check:
    matches = re.compile(pattern).fullmatch

    def check(value: Any) -> str | None:
        if value.__class__ is not str:
            return _A_STRING
        return None if matches(value) else expected

    return check


def _moment(pattern: str, expected: str) -> Check:
    matches = re.compile(pattern).fullmatch

    def check(value: Any) -> str | None:
        if value.__class__ is not str:
            return _A_STRING
        if matches(value):
            return None
        date = _LIKE_A_DATE.match(value)
        if date is None or re.fullmatch(f"{_DAY}|{_MONTH}", date.group()):
            return expected
        return "a day that the calendar has"

    return check


CHECKS: Mapping[str, Check] = MappingProxyType(
    {
        "base64Binary": _base64_binary,
        "boolean": _boolean,
        "canonical": _uri_like,
        "code": _code,
        "date": _moment(f"{_DAY}|{_MONTH}", "a date: YYYY, YYYY-MM or YYYY-MM-DD"),
        "dateTime": _moment(
            f"{_DAY}(?:T{_TIME}{_ZONE})?|{_MONTH}",
            "YYYY, YYYY-MM, YYYY-MM-DD or YYYY-MM-DDThh:mm:ss with Z or +hh:mm",
        ),
        "decimal": _decimal,
        "id": _pattern(r"[A-Za-z0-9\-.]{1,64}", "1 to 64 letters, digits, - and ."),
        "instant": _moment(f"{_DAY}T{_TIME}{_ZONE}", "YYYY-MM-DDThh:mm:ss with Z or +hh:mm"),
        "integer": _whole_number(-LARGEST_INTEGER - 1, "a whole number of 32 bits"),
        "markdown": _string,
        "oid": _pattern(f"urn:oid:{_OID}", "an OID: urn:oid: and numbers with dots"),
        "positiveInt": _whole_number(1, f"a whole number from 1 to {LARGEST_INTEGER}"),
        "string": _string,
        "time": _pattern(_TIME, "a time of day: hh:mm:ss"),
        "unsignedInt": _whole_number(0, f"a whole number from 0 to {LARGEST_INTEGER}"),
        "uri": _uri_like,
        "url": _uri_like,
        "uuid": _pattern(f"urn:uuid:{_UUID}", "a UUID: urn:uuid: and lower-case hexadecimal"),
        "xhtml": narrative.check,
    }
)
"""By type: None when the JSON value is right, else what was expected. None of them ever raises."""
