"""The search parameters that this server supports, by resource type; the rows are in a file beside.

FHIR R4 search parameter registry: http://hl7.org/fhir/R4/searchparameter-registry.html. Search,
the CapabilityStatement and the granular scopes read this table and nothing else.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, Final, Literal

Kind = Literal["token", "date", "string", "reference", "quantity", "uri", "composite"]

SP: Final = "http://hl7.org/fhir/SearchParameter/"
_STEP: Final = re.compile(r"([A-Za-z]+)(?:\[([^\]]+)\])?(?:\.|$)")


@dataclass(frozen=True, slots=True)
class Parameter:
    """One search parameter.

    Args:
        name: as clients write it.
        kind: how its values are compared.
        paths: where its values stand in the resource; members separated by dots, and `[x]` behind
            one keeps what has `x` as its system or url.
        definition: canonical URL.
        system: of the codes, where the element is a bare code.
        targets: the resource types that a reference may have; empty for any.
        parts: of a composite parameter the two that it is made of, read from each element behind
            the paths; from the resource itself where there is no path.
    """

    name: str
    kind: Kind
    paths: tuple[str, ...]
    definition: str
    system: str | None = None
    targets: tuple[str, ...] = ()
    parts: tuple[Parameter, ...] = ()

    @property
    def target(self) -> str | None:
        """The only resource type that a reference may have; None for any."""
        return self.targets[0] if len(self.targets) == 1 else None

    def values(self, resource: dict[str, Any]) -> Iterator[Any]:
        """Yields the elements behind the paths, lists taken apart."""
        for path in self.paths:
            yield from _walk(resource, _steps(path))
        if not self.paths:
            yield resource


@cache
def _steps(path: str) -> tuple[tuple[str, str], ...]:
    return tuple(_STEP.findall(path))


def _walk(element: Any, steps: tuple[tuple[str, str], ...]) -> Iterator[Any]:
    if isinstance(element, list):
        for one in element:
            yield from _walk(one, steps)
    elif not steps:
        yield element
    elif isinstance(element, dict) and steps[0][0] in element:
        name, only = steps[0]
        inner = element[name]
        if only:
            inner = [one for one in inner if isinstance(one, dict) and _is(one, only)]
        yield from _walk(inner, steps[1:])


def _is(element: dict[str, Any], only: str) -> bool:
    return only in (element.get("system"), element.get("url"))


_COMMON: Final = (
    Parameter("_id", "token", ("id",), SP + "Resource-id"),
    Parameter("_lastUpdated", "date", ("meta.lastUpdated",), SP + "Resource-lastUpdated"),
    Parameter("_profile", "uri", ("meta.profile",), SP + "Resource-profile"),
    Parameter("_security", "token", ("meta.security",), SP + "Resource-security"),
    Parameter("_tag", "token", ("meta.tag",), SP + "Resource-tag"),
)


def _tables() -> dict[str, dict[str, Parameter]]:
    text = Path(__file__).with_name("parameters.txt").read_text("utf-8")
    tables: dict[str, dict[str, Parameter]] = {}
    for line in text.splitlines():
        if line and not line.startswith("#"):
            resource_type, *columns = line.split()
            known = tables.setdefault(resource_type, {one.name: one for one in _COMMON})
            if columns:
                known[columns[0]] = _parameter(known, *columns)
    return tables


def _parameter(
    known: Mapping[str, Parameter], name: str, kind: str, where: str, definition: str, last: str
) -> Parameter:
    url = definition if "://" in definition else SP + definition
    kind_: Kind = kind  # type: ignore[assignment]  # the file is ours, and a test reads it
    if kind == "composite":
        element, _, parts = where.rpartition(":")
        made = tuple(_below(known[part], element) for part in parts.split("&"))
        return Parameter(name, kind_, (element,) if element else (), url, parts=made)
    paths = tuple(where.split(","))
    if kind == "reference":
        targets = () if last == "*" else tuple(last.split(","))
        return Parameter(name, kind_, paths, url, targets=targets)
    return Parameter(name, kind_, paths, url, system=None if last == "-" else last)


def _below(part: Parameter, element: str) -> Parameter:
    """Returns a parameter as it is read from an element that its paths lead through."""
    if not element:
        return part
    paths = tuple(path.removeprefix(f"{element}.") for path in part.paths)
    return Parameter(part.name, part.kind, paths, part.definition, part.system, part.targets)


PARAMETERS: Final[Mapping[str, Mapping[str, Parameter]]] = _tables()
INCLUDES: Final[Mapping[str, tuple[str, ...]]] = {
    resource_type: tuple(one.name for one in table.values() if one.kind == "reference")
    for resource_type, table in PARAMETERS.items()
}
"""By type: the reference parameters that `_include` follows."""


def _referring(target: str) -> Iterator[str]:
    for source, names in INCLUDES.items():
        for name in names:
            if target in (PARAMETERS[source][name].targets or (target,)):
                yield f"{source}:{name}"


REV_INCLUDES: Final[Mapping[str, tuple[str, ...]]] = {
    resource_type: tuple(_referring(resource_type)) for resource_type in PARAMETERS
}
"""By type of the match: what `_revinclude` brings along, such as `Provenance:target`."""
