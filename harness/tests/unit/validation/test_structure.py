from __future__ import annotations

from typing import Any

import pytest

from harness.spec.definitions.model import Element
from harness.tests.unit.validation.judged import errors, made, observation, of, us_core
from harness.validation.findings import Severity
from harness.validation.validator import Validator

PATIENT: dict[str, Any] = {
    "resourceType": "Patient",
    "text": {
        "status": "generated",
        "div": '<div xmlns="http://www.w3.org/1999/xhtml">Ana</div>',
    },
}
ABSENT = {
    "extension": [
        {
            "url": "http://hl7.org/fhir/StructureDefinition/data-absent-reason",
            "valueCode": "unknown",
        }
    ]
}


def patient(**members: Any) -> dict[str, Any]:
    return {**PATIENT, **members}


def test_a_right_observation_has_no_error() -> None:
    assert errors(observation()) == []


@pytest.mark.parametrize("value", [None, 1, "Patient", [], [{}], True, 1.5])
def test_what_is_no_object_is_no_resource(value: object) -> None:
    assert errors(value) == [("type", "Resource")]


@pytest.mark.parametrize("kind", [None, 1, "", "Nothing", "DomainResource", "Quantity", []])
def test_a_resource_type_that_r4_does_not_have_is_an_error(kind: object) -> None:
    ((rule, path),) = errors({"resourceType": kind})
    assert rule == "type"
    assert path.endswith(".resourceType")


def test_a_property_that_no_definition_has_is_told_with_its_path() -> None:
    resource = observation(colour="red")
    resource["code"]["coding"][0]["shade"] = 1
    assert errors(resource) == [
        ("unknown-element", "Observation.code.coding[0].shade"),
        ("unknown-element", "Observation.colour"),
    ]


@pytest.mark.parametrize(
    ("members", "rule", "path"),
    [
        ({"active": "true"}, "type", "active"),
        ({"active": None}, "empty", "active"),
        ({"active": [True]}, "array", "active"),
        ({"gender": "Male"}, "binding", "gender"),
        ({"gender": ""}, "empty", "gender"),
        ({"birthDate": "2026-02-30"}, "value", "birthDate"),
        ({"birthDate": 1987}, "type", "birthDate"),
        ({"name": {"family": "A"}}, "array", "name"),
        ({"name": []}, "empty", "name"),
        ({"name": [{}]}, "empty", "name[0]"),
        ({"name": [{"id": "a"}]}, "empty", "name[0]"),
        ({"name": ["A"]}, "type", "name[0]"),
        ({"name": [None]}, "empty", "name[0]"),
        ({"name": [[{"family": "A"}]]}, "array", "name[0]"),
        ({"name": [{"given": "A"}]}, "array", "name[0].given"),
        ({"name": [{"given": []}]}, "empty", "name[0].given"),
        ({"name": [{"given": [None]}]}, "empty", "name[0].given[0]"),
        ({"name": [{"given": [7]}]}, "type", "name[0].given[0]"),
        ({"maritalStatus": [{"text": "A"}]}, "array", "maritalStatus"),
        ({"maritalStatus": "M"}, "type", "maritalStatus"),
        ({"id": "a b"}, "value", "id"),
        ({"id": "a" * 65}, "value", "id"),
        ({"multipleBirthInteger": 1.5}, "value", "multipleBirth.ofType(integer)"),
        ({"generalPractitioner": [{"reference": "Patient/1"}]}, "target", "generalPractitioner[0]"),
        ({"contact": [{"name": {"use": "x"}}]}, "binding", "contact[0].name.use"),
        ({"link": [{"type": "refer"}]}, "minimum", "link[0].other"),
    ],
)
def test_each_defect_is_one_error_where_it_stands(
    members: dict[str, Any], rule: str, path: str
) -> None:
    assert errors(patient(**members)) == [(rule, f"Patient.{path}")]


def test_all_defects_of_a_resource_are_told_at_once() -> None:
    resource = patient(active="yes", birthDate="1.1.2000", colour="red", name=[{"use": "mine"}])
    assert errors(resource) == [
        ("type", "Patient.active"),
        ("value", "Patient.birthDate"),
        ("unknown-element", "Patient.colour"),
        ("binding", "Patient.name[0].use"),
    ]


