"""Reads the value of one search parameter (FHIR R4, search, "search parameter types").

http://hl7.org/fhir/R4/search.html#ptypes
"""

from __future__ import annotations

import re
from typing import Final

from harness.reference.fhir import dates
from harness.reference.fhir.matching import Criterion, Identified, Pair, Text, Wanted
from harness.reference.fhir.outcome import refused
from harness.reference.fhir.parameters import PARAMETERS, Parameter
from harness.reference.fhir.quantities import measured
from harness.reference.fhir.values import Target, Token

_MODIFIERS: Final = {
    "token": {"not"},
    "string": {"exact", "contains"},
    "uri": {"below", "above"},
    "reference": {"identifier", *PARAMETERS},
}


def criterion(parameter: Parameter, modifier: str, value: str, base: str) -> Criterion:
    """Reads one parameter with its value.

    Args:
        parameter: which.
        modifier: what stood behind the colon; empty for none.
        value: decoded, escapes still in it.
        base: the FHIR base of this server, for absolute references.

    Raises:
        Refused: 400; the value cannot be read, or the modifier is not supported.
    """
    if modifier == "missing":
        if value not in {"true", "false"}:
            raise refused(400, "value", f"{parameter.name}:missing={value}: true or false expected")
        return Criterion(parameter, (), missing=value == "true")
    if modifier and modifier not in _MODIFIERS.get(parameter.kind, ()):
        # An unknown modifier changes the meaning, so ignoring it would answer another question.
        raise refused(400, "not-supported", f"the modifier {parameter.name}:{modifier} is unknown")
    try:
        wanted = tuple(_wanted(parameter, modifier, one, base) for one in split(value, ","))
    except ValueError as problem:
        raise refused(400, "value", f"{parameter.name}={value}: {problem}") from None
    return Criterion(parameter, wanted, negated=modifier == "not")


def _wanted(  # noqa: PLR0911 - one for each kind
    parameter: Parameter, modifier: str, text: str, base: str
) -> Wanted:
    match parameter.kind:
        case "date":
            return dates.criterion(text)
        case "string":
            return Text(unescaped(text), modifier or "start")
        case "uri":
            return Text(unescaped(text), modifier or "exact")
        case "quantity":
            return measured([unescaped(part) for part in split(text, "|")])
        case "reference" if modifier == "identifier":
            return Identified(_token(text))
        case "reference":
            return _target(text, parameter.target or modifier or None, base)
        case "token":
            return _token(text)
        case "composite":
            return _pair(parameter, text, base)


def _token(text: str) -> Token:
    parts = [unescaped(part) for part in split(text, "|")]
    if len(parts) == 1:
        return Token(None, parts[0])
    return Token(parts[0], "|".join(parts[1:]) or None)


def _pair(parameter: Parameter, text: str, base: str) -> Pair:
    halves = split(text, "$")
    if len(halves) != len(parameter.parts):
        names = "$".join(part.name for part in parameter.parts)
        raise ValueError(f"{names} expected")
    first, second = (
        _wanted(part, "", half, base) for part, half in zip(parameter.parts, halves, strict=True)
    )
    return Pair(first, second)


def _target(text: str, resource_type: str | None, base: str) -> Target:
    local = unescaped(text).removeprefix(f"{base}/")
    if "://" in local or local.startswith("urn:"):
        return Target(None, None, local)
    kind, slash, resource_id = local.partition("/")
    if not slash:
        return Target(resource_type, kind)
    fits = resource_type in (None, kind)
    return Target(kind, resource_id if fits else None)


def split(text: str, separator: str) -> list[str]:
    r"""Splits at a separator that no backslash escapes; escapes stay in the parts."""
    parts, start, index = [], 0, 0
    while index < len(text):
        if text[index] == "\\":
            index += 1
        elif text[index] == separator:
            parts.append(text[start:index])
            start = index + 1
        index += 1
    return [*parts, text[start:]]


def unescaped(text: str) -> str:
    r"""Takes the escapes `\,` `\|` `\$` `\\` out (FHIR R4, search, escaping)."""
    return re.sub(r"\\([,|$\\])", r"\1", text)
