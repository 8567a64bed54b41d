from __future__ import annotations

import tomllib
from collections import Counter
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from fhir.resources.R4B import get_fhir_model_class

from harness.reference.data.people import npi
from harness.reference.data.vocabulary import CGM, MEASURES, US_CORE
from harness.reference.data.world import World
from harness.reference.fhir.dates import interval
from harness.reference.fhir.resources import RESOURCES
from harness.reference.fhir.shape import misshapes
from harness.tests.unit.reference.fhir_doubles import NOW

Json = dict[str, Any]
MUST_SUPPORT = Path(__file__).with_name("us_core_must_support.toml")


@pytest.fixture(scope="module")
def world() -> World:
    return World(seed=7, patients=9, now=NOW)


@pytest.fixture(scope="module")
def histories(world: World) -> list[list[Json]]:
    patients = [world.patient(number) for number in range(1, world.patients + 1)]
    records = [one for number in (1, 2, 4, 5) for one in world.records(number)]
    return [*world.shared, *patients, *records]


@pytest.fixture(scope="module")
def observations(histories: list[list[Json]]) -> list[list[Json]]:
    return [one for one in histories if one[0]["resourceType"] == "Observation"]


@pytest.fixture(scope="module")
def measured(observations: list[list[Json]]) -> list[list[Json]]:
    """What devices measured, at home and at the clinic."""
    return [one for one in observations if "device" in one[0]]


def test_equal_seeds_give_equal_data_and_others_do_not(world: World) -> None:
    assert World(7, 9, NOW).records(3) == world.records(3)
    assert World(7, 9, NOW).patient(3) == world.patient(3)
    assert World(8, 9, NOW).patient(3) != world.patient(3)


def test_a_patient_does_not_depend_on_how_many_there_are(world: World) -> None:
    assert World(7, 500, NOW).records(3) == world.records(3)


def test_ids_are_unique_and_lead_back_to_their_patient(world: World) -> None:
    ids = [one[0]["id"] for number in (1, 2) for one in world.records(number)]
    assert len(ids) == len(set(ids))
    assert {world.ordinal(one) for one in ids} == {1, 2}
    assert world.ordinal("p1-000000-bp-1") is None


def test_resources_are_valid_r4(histories: list[list[Json]]) -> None:
    latest = [history[-1] for history in histories]
    assert {one["resourceType"] for one in latest} == set(RESOURCES)
    usual = {"Observation", "Provenance"}
    others = [one for one in latest if one["resourceType"] not in usual or "device" not in one]
    for sample in [*others, *latest[::9]]:
        if "_occurrenceDateTime" in sample:
            continue  # a reason in the place of a required choice, which this library refuses
        get_fhir_model_class(sample["resourceType"]).model_validate(sample)


def test_elements_that_must_be_supported_occur_in_the_first_six_records(world: World) -> None:
    table = tomllib.loads(MUST_SUPPORT.read_text("utf-8"))
    missing = {name: set(paths) for name, paths in table.items()}
    six = range(1, 7)
    histories = [*world.shared, *(one for number in six for one in world.records(number))]
    for history in (*histories, *map(world.patient, six)):
        for profile in history[-1]["meta"].get("profile", ()):
            left = missing[profile.removeprefix(US_CORE)]
            left -= {path for path in left if occurs(history[-1], path)}
    assert {name: left for name, left in missing.items() if left} == {}


def occurs(resource: Json, path: str) -> bool:
    path, _, target = path.partition("->")
    path, _, extension = path.partition("=")
    found: list[Any] = [resource]
    for step in path.split("."):
        inner = [one[step] for one in found if isinstance(one, dict) and step in one]
        found = [each for one in inner for each in (one if isinstance(one, list) else [one])]
    if target:
        return any(one["reference"].startswith(f"{target}/") for one in found)
    if extension:
        return any(one["url"].endswith(f"/{extension}") for one in found)
    return bool(found)


def test_a_sensor_measures_for_months_apart_from_the_record() -> None:
    world = World(7, 9, NOW)
    months = list(world.sensor(9))
    assert len(months) == 90 * 24 * 12
    assert {one[0]["subject"]["reference"] for one in months} == {world.person(9).reference}
    assert not {one[0]["id"] for one in months} & {one[0]["id"] for one in world.records(9)}
    assert [list(world.sensor(number)) for number in range(1, 9)] == [[]] * 8


