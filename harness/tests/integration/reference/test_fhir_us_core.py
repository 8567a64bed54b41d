"""Every search of the US Core 6.1.0 server CapabilityStatement, over a socket."""

from __future__ import annotations

from typing import Any

import httpx
import pytest

from harness.reference.fhir.matching import search_values
from harness.reference.fhir.parameters import PARAMETERS, Parameter
from harness.reference.fhir.reach import ROSTERS
from harness.reference.fhir.resources import RESOURCES
from harness.reference.fhir.stored import Stored
from harness.tests.integration.reference.fhir_server import Endpoint, FhirServer

Json = dict[str, Any]
SEARCHES = {
    "AllergyIntolerance": "patient patient+clinical-status",
    "CarePlan": "patient+category patient+category+status patient+category+date "
    "patient+category+status+date",
    "CareTeam": "patient+status patient+role",
    "Condition": "patient patient+category patient+clinical-status patient+code "
    "patient+category+clinical-status patient+category+encounter patient+onset-date "
    "patient+asserted-date patient+recorded-date patient+abatement-date",
    "Coverage": "patient",
    "Device": "patient patient+type patient+status",
    "DiagnosticReport": "patient patient+category patient+code patient+status "
    "patient+category+date patient+code+date",
    "DocumentReference": "_id patient patient+category patient+type patient+status "
    "patient+category+date patient+type+period",
    "Encounter": "_id identifier patient date+patient class+patient patient+type patient+status "
    "patient+location patient+discharge-disposition",
    "Goal": "patient patient+lifecycle-status patient+target-date patient+description",
    "Immunization": "patient patient+status patient+date",
    "Location": "name address address-city address-state address-postalcode",
    "MedicationDispense": "patient patient+status patient+status+type",
    "MedicationRequest": "patient+intent patient+intent+status patient+intent+encounter "
    "patient+intent+authoredon",
    "Observation": "patient+category patient+code patient+category+date patient+category+status "
    "patient+code+date",
    "Organization": "name address",
    "Patient": "_id identifier name birthdate+name gender+name birthdate+family family+gender "
    "death-date+family",
    "Practitioner": "_id name identifier",
    "PractitionerRole": "specialty practitioner",
    "Procedure": "patient patient+date patient+status patient+code+date",
    "QuestionnaireResponse": "_id patient patient+status patient+authored patient+questionnaire",
    "RelatedPerson": "_id patient patient+name",
    "ServiceRequest": "_id patient patient+category patient+code patient+status "
    "patient+category+authored patient+code+authored",
    "Specimen": "_id patient",
}
CASES = [(kind, one) for kind, several in SEARCHES.items() for one in several.split()]


@pytest.fixture(scope="module")
def endpoint(server: FhirServer) -> Endpoint:
    return server.endpoint()


@pytest.fixture(scope="module")
def client(endpoint: Endpoint) -> httpx.Client:
    return endpoint.client()


def searched(client: httpx.Client, kind: str, **query: Any) -> Json:
    answer = client.get(kind, params=query, headers={"Prefer": "handling=strict"})
    assert answer.status_code == 200, answer.text
    return dict(answer.json())


def resources(bundle: Json, mode: str = "match") -> list[Json]:
    entries = bundle.get("entry", [])
    return [one["resource"] for one in entries if one["search"]["mode"] == mode]


def value_of(stored: Stored, parameter: Parameter) -> str | None:
    """Returns how a client would ask for what a resource has."""
    first = next(iter(search_values(stored, parameter)), None)
    if first is None:
        return None
    match parameter.kind:
        case "token":
            return f"{first.system}|{first.code}" if first.system else str(first.code)
        case "reference":
            return first.url or f"{first.resource_type}/{first.resource_id}"
        case "date":
            return f"ge{first.start.isoformat().replace('+00:00', 'Z')}"
    return str(first)


@pytest.mark.parametrize(("kind", "names"), CASES, ids=[f"{kind}-{one}" for kind, one in CASES])
def test_a_resource_is_found_by_what_it_has(
    endpoint: Endpoint, client: httpx.Client, kind: str, names: str
) -> None:
    wanted = [PARAMETERS[kind][one] for one in names.split("+")]
    asked, sample = next(
        (values, stored)
        for stored in endpoint.ehr.store.all(kind)
        if all(values := [value_of(stored, one) for one in wanted])
    )
    pairs = {one.name: value for one, value in zip(wanted, asked, strict=True)}
    bundle = searched(client, kind, **pairs | {"_id": sample.id})
    assert [one["id"] for one in resources(bundle)] == [sample.id]
    everything = len(endpoint.ehr.store.all(kind))
    assert searched(client, kind, **pairs)["total"] < everything or kind in SHARED
    for one in wanted:
        if one.kind != "date":
            nothing = pairs | {one.name: "urn:none|none" if one.kind == "token" else "none"}
            assert searched(client, kind, **nothing)["total"] == 0


