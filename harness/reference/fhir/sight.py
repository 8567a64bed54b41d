"""What a token sees of resources that come along with others."""

from __future__ import annotations

from dataclasses import dataclass, field

from harness.reference.access import Access
from harness.reference.fhir.context import Context
from harness.reference.fhir.faulty import searching as faulty
from harness.reference.fhir.outcome import Refused
from harness.reference.fhir.reach import Reach
from harness.reference.fhir.stored import Stored


@dataclass
class Sight:
    """Tells for one answer what may stand in it.

    Args:
        context: of the interface.
        access: what the token may do.
        withheld: the resource types of which something was left out for want of a scope.
    """

    context: Context
    access: Access
    withheld: set[str] = field(default_factory=set)
    _reaches: dict[str, Reach | None] = field(default_factory=dict)

    def permits(self, stored: Stored) -> bool:
        """Whether a resource may be shown."""
        reach = self._reach(stored.resource_type)
        if reach is None:
            self.withheld.add(stored.resource_type)
            return False
        known = reach.in_compartment(stored)
        known = known or faulty.forgets_compartment(self.context.instance.has)
        return known and reach.within_constraints(stored, self.context.now)

    def _reach(self, resource_type: str) -> Reach | None:
        if resource_type not in self._reaches:
            permission = "s" if self.access.allows(resource_type, "s") else "r"
            base = self.context.instance.fhir_base
            try:
                found: Reach | None = Reach.of(self.access, resource_type, permission, base)
            except Refused:
                found = None
            self._reaches[resource_type] = found
        return self._reaches[resource_type]
