"""Reads `_typeFilter`: the searches of this server, without what shapes their answers.

http://hl7.org/fhir/uv/bulkdata/STU2/export.html#_typefilter-experimental-query-parameter
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Final

from harness.reference.bulk.lenience import Lenience
from harness.reference.fhir.outcome import Refused
from harness.reference.fhir.query import Query, read
from harness.reference.fhir.reach import Reach
from harness.reference.fhir.searches import parameters

_NEXT: Final = re.compile(r",(?=[A-Z][A-Za-z]*\?)")
"""A comma in front of the next search; any other belongs to a value."""
_SHAPING: Final = {"_count", "_sort", "_include", "_revinclude", "_summary", "_elements", "_total"}


def read_filters(
    values: Sequence[str], reaches: Mapping[str, Reach], base: str, lenience: Lenience
) -> dict[str, tuple[Query, ...]]:
    """Returns the searches by type, of which any has to match.

    Args:
        values: of the parameter, decoded once.
        reaches: the types that are exported.
        base: the FHIR base.
        lenience: hears of what is not supported.
    """
    found: dict[str, list[Query]] = {}
    for text in (one for value in values for one in _NEXT.split(value)):
        kind, _, asked = text.partition("?")
        pairs = parameters(asked)
        shaping = {name for name, _ in pairs if name.partition(":")[0] in _SHAPING}
        if kind not in reaches:
            lenience.object_to(f"_typeFilter={text}: {kind} is not exported")
        elif shaping:
            lenience.object_to(f"_typeFilter={text}: {min(shaping)} shapes an answer to a search")
        elif query := _query(kind, pairs, base, text, lenience):
            found.setdefault(kind, []).append(query)
    return {kind: tuple(queries) for kind, queries in found.items()}


def _query(
    kind: str, pairs: list[tuple[str, str]], base: str, text: str, lenience: Lenience
) -> Query | None:
    try:
        query = read(kind, pairs, base, strict=True)
    except Refused as why:
        lenience.object_to(f"_typeFilter={text}: {why.issues[0].diagnostics}")
        return None
    if query.links:
        lenience.object_to(f"_typeFilter={text}: chains and _has are not supported here")
        return None
    return query