SHARED = {"Location", "Organization", "RelatedPerson"}
"""Types of which every resource has the same address or name."""


@pytest.mark.parametrize("kind", RESOURCES)
def test_a_patient_token_sees_one_patient_and_what_belongs_to_nobody(
    endpoint: Endpoint, kind: str
) -> None:
    store = endpoint.ehr.store
    mine, other = store.patient_ids()[:2]
    client = endpoint.client("patient/*.rs", patient=mine)
    truth = {one.id for one in store.all(kind) if one.patient in (mine, None)}
    if kind in ROSTERS:
        assert all(client.get(f"{kind}/{one}").status_code == 404 for one in truth)
        truth = set()
    assert searched(client, kind)["total"] == len(truth)
    strangers = [one for one in store.all(kind, other) if one.patient == other]
    for stranger in strangers[:2]:
        assert client.get(stranger.reference).status_code == 404
        assert searched(client, kind, _id=stranger.id)["total"] == 0


@pytest.mark.parametrize("kind", RESOURCES)
def test_a_type_outside_the_scopes_is_not_shown(endpoint: Endpoint, kind: str) -> None:
    mine = endpoint.ehr.store.patient_ids()[0]
    other = "Goal" if kind != "Goal" else "Device"
    client = endpoint.client(f"patient/{other}.rs", patient=mine)
    assert client.get(kind).status_code == 403
    known = next(one for one in endpoint.ehr.store.all(kind, mine))
    assert client.get(known.reference).status_code == 403


def test_quantities_compare_numbers_and_units(client: httpx.Client, endpoint: Endpoint) -> None:
    patient = endpoint.ehr.store.patient_ids()[0]
    for asked, holds in (
        ("ge82||kg", lambda value: value >= 82),
        ("lt82|http://unitsofmeasure.org|kg", lambda value: value < 82),
        ("82", lambda value: 81.5 <= value < 82.5),
    ):
        found = searched(client, "Observation", patient=patient, code="29463-7",
                         **{"value-quantity": asked, "_count": 200})  # fmt: skip
        assert found["total"] > 0
        assert all(holds(one["valueQuantity"]["value"]) for one in resources(found))
    none = {"value-quantity": "gt0||[lb_av]"}
    assert searched(client, "Observation", patient=patient, **none)["total"] == 0


def test_a_composite_looks_into_one_component_at_a_time(
    client: httpx.Client, endpoint: Endpoint
) -> None:
    patient = endpoint.ehr.store.patient_ids()[0]
    name = "component-code-value-quantity"
    systolic = searched(client, "Observation", patient=patient, **{name: "8480-6$gt110"})
    diastolic = searched(client, "Observation", patient=patient, **{name: "8462-4$gt110"})
    assert systolic["total"] > 100
    assert diastolic["total"] == 0
    whole = {"code-value-quantity": "http://loinc.org|29463-7$gt0"}
    assert searched(client, "Observation", patient=patient, **whole)["total"] > 90


def test_chains_follow_references(client: httpx.Client, endpoint: Endpoint) -> None:
    store = endpoint.ehr.store
    patient = store.patient_ids()[1]
    family = store.patient_name(patient).rpartition(" ")[2]
    named = searched(client, "Goal", **{"patient.family:exact": family})
    assert {one["subject"]["reference"] for one in resources(named)} == {f"Patient/{patient}"}
    roles = searched(client, "PractitionerRole", **{"practitioner.name": "Okafor"})
    assert [one["id"] for one in resources(roles)] == ["role-2"]
    ward = {"encounter.location.name": r"Example Clinic\, emergency ward"}
    urgent = resources(searched(client, "MedicationRequest", **ward, _count=200))
    visits = {one["encounter"]["reference"].rpartition("-")[2] for one in urgent}
    assert visits == {"2"}  # every third patient was there, at the second visit
    typed = {"performer:Practitioner.family": "Marlow", "patient": patient}
    assert searched(client, "Observation", **typed)["total"] > 0
    assert searched(client, "Observation", **typed | {"patient.family": "Nobody"})["total"] == 0


def test_reverse_chains_find_what_is_referred_to(client: httpx.Client, endpoint: Endpoint) -> None:
    with_sensor = {"_has:Observation:patient:code": "99504-3"}
    found = resources(searched(client, "Patient", **with_sensor))
    assert [one["id"] for one in found] == endpoint.ehr.store.patient_ids()[:1]
    nested = {"_has:Encounter:participant:_has:Condition:encounter:code": "10509002"}
    assert searched(client, "Practitioner", **nested)["total"] > 0


