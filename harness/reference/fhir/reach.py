"""What a request may reach, from what its token may do.

SMART App Launch 2.0, scopes; the refusals follow RFC 6750 section 3.1. A resource of another
patient is answered as if it did not exist: a 403 would tell that it does.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from harness.reference.access import Access
from harness.reference.fhir.outcome import Refused, refused
from harness.reference.fhir.query import Query, read
from harness.reference.fhir.stored import Stored

ROSTERS = frozenset({"Group"})
"""Types that name many patients: a token that is bound to one patient sees none of them."""
WORDS = {"c": "create", "r": "read", "u": "update", "d": "delete", "s": "search"}


def forbidden(diagnostics: str, *, expression: str | None = None) -> Refused:
    """Returns the refusal for want of scope."""
    return refused(
        403,
        "forbidden",
        diagnostics,
        expression=expression,
        headers={"WWW-Authenticate": 'Bearer error="insufficient_scope"'},
    )


@dataclass(frozen=True, slots=True)
class Reach:
    """What one token reaches in one resource type with one permission.

    Args:
        resource_type: such as `Observation`.
        permission: c, r, u, d or s.
        compartment: the only patient whose data may be seen; None if not bound.
        constraints: granular scopes as searches, any of which must match; None if there is none.
        access: what the token may do.
        base: the FHIR base of this server.
    """

    resource_type: str
    permission: str
    compartment: str | None
    constraints: tuple[Query, ...] | None
    access: Access
    base: str

    @classmethod
    def of(cls, access: Access, resource_type: str, permission: str, base: str) -> Reach:
        """Returns the reach of a token.

        Raises:
            Refused: 403; no scope grants the permission on the type.
        """
        if not access.allows(resource_type, permission):
            raise forbidden(
                f"no scope of this token permits {WORDS[permission]} on {resource_type}"
            )
        compartment = access.compartment_patient(resource_type, permission)
        if compartment is not None and resource_type in ROSTERS:
            return cls(resource_type, permission, compartment, (), access, base)
        granular = access.constraints(resource_type, permission)
        if granular is None:
            return cls(resource_type, permission, compartment, None, access, base)
        try:
            queries = [
                read(resource_type, list(one.items()), base, strict=True) for one in granular
            ]
        except Refused as unusable:
            raise forbidden(
                f"a granular scope cannot be enforced: {unusable.issues[0].diagnostics}"
            ) from None
        return cls(resource_type, permission, compartment, tuple(queries), access, base)

    @property
    def granular(self) -> tuple[object, ...] | None:
        """The constraints in a form that can be compared; None if there is none."""
        if self.constraints is None:
            return None
        return tuple(tuple(query.used) for query in self.constraints)

    def beside(self, resource_type: str) -> Reach:
        """Returns what the token reaches in another type that a search leads to.

        Raises:
            Refused: 403; the token may neither search nor read it.
        """
        permission = "s" if self.access.allows(resource_type, "s") else "r"
        return Reach.of(self.access, resource_type, permission, self.base)

    def in_compartment(self, stored: Stored) -> bool:
        """Whether a resource belongs to the patient of the token, or to nobody."""
        if self.compartment is not None and stored.resource_type in ROSTERS:
            return False
        return self.compartment is None or stored.patient in (None, self.compartment)

    def within_constraints(self, stored: Stored, now: datetime) -> bool:
        """Whether the granular scopes permit a resource."""
        return self.constraints is None or any(
            all(criterion.matches(stored, now) for criterion in query.criteria)
            for query in self.constraints
        )

    def covers(self, stored: Stored, now: datetime) -> bool:
        """Whether a resource may be reached."""
        return self.in_compartment(stored) and self.within_constraints(stored, now)
