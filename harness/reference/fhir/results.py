"""The parameters that shape the answer to a search rather than what it finds.

FHIR R4, search, "managing returned resources": http://hl7.org/fhir/R4/search.html#return
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Final

from harness.reference.fhir.asked import MOST_COUNT, Inclusion, Query
from harness.reference.fhir.outcome import refused
from harness.reference.fhir.parameters import INCLUDES, PARAMETERS

_SORTABLE: Final = {"date", "string"}
_SUMMARIES: Final = {"text", "data", "true"}


def _take_count(query: Query, _name: str, value: str) -> None:
    if not re.fullmatch(r"\d{1,9}", value, re.ASCII):
        raise refused(400, "value", f"_count={value}: a whole number of at least 0 expected")
    query.count = min(int(value), MOST_COUNT)
    query.count_only = query.count_only or query.count == 0


def _take_sort(query: Query, _name: str, value: str) -> str | None:
    known = PARAMETERS[query.resource_type]
    keys = tuple(value.split(","))
    for key in keys:
        parameter = known.get(key.removeprefix("-"))
        if parameter is None or (parameter.kind not in _SORTABLE and parameter.name != "_id"):
            return f"{query.resource_type} cannot be sorted by {key!r} here; _sort was ignored"
    query.sort = keys
    query.used.append(("_sort", value))
    return None


def _take_include(query: Query, name: str, value: str) -> str | None:
    wanted = _inclusion(name, value)
    if wanted is None or not (wanted.iterate or wanted.source == query.resource_type):
        return f"{name}={value} is not supported; it was ignored"
    query.includes.append(wanted)
    query.used.append((name, value))
    return None


def _take_rev_include(query: Query, name: str, value: str) -> str | None:
    wanted = _inclusion(name, value)
    targets = wanted.parameter.targets if wanted else ()
    fits = not targets or query.resource_type in targets
    if wanted is None or not (wanted.iterate or fits):
        return f"{name}={value} is not supported; it was ignored"
    query.rev_includes.append(wanted)
    query.used.append((name, value))
    return None


def _inclusion(name: str, value: str) -> Inclusion | None:
    """Reads `Source:parameter` or `Source:parameter:Target`; None if there is no such reference."""
    modifier = name.partition(":")[2]
    source, _, rest = value.partition(":")
    parameter, _, target = rest.partition(":")
    if modifier not in {"", "iterate"} or parameter not in INCLUDES.get(source, ()):
        return None
    if target and target not in (PARAMETERS[source][parameter].targets or PARAMETERS):
        return None
    return Inclusion(source, parameter, target or None, modifier == "iterate")


def _take_summary(query: Query, _name: str, value: str) -> str | None:
    if value in _SUMMARIES:
        query.summary = value
    elif value == "count":
        query.count_only = True
    elif value != "false":
        return f"_summary={value} is not supported; it was ignored"
    query.used.append(("_summary", value))
    return None


def _take_elements(query: Query, _name: str, value: str) -> None:
    names = (one.strip().removeprefix(f"{query.resource_type}.") for one in value.split(","))
    query.elements = tuple(one for one in names if one)
    query.used.append(("_elements", value))


def _take_total(query: Query, _name: str, value: str) -> str | None:
    if value not in {"none", "estimate", "accurate"}:
        return f"_total={value} is not supported; it was ignored"
    query.total = value != "none"
    query.used.append(("_total", value))
    return None


RESULTS: Final[Mapping[str, Callable[[Query, str, str], str | None]]] = {
    "_count": _take_count,
    "_sort": _take_sort,
    "_include": _take_include,
    "_revinclude": _take_rev_include,
    "_summary": _take_summary,
    "_elements": _take_elements,
    "_total": _take_total,
}
"""By name: takes one parameter into a query; returns why not, if it is not supported."""
