"""Who is in a Group."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from harness.reference.fhir.asof import AsOf
from harness.reference.fhir.outcome import refused
from harness.reference.fhir.stored import Stored, Versions


@dataclass(frozen=True, slots=True)
class Roster:
    """A Group at the transaction time.

    Args:
        versions: of the Group, oldest first.
        members: ids of the patients who are in it.
    """

    versions: Versions
    members: frozenset[str]

    @classmethod
    def of(cls, view: AsOf, group_id: str) -> Roster:
        """Returns the roster.

        Raises:
            Refused: 404; there is no such Group.
        """
        versions = view.versions("Group", group_id)
        if not versions or versions[-1].deleted:
            raise refused(404, "not-found", f"there is no Group/{group_id}")
        return cls(versions, _members(versions[-1]))

    def newcomers(self, since: datetime) -> frozenset[str]:
        """Returns who was not in the Group yet at an instant, in UTC."""
        earlier = [one for one in self.versions if one.last_updated <= since]
        return self.members - (_members(earlier[-1]) if earlier else frozenset())


def _members(group: Stored) -> frozenset[str]:
    if group.deleted:
        return frozenset()
    found = set()
    for member in group.resource.get("member", []):
        kind, _, patient = member.get("entity", {}).get("reference", "").rpartition("/")
        if kind.rpartition("/")[2] == "Patient" and not member.get("inactive"):
            found.add(patient)
    return frozenset(found)
