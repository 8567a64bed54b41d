from __future__ import annotations

from harness.reference.fhir.query import read
from harness.reference.fhir.search import matches
from harness.reference.fhir.store import Store
from harness.reference.fhir.stored import Stored
from harness.tests.unit.reference.fhir_doubles import NOW, shared_store, weight

BASE = "https://ehr.example.org/r4"


def found(store: Store, resource_type: str, *pairs: tuple[str, str]) -> list[Stored]:
    query = read(resource_type, pairs, BASE, strict=True)
    return matches(store, query, NOW, lambda _: True, None)


def test_ties_are_broken_by_id() -> None:
    store = shared_store().overlay()
    patient = store.patient_ids()[0]
    written = [store.create(weight(patient), NOW).id for _ in range(5)]
    moment = weight(patient)["effectiveDateTime"]
    together = found(
        store, "Observation", ("patient", patient), ("date", moment), ("_sort", "date")
    )
    assert [one.id for one in together] == sorted(written)


def test_sorting_by_last_updated_follows_the_writes() -> None:
    store = shared_store().overlay()
    patient = store.patient_ids()[0]
    written = [store.create(weight(patient), NOW).id for _ in range(3)]
    asked = (("patient", patient), ("_sort", "-_lastUpdated"))
    newest_first = [one.id for one in found(store, "Observation", *asked)]
    assert newest_first[:3] == written[::-1]


def test_what_has_no_value_to_sort_by_comes_last_in_both_directions() -> None:
    store = shared_store().overlay()
    patient = store.patient_ids()[0]
    undated = store.create(weight(patient, effectiveDateTime=None), NOW).id
    for key in ("date", "-date"):
        in_order = found(store, "Observation", ("patient", patient), ("_sort", key))
        assert in_order[-1].id == undated


def test_naming_the_patient_changes_nothing_but_the_speed() -> None:
    store = shared_store()
    patient = store.patient_ids()[2]
    by_scan = {one.id for one in found(store, "Observation") if one.patient == patient}
    assert {one.id for one in found(store, "Observation", ("subject", patient))} == by_scan


def test_parameters_combine() -> None:
    store = shared_store()
    patient = store.patient_ids()[0]
    asked = [
        ("patient", patient),
        ("code", "85354-9,29463-7"),
        ("date", "ge2026-09-01"),
        ("date", "lt2026-10-01"),
        ("status", "final"),
    ]
    together = found(store, "Observation", *asked)
    assert 30 < len(together) < 80
    for one in together:
        assert one.resource["code"]["coding"][0]["code"] in {"85354-9", "29463-7"}
        assert one.resource["status"] == "final"
        assert one.search_values["date"][0].start.month == 9


def test_an_update_that_moves_an_observation_moves_it_in_searches() -> None:
    store = shared_store().overlay()
    first, second = store.patient_ids()[:2]
    stored = store.create(weight(first), NOW)
    store.update(stored.id, weight(second), NOW)
    ids = [
        {one.id for one in found(store, "Observation", ("patient", patient))}
        for patient in (first, second)
    ]
    assert [stored.id in each for each in ids] == [False, True]