def test_chains_and_reverse_chains_tell_nothing_of_what_the_token_does_not_see(
    endpoint: Endpoint,
) -> None:
    store = endpoint.ehr.store
    mine, other = store.patient_ids()[:2]
    bound = endpoint.client("patient/*.rs", patient=mine)
    for patient, found in ((mine, True), (other, False)):
        family = store.patient_name(patient).rpartition(" ")[2]
        query = {"_has:Patient:general-practitioner:family": family}
        assert (searched(bound, "Practitioner", **query)["total"] > 0) == found
    named = {"_has:Encounter:participant:patient": other}
    assert bound.get("Practitioner", params=named).status_code == 403
    narrow = endpoint.client("patient/Observation.rs", "patient/Practitioner.rs", patient=mine)
    assert narrow.get("Observation?patient.family=x").status_code == 403
    assert narrow.get("Observation?performer:Patient.family=x").status_code == 403
    # Of the types that a performer may have the token sees one, and that one counts.
    assert searched(narrow, "Observation", **{"performer.name": "Marlow"})["total"] > 0
    assert narrow.get("Practitioner?_has:Encounter:participant:status=finished").status_code == 403


def test_a_page_serves_only_tokens_of_the_same_granular_scope(endpoint: Endpoint) -> None:
    patient = endpoint.ehr.store.patient_ids()[0]
    system = "http://terminology.hl7.org/CodeSystem/observation-category"
    whole = endpoint.client("patient/Observation.rs", patient=patient)
    narrow = endpoint.client(
        f"patient/Observation.rs?category={system}|laboratory", patient=patient
    )
    pages = [
        next(one["url"] for one in searched(each, "Observation")["link"]
             if one["relation"] == "next")
        for each in (whole, narrow)
    ]  # fmt: skip
    assert [narrow.get(one).status_code for one in pages] == [403, 200]
    assert [whole.get(one).status_code for one in pages] == [200, 403]


def test_includes_iterate_and_may_name_a_type(client: httpx.Client, endpoint: Endpoint) -> None:
    patient = endpoint.ehr.store.patient_ids()[0]
    kinds = {
        one["resourceType"]
        for one in resources(
            searched(
                client, "MedicationRequest", patient=patient,
                _include=["MedicationRequest:medication", "MedicationRequest:encounter"],
                **{"_include:iterate": "Encounter:location"},
            ),
            "include",
        )
    }  # fmt: skip
    assert kinds == {"Medication", "Encounter", "Location"}
    team = searched(
        client, "CareTeam", patient=patient, _include="CareTeam:participant:RelatedPerson"
    )
    assert [one["resourceType"] for one in resources(team, "include")] == ["RelatedPerson"]


@pytest.mark.parametrize("kind", [one for one in SEARCHES if one not in {
    "Location", "Organization", "Practitioner", "PractitionerRole"}])  # fmt: skip
def test_every_resource_of_a_patient_has_provenance(
    client: httpx.Client, endpoint: Endpoint, kind: str
) -> None:
    patient = endpoint.ehr.store.patient_ids()[0]
    named = {"_id": patient} if kind == "Patient" else {"patient": patient}
    bundle = searched(client, kind, **named, _revinclude="Provenance:target", _count=50)
    matches = {f"{kind}/{one['id']}" for one in resources(bundle)}
    brought = resources(bundle, "include")
    assert brought
    assert {one["target"][0]["reference"] for one in brought} <= matches


def test_parts_of_resources_are_tagged(client: httpx.Client, endpoint: Endpoint) -> None:
    patient = endpoint.ehr.store.patient_ids()[0]
    (whole,) = resources(searched(client, "CarePlan", patient=patient))
    (part,) = resources(searched(client, "CarePlan", patient=patient, _summary="data"))
    assert "text" not in part
    assert part["meta"]["tag"][0]["code"] == "SUBSETTED"
    (few,) = resources(searched(client, "CarePlan", patient=patient, _elements="title"))
    assert few["title"] == whole["title"]
    assert "period" not in few
    assert few["id"] == whole["id"]


def test_several_patients_may_be_named(client: httpx.Client, endpoint: Endpoint) -> None:
    first, second = endpoint.ehr.store.patient_ids()[:2]
    both = searched(client, "Goal", patient=f"{first},Patient/{second}")
    assert both["total"] == 4
    assert searched(client, "Goal", patient=first, subject=f"Group/{second}")["total"] == 0


def test_identifiers_of_references_and_canonicals_are_compared(
    client: httpx.Client, endpoint: Endpoint
) -> None:
    form = "https://reference-ehr.example.org/Questionnaire/hunger-vital-sign"
    assert searched(client, "QuestionnaireResponse", questionnaire=form)["total"] == 6
    assert searched(client, "QuestionnaireResponse", questionnaire=f"{form}-2")["total"] == 0
    assert searched(client, "Questionnaire", **{"url:below": form.rpartition("/")[0]})["total"] == 1
    nobody = {"patient:identifier": "urn:x|1"}
    assert searched(client, "Goal", **nobody)["total"] == 0
    assert endpoint.ehr.store.all("Questionnaire")
