"""What an export is asked for, as data."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from harness.reference.fhir.outcome import Issue
from harness.reference.fhir.query import Query
from harness.reference.fhir.reach import Reach
from harness.reference.fhir.stored import Stored


class Level(StrEnum):
    """Whose data an export is about."""

    SYSTEM = "system"
    PATIENT = "patient"
    GROUP = "group"


@dataclass(frozen=True, slots=True)
class Asked:
    """One export.

    Args:
        level: whose data it is about.
        url: the URL of the kick-off request.
        reaches: by resource type that is wanted, what of it the token reaches.
        since: only what was stored later than this, in UTC; None for all.
        patients: whose data is wanted, by id; None for everybody's.
        newcomers: of these, who is told of whatever `since` says.
        filters: by type the searches of `_typeFilter`, of which any has to match.
        elements: by type the elements that are wanted; of a type that is not in it, all.
        warnings: what of the request was left out.
    """

    level: Level
    url: str
    reaches: Mapping[str, Reach]
    since: datetime | None = None
    patients: frozenset[str] | None = None
    newcomers: frozenset[str] = frozenset()
    filters: Mapping[str, tuple[Query, ...]] = field(default_factory=dict)
    elements: Mapping[str, frozenset[str]] = field(default_factory=dict)
    warnings: tuple[Issue, ...] = ()

    def takes(self, stored: Stored, now: datetime) -> bool:
        """Whether a resource of a wanted type, or its deletion, belongs to this export.

        What belongs to no patient is taken whoever is asked for, since it explains the rest.
        """
        if self.patients is not None and stored.patient not in (None, *self.patients):
            return False
        new = stored.patient in self.newcomers and not stored.deleted
        if self.since is not None and stored.last_updated <= self.since and not new:
            return False
        if stored.deleted and self.since is None:
            return False
        return self._found(stored, now) and self.reaches[stored.resource_type].within_constraints(
            stored, now
        )

    def _found(self, stored: Stored, now: datetime) -> bool:
        queries = self.filters.get(stored.resource_type)
        return not queries or any(
            all(criterion.matches(stored, now) for criterion in query.criteria) for query in queries
        )
