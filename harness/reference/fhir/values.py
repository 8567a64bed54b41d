"""What a resource has to compare for a search parameter (FHIR R4, search parameter types).

http://hl7.org/fhir/R4/search.html#ptypes
"""

from __future__ import annotations

import unicodedata
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Final

from harness.reference.fhir.dates import of_element
from harness.reference.fhir.parameters import Kind, Parameter
from harness.reference.fhir.quantities import Amount, amount

Json = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Token:
    """`code`, `system|code`, `|code` (no system) or `system|`; None means "any"."""

    system: str | None
    code: str | None


@dataclass(frozen=True, slots=True)
class Target:
    """A reference.

    Args:
        resource_type: of the target; None for any.
        resource_id: of a target on this server; None if it lies elsewhere.
        url: of a target that lies elsewhere, and of a canonical reference.
        identifier: that the reference carries.
    """

    resource_type: str | None
    resource_id: str | None
    url: str | None = None
    identifier: Token | None = None


@dataclass(frozen=True, slots=True)
class Together:
    """What one element has to compare for the two halves of a composite parameter."""

    first: tuple[Any, ...]
    second: tuple[Any, ...]


def extracted(resource: Json, parameter: Parameter) -> tuple[Any, ...]:
    """Returns the values of a parameter in a resource, or in an element of one."""
    read = _READERS[parameter.kind]
    return tuple(
        value for element in parameter.values(resource) for value in read(element, parameter)
    )


def folded(text: str) -> str:
    """Returns text as string search compares it: without accents and case."""
    decomposed = unicodedata.normalize("NFKD", text)
    return "".join(one for one in decomposed if not unicodedata.combining(one)).casefold()


@lru_cache(maxsize=10_000)
def _token(system: str | None, code: str | None) -> Token:
    """Returns a token; equal ones are one object, since most resources share their codes."""
    return Token(system, code)


def _tokens(element: Any, parameter: Parameter) -> Iterator[Token]:
    if isinstance(element, bool):
        yield _token(None, str(element).lower())
    elif isinstance(element, str):
        yield _token(parameter.system, element)
    elif isinstance(element, dict):
        codings = element.get("coding")
        if isinstance(codings, list):
            for coding in codings:
                if isinstance(coding, dict):
                    yield _coded(coding.get("system"), coding.get("code"))
        elif "code" in element or "value" in element:
            yield _coded(element.get("system"), element.get("code", element.get("value")))


def _coded(system: Any, code: Any) -> Token:
    return _token(*(one if isinstance(one, str) else None for one in (system, code)))


def _dates(element: Any, _parameter: Parameter) -> Iterator[Any]:
    interval = of_element(element)
    if interval:
        yield interval


def _strings(element: Any, _parameter: Parameter) -> Iterator[str]:
    if isinstance(element, str):
        yield element


def _references(element: Any, parameter: Parameter) -> Iterator[Target]:
    if isinstance(element, str):
        yield Target(None, None, element)  # a canonical
        return
    if not isinstance(element, dict):
        return
    identifier = next(_tokens(element.get("identifier"), parameter), None)
    reference = str(element.get("reference", ""))
    if "://" in reference:
        yield Target(None, None, reference, identifier)
        return
    kind, _, resource_id = reference.rpartition("/")
    if resource_id and (not parameter.targets or kind in parameter.targets):
        yield Target(kind, resource_id, None, identifier)
    elif identifier and not reference:
        yield Target(None, None, None, identifier)


def _quantities(element: Any, _parameter: Parameter) -> Iterator[Amount]:
    found = amount(element)
    if found:
        yield found


def _composites(element: Any, parameter: Parameter) -> Iterator[Together]:
    if isinstance(element, dict):
        first, second = (extracted(element, part) for part in parameter.parts)
        if first and second:
            yield Together(first, second)


_READERS: Final[dict[Kind, Callable[[Any, Parameter], Iterator[Any]]]] = {
    "token": _tokens,
    "date": _dates,
    "string": _strings,
    "reference": _references,
    "quantity": _quantities,
    "uri": _strings,
    "composite": _composites,
}
