from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from harness.spec.definitions.model import (
    Binding,
    Constraint,
    Discriminator,
    Element,
    Slicing,
    Strength,
    TypeRef,
)
from harness.tests.unit.validation.judged import (
    MADE,
    US_CORE,
    changed,
    declaring,
    errors,
    made,
    observation,
    of,
    us_core,
)
from harness.validation.findings import Severity
from harness.validation.profiling.comparing import Test, containing, equal_to
from harness.validation.validator import Validator

HEART_RATE = f"{US_CORE}us-core-heart-rate"
LOINC, UCUM = "http://loinc.org", "http://unitsofmeasure.org"
PRESSURE: dict[str, Any] = observation(
    code={"coding": [{"system": LOINC, "code": "85354-9"}]},
    valueQuantity=None,
    component=[
        {
            "code": {"coding": [{"system": LOINC, "code": code}]},
            "valueQuantity": {"value": value, "unit": "mmHg", "system": UCUM, "code": "mm[Hg]"},
        }
        for code, value in (("8480-6", 120), ("8462-4", 80))
    ],
)
PATIENT: dict[str, Any] = {
    "resourceType": "Patient",
    "identifier": [{"system": "http://example.org/mrn", "value": "1"}],
    "name": [{"family": "A", "given": ["B"]}],
    "gender": "female",
}
RACE = {
    "url": f"{US_CORE}us-core-race",
    "extension": [
        {
            "url": "ombCategory",
            "valueCoding": {
                "system": "urn:oid:2.16.840.1.113883.6.238",
                "code": "2106-3",
                "display": "White",
            },
        },
        {"url": "text", "valueString": "White"},
    ],
}


def heart_rate(**changes: Any) -> dict[str, Any]:
    return declaring(observation(**changes), HEART_RATE)


class TestUsCore:
    def test_a_right_resource_has_no_error(self) -> None:
        assert errors(heart_rate()) == []

    @pytest.mark.parametrize(
        ("changes", "expected"),
        [
            ({"subject": None}, [("minimum", "subject")]),
            ({"category": None}, [("minimum", "category")]),
            ({"category": [{"text": "vital signs"}]}, [("minimum", "category")]),
            ({"code": {"text": "pulse"}}, [("pattern", "code")]),
            ({"effectiveDateTime": None}, [("minimum", "effective")]),
            (
                {"effectiveDateTime": None, "effectiveInstant": "2026-05-01T10:00:00Z"},
                [("choice", "effective.ofType(instant)")],
            ),
            ({"subject": {"reference": "Group/1"}}, [("target", "subject")]),
        ],
    )
    def test_each_defect_is_one_error_of_the_profile(
        self, changes: dict[str, Any], expected: list[tuple[str, str]]
    ) -> None:
        found = of(heart_rate(**changes))
        assert [(f.rule.value, f.path) for f in found] == [
            (rule, f"Observation.{path}") for rule, path in expected
        ]
        assert [f.profile for f in found] == [HEART_RATE]

    def test_what_fhir_itself_forbids_is_not_said_again_by_the_profile(self) -> None:
        (finding,) = of(heart_rate(status="done"))
        assert finding.profile is None

    def test_advice_of_fhir_hides_no_error_of_a_profile(self) -> None:
        system = "http://terminology.hl7.org/CodeSystem/observation-category"
        coding = Element("coding", children={"code": Element("code", binding=Binding(
            Strength.REQUIRED, "http://hl7.org/fhir/ValueSet/administrative-gender"
        ))})  # fmt: skip
        root = narrowed(Element("category", children={"coding": coding}))
        category = [{"coding": [{"system": system, "code": "vital-sign"}]}]
        resource = declaring(observation(category=category), MADE)
        path = "Observation.category[0].coding[0].code"
        assert [f.path for f in of(resource, made(root), Severity.WARNING)] == [path]
        assert [f.path for f in of(resource, made(root))] == [path]

    def test_the_wrong_unit_is_told_by_its_code(self) -> None:
        resource = heart_rate()
        resource["valueQuantity"]["code"] = "bpm"
        assert errors(resource) == [("fixed", "Observation.value.ofType(Quantity).code")]

    def test_a_pattern_and_what_came_instead_are_told_in_the_same_words(self) -> None:
        code = {"coding": [{"system": LOINC, "code": "1-8", "display": "x"}], "text": "x"}
        (finding,) = of(heart_rate(code=code))
        assert finding.expected == "{coding: [{system: http://loinc.org, code: 8867-4}]}"
        assert finding.actual == "{coding: [{system: http://loinc.org, code: 1-8}]}"

    def test_a_slice_that_is_missed_is_told_by_its_values(self) -> None:
        (finding,) = of(heart_rate(category=[{"text": "vital signs"}]))
        assert "coding.code = vital-signs" in finding.expected

    def test_components_are_told_apart_by_their_codes(self) -> None:
        resource = declaring(PRESSURE, f"{US_CORE}us-core-blood-pressure")
        assert errors(resource) == []
        one = changed(resource, component=resource["component"][:1] * 2)
        found = of(one)
        assert {(f.rule.value, f.path) for f in found} == {
            ("maximum", "Observation.component"),
            ("minimum", "Observation.component"),
        }
        assert any("diastolic" in f.expected for f in found)

    def test_an_extension_is_judged_by_the_definition_of_its_url(self) -> None:
        extension = {**RACE, "extension": RACE["extension"][:1]}
        resource = declaring({**PATIENT, "extension": [extension]}, f"{US_CORE}us-core-patient")
        (finding,) = of(resource)
        assert (finding.rule.value, finding.path) == ("minimum", "Patient.extension[0].extension")
        assert finding.profile == RACE["url"]

    def test_an_extension_may_stand_as_often_as_its_slice_says(self) -> None:
        resource = declaring({**PATIENT, "extension": [RACE, RACE]}, f"{US_CORE}us-core-patient")
        (finding,) = of(resource)
        assert (finding.rule.value, finding.path) == ("maximum", "Patient.extension")

    def test_an_extension_stands_where_its_definition_says(self) -> None:
        resource = observation(extension=[RACE])
        (finding,) = of(resource)
        assert (finding.rule.value, finding.path) == ("extension", "Observation.extension[0]")

    def test_the_value_of_an_extension_has_the_type_of_its_definition(self) -> None:
        sex = {"url": f"{US_CORE}us-core-birthsex", "valueString": "F"}
        resource = {**PATIENT, "extension": [sex]}
        assert ("choice", "Patient.extension[0].value.ofType(string)") in errors(resource)


