import copy
import json
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal
from typing import Any

import pytest

from harness.errors import UsageError
from harness.fhir.fidelity import Comparison, same
from harness.fhir.measures import UCUM
from harness.fhir.observations import (
    Measured,
    blood_pressure,
    body_height,
    body_mass_index,
    body_temperature,
    body_weight,
    continuous_glucose,
    glucose,
    glucose_series,
    heart_rate,
    provenance,
    pulse_oximetry,
    respiratory_rate,
    sleep,
    steps,
)

AT = datetime(2026, 5, 1, 9, 30, 15, tzinfo=timezone(timedelta(hours=-5)))
MEASURED = Measured("85", AT, ("urn:oid:2.999.1", "m-1"), device="d-7", patient_supplied=True)
ALL = [
    blood_pressure(MEASURED, 128, 83),
    heart_rate(MEASURED, 67),
    body_weight(MEASURED, Decimal("81.35")),
    body_weight(MEASURED, 179, "[lb_av]"),
    body_height(MEASURED, 178.5),
    body_height(MEASURED, 70, "[in_i]"),
    body_mass_index(MEASURED, 25.5),
    body_temperature(MEASURED, 36.7),
    body_temperature(MEASURED, 98.1, "[degF]"),
    respiratory_rate(MEASURED, 14),
    pulse_oximetry(MEASURED, 97),
]
RESULTS = [
    glucose(MEASURED, 104),
    glucose(MEASURED, 5.8, "mmol/L"),
    continuous_glucose(MEASURED, 111),
    continuous_glucose(MEASURED, 6.2, "mmol/L"),
]


@pytest.mark.parametrize("built", ALL, ids=lambda each: each["code"]["text"])
def test_every_observation_has_what_us_core_asks_of_a_vital_sign(built: dict[str, Any]) -> None:
    assert json.loads(json.dumps(built)) == built
    assert built["status"] == "final"
    assert built["category"][0]["coding"][0]["code"] == "vital-signs"
    assert built["code"]["coding"][0]["system"] == "http://loinc.org"
    assert built["subject"] == {"reference": "Patient/85"}
    assert built["effectiveDateTime"] == "2026-05-01T09:30:15-05:00"
    assert built["device"] == {"reference": "Device/d-7"}
    assert built["identifier"] == [{"system": "urn:oid:2.999.1", "value": "m-1"}]
    assert built["meta"]["tag"][0]["code"] == "patient-supplied"
    values = [each["valueQuantity"] for each in built.get("component", [built])]
    assert {each["system"] for each in values} == {UCUM}


def test_a_blood_pressure_is_a_panel_of_two_components() -> None:
    panel = ALL[0]
    assert "valueQuantity" not in panel
    found = {
        each["code"]["coding"][0]["code"]: each["valueQuantity"]["value"]
        for each in panel["component"]
    }
    assert (panel["code"]["coding"][0]["code"], found) == ("85354-9", {"8480-6": 128, "8462-4": 83})


def test_a_fraction_of_a_second_is_written_only_where_there_is_one() -> None:
    built = heart_rate(replace(MEASURED, at=datetime(2026, 5, 1, 1, 2, 3, 456789, UTC)), 60)
    assert built["effectiveDateTime"] == "2026-05-01T01:02:03.456+00:00"


@pytest.mark.parametrize("built", RESULTS, ids=lambda each: each["valueQuantity"]["code"])
def test_glucose_is_a_laboratory_result_and_its_unit_goes_with_its_code(
    built: dict[str, Any],
) -> None:
    assert built["category"][0]["coding"][0]["code"] == "laboratory"
    display = built["code"]["coding"][0]["display"]
    assert ("Moles" in display) == (built["valueQuantity"]["code"] == "mmol/L")


def test_a_category_may_be_named_where_an_ehr_wants_another() -> None:
    built = glucose(replace(MEASURED, category="vital-signs"), 104)
    assert built["category"][0]["coding"][0]["code"] == "vital-signs"


def test_readings_of_a_sensor_are_five_minutes_apart_and_each_has_its_own_identifier() -> None:
    series = glucose_series(MEASURED, [101, 104, 108])
    assert [each["effectiveDateTime"][11:19] for each in series] == [
        "09:30:15",
        "09:35:15",
        "09:40:15",
    ]
    assert [each["identifier"][0]["value"] for each in series] == ["m-1-1", "m-1-2", "m-1-3"]


@pytest.mark.parametrize(
    "built", [steps(MEASURED, 4312, timedelta(days=1)), sleep(MEASURED, 7.25, timedelta(hours=9))]
)
def test_what_takes_time_has_a_period_that_ends_when_it_was_measured(built: dict[str, Any]) -> None:
    assert built["effectivePeriod"]["end"] == "2026-05-01T09:30:15-05:00"
    assert built["effectivePeriod"]["start"] < built["effectivePeriod"]["end"]
    assert "effectiveDateTime" not in built


def test_method_and_performer_are_named_where_they_are_known() -> None:
    method = ("371911009", "Measurement of blood pressure using cuff method")
    built = blood_pressure(replace(MEASURED, method=method, by_patient=True), 120, 80)
    assert built["method"]["coding"][0]["code"] == "371911009"
    assert built["performer"] == [{"reference": "Patient/85"}]


def test_provenance_says_who_sent_what_and_when() -> None:
    built = provenance(["Observation/1", "Observation/2"], AT, "85", "d-7")
    assert [each["reference"] for each in built["target"]] == ["Observation/1", "Observation/2"]
    assert {each["who"]["reference"] for each in built["agent"]} == {"Patient/85", "Device/d-7"}
    with pytest.raises(UsageError, match="provenance: not valid FHIR"):
        provenance([""], AT, "85", "d-7")


