from __future__ import annotations

from typing import Any

import pytest

from harness.errors import UsageError
from harness.tests.unit.validation.judged import US_CORE, declaring, observation, us_core
from harness.validation.findings import Finding, Rule, Severity
from harness.validation.selecting.choosing import us_core as chooser
from harness.validation.selecting.chosen import RULES
from harness.validation.validator import Validator

VERSIONS = ("3.1.1", "4.0.0", "5.0.1", "6.1.0", "7.0.0", "8.0.0")
HEART_RATE, PATIENT = f"{US_CORE}us-core-heart-rate", f"{US_CORE}us-core-patient"
CORE = "http://hl7.org/fhir/StructureDefinition/"


def told(validator: Validator, resource: object) -> list[tuple[str, str, str]]:
    return [(f.severity.value, f.rule.value, f.path) for f in validator.check(resource)]


def wrong(**members: Any) -> dict[str, Any]:
    return observation(subject=None, **members)


def of_heart_rate(findings: tuple[Finding, ...]) -> list[str]:
    return [f.path for f in findings if f.profile == HEART_RATE and f.severity is Severity.ERROR]


class TestDeclared:
    @pytest.mark.parametrize("version", ["", "|6.1.0"])
    def test_a_declared_profile_is_applied(self, version: str) -> None:
        resource = declaring(wrong(), HEART_RATE + version)
        found = Validator(us_core()).check(resource)
        assert [(f.path, f.profile) for f in found] == [("Observation.subject", HEART_RATE)]

    def test_another_version_is_told_and_judged_by_the_one_at_hand(self) -> None:
        resource = declaring(wrong(), f"{HEART_RATE}|7.0.0")
        assert told(Validator(us_core()), resource) == [
            ("information", "profile", "Observation.meta.profile"),
            ("error", "minimum", "Observation.subject"),
        ]

    def test_a_profile_that_is_not_known_is_said_not_to_be_checked(self) -> None:
        validator = Validator(us_core())
        resource = declaring(observation(), "http://example.org/mine")
        assert told(validator, resource) == [
            ("information", "not-checked", "Observation.meta.profile")
        ]
        assert told(validator, resource) == []

    def test_what_is_declared_reaches_a_person_without_control_characters(self) -> None:
        found = Validator(us_core()).check(declaring(observation(), "a\x1b\n" * 1000))
        assert Rule.NOT_CHECKED in {finding.rule for finding in found}
        assert all(finding.expected.isprintable() for finding in found)
        assert all(len(finding.expected) < 500 for finding in found)

    def test_a_profile_of_another_type_is_an_error(self) -> None:
        found = told(Validator(us_core()), declaring(observation(), PATIENT))
        assert found == [("error", "profile", "Observation")]

    @pytest.mark.parametrize("name", ["Observation", "DomainResource", "Resource"])
    def test_a_type_declared_as_profile_asks_nothing_more(self, name: str) -> None:
        assert told(Validator(us_core()), declaring(observation(), CORE + name)) == []

    def test_another_type_declared_as_profile_is_an_error(self) -> None:
        found = told(Validator(us_core()), declaring(observation(), f"{CORE}Patient"))
        assert found == [("error", "profile", "Observation")]

    def test_two_declarations_of_one_profile_are_one(self) -> None:
        resource = declaring(wrong(), HEART_RATE, f"{HEART_RATE}|6.1.0")
        assert len(Validator(us_core()).check(resource)) == 1

    def test_a_profile_is_heard_for_those_that_it_builds_on(self) -> None:
        vital_signs = f"{US_CORE}us-core-vital-signs"
        for declared in ((vital_signs, HEART_RATE), (HEART_RATE, vital_signs)):
            found = Validator(us_core()).check(declaring(wrong(), *declared))
            assert [(f.path, f.profile) for f in found] == [("Observation.subject", HEART_RATE)]

    def test_a_thousand_declarations_are_judged_each_once(self) -> None:
        found = told(Validator(us_core()), declaring(wrong(), *[HEART_RATE] * 1000))
        assert found == [("error", "minimum", "Observation.subject")]


