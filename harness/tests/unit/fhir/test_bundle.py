import json
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.errors import ProtocolError
from harness.fhir.bundle import Bundle
from harness.fhir.capability import Capability
from harness.fhir.outcome import issues
from harness.http.exchange import Exchange, Headers, Request, Response

json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner),
    max_leaves=10,
)


def resource(kind: str, identity: str) -> dict[str, Any]:
    return {"resourceType": kind, "id": identity}


def test_matches_includes_and_outcomes_are_three_things() -> None:
    patient, observation = resource("Patient", "p"), resource("Observation", "o")
    hint = {"resourceType": "OperationOutcome"}
    bundle = Bundle.parse(
        {
            "total": 7,
            "entry": [
                {"resource": observation, "search": {"mode": "match"}},
                {"resource": patient, "search": {"mode": "include"}},
                {"resource": hint, "search": {"mode": "outcome"}},
                {"resource": hint},
                {"resource": resource("Observation", "unmarked")},
                {"fullUrl": "urn:x"},
            ],
        }
    )
    assert [each["id"] for each in bundle.matches] == ["o", "unmarked"]
    assert bundle.includes == (patient,)
    assert len(bundle.outcomes) == 2
    assert bundle.total == 7


def answered(value: Any) -> Exchange:
    response = Response(200, Headers(), json.dumps(value).encode())
    request = Request("GET", "https://ehr.example/r4/metadata")
    return Exchange(1, "act", request, response, datetime(2026, 5, 1, tzinfo=UTC), 0.1)


@pytest.mark.parametrize("value", [{}, {"resourceType": 1}, {"resourceType": "Patient"}, []])
def test_anything_else_is_refused_by_name(value: Any) -> None:
    for kind in (Bundle, Capability):
        with pytest.raises(
            ProtocolError,
            match=rf"expected a ({kind.__name__}|CapabilityStatement|JSON object), got",
        ):
            kind.of(answered(value))
    capability = Capability.of(answered({"resourceType": "CapabilityStatement"}))
    assert capability.fhir_version is None


def test_the_first_link_of_a_relation_counts() -> None:
    links = [{"relation": "next", "url": each} for each in ("", "a", "b")]
    bundle = Bundle.parse({"link": [*links, "x", {"relation": "self", "url": "s"}]})
    assert (bundle.next_link, bundle.self_link) == ("a", "s")


parts = ("entry", "link", "total", "type", "resource", "search", "rest", "issue", "format")


@given(st.dictionaries(st.sampled_from(parts), json_values | st.lists(json_values)))
def test_any_json_is_read_without_an_exception(value: dict[str, Any]) -> None:
    bundle = Bundle.parse(value)
    assert len(bundle.entries) >= len(bundle.matches)
    capability = Capability(value)
    assert capability.oauth_uris == {}
    assert capability.types == capability.formats == () or value.get("format") or value.get("rest")
    assert all(str(each) for each in issues({**value, "resourceType": "OperationOutcome"}))


def test_a_capability_statement_is_read_across_spellings() -> None:
    oauth = {
        "url": "http://fhir-registry.smarthealthit.org/StructureDefinition/oauth-uris",
        "extension": [
            {"url": "token", "valueUri": "https://ehr.example/token"},
            {"url": "authorize", "valueUrl": "https://ehr.example/authorize"},
        ],
    }
    observation = {
        "type": "Observation",
        "interaction": [{"code": "read"}, {"code": "search-type"}],
        "searchParam": [{"name": "_lastupdated"}],
        "supportedProfile": ["http://example.org/vitals|6.1.0"],
    }
    capability = Capability(
        {
            "fhirVersion": "4.0.1",
            "format": ["json", 1],
            "rest": [
                {"mode": "client", "resource": [{"type": "Patient"}]},
                {
                    "mode": "server",
                    "resource": [observation],
                    "searchParam": [{"name": "_id"}],
                    "security": {"extension": [oauth]},
                },
            ],
        }
    )
    assert capability.fhir_version == "4.0.1"
    assert capability.formats == ("json",)
    assert capability.types == ("Observation",)
    assert capability.interactions("Observation") == {"read", "search-type"}
    assert capability.interactions("Patient") == frozenset()
    assert capability.has_search_parameter("Observation", "_lastUpdated")
    assert capability.has_search_parameter("Observation", "_id")
    assert not capability.has_search_parameter("Observation", "date")
    assert capability.profiles("Observation") == {"http://example.org/vitals"}
    assert capability.oauth_uris == {
        "token": "https://ehr.example/token",
        "authorize": "https://ehr.example/authorize",
    }
