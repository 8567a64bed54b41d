"""What a search asks for, read from its parameters.

FHIR R4, search: http://hl7.org/fhir/R4/search.html. Parameters that this server does not know are
left out and reported, or refused under `Prefer: handling=strict`
(http://hl7.org/fhir/R4/search.html#errors). What was used stands in `used`, for the self link.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from harness.reference.fhir.asked import DEFAULT_COUNT, MOST_COUNT, MOST_LINKS, Link, Query
from harness.reference.fhir.outcome import Issue, Refused
from harness.reference.fhir.parameters import INCLUDES, PARAMETERS
from harness.reference.fhir.reading import criterion
from harness.reference.fhir.results import RESULTS

__all__ = ["DEFAULT_COUNT", "MOST_COUNT", "Query", "read"]

_TRANSPORT: Final = {"_format", "_pretty"}


def read(resource_type: str, pairs: Sequence[tuple[str, str]], base: str, *, strict: bool) -> Query:
    """Reads the parameters of a search.

    Args:
        resource_type: what is searched.
        pairs: names and values, decoded, in order.
        base: the FHIR base of this server, for absolute references.
        strict: refuse what would be ignored.

    Raises:
        Refused: 400; a value cannot be read, or something is not supported and `strict` holds.
    """
    query = Query(resource_type)
    for name, value in pairs:
        if name in _TRANSPORT or not value:
            continue  # an empty parameter is not an error, it counts as absent
        take = RESULTS.get(name.partition(":")[0])
        problem = take(query, name, value) if take else _take(query, name, value, base)
        if problem is None:
            continue
        if strict:
            raise Refused(400, (Issue("not-supported", problem),))
        query.ignored.append(Issue("not-supported", problem, severity="warning"))
    query.used.append(("_count", str(query.count)))
    return query


def _take(query: Query, name: str, value: str, base: str) -> str | None:
    """Adds one parameter to the query; returns why not, if it is not supported."""
    if name.startswith("_has:") or "." in name:
        problem = _add_link(query, name, value, base, depth=1)
        if problem is None:
            query.used.append((name, value))
        return problem
    base_name, _, modifier = name.partition(":")
    parameter = PARAMETERS[query.resource_type].get(base_name)
    if parameter is None:
        return _unknown(query.resource_type, base_name)
    query.criteria.append(criterion(parameter, modifier, value, base))
    query.used.append((name, value))
    return None


def _unknown(resource_type: str, name: str) -> str:
    return f"{resource_type} has no search parameter {name!r} here; it was ignored"


def _add_link(query: Query, name: str, value: str, base: str, depth: int) -> str | None:
    """Adds a chain or `_has`, however deep; returns why not, if it is not supported."""
    if depth > MOST_LINKS:
        return f"{name} follows more than {MOST_LINKS} references; it was ignored"
    kinds: tuple[str, ...]
    if name.startswith("_has:"):
        parts = name.split(":", 3)
        if len(parts) < 4 or parts[2] not in INCLUDES.get(parts[1], ()):  # noqa: PLR2004 - _has:T:ref:name
            return f"{name} is not _has:Type:reference:parameter of this server; it was ignored"
        parameter, kinds, rest = PARAMETERS[parts[1]][parts[2]], (parts[1],), parts[3]
    else:
        first, _, rest = name.partition(".")
        own, _, kind = first.partition(":")
        if own not in INCLUDES[query.resource_type]:
            return _unknown(query.resource_type, own)
        parameter = PARAMETERS[query.resource_type][own]
        kinds = (kind,) if kind else parameter.targets or tuple(PARAMETERS)
    inner = [_inner(kind, rest, value, base, depth) for kind in kinds if kind in PARAMETERS]
    known = tuple(one for one in inner if isinstance(one, Query))
    if not known:
        return next((one for one in inner if isinstance(one, str)), f"{name} was ignored")
    query.links.append(Link(parameter, known, reverse=name.startswith("_has:")))
    return None


def _inner(kind: str, name: str, value: str, base: str, depth: int) -> Query | str:
    """Returns what is asked of the other resource, or why it cannot be asked."""
    query = Query(kind)
    if name.startswith("_has:") or "." in name:
        return _add_link(query, name, value, base, depth + 1) or query
    bare, _, modifier = name.partition(":")
    parameter = PARAMETERS[kind].get(bare)
    if parameter is None:
        return _unknown(kind, bare)
    query.criteria.append(criterion(parameter, modifier, value, base))
    return query
