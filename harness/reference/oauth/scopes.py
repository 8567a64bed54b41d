"""Which scopes the reference EHR understands, offers and grants."""

from __future__ import annotations

import re

from harness.reference.access import ResourceScope
from harness.reference.clients import Client
from harness.reference.people import Person

IDENTITY = ("openid", "fhirUser")
LAUNCH_PATIENT = "launch/patient"
REFRESH = ("offline_access", "online_access")
SUPPORTED = (
    *IDENTITY,
    LAUNCH_PATIENT,
    *REFRESH,
    *(f"{level}/*.{what}" for level in ("patient", "user") for what in ("rs", "cruds")),
    *(f"{level}/*.{what}" for level in ("patient", "user") for what in ("read", "write", "*")),
    "system/*.rs",
    "system/Observation.cruds",
)
GRANULAR_PARAMETERS = frozenset({"category"})
_TOKEN = re.compile(r"[\x21\x23-\x5B\x5D-\x7E]+( [\x21\x23-\x5B\x5D-\x7E]+)*")


def split(text: str) -> tuple[str, ...] | None:
    """The scopes of a `scope` parameter, each once, in order; None if it breaks RFC 6749 3.3."""
    if not _TOKEN.fullmatch(text):
        return None
    return tuple(dict.fromkeys(text.split(" ")))


def offered(requested: tuple[str, ...], person: Person) -> tuple[str, ...]:
    """What of a request can be granted by this person: the rest is left out, as SMART permits."""
    return tuple(scope for scope in requested if _grantable(scope, person))


def needs_patient(scopes: tuple[str, ...]) -> bool:
    """Whether a patient has to be in context."""
    return any(scope == LAUNCH_PATIENT or scope.startswith("patient/") for scope in scopes)


def preauthorized(requested: tuple[str, ...], client: Client) -> tuple[str, ...]:
    """What of a backend client's request its registration covers."""
    registered = [scope for text in client.scopes if (scope := ResourceScope.parse(text))]
    return tuple(
        text
        for text in requested
        if (scope := ResourceScope.parse(text))
        and _enforceable(scope)
        and any(each.includes(scope) for each in registered)
    )


def _grantable(text: str, person: Person) -> bool:
    if text in (*IDENTITY, LAUNCH_PATIENT, *REFRESH):
        return True
    scope = ResourceScope.parse(text)
    if scope is None or scope.level == "system" or not _enforceable(scope):
        return False
    return scope.level == "patient" or person.clinician


def _enforceable(scope: ResourceScope) -> bool:
    return scope.constraint.keys() <= GRANULAR_PARAMETERS
