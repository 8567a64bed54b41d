"""FHIR R4, RESTful API, "capabilities", and the US Core server CapabilityStatement.

http://hl7.org/fhir/R4/http.html#capabilities
"""

from __future__ import annotations

import pytest

from harness import Exchange, conforms, expect, verifies
from harness.fhir.capability import Capability


@verifies("fhir/metadata/served")
def test_capability_statement_is_served(metadata: Exchange) -> None:
    """A server SHALL provide a CapabilityStatement at /metadata."""
    expect(metadata).status(200).resource("CapabilityStatement")


@verifies("fhir/metadata/version")
def test_capability_statement_is_of_r4(capability: Capability) -> None:
    """FhirVersion SHALL be 4.0.1, the version that US Core is built on."""
    conforms(
        capability.fhir_version == "4.0.1",
        expected="fhirVersion 4.0.1",
        actual=f"fhirVersion {capability.fhir_version!r}",
    )


@verifies("us-core/capability/json")
def test_json_is_declared(capability: Capability) -> None:
    """The server SHALL support JSON."""
    declared = {each.lower().partition(";")[0].strip() for each in capability.formats}
    conforms(
        declared & {"json", "application/fhir+json", "application/json"},
        expected="format with json or application/fhir+json",
        actual=f"format {', '.join(sorted(declared)) or 'absent'}",
    )


RESOURCES = [
    pytest.param("Patient", marks=verifies("us-core/capability/patient")),
    pytest.param("Observation", marks=verifies("us-core/capability/observation")),
]


@pytest.mark.parametrize("type_", RESOURCES)
def test_reading_and_searching_are_declared(capability: Capability, type_: str) -> None:
    """The CapabilityStatement SHALL declare read and search-type of Patient and Observation."""
    declared = capability.interactions(type_)
    conforms(
        {"read", "search-type"} <= set(declared),
        expected=f"{type_} with read and search-type",
        actual=f"{type_} with {', '.join(sorted(declared)) or 'no interaction'}",
    )