class TestSiblings:
    def test_a_value_may_be_left_out_with_a_reason(self) -> None:
        assert errors(observation(status=None, _status=ABSENT)) == []

    def test_a_required_value_without_either_is_missing(self) -> None:
        assert errors(observation(status=None)) == [("minimum", "Observation.status")]

    @pytest.mark.parametrize(
        ("members", "expected"),
        [
            ({"birthDate": "2000", "_birthDate": {"id": "a"}}, []),
            ({"_birthDate": {"id": "a"}}, [("empty", "birthDate")]),
            ({"_birthDate": {}}, [("empty", "birthDate")]),
            ({"_birthDate": [ABSENT]}, [("array", "birthDate")]),
            ({"_birthDate": {"value": 1}}, [("unknown-element", "birthDate.value")]),
            ({"_name": [{"id": "a"}]}, [("unknown-element", "_name")]),
        ],
    )
    def test_a_sibling_holds_id_and_extensions(
        self, members: dict[str, Any], expected: list[tuple[str, str]]
    ) -> None:
        found = errors(patient(**members))
        assert set(expected) <= {(rule, path.removeprefix("Patient.")) for rule, path in found}
        assert bool(found) is bool(expected)

    @pytest.mark.parametrize(
        ("given", "beside", "expected"),
        [
            (["A", None], [None, ABSENT], []),
            (["A", None], [ABSENT, None], ["given[1]"]),
            (["A", None], [ABSENT], ["given[1]"]),
            (["A"], [None], []),
            (None, [ABSENT], []),
            (None, [None], ["given[0]"]),
            (None, [{"id": "a"}], ["given[0]"]),
            (["A"], [], ["given"]),
        ],
    )
    def test_null_keeps_values_and_extensions_aligned(
        self, given: list[Any] | None, beside: list[Any], expected: list[str]
    ) -> None:
        name: dict[str, Any] = {"_given": beside}
        if given is not None:
            name["given"] = given
        assert errors(patient(name=[name])) == [("empty", f"Patient.name[0].{e}") for e in expected]

    def test_arrays_of_different_length_are_advised_against(self) -> None:
        name = {"given": ["A", "B"], "_given": [ABSENT]}
        (finding,) = of(patient(name=[name]), severity=Severity.WARNING)
        assert (finding.rule.value, finding.path) == ("array", "Patient.name[0].given")


class TestChoices:
    def test_two_types_of_a_choice_are_one_error(self) -> None:
        resource = observation(valueString="72")
        assert errors(resource) == [("choice", "Observation.value")]

    def test_a_type_that_the_choice_does_not_have_is_unknown(self) -> None:
        resource = observation(valueQuantity=None, valueDecimal=72)
        assert errors(resource) == [("unknown-element", "Observation.valueDecimal")]

    def test_a_choice_that_has_to_be_there_is_missing_under_its_own_name(self) -> None:
        resource = {**PATIENT, "resourceType": "MedicationRequest", "status": "active"}
        resource |= {"intent": "order", "subject": {"reference": "Patient/1"}}
        assert errors(resource) == [("minimum", "MedicationRequest.medication")]


class TestExtensions:
    def test_an_extension_has_a_value_or_extensions(self) -> None:
        (finding,) = of(patient(extension=[{"url": "http://example.org/a"}]))
        assert (finding.key, finding.path) == ("ext-1", "Patient.extension[0]")

    def test_an_extension_has_not_both(self) -> None:
        both = {"url": "http://example.org/a", "valueCode": "a", "extension": [dict(ABSENT)]}
        both["extension"] = ABSENT["extension"]
        assert [f.key for f in of(patient(extension=[both]))] == ["ext-1"]

    def test_an_extension_needs_its_url(self) -> None:
        assert errors(patient(extension=[{"valueCode": "a"}])) == [
            ("minimum", "Patient.extension[0].url")
        ]

    def test_an_unknown_modifier_extension_is_a_warning(self) -> None:
        resource = patient(modifierExtension=[{"url": "http://example.org/a", "valueCode": "a"}])
        (finding,) = of(resource, severity=Severity.WARNING)
        assert finding.path == "Patient.modifierExtension[0]"
        assert errors(resource) == []