def narrowed(*children: Element, kind: str = "Observation", **members: Any) -> Element:
    return Element(kind, children={child.name: child for child in children}, **members)


def judged(root: Element, resource: dict[str, Any]) -> list[tuple[str, str]]:
    return errors(declaring(resource, MADE), made(root))


class TestValues:
    def test_a_fixed_value_is_equal_member_by_member(self) -> None:
        fixed = Element("code", fixed={"coding": [{"system": LOINC, "code": "8867-4"}]})
        assert judged(narrowed(fixed), observation()) == []
        more = observation()
        more["code"]["text"] = "pulse"
        assert judged(narrowed(fixed), more) == [("fixed", "Observation.code")]

    def test_a_pattern_is_contained_in_any_item(self) -> None:
        pattern = Element("code", pattern={"coding": [{"code": "8867-4"}]})
        two = observation()
        two["code"]["coding"].insert(0, {"code": "x"})
        assert judged(narrowed(pattern), two) == []
        two["code"]["coding"].pop()
        assert judged(narrowed(pattern), two) == [("pattern", "Observation.code")]

    @pytest.mark.parametrize("test", [equal_to, containing])
    def test_true_is_no_number(self, test: Callable[[Any], Test]) -> None:
        assert test(1)(1.0)
        assert not test(1)(True)  # noqa: FBT003 - a JSON value
        assert not test({"a": [True]})({"a": [1]})

    def test_a_required_binding_refuses_other_codes(self) -> None:
        gender = Binding(Strength.REQUIRED, "http://hl7.org/fhir/ValueSet/administrative-gender")
        root = narrowed(Element("value[x]", binding=gender))
        resource = observation(valueQuantity=None, valueCodeableConcept={"coding": [{"code": "x"}]})
        assert judged(root, resource) == [("binding", "Observation.value.ofType(CodeableConcept)")]

    def test_an_element_that_may_not_be_there_is_told(self) -> None:
        root = narrowed(Element("device", maximum=0), Element("note", maximum=1))
        notes = [{"text": "a"}, {"text": "b"}]
        resource = observation(device={"display": "A"}, note=notes)
        assert judged(root, resource) == [
            ("maximum", "Observation.device"),
            ("maximum", "Observation.note"),
        ]

    def test_a_string_may_be_bounded(self) -> None:
        root = narrowed(Element("value[x]", longest=3))
        resource = observation(valueQuantity=None, valueString="abcd")
        assert judged(root, resource) == [("value", "Observation.value.ofType(string)")]

    def test_children_of_a_value_are_narrowed_where_it_is_there(self) -> None:
        body_site = Element("bodySite", children={"coding": Element("coding", minimum=1)})
        assert judged(narrowed(body_site), observation()) == []
        resource = observation(bodySite={"text": "arm"})
        assert judged(narrowed(body_site), resource) == [("minimum", "Observation.bodySite.coding")]

    def test_extensions_of_a_primitive_are_narrowed_beside_it(self) -> None:
        issued = Element("issued", children={"extension": Element("extension", minimum=1)})
        assert judged(narrowed(issued), observation()) == []
        resource = observation(issued="2026-05-01T10:00:00Z")
        assert judged(narrowed(issued), resource) == [("minimum", "Observation.issued.extension")]

    def test_an_invariant_is_judged_once(self) -> None:
        known = us_core().types["Observation"].root.constraints
        obs = tuple(c for c in known if c.key == "obs-6")
        reason = {"coding": [{"code": "unknown"}]}
        resource = declaring(observation(dataAbsentReason=reason), MADE)
        found = of(resource, made(narrowed(constraints=obs)))
        assert [(f.key, f.profile) for f in found] == [("obs-6", None)]

    def test_an_invariant_that_nobody_translated_is_said_to_be_unjudged(self) -> None:
        constraint = Constraint("x-1", "error", "status = 'made up'", "A made-up rule")
        resource = declaring(observation(), MADE)
        (finding,) = of(resource, made(narrowed(constraints=(constraint,))), Severity.INFORMATION)
        assert (finding.rule.value, finding.key, finding.profile) == ("not-checked", "x-1", MADE)

    def test_a_type_may_have_a_profile(self) -> None:
        simple = "http://hl7.org/fhir/StructureDefinition/SimpleQuantity"
        root = narrowed(Element("value[x]", types=(TypeRef("Quantity", profiles=(simple,)),)))
        resource = observation()
        resource["valueQuantity"]["comparator"] = "<"
        assert [path for _, path in judged(root, resource)] == [
            "Observation.value.ofType(Quantity).comparator"
        ]


