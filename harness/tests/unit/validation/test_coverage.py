from __future__ import annotations

from typing import Any

import pytest

from harness.spec.definitions.model import Amendment, Choice, Element, Profile, Support, TypeRef
from harness.tests.unit.validation.judged import US_CORE, declaring, observation, us_core
from harness.validation.coverage.coverage import Coverage
from harness.validation.coverage.supporting import supported
from harness.validation.validator import Validator

HEART_RATE, PATIENT, GOAL = (f"{US_CORE}us-core-{n}" for n in ("heart-rate", "patient", "goal"))
CARE_TEAM = f"{US_CORE}us-core-careteam"


def covered(*resources: dict[str, Any]) -> Coverage:
    coverage = Coverage()
    validator = Validator(us_core(), coverage=coverage)
    for resource in resources:
        validator.check(resource)
    return coverage


def missing(profile: str, *resources: dict[str, Any]) -> tuple[str, ...]:
    declared = (declaring(resource, profile) for resource in resources)
    return covered(*declared).missing(us_core().profiles)[profile]


def test_what_no_resource_has_is_missing() -> None:
    gone = missing(HEART_RATE, observation(effectiveDateTime=None))
    assert "Observation.effective[x]" in gone
    assert not {"Observation.status", "Observation.category:VSCat.coding.code"} & {*gone}
    assert not {"Observation.value[x]:valueQuantity.unit", "Observation.subject"} & {*gone}


def test_one_resource_among_many_is_enough() -> None:
    reason = {"coding": [{"code": "unknown"}]}
    absent = observation(valueQuantity=None, dataAbsentReason=reason)
    gone = missing(HEART_RATE, observation(effectiveDateTime=None), absent)
    assert "Observation.effective[x]" not in gone
    assert "Observation.value[x]:valueQuantity" not in gone


def test_what_was_withdrawn_need_not_be_there() -> None:
    gone = missing(HEART_RATE, observation())
    assert not {"Observation.dataAbsentReason", "Observation.component"} & {*gone}


def test_how_many_had_it_is_counted() -> None:
    first = observation(subject=None)
    second = observation(subject=None, effectiveDateTime=None)
    coverage = covered(declaring(first, HEART_RATE), declaring(second, HEART_RATE))
    seen = coverage.seen(us_core().profiles[HEART_RATE])
    assert seen["Observation"] == 2
    assert seen["Observation.effective[x]"] == 1
    assert seen["Observation.subject"] == 0


def test_a_profile_that_judged_nothing_is_not_told() -> None:
    assert covered(observation()).missing(us_core().profiles) == {}


@pytest.mark.parametrize(
    "members",
    [
        {"startDate": "2026-05-01"},
        {"target": [{"dueDate": "2026-05-01"}]},
    ],
)
def test_one_of_several_is_enough(members: dict[str, Any]) -> None:
    goal = {"resourceType": "Goal", "lifecycleStatus": "active", **members}
    gone = missing(GOAL, goal)
    assert "Goal.start[x]" not in gone
    assert "Goal.target.due[x] as date" not in gone


def test_none_of_several_is_all_of_them_missing() -> None:
    gone = missing(GOAL, {"resourceType": "Goal", "startCodeableConcept": {"text": "soon"}})
    assert {"Goal.start[x] as date", "Goal.target.due[x]"} <= {*gone}


def test_an_extension_is_seen_by_its_url() -> None:
    race = {"url": f"{US_CORE}us-core-race", "extension": [{"url": "text", "valueString": "A"}]}
    gone = missing(PATIENT, {"resourceType": "Patient", "extension": [race]})
    assert "Patient.extension:race" not in gone
    assert "Patient.extension:ethnicity" in gone


def test_a_former_name_is_one_that_is_old_or_has_ended() -> None:
    plain = {"resourceType": "Patient", "name": [{"use": "official"}]}
    assert "Patient.name.use = old" in missing(PATIENT, plain)
    for name in ({"use": "old"}, {"period": {"end": "2020"}}):
        gone = missing(PATIENT, {"resourceType": "Patient", "name": [name]})
        assert not {"Patient.name.use = old", "Patient.name.period.end"} & {*gone}


def test_a_target_is_seen_by_its_type() -> None:
    member = {"reference": "RelatedPerson/1"}
    team = {"resourceType": "CareTeam", "participant": [{"member": member}]}
    gone = missing(CARE_TEAM, team)
    assert "CareTeam.participant.member -> us-core-relatedperson" not in gone
    assert "CareTeam.participant.member -> us-core-practitioner" in gone
    member["reference"] = "PractitionerRole/1"
    gone = missing(CARE_TEAM, team)
    assert "CareTeam.participant.member -> us-core-practitioner" not in gone


def test_what_was_withdrawn_is_not_asked_for_with_all_that_it_holds() -> None:
    flagged = {
        name: Element(name, must_support=True, children={"end": Element("end", must_support=True)})
        for name in ("period", "address")
    }
    support = Support(
        choices=(Choice(("active", "gender")),),
        added=(Amendment("link.other", "a reason"),),
        withdrawn=(Amendment("address", "a reason"),),
    )
    root = Element(
        "Patient",
        children={
            **flagged,
            "multipleBirth[x]": Element(
                "multipleBirth[x]",
                types=(TypeRef("boolean", must_support=True), TypeRef("integer")),
                uscdi=True,
            ),
        },
    )
    profile = Profile("u", "1", "t", "Patient", "b", root, support=support)
    assert supported(profile).parts == (
        "Patient.period",
        "Patient.period.end",
        "Patient.multipleBirth[x]",
        "Patient.multipleBirth[x] as boolean",
        "Patient.link.other",
    )


@pytest.mark.parametrize("version", ["3.1.1", "4.0.0", "5.0.1", "6.1.0", "7.0.0", "8.0.0"])
def test_every_part_of_every_profile_can_be_noted(version: str) -> None:
    definitions = us_core(version)
    for url, profile in definitions.profiles.items():
        if url.startswith(US_CORE):
            asked = supported(profile)
            assert len(set(asked.parts)) == len(asked.parts)
            assert asked.missing(frozenset(asked.parts)) == ()


def test_a_profile_and_what_it_builds_on_are_both_covered() -> None:
    vital_signs = f"{US_CORE}us-core-vital-signs"
    coverage = covered(declaring(observation(), vital_signs, HEART_RATE))
    assert coverage.missing(us_core().profiles).keys() >= {vital_signs, HEART_RATE}
