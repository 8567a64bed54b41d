"""Whether a value in a resource is what a search asks for (FHIR R4, search parameter types).

http://hl7.org/fhir/R4/search.html#ptypes
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from harness.reference.fhir.dates import DateCriterion, holds, of_element
from harness.reference.fhir.parameters import Parameter
from harness.reference.fhir.stored import Stored


@dataclass(frozen=True, slots=True)
class Token:
    """`code`, `system|code`, `|code` (no system) or `system|`; None means "any"."""

    system: str | None
    code: str | None


@dataclass(frozen=True, slots=True)
class Text:
    """A piece of text, and how it must lie in the value: start, contains or exact."""

    text: str
    mode: str


@dataclass(frozen=True, slots=True)
class Target:
    """A reference: type (None for any) and id; id None if it points to another server."""

    resource_type: str | None
    resource_id: str | None


Wanted = Token | Text | Target | DateCriterion


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
        read = _READERS[parameter.kind]
        elements = parameter.values(stored.resource)
        cache[parameter.name] = tuple(
            value for element in elements for value in read(element, parameter)
        )
    return cache[parameter.name]


def folded(text: str) -> str:
    """Returns text as string search compares it: without accents and case."""
    decomposed = unicodedata.normalize("NFKD", text)
    return "".join(one for one in decomposed if not unicodedata.combining(one)).casefold()


def _tokens(element: Any, parameter: Parameter) -> Iterator[Token]:
    if isinstance(element, str):
        yield Token(parameter.system, element)
    elif isinstance(element, dict):
        if isinstance(element.get("coding"), list):
            for coding in element["coding"]:
                if isinstance(coding, dict):
                    yield Token(coding.get("system"), coding.get("code"))
        elif "code" in element or "value" in element:
            yield Token(element.get("system"), element.get("code", element.get("value")))


def _dates(element: Any, _parameter: Parameter) -> Iterator[Any]:
    interval = of_element(element)
    if interval:
        yield interval


def _strings(element: Any, _parameter: Parameter) -> Iterator[str]:
    if isinstance(element, str):
        yield element


def _references(element: Any, parameter: Parameter) -> Iterator[Target]:
    reference = element.get("reference", "") if isinstance(element, dict) else ""
    resource_type, _, resource_id = str(reference).rpartition("/")
    kind = resource_type.rpartition("/")[2]
    if resource_id and parameter.target in (None, kind):
        yield Target(kind, resource_id)


_READERS = {"token": _tokens, "date": _dates, "string": _strings, "reference": _references}


def _equal(want: Wanted, value: Any, now: datetime) -> bool:
    match want:
        case Token():
            return _same_token(want, value)
        case Target():
            return want.resource_id == value.resource_id and want.resource_type in (
                None,
                value.resource_type,
            )
        case Text(text, "exact"):
            return bool(text == value)
        case Text(text, "contains"):
            return folded(text) in folded(value)
        case Text(text):
            # A search for "Jones" finds Smith-Jones: each word of a name counts as a beginning.
            whole = folded(value)
            words = whole.replace("-", " ").split()
            return any(part.startswith(folded(text)) for part in (whole, *words))
        case DateCriterion():
            return holds(want, value, now)


def _same_token(want: Token, value: Token) -> bool:
    if want.code is not None and want.code != value.code:
        return False
    if want.system is None:
        return True
    return (value.system or "") == want.system
