"""Whether a value in a resource is what a search asks for (FHIR R4, search parameter types).

http://hl7.org/fhir/R4/search.html#ptypes
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from harness.reference.fhir.dates import DateCriterion, holds
from harness.reference.fhir.parameters import PARAMETERS, Parameter
from harness.reference.fhir.quantities import Measured, measures
from harness.reference.fhir.stored import Stored
from harness.reference.fhir.values import Target, Together, Token, extracted, folded

__all__ = ["Criterion", "Target", "Text", "Token", "folded", "search_values"]


@dataclass(frozen=True, slots=True)
class Text:
    """A piece of text, and how it must lie in the value: start, contains, exact, below or above."""

    text: str
    mode: str


@dataclass(frozen=True, slots=True)
class Identified:
    """An identifier that the reference itself must carry, with the modifier `:identifier`."""

    identifier: Token


@dataclass(frozen=True, slots=True)
class Pair:
    """Two values that must stand in the same element, for a composite parameter."""

    first: Wanted
    second: Wanted


_USUAL: Final = ("patient", "date", "category", "code", "status")
"""What most searches ask for; extracted together."""

Wanted = Token | Text | Target | Identified | Measured | Pair | DateCriterion


@dataclass(frozen=True, slots=True)
class Criterion:
    """One parameter of a search: any of its values will do.

    Args:
        parameter: what is compared.
        wanted: the values, already read; empty with `missing`.
        negated: with the modifier `:not`.
        missing: with the modifier `:missing`, what it says.
    """

    parameter: Parameter
    wanted: tuple[Wanted, ...]
    negated: bool = False
    missing: bool | None = None

    @property
    def is_fixed(self) -> bool:
        """Whether the answer depends on the resource alone, so that it can be remembered."""
        return not any(
            isinstance(want, DateCriterion) and want.prefix == "ap" for want in self.wanted
        )

    def matches(self, stored: Stored, now: datetime) -> bool:
        """Tells whether a resource is what this parameter asks for."""
        values = search_values(stored, self.parameter)
        if self.missing is not None:
            return self.missing == (not values)
        found = any(_equal(want, value, now) for want in self.wanted for value in values)
        return found != self.negated


def search_values(stored: Stored, parameter: Parameter) -> tuple[Any, ...]:
    """Returns what a resource has to compare for a parameter; computed once per version."""
    cache = stored.search_values
    if parameter.name not in cache:
        resource = stored.resource  # to parse it is what takes time
        known = PARAMETERS.get(stored.resource_type, {})
        usual = [known[name] for name in _USUAL if name in known and name not in cache]
        for one in (*usual, parameter):
            cache[one.name] = extracted(resource, one)
    return cache[parameter.name]


def _equal(want: Wanted, value: Any, now: datetime) -> bool:  # noqa: PLR0911 - one for each kind
    match want:
        case Token():
            return _same_token(want, value)
        case Target():
            return _same_target(want, value)
        case Identified(identifier):
            return value.identifier is not None and _same_token(identifier, value.identifier)
        case Text():
            return _same_text(want.text, value, want.mode)
        case Measured():
            return measures(want, value)
        case Pair(first, second):
            return isinstance(value, Together) and _both(first, second, value, now)
        case DateCriterion():
            return holds(want, value, now)


def _both(first: Wanted, second: Wanted, value: Together, now: datetime) -> bool:
    return any(_equal(first, one, now) for one in value.first) and any(
        _equal(second, one, now) for one in value.second
    )


def _same_token(want: Token, value: Token) -> bool:
    if want.code is not None and want.code != value.code:
        return False
    if want.system is None:
        return True
    return (value.system or "") == want.system


def _same_target(want: Target, value: Target) -> bool:
    if want.url is not None:
        return value.url is not None and want.url in (value.url, value.url.partition("|")[0])
    if want.resource_id is None or want.resource_id != value.resource_id:
        return False
    return want.resource_type in (None, value.resource_type)


def _same_text(text: str, value: str, mode: str) -> bool:
    match mode:
        case "exact":
            return text == value
        case "contains":
            return folded(text) in folded(value)
        case "below":
            return value == text or value.startswith(text.rstrip("/") + "/")
        case "above":
            return value == text or text.startswith(value.rstrip("/") + "/")
    # A search for "Jones" finds Smith-Jones: each word of a name counts as a beginning.
    whole = folded(value)
    words = whole.replace("-", " ").split()
    return any(part.startswith(folded(text)) for part in (whole, *words))