def sliced(rules: str = "open", *, ordered: bool = False, **slices: Element) -> Element:
    by = (Discriminator("value", "type"),)
    return narrowed(
        Element("identifier", slicing=Slicing(by, rules, ordered, slices)), kind="Patient"
    )


def typed(code: str, **members: Any) -> Element:
    pattern = {"coding": [{"code": code}]}
    return Element("identifier", children={"type": Element("type", pattern=pattern)}, **members)


def identified(*codes: str) -> dict[str, Any]:
    return {**PATIENT, "identifier": [{"type": {"coding": [{"code": c}]}} for c in codes]}


class TestSlicing:
    @pytest.mark.parametrize(
        ("root", "codes", "expected"),
        [
            (sliced(a=typed("a", minimum=1)), "xa", []),
            (sliced(a=typed("a", minimum=1)), "x", [("minimum", "")]),
            (sliced(a=typed("a", maximum=1)), "aa", [("maximum", "")]),
            (sliced("closed", a=typed("a")), "ax", [("slicing", "[1]")]),
            (sliced("closed", a=typed("a")), "aa", []),
            (sliced("openAtEnd", a=typed("a")), "ax", []),
            (sliced("openAtEnd", a=typed("a")), "xa", [("slicing", "[1]")]),
            (sliced(ordered=True, a=typed("a"), b=typed("b")), "aab", []),
            (sliced(ordered=True, a=typed("a"), b=typed("b")), "aba", [("slicing", "[2]")]),
        ],
    )
    def test_slices_are_counted_and_arranged(
        self, root: Element, codes: str, expected: list[tuple[str, str]]
    ) -> None:
        found = judged(root, identified(*codes))
        assert found == [(rule, f"Patient.identifier{at}") for rule, at in expected]

    def test_a_slice_that_has_to_be_there_is_missed_where_the_array_is(self) -> None:
        root = sliced(a=typed("a", minimum=1))
        resource = {name: value for name, value in PATIENT.items() if name != "identifier"}
        assert judged(root, resource) == [("minimum", "Patient.identifier")]

    def test_an_element_and_its_slice_that_are_missing_are_one_error(self) -> None:
        array = sliced(a=typed("a", minimum=1)).children["identifier"]
        root = narrowed(Element("identifier", minimum=1, slicing=array.slicing), kind="Patient")
        resource = {name: value for name, value in PATIENT.items() if name != "identifier"}
        assert judged(root, resource) == [("minimum", "Patient.identifier")]

    def test_what_a_slice_asks_is_asked_of_its_items_alone(self) -> None:
        children = {**typed("a").children, "value": Element("value", minimum=1)}
        root = sliced(a=Element("identifier", children=children))
        assert judged(root, identified("x", "a")) == [("minimum", "Patient.identifier[1].value")]

    @pytest.mark.parametrize(
        ("maximum", "wrong"), [(0, [("maximum", "Patient.identifier")]), (None, [])]
    )
    def test_existence_tells_slices_apart(
        self, maximum: int | None, wrong: list[tuple[str, str]]
    ) -> None:
        piece = Element(
            "identifier", maximum=1, children={"period": Element("period", maximum=maximum)}
        )
        slicing = Slicing((Discriminator("exists", "period"),), slices={"a": piece})
        root = narrowed(Element("identifier", slicing=slicing), kind="Patient")
        assert judged(root, identified("a", "b")) == wrong

    @pytest.mark.parametrize(
        ("references", "expected"),
        [
            (("Practitioner/1",), []),
            (("Organization/1",), [("minimum", "Observation.performer")]),
            (("urn:uuid:0c3151bd-1cbf-4d64-b04d-cd9187a4c6e0",), []),
        ],
    )
    def test_what_a_reference_leads_to_tells_slices_apart_where_it_is_known(
        self, references: tuple[str, ...], expected: list[tuple[str, str]]
    ) -> None:
        practitioner = TypeRef("Reference", targets=(f"{US_CORE}us-core-practitioner",))
        piece = Element("performer", minimum=1, types=(practitioner,))
        slicing = Slicing((Discriminator("type", "resolve()"),), slices={"a": piece})
        root = narrowed(Element("performer", slicing=slicing))
        resource = observation(performer=[{"reference": r} for r in references])
        assert judged(root, resource) == expected

    def test_extensions_of_a_value_tell_slices_apart(self) -> None:
        url = "http://example.org/kind"
        kind = Element("extension", children={
            "url": Element("url", fixed=url), "value[x]": Element("value[x]", fixed="a"),
        })  # fmt: skip
        array = Element(
            "extension", slicing=Slicing((Discriminator("value", "url"),), slices={"kind": kind})
        )
        piece = Element("identifier", maximum=0, children={"extension": array})
        by = (Discriminator("value", f"extension('{url}').value"),)
        root = narrowed(
            Element("identifier", slicing=Slicing(by, slices={"a": piece})), kind="Patient"
        )
        extended = [{"value": "1", "extension": [{"url": url, "valueCode": c}]} for c in "ba"]
        assert judged(root, {**PATIENT, "identifier": extended[:1]}) == []
        assert judged(root, {**PATIENT, "identifier": extended}) == [
            ("maximum", "Patient.identifier")
        ]

    def test_slices_that_nothing_tells_apart_are_said_to_be_unjudged(self) -> None:
        root = sliced(a=Element("identifier", minimum=1))
        resource = declaring(identified("a"), MADE)
        assert errors(resource, made(root)) == []
        found = of(resource, made(root), Severity.INFORMATION)
        assert [(f.rule.value, f.path) for f in found] == [("not-checked", "Patient.identifier")]

    def test_a_slice_may_be_sliced_again(self) -> None:
        inner = Slicing((Discriminator("value", "use"),), slices={
            "a/old": Element(
                "identifier", maximum=1, children={"use": Element("use", fixed="old")}
            )
        })  # fmt: skip
        root = sliced(a=typed("a", slicing=inner))
        resource = identified("a", "a", "b")
        for identifier in resource["identifier"]:
            identifier["use"] = "old"
        assert judged(root, resource) == [("maximum", "Patient.identifier")]