class TestResourcesInResources:
    def test_a_bundle_is_judged_entry_by_entry(self) -> None:
        entries = [{"resource": observation()}, {"resource": observation(status="done")}]
        bundle = {"resourceType": "Bundle", "type": "collection", "entry": entries}
        assert errors(bundle) == [("binding", "Bundle.entry[1].resource.status")]

    def test_a_path_starts_where_the_caller_says(self) -> None:
        (finding,) = Validator(us_core()).check(observation(status=""), "Bundle.entry[3].resource")
        assert finding.path == "Bundle.entry[3].resource.status"

    def test_what_is_contained_is_judged_by_its_own_type(self) -> None:
        contained = [{"resourceType": "Patient", "id": "p", "active": "yes"}]
        resource = observation(contained=contained, subject={"reference": "#p"})
        assert errors(resource) == [("type", "Observation.contained[0].active")]

    @pytest.mark.parametrize(
        ("subject", "wrong"),
        [
            ({"reference": "Practitioner/1"}, True),
            ({"reference": "https://ehr.example/fhir/Practitioner/1"}, True),
            ({"reference": "https://ehr.example/fhir/Practitioner/1/_history/2"}, True),
            ({"reference": "https://ehr.example/fhir/Patient/1"}, False),
            ({"reference": "http://loinc.org"}, False),
            ({"reference": "urn:uuid:0c3151bd-1cbf-4d64-b04d-cd9187a4c6e0"}, False),
            ({"reference": "#p"}, True),
            ({"type": "Practitioner", "display": "A"}, True),
            ({"type": "Patient", "display": "A"}, False),
            ({"type": "Unheard", "display": "A"}, False),
            ({"display": "A"}, False),
        ],
    )
    def test_a_target_is_judged_where_its_type_can_be_known(
        self, subject: dict[str, Any], *, wrong: bool
    ) -> None:
        contained = [{"resourceType": "Practitioner", "id": "p", "active": True}]
        members = {"contained": contained} if subject.get("reference") == "#p" else {}
        resource = observation(subject=subject, **members)
        assert errors(resource) == ([("target", "Observation.subject")] if wrong else [])

    def test_in_a_bundle_the_full_url_tells_the_type(self) -> None:
        url = "urn:uuid:0c3151bd-1cbf-4d64-b04d-cd9187a4c6e0"
        entries = [
            {
                "fullUrl": url,
                "resource": {**PATIENT, "resourceType": "Practitioner"},
            },
            {
                "fullUrl": "urn:uuid:0c3151bd-1cbf-4d64-b04d-cd9187a4c6e1",
                "resource": observation(subject={"reference": url}),
            },
        ]
        bundle = {"resourceType": "Bundle", "type": "collection", "entry": entries}
        assert errors(bundle) == [("target", "Bundle.entry[1].resource.subject")]


def test_a_component_is_judged_by_the_element_that_it_refers_to() -> None:
    code = {"coding": [{"system": "http://loinc.org", "code": "8480-6"}]}
    low = {"low": {"value": "90"}, "tone": 1}
    resource = observation(component=[{"code": code, "referenceRange": [low]}])
    path = "Observation.component[0].referenceRange[0]"
    assert ("type", f"{path}.low.value") in errors(resource)
    assert ("unknown-element", f"{path}.tone") in errors(resource)


def test_extensions_in_extensions_come_to_an_end() -> None:
    inner: dict[str, Any] = {"url": "http://example.org/a", "valueCode": "a"}
    for _ in range(200):
        inner = {"url": "http://example.org/a", "extension": [inner]}
    ((rule, _),) = errors(patient(extension=[inner]))
    assert rule == "json"


def test_a_hundred_thousand_defects_are_counted_and_the_first_are_told() -> None:
    resource = patient(name=[{"family": 1}] * 100_000)
    found = of(resource)
    assert len(found) == 501
    assert found[-1].actual == "99500 more were left out"


@pytest.mark.parametrize(("url", "found"), [("birthsex", 1), ("http://example.org/birthsex", 0)])
def test_only_an_extension_in_an_extension_has_a_relative_url(url: str, found: int) -> None:
    resource = patient(extension=[{"url": url, "valueCode": "F"}])
    assert errors(resource) == [("extension", "Patient.extension[0].url")] * found