def test_what_cannot_be_written_is_refused_in_one_line() -> None:
    with pytest.raises(UsageError, match="with its zone"):
        heart_rate(replace(MEASURED, at=datetime(2026, 5, 1)), 60)  # noqa: DTZ001 - it is what is refused
    with pytest.raises(UsageError, match=r"kg, \[lb_av\], g"):
        body_weight(MEASURED, 80, "stone")
    with pytest.raises(UsageError, match="mg/dL, mmol/L"):
        glucose(MEASURED, 5.8, "mmol/l")
    with pytest.raises(UsageError, match=r"Cel, \[degF\]"):
        body_temperature(MEASURED, 98.6, "degF")
    with pytest.raises(UsageError, match="not valid FHIR") as caught:
        heart_rate(replace(MEASURED, category=""), 60)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("built", ALL, ids=lambda each: each["code"]["text"])
def test_what_comes_back_as_written_is_the_same(built: dict[str, Any]) -> None:
    read = copy.deepcopy(built)
    read |= {"id": "9", "text": {"status": "generated", "div": "<div/>"}}
    read["meta"] |= {"versionId": "1", "lastUpdated": "2026-05-01T14:30:16Z"}
    read["effectiveDateTime"] = "2026-05-01T14:30:15.000Z"
    read["subject"] = {"reference": "https://ehr.example/r4/Patient/85", "display": "Test"}
    read["code"]["coding"][0]["display"] = "Other words"
    for each in (read, *read.get("component", [])):
        if "valueQuantity" in each:
            each["valueQuantity"]["value"] = float(each["valueQuantity"]["value"])
    read.get("component", []).reverse()
    comparison = same(built, read)
    assert comparison
    assert comparison.differences == ()
    assert comparison.additions == ()


def put(path: str, value: Any) -> Callable[[dict[str, Any]], None]:
    def change(resource: dict[str, Any]) -> None:
        node: Any = resource
        *steps, last = [int(each) if each.isdigit() else each for each in path.split(".")]
        for step in steps:
            node = node[step]
        node[last] = value

    return change


def drop(name: str) -> Callable[[dict[str, Any]], None]:
    return lambda resource: resource.pop(name)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (put("component.0.valueQuantity.value", 127), "8480-6].valueQuantity.value: wrote 128"),
        (put("component.0.valueQuantity.unit", "kPa"), "valueQuantity.unit: wrote 'mmHg'"),
        (put("component.0.valueQuantity.code", "kPa"), "valueQuantity.code: wrote 'mm[Hg]'"),
        (put("component.1.valueQuantity.system", "urn:x"), "valueQuantity.system: wrote"),
        (put("component.1.code.coding.0.code", "1-1"), "component[8462-4]: wrote"),
        (drop("component"), "component: wrote"),
        (put("effectiveDateTime", "2026-05-01T09:30:15Z"), "effectiveDateTime: wrote"),
        (put("effectiveDateTime", "2026-05-01T14:30:00Z"), "effectiveDateTime: wrote"),
        (put("effectiveDateTime", "2026-05-01"), "effectiveDateTime: wrote"),
        (put("effectiveDateTime", "soon"), "effectiveDateTime: wrote"),
        (put("status", "preliminary"), "status: wrote 'final', read 'preliminary'"),
        (put("category.0.coding.0.code", "survey"), "category[vital-signs]: wrote"),
        (put("code.coding.0.system", "urn:local"), "code.coding[85354-9]: wrote"),
        (put("subject.reference", "Patient/86"), "subject.reference: wrote 'Patient/85'"),
        (drop("device"), "device: wrote"),
        (drop("identifier"), "identifier: wrote"),
        (drop("meta"), "meta.tag[patient-supplied]: wrote"),
    ],
)
def test_each_loss_and_each_change_is_named(
    change: Callable[[dict[str, Any]], None], message: str
) -> None:
    read = copy.deepcopy(ALL[0])
    change(read)
    comparison = same(ALL[0], read)
    assert not comparison
    assert any(message in str(each) for each in comparison.differences)


def test_midnight_is_not_the_whole_day() -> None:
    built = heart_rate(replace(MEASURED, at=datetime(2026, 5, 1, tzinfo=UTC)), 60)
    assert not same(built, built | {"effectiveDateTime": "2026-05-01"})


def test_lists_without_codings_are_compared_too() -> None:
    written = {
        "category": [{"text": "Vitals"}],
        "performer": [{"reference": "Patient/85"}, {"display": "Nurse"}],
        "note": [{"text": "a"}, {"text": "b"}],
        "valueBoolean": True,
        "given": ["A", "B"],
        "valueInteger": 1,
    }
    read = copy.deepcopy(written) | {"given": ["B", "A"]}
    assert same(written, read) == Comparison((), ())
    read |= {"note": [{"text": "a"}], "valueBoolean": 1, "given": ["A"], "valueInteger": "x"}
    paths = [each.path for each in same(written, read).differences]
    assert paths == ["note['b']", "valueBoolean", "given['B']", "valueInteger"]


def test_what_nobody_wrote_is_a_list_of_its_own() -> None:
    built = ALL[1]
    read = copy.deepcopy(built)
    read["interpretation"] = [{"text": "High"}]
    read["valueQuantity"]["comparator"] = "<"
    read["code"]["coding"].append({"system": "urn:local", "code": "HR"})
    comparison = same(built, read)
    assert comparison
    assert comparison.additions == ("code.coding[HR]", "valueQuantity.comparator", "interpretation")