class TestAskedFor:
    def test_a_profile_is_applied_to_what_does_not_declare_it(self) -> None:
        found = Validator(us_core(), profiles=[HEART_RATE]).check(wrong())
        assert of_heart_rate(found) == ["Observation.subject"]

    def test_it_is_applied_in_a_bundle_and_not_to_what_is_contained(self) -> None:
        validator = Validator(us_core(), profiles=[HEART_RATE])
        inner = {**wrong(), "id": "o", "text": None}
        del inner["text"]
        outer = observation(contained=[inner], hasMember=[{"reference": "#o"}])
        bundle = {"resourceType": "Bundle", "type": "collection", "entry": [{"resource": wrong()}]}
        assert of_heart_rate(validator.check(bundle)) == ["Bundle.entry[0].resource.subject"]
        assert of_heart_rate(validator.check(outer)) == []

    def test_a_resource_of_none_of_the_types_is_an_error(self) -> None:
        found = told(Validator(us_core(), profiles=[PATIENT]), observation())
        assert found == [("error", "profile", "Observation")]

    def test_a_profile_that_is_not_known_is_a_usage_error(self) -> None:
        with pytest.raises(UsageError, match="not among the definitions"):
            Validator(us_core(), profiles=["http://example.org/mine"])

    def test_a_profile_that_is_misspelt_is_answered_with_the_nearest(self) -> None:
        with pytest.raises(UsageError, match="not among the definitions") as refused:
            Validator(us_core(), profiles=[f"{US_CORE}us-core-hart-rate"])
        assert str(refused.value.hint).endswith(f"{HEART_RATE}?")


def concept(system: str, code: str) -> dict[str, Any]:
    return {"coding": [{"system": system, "code": code}]}


OBSERVATION = "http://terminology.hl7.org/CodeSystem/observation-category"
LOINC = "http://loinc.org"


class TestChosen:
    @pytest.mark.parametrize(
        ("resource", "names"),
        [
            ({"resourceType": "Patient"}, ["us-core-patient"]),
            (observation(), ["us-core-heart-rate"]),
            (observation(code={"text": "pulse"}), ["us-core-vital-signs"]),
            (
                observation(category=[concept(OBSERVATION, "laboratory")]),
                ["us-core-observation-lab", "us-core-heart-rate"],
            ),
            (
                observation(category=None, code=concept(LOINC, "72166-2")),
                ["us-core-smokingstatus"],
            ),
            (observation(category=None, code={"text": "pulse"}), []),
            (
                {
                    "resourceType": "Condition",
                    "category": [
                        concept(
                            "http://terminology.hl7.org/CodeSystem/condition-category",
                            "encounter-diagnosis",
                        )
                    ],
                },
                ["us-core-condition-encounter-diagnosis"],
            ),
            (
                {"resourceType": "DiagnosticReport", "category": [concept(LOINC, "LP29684-5")]},
                ["us-core-diagnosticreport-note"],
            ),
            ({"resourceType": "Device"}, []),
            ({"resourceType": ["Patient"], "category": 1, "code": [1]}, []),
            ({"resourceType": "Observation", "category": [{"coding": [{"code": 1}]}, None]}, []),
        ],
    )
    def test_type_category_and_code_decide(
        self, resource: dict[str, Any], names: list[str]
    ) -> None:
        chosen = chooser(us_core().profiles)(resource)
        assert [url.removeprefix(US_CORE) for url in chosen] == names

    @pytest.mark.parametrize(
        ("version", "names"),
        [
            ("3.1.1", [f"{CORE}heartrate"]),
            ("4.0.0", [HEART_RATE]),
        ],
    )
    def test_vital_signs_are_those_that_the_version_means(
        self, version: str, names: list[str]
    ) -> None:
        assert list(chooser(us_core(version).profiles)(observation())) == names

    def test_advance_directives_are_documents_of_their_own(self) -> None:
        document = {"resourceType": "DocumentReference", "category": [concept(LOINC, "42348-3")]}
        for version, name in (("7.0.0", []), ("8.0.0", ["us-core-adi-documentreference"])):
            chosen = chooser(us_core(version).profiles)(document)
            assert [url.removeprefix(US_CORE) for url in chosen] == name

    def test_what_is_chosen_is_applied(self) -> None:
        definitions = us_core()
        validator = Validator(definitions, chooser=chooser(definitions.profiles))
        found = validator.check(wrong())
        assert [f.path for f in found if f.severity is Severity.ERROR] == ["Observation.subject"]

    def test_every_rule_names_a_profile_of_its_type_in_some_version(self) -> None:
        for rule in RULES:
            known = [us_core(v).profiles.get(rule.profile) for v in VERSIONS]
            assert {p.type for p in known if p is not None} == {rule.type}, rule.profile
