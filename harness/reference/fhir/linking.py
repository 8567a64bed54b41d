"""Conditions on other resources: chains and `_has` become references and ids.

FHIR R4, search, "chaining" and "reverse chaining": http://hl7.org/fhir/R4/search.html#chaining.
The other resources are searched for like any, so that a condition tells no more of them than a
search for them would.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from harness.reference.fhir.asked import Link, Query
from harness.reference.fhir.matching import Criterion, search_values
from harness.reference.fhir.outcome import Refused
from harness.reference.fhir.parameters import PARAMETERS
from harness.reference.fhir.stored import Stored
from harness.reference.fhir.values import Target, Token

FORBIDDEN = 403


def resolved(query: Query, find: Callable[[Query], list[Stored]]) -> Query | None:
    """Returns an equal query without links; None if nothing can match it.

    Args:
        query: with any number of links.
        find: searches for the other resources; what the searcher may not see it does not find.
    """
    if not query.links:
        return query
    criteria = [_criterion(query.resource_type, link, find) for link in query.links]
    if not all(one.wanted for one in criteria):
        return None
    return replace(query, criteria=[*query.criteria, *criteria], links=[])


def _criterion(resource_type: str, link: Link, find: Callable[[Query], list[Stored]]) -> Criterion:
    found = _found(link, find)
    if not link.reverse:
        targets = [Target(one.resource_type, one.id) for one in found]
        return Criterion(link.parameter, tuple(targets))
    named = [
        target.resource_id
        for stored in found
        for target in search_values(stored, link.parameter)
        if target.resource_type == resource_type
    ]
    ids = tuple(Token(None, one) for one in dict.fromkeys(named))
    return Criterion(PARAMETERS[resource_type]["_id"], ids)


def _found(link: Link, find: Callable[[Query], list[Stored]]) -> list[Stored]:
    """Returns the other resources; types outside the scopes count only if there is no other.

    Raises:
        Refused: 403; none of the types may be searched for.
    """
    found: list[Stored] = []
    refusals: list[Refused] = []
    for query in link.queries:
        try:
            found += find(query)
        except Refused as why:
            if why.status != FORBIDDEN:
                raise
            refusals.append(why)
    if len(refusals) == len(link.queries):
        raise refusals[0]
    return found