def test_nothing_is_measured_at_home_after_death(world: World) -> None:
    died = datetime.fromisoformat(world.patient(5)[0]["deceasedDateTime"])
    for history in world.records(5):
        if "device" in history[0]:
            assert interval(history[0]["effectiveDateTime"]).start < died


def test_observations_pass_the_rules_of_this_server(observations: list[list[Json]]) -> None:
    for history in observations:
        for version in history:
            assert list(misshapes(version, "Observation", "Observation")) == []


def test_every_measure_carries_its_profile_category_codes_and_unit(
    measured: list[list[Json]],
) -> None:
    seen: Counter[str] = Counter()
    for latest in (history[-1] for history in measured):
        codes = tuple(one["code"] for one in latest["code"]["coding"])
        measure = next(one for one in MEASURES if tuple(code for code, _ in one.codings) == codes)
        seen[measure.key] += 1
        assert latest["meta"]["profile"] == [US_CORE + measure.profile]
        assert latest["category"][0]["coding"][0]["code"] == measure.category
        holders = latest.get("component") or [latest]
        assert len(holders) == (len(measure.components) or 1)
        for holder in holders:
            assert holder["valueQuantity"]["code"] == measure.unit.code
            assert holder["valueQuantity"]["system"] == "http://unitsofmeasure.org"
    assert set(seen) == {one.key for one in MEASURES}
    assert seen[CGM.key] >= 300


def test_everything_is_stored_after_it_happened_and_before_now(
    observations: list[list[Json]],
) -> None:
    for history in observations:
        if "effectiveDateTime" not in history[0]:
            continue
        moments = [datetime.fromisoformat(one["meta"]["lastUpdated"]) for one in history]
        assert interval(history[0]["effectiveDateTime"]).start < moments[0]
        assert moments == sorted(set(moments))
        assert moments[-1] < NOW
        assert [one["meta"]["versionId"] for one in history] == [
            str(number) for number in range(1, len(history) + 1)
        ]


def test_some_are_amended_corrected_or_entered_in_error(measured: list[list[Json]]) -> None:
    statuses = Counter(history[-1]["status"] for history in measured if len(history) > 1)
    assert statuses["amended"] > 3
    assert statuses["corrected"] > 3
    assert statuses["entered-in-error"] == 2


def test_devices_patients_and_clinicians_wrote_them(measured: list[list[Json]]) -> None:
    latest = [history[-1] for history in measured]
    by = Counter(one["performer"][0]["reference"].partition("/")[0] for one in latest)
    assert by["Patient"] > by["Practitioner"] > 10
    for one in latest:
        clinic = one["performer"][0]["reference"].startswith("Practitioner/")
        assert clinic == ("encounter" in one)
        assert clinic == (one["device"]["reference"] == "Device/clinic-monitor")


def test_every_reference_leads_to_a_resource(histories: list[list[Json]]) -> None:
    known = {f"{one[0]['resourceType']}/{one[0]['id']}" for one in histories}
    for history in histories:
        assert set(references(history[-1])) <= known


def references(value: Any) -> list[str]:
    if isinstance(value, dict):
        own = [value["reference"]] if "reference" in value else []
        return own + [each for inner in value.values() for each in references(inner)]
    return (
        [each for inner in value for each in references(inner)] if isinstance(value, list) else []
    )


def test_times_are_written_in_the_zones_of_the_patients(measured: list[list[Json]]) -> None:
    zones = {history[0]["effectiveDateTime"][19:] for history in measured}
    assert {"Z", "-05:00"} <= zones


def test_all_data_is_marked_synthetic(histories: list[list[Json]]) -> None:
    for history in histories:
        assert history[-1]["meta"]["security"][0]["code"] == "HTEST"


def test_dates_are_spread_so_that_searches_are_selective(measured: list[list[Json]]) -> None:
    days = [interval(one[0]["effectiveDateTime"]).start for one in measured]
    assert max(days) > NOW - timedelta(days=7)
    assert min(days) < NOW - timedelta(days=300)


def test_patients_have_distinct_names_and_birth_dates() -> None:
    world = World(7, 300, NOW)
    people = [world.person(number) for number in range(1, 301)]
    assert len({(one.full_name, one.born) for one in people}) == 300


def test_national_provider_identifiers_have_their_check_digit() -> None:
    assert npi(123456789) == "1234567893"  # the example of the identifier's own specification