def test_nothing_stands_beside_the_url_of_an_extension() -> None:
    extension = {"url": "http://example.org/a", "_url": {"id": "a"}, "valueCode": "F"}
    assert errors(patient(extension=[extension])) == [
        ("unknown-element", "Patient.extension[0]._url")
    ]


@pytest.mark.parametrize("reference", [" ", "Patient/1\t", "Patient/1 2", ""])
def test_a_reference_is_a_url(reference: str) -> None:
    ((_, path),) = errors(observation(subject={"reference": reference}))
    assert path == "Observation.subject.reference"


def test_a_relative_url_is_one_that_the_extension_around_it_has() -> None:
    race = {
        "url": "http://hl7.org/fhir/us/core/StructureDefinition/us-core-race",
        "extension": [
            {"url": "text", "valueString": "A"},
            {"url": "texts", "valueString": "A"},
            {"url": "http://example.org/texts", "valueString": "A"},
        ],
    }
    assert errors(patient(extension=[race])) == [
        ("extension", "Patient.extension[0].extension[1].url")
    ]


def test_what_hl7_has_acknowledged_to_be_its_own_fault_is_information() -> None:
    profile = "http://hl7.org/fhir/us/core/StructureDefinition/us-core-pulse-oximetry"
    flow = {
        "code": {"coding": [{"system": "http://loinc.org", "code": "3151-8"}]},
        "valueQuantity": {
            "value": 6,
            "unit": "L/min",
            "system": "http://unitsofmeasure.org",
            "code": "L/min",
        },
    }
    resource = observation(component=[flow], meta={"profile": [profile]})
    found = Validator(us_core("3.1.1")).check(resource)
    (finding,) = [f for f in found if f.path.startswith("Observation.component[0].value")]
    assert finding.severity is Severity.INFORMATION
    assert "exempt" in finding.expected


def test_a_code_that_its_system_is_not_known_to_have_is_advised_against() -> None:
    resource = observation()
    resource["category"][0]["coding"][0]["code"] = "vital-sign"
    (finding,) = of(resource, severity=Severity.WARNING)
    assert (finding.rule.value, finding.path) == (
        "binding",
        "Observation.category[0].coding[0].code",
    )
    assert errors(resource) == []


class TestContexts:
    URL = "http://example.org/StructureDefinition/made"

    @pytest.mark.parametrize(
        ("context", "right"),
        [
            ("Patient", False),
            ("Observation", True),
            ("DomainResource", True),
            ("Element", True),
            ("Observation.component", False),
            ("Patient.name", False),
        ],
    )
    def test_on_a_resource(self, context: str, *, right: bool) -> None:
        resource = observation(extension=[{"url": self.URL, "valueCode": "a"}])
        assert (self.judged(context, resource) == []) is right

    @pytest.mark.parametrize(
        ("context", "right"),
        [
            ("HumanName", True),
            ("Patient.name", True),
            ("Patient.contact", False),
            ("Patient", False),
            ("Address", False),
        ],
    )
    def test_on_a_value(self, context: str, *, right: bool) -> None:
        name = {"family": "A", "extension": [{"url": self.URL, "valueCode": "a"}]}
        assert (self.judged(context, patient(name=[name])) == []) is right

    @pytest.mark.parametrize(
        ("context", "right"),
        [
            ("HumanName.family", True),
            ("string", True),
            ("Patient.name.family", True),
            ("Patient.name.given", False),
            ("HumanName.given", False),
        ],
    )
    def test_beside_a_primitive(self, context: str, *, right: bool) -> None:
        name = {"_family": {"extension": [{"url": self.URL, "valueCode": "a"}]}}
        assert (self.judged(context, patient(name=[name])) == []) is right

    @pytest.mark.parametrize(
        ("context", "right"), [("http://example.org/outer", True), ("Patient", False)]
    )
    def test_in_an_extension(self, context: str, *, right: bool) -> None:
        inner = {"url": self.URL, "valueCode": "a"}
        outer = {"url": "http://example.org/outer", "extension": [inner]}
        assert (self.judged(context, patient(extension=[outer])) == []) is right

    def judged(self, context: str, resource: dict[str, Any]) -> list[tuple[str, str]]:
        return errors(resource, made(Element("Extension"), context=(context,)))
