"""What a token may do: SMART scopes, the launch context, and how the two restrict a request.

SMART App Launch 2.0, "Scopes and Launch Context": https://hl7.org/fhir/smart-app-launch/STU2/
scopes-and-launch-context.html. Version 1 scopes (`patient/*.read`) are understood beside
version 2 (`patient/*.rs`), and the granular form (`patient/Observation.rs?category=laboratory`).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from types import MappingProxyType
from typing import Literal
from urllib.parse import parse_qsl

Level = Literal["patient", "user", "system"]

PERMISSIONS = "cruds"
_V1 = {"read": "rs", "write": "cud", "*": PERMISSIONS}
_RESOURCE_SCOPE = re.compile(
    r"(?P<level>patient|user|system)/(?P<type>\*|[A-Z][A-Za-z]{1,63})\."
    r"(?:(?P<v1>read|write|\*)|(?P<v2>(?=[cruds])c?r?u?d?s?)(?:\?(?P<query>[^?#\s]{1,512}))?)"
)
_READS = frozenset("r")
_SEARCHES = frozenset("s")
_WRITES = frozenset("cud")


@dataclass(frozen=True, slots=True)
class ResourceScope:
    """One clinical scope: level, resource type (`*` for all), permissions, granular constraint."""

    level: Level
    resource_type: str
    permissions: frozenset[str]
    constraint: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))

    @classmethod
    def parse(cls, text: str) -> ResourceScope | None:
        """Reads one scope in version 1 or 2 form; None where it is no clinical scope."""
        match = _RESOURCE_SCOPE.fullmatch(text)
        if not match:
            return None
        permissions = _V1[match["v1"]] if match["v1"] else match["v2"]
        pairs = parse_qsl(match["query"] or "", keep_blank_values=True)
        if match["query"] and (not pairs or len(dict(pairs)) != len(pairs)):
            return None
        return cls(
            level=_level(match["level"]),
            resource_type=match["type"],
            permissions=frozenset(permissions),
            constraint=MappingProxyType(dict(pairs)),
        )

    def covers(self, resource_type: str, permission: str) -> bool:
        """Whether this scope names the resource type and the permission."""
        return self.resource_type in ("*", resource_type) and permission in self.permissions

    def includes(self, other: ResourceScope) -> bool:
        """Whether everything that `other` permits is permitted by this scope as well."""
        return (
            self.level == other.level
            and self.resource_type in ("*", other.resource_type)
            and self.permissions >= other.permissions
            and (not self.constraint or dict(self.constraint) == dict(other.constraint))
        )


def _level(text: str) -> Level:
    return "patient" if text == "patient" else "user" if text == "user" else "system"


@dataclass(frozen=True, slots=True)
class Access:
    """What the bearer of a token may do until `expires_at` (UTC).

    Args:
        client_id: the client that the token was issued to.
        scopes: the scopes as granted.
        patient: id of the patient in context; the compartment of `patient/` scopes.
        fhir_user: `Practitioner/1`, `Patient/2`; None without the `fhirUser` scope.
        expires_at: when the token dies.
        lapses: what this server forgets to enforce; empty unless it has a fault. Out of
            `scope-read`, `scope-search`, `scope-write`, `compartment-read`, `compartment-search`,
            `constraint-read`, `constraint-search`; `own-record`, which opens the patient in context
            to every scope; `user-level` and `wildcard`, which it does not honour; `permissions`,
            which it tells apart as version 1 did, in those that read and those that write.
    """

    client_id: str
    scopes: tuple[str, ...]
    patient: str | None
    fhir_user: str | None
    expires_at: datetime
    lapses: frozenset[str] = frozenset()
    _parsed: tuple[ResourceScope, ...] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        parsed = (ResourceScope.parse(text) for text in self.scopes)
        object.__setattr__(self, "_parsed", tuple(scope for scope in parsed if scope))

    def allows(self, resource_type: str, permission: str) -> bool:
        """Whether any scope grants `permission` (one of c, r, u, d, s) on the resource type.

        A `patient/` scope grants nothing without a patient in context. Where and to what the
        grant is restricted, `compartment_patient` and `constraints` say.
        """
        if self._forgets("scope", permission):
            return True
        if "own-record" in self.lapses and (resource_type, permission) == ("Patient", "r"):
            return self.patient is not None
        return bool(self._deciding(resource_type, permission))

    def compartment_patient(self, resource_type: str, permission: str) -> str | None:
        """Id of the patient whose compartment bounds the grant; None if it is not bounded.

        `user/` and `system/` scopes are not bounded; they decide alone wherever one of them
        grants, together with their own constraints.
        """
        if self._forgets("compartment", permission):
            return None
        levels = {scope.level for scope in self._deciding(resource_type, permission)}
        return None if levels & {"user", "system"} else self.patient

    def constraints(self, resource_type: str, permission: str) -> list[dict[str, str]] | None:
        """Search parameters that a resource must match, any one dict of them; None: no constraint.

        `?category=http://terminology.hl7.org/CodeSystem/observation-category|laboratory` reads
        `{"category": "http://...|laboratory"}`.
        """
        if self._forgets("scope", permission) or self._forgets("constraint", permission):
            return None
        deciding = self._deciding(resource_type, permission)
        if not deciding or any(not scope.constraint for scope in deciding):
            return None
        return [dict(scope.constraint) for scope in deciding]

    def reads_own_user(self, resource_type: str, resource_id: str) -> bool:
        """Whether this is the signed-in user's own resource, which `fhirUser` lets an app read."""
        return self.fhir_user == f"{resource_type}/{resource_id}"

    def _deciding(self, resource_type: str, permission: str) -> list[ResourceScope]:
        granting = [
            scope
            for scope in self._parsed
            if any(scope.covers(resource_type, each) for each in self._alike(permission))
            and (scope.level != "patient" or self.patient is not None)
            and not (scope.level == "user" and "user-level" in self.lapses)
            and not (scope.resource_type == "*" and "wildcard" in self.lapses)
        ]
        unbounded = [scope for scope in granting if scope.level != "patient"]
        return unbounded or granting

    def _alike(self, permission: str) -> str:
        if "permissions" not in self.lapses:
            return permission
        return "cud" if permission in _WRITES else "rs"

    def _forgets(self, what: str, permission: str) -> bool:
        if permission in _READS:
            return f"{what}-read" in self.lapses
        if permission in _SEARCHES:
            return f"{what}-search" in self.lapses
        return permission in _WRITES and f"{what}-write" in self.lapses