@pytest.mark.parametrize("version", ["3.1.1", "8.0.0"])
def test_every_profile_can_be_compiled_and_refuses_what_is_of_another_type(version: str) -> None:
    definitions = us_core(version)
    for url, profile in definitions.profiles.items():
        kind = "Basic" if profile.type != "Basic" else "Flag"
        found = Validator(definitions, profiles=[url]).check({"resourceType": kind})
        assert "profile" in [finding.rule.value for finding in found], url


def test_a_profile_of_a_type_that_is_not_known_asks_nothing() -> None:
    root = Element("Sheep", children={"wool": Element("wool", minimum=1)})
    assert judged(root, observation()) == [("profile", "Observation")]
    assert Validator(made(root), profiles=[MADE]).check({"resourceType": "Sheep"})


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({"code": {"coding": [{"system": LOINC, "code": 1}]}}, ("type", "code.coding[0].code")),
        ({"code": {"coding": []}}, ("empty", "code.coding")),
        ({"category": [{"coding": True}]}, ("array", "category[0].coding")),
        ({"category": [{}]}, ("empty", "category[0]")),
        ({"effectiveDateTime": " "}, ("value", "effective.ofType(dateTime)")),
        ({"subject": {"id": "a"}}, ("empty", "subject")),
    ],
)
def test_what_follows_from_a_malformed_value_is_not_told_as_well(
    change: dict[str, Any], expected: tuple[str, str]
) -> None:
    rule, path = expected
    assert errors(heart_rate(**change)) == [(rule, f"Observation.{path}")]
