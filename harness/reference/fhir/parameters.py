"""The search parameters that this server supports, by resource type.

FHIR R4 search parameter registry: http://hl7.org/fhir/R4/searchparameter-registry.html. Search,
the CapabilityStatement and the granular scopes read this table and nothing else.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final, Literal

Kind = Literal["token", "date", "string", "reference"]

SP: Final = "http://hl7.org/fhir/SearchParameter/"
OBSERVATION_STATUS: Final = "http://hl7.org/fhir/observation-status"
GENDER: Final = "http://hl7.org/fhir/administrative-gender"


@dataclass(frozen=True, slots=True)
class Parameter:
    """One search parameter.

    Args:
        name: as clients write it.
        kind: how its values are compared.
        paths: where its values stand in the resource; members separated by dots.
        definition: canonical URL.
        system: of the codes, where the element is a bare code.
        target: the only resource type that a reference may have; None for any.
    """

    name: str
    kind: Kind
    paths: tuple[str, ...]
    definition: str
    system: str | None = None
    target: str | None = None

    def values(self, resource: dict[str, Any]) -> Iterator[Any]:
        """Yields the elements behind the paths, lists taken apart."""
        for path in self.paths:
            yield from _walk(resource, path.split("."))


def _walk(element: Any, steps: list[str]) -> Iterator[Any]:
    if isinstance(element, list):
        for one in element:
            yield from _walk(one, steps)
    elif not steps:
        yield element
    elif isinstance(element, dict) and steps[0] in element:
        yield from _walk(element[steps[0]], steps[1:])


_COMMON: Final = (
    Parameter("_id", "token", ("id",), SP + "Resource-id"),
    Parameter("_lastUpdated", "date", ("meta.lastUpdated",), SP + "Resource-lastUpdated"),
)
_NAME: Final = ("name.family", "name.given", "name.prefix", "name.suffix", "name.text")


def _patient(path: str, definition: str = "clinical-patient") -> Parameter:
    return Parameter("patient", "reference", (path,), SP + definition, target="Patient")


_PATIENT = (
    Parameter("identifier", "token", ("identifier",), SP + "Patient-identifier"),
    Parameter("name", "string", _NAME, SP + "Patient-name"),
    Parameter("family", "string", ("name.family",), SP + "individual-family"),
    Parameter("given", "string", ("name.given",), SP + "individual-given"),
    Parameter("birthdate", "date", ("birthDate",), SP + "individual-birthdate"),
    Parameter("gender", "token", ("gender",), SP + "individual-gender", system=GENDER),
)
_OBSERVATION = (
    _patient("subject"),
    Parameter("subject", "reference", ("subject",), SP + "Observation-subject"),
    Parameter("category", "token", ("category",), SP + "Observation-category"),
    Parameter("code", "token", ("code",), SP + "clinical-code"),
    Parameter("date", "date", ("effectiveDateTime", "effectivePeriod", "effectiveInstant"),
              SP + "clinical-date"),
    Parameter("status", "token", ("status",), SP + "Observation-status",
              system=OBSERVATION_STATUS),
    Parameter("identifier", "token", ("identifier",), SP + "clinical-identifier"),
    Parameter("performer", "reference", ("performer",), SP + "Observation-performer"),
    Parameter("device", "reference", ("device",), SP + "Observation-device"),
    Parameter("encounter", "reference", ("encounter",), SP + "clinical-encounter",
              target="Encounter"),
)  # fmt: skip
_PRACTITIONER = (
    Parameter("identifier", "token", ("identifier",), SP + "Practitioner-identifier"),
    Parameter("name", "string", _NAME, SP + "Practitioner-name"),
)
_ORGANIZATION = (
    Parameter("identifier", "token", ("identifier",), SP + "Organization-identifier"),
    Parameter("name", "string", ("name", "alias"), SP + "Organization-name"),
    Parameter("address", "string",
              ("address.line", "address.city", "address.state", "address.postalCode",
               "address.country", "address.text"), SP + "Organization-address"),
)  # fmt: skip
_DEVICE = (
    _patient("patient", "Device-patient"),
    Parameter("type", "token", ("type",), SP + "Device-type"),
    Parameter("identifier", "token", ("identifier",), SP + "Device-identifier"),
)
_PROVENANCE = (
    Parameter("target", "reference", ("target",), SP + "Provenance-target"),
    Parameter("recorded", "date", ("recorded",), SP + "Provenance-recorded"),
)
_ENCOUNTER = (
    _patient("subject"),
    Parameter("date", "date", ("period",), SP + "clinical-date"),
    Parameter("status", "token", ("status",), SP + "Encounter-status",
              system="http://hl7.org/fhir/encounter-status"),
    Parameter("class", "token", ("class",), SP + "Encounter-class"),
    Parameter("type", "token", ("type",), SP + "clinical-type"),
)  # fmt: skip
_CONDITION = (
    _patient("subject"),
    Parameter("category", "token", ("category",), SP + "Condition-category"),
    Parameter("clinical-status", "token", ("clinicalStatus",), SP + "Condition-clinical-status"),
    Parameter("code", "token", ("code",), SP + "clinical-code"),
    Parameter("onset-date", "date", ("onsetDateTime", "onsetPeriod"), SP + "Condition-onset-date"),
    Parameter("recorded-date", "date", ("recordedDate",), SP + "Condition-recorded-date"),
)  # fmt: skip
_ALLERGY = (
    _patient("patient"),
    Parameter("clinical-status", "token", ("clinicalStatus",),
              SP + "AllergyIntolerance-clinical-status"),
    Parameter("code", "token", ("code",), SP + "clinical-code"),
)  # fmt: skip

_TABLES: Final = {
    "Patient": _PATIENT,
    "Observation": _OBSERVATION,
    "Practitioner": _PRACTITIONER,
    "Organization": _ORGANIZATION,
    "Device": _DEVICE,
    "Provenance": _PROVENANCE,
    "Encounter": _ENCOUNTER,
    "Condition": _CONDITION,
    "AllergyIntolerance": _ALLERGY,
}

PARAMETERS: Final[Mapping[str, Mapping[str, Parameter]]] = {
    resource_type: {parameter.name: parameter for parameter in (*_COMMON, *table)}
    for resource_type, table in _TABLES.items()
}
INCLUDES: Final[Mapping[str, tuple[str, ...]]] = {
    "Observation": ("patient", "subject", "performer", "device", "encounter"),
}
"""By type of the match: the reference parameters that `_include` follows."""

_HAVE_PROVENANCE: Final = set(_TABLES) - {"Practitioner", "Organization", "Provenance"}

REV_INCLUDES: Final[Mapping[str, tuple[str, ...]]] = dict.fromkeys(
    sorted(_HAVE_PROVENANCE), ("Provenance:target",)
)
"""By type of the match: what `_revinclude` brings along."""
