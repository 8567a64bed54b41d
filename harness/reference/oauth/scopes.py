"""Which scopes the reference EHR understands, offers and grants."""

from __future__ import annotations

import re
from dataclasses import replace

from harness.reference.access import ResourceScope
from harness.reference.clients import Client
from harness.reference.people import Person
from harness.reference.smart import SmartVersion

IDENTITY = ("openid", "fhirUser")
LAUNCH = "launch"
LAUNCH_PATIENT = "launch/patient"
LAUNCH_ENCOUNTER = "launch/encounter"
REFRESH = ("offline_access", "online_access")
_FIXED = (*IDENTITY, LAUNCH, LAUNCH_PATIENT, LAUNCH_ENCOUNTER, *REFRESH)
_CATEGORY = "http://terminology.hl7.org/CodeSystem"
_US_CORE = "http://hl7.org/fhir/us/core/CodeSystem"
GRANULAR = {
    "Condition": (
        f"{_CATEGORY}/condition-category|encounter-diagnosis",
        f"{_CATEGORY}/condition-category|problem-list-item",
        f"{_US_CORE}/condition-category|health-concern",
    ),
    "Observation": (
        *(
            f"{_CATEGORY}/observation-category|{code}"
            for code in ("laboratory", "social-history", "survey", "vital-signs")
        ),
        f"{_US_CORE}/us-core-category|sdoh",
    ),
}
"""The categories that a person may grant in the place of a whole resource type: those whose
granular scopes (g)(10) asks for."""
GRANULAR_PARAMETERS = frozenset({"category"})
V1_FORM = re.compile(r"\.(read|write|\*)$")
_TOKEN = re.compile(r"[\x21\x23-\x5B\x5D-\x7E]+( [\x21\x23-\x5B\x5D-\x7E]+)*")


def split(text: str) -> tuple[str, ...] | None:
    """The scopes of a `scope` parameter, each once, in order; None if it breaks RFC 6749 3.3."""
    if not _TOKEN.fullmatch(text):
        return None
    return tuple(dict.fromkeys(text.split(" ")))


def supported(smart: SmartVersion) -> tuple[str, ...]:
    """The scopes to publish; any narrower one is understood as well."""
    ways: tuple[str, ...] = ("read", "write", "*")
    system: tuple[str, ...] = ("system/*.read", "system/Observation.*")
    if smart is not SmartVersion.V1:
        ways = ("rs", "cruds", *ways)
        system = ("system/*.rs", "system/Observation.cruds")
    return (
        *_FIXED,
        *(f"{level}/*.{way}" for level in ("patient", "user") for way in ways),
        *system,
    )


def offered(
    requested: tuple[str, ...], person: Person, smart: SmartVersion, *, launched: bool
) -> tuple[str, ...]:
    """What of a request can be granted by this person: the rest is left out, as SMART permits."""
    return tuple(
        scope
        for scope in requested
        if _grantable(scope, person, smart) and (scope != LAUNCH or launched)
    )


def alternatives(text: str, smart: SmartVersion) -> tuple[str, ...]:
    """The granular scopes that a person may grant in the place of a whole resource type."""
    scope = ResourceScope.parse(text)
    if scope is None or scope.constraint or V1_FORM.search(text) or smart is SmartVersion.V1:
        return ()
    return tuple(f"{text}?category={value}" for value in GRANULAR.get(scope.resource_type, ()))


def chosen(
    offered: tuple[str, ...], ticked: tuple[str, ...], smart: SmartVersion
) -> tuple[str, ...]:
    """What a person granted: the ticked ones, and of an unticked one its ticked alternatives."""
    kept: list[str] = []
    for scope in offered:
        kept += (
            [scope]
            if scope in ticked
            else (each for each in alternatives(scope, smart) if each in ticked)
        )
    return tuple(dict.fromkeys(kept))


def covered(requested: tuple[str, ...], granted: tuple[str, ...], smart: SmartVersion) -> bool:
    """Whether all that is requested lies within what was granted (RFC 6749 section 6)."""
    held = [scope for text in granted if (scope := ResourceScope.parse(text))]
    return all(text in granted or _within(text, held, smart) for text in requested)


def _within(text: str, held: list[ResourceScope], smart: SmartVersion) -> bool:
    scope = ResourceScope.parse(text)
    if scope is None or not _understood(text, smart):
        return False
    single = (replace(scope, permissions=frozenset(each)) for each in scope.permissions)
    return all(any(each.includes(one) for each in held) for one in single)


def needs_patient(scopes: tuple[str, ...]) -> bool:
    """Whether a patient has to be in context."""
    return any(
        scope in (LAUNCH_PATIENT, LAUNCH_ENCOUNTER) or scope.startswith("patient/")
        for scope in scopes
    )


def preauthorized(
    requested: tuple[str, ...], client: Client, smart: SmartVersion
) -> tuple[str, ...]:
    """What of a backend client's request its registration covers."""
    registered = [scope for text in client.scopes if (scope := ResourceScope.parse(text))]
    return tuple(
        text
        for text in requested
        if (scope := ResourceScope.parse(text))
        and _enforceable(scope)
        and _understood(text, smart)
        and any(each.includes(scope) for each in registered)
    )


def _grantable(text: str, person: Person, smart: SmartVersion) -> bool:
    if text in _FIXED:
        return True
    scope = ResourceScope.parse(text)
    if scope is None or scope.level == "system" or not _enforceable(scope):
        return False
    return _understood(text, smart) and (scope.level == "patient" or person.clinician)


def _understood(text: str, smart: SmartVersion) -> bool:
    """Version 2 scopes came with SMART 2.0.0, which keeps those of version 1."""
    return smart is not SmartVersion.V1 or bool(V1_FORM.search(text))


def _enforceable(scope: ResourceScope) -> bool:
    return scope.constraint.keys() <= GRANULAR_PARAMETERS
