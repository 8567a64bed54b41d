from __future__ import annotations

from datetime import timedelta

import pytest

from harness.reference.fhir.store import Store
from harness.tests.unit.reference.fhir_doubles import NOW, shared_store, weight


@pytest.fixture
def store() -> Store:
    return shared_store().overlay()


@pytest.fixture
def patient(store: Store) -> str:
    return store.patient_ids()[0]


def test_an_overlay_keeps_its_writes_to_itself(store: Store, patient: str) -> None:
    before = len(store.all("Observation", patient))
    upper, beside = store.overlay(), store.overlay()
    stored = upper.create(weight(patient), NOW)
    upper.delete("Observation", f"{patient}-bp-1", NOW)
    assert len(upper.all("Observation", patient)) == before
    assert upper.current("Observation", stored.id) == stored
    for other in (store, beside):
        assert other.current("Observation", stored.id) is None
        assert len(other.all("Observation", patient)) == before


def test_a_later_overlay_starts_with_what_is_below(store: Store, patient: str) -> None:
    stored = store.create(weight(patient), NOW)
    assert store.overlay().current("Observation", stored.id) == stored


def test_last_updated_rises_even_if_the_clock_stands(store: Store, patient: str) -> None:
    stamps = [store.create(weight(patient), NOW).last_updated for _ in range(5)]
    assert stamps == sorted(set(stamps))
    assert stamps[0] > NOW
    later = store.create(weight(patient), NOW + timedelta(hours=1, microseconds=1234))
    assert later.last_updated == NOW + timedelta(hours=1, milliseconds=1)
    assert later.resource["meta"]["lastUpdated"].endswith("T08:00:00.001Z")


def test_what_a_clinician_elsewhere_writes_has_versions(store: Store, patient: str) -> None:
    first = store.put_as_other(weight(patient), NOW)
    second = store.put_as_other(weight(patient, id=first.id, status="amended"), NOW)
    assert [one.version_id for one in store.versions("Observation", first.id)] == ["1", "2"]
    assert second.patient == patient


def test_provenance_belongs_to_the_patient_of_its_target(store: Store, patient: str) -> None:
    stored = store.create(weight(patient), NOW)
    provenance = {"resourceType": "Provenance", "target": [{"reference": stored.reference}]}
    assert store.create(provenance, NOW).patient == patient


def test_what_belongs_to_nobody_is_seen_with_every_patient(store: Store, patient: str) -> None:
    devices = {one.patient for one in store.all("Device", patient)}
    assert devices == {patient, None}
    assert len(store.all("Practitioner", patient)) == 3


def test_all_patients_together_are_the_sum(store: Store) -> None:
    apart = sum(len(store.all("Encounter", one)) for one in store.patient_ids())
    assert len(store.all("Encounter")) == apart > 0


def test_ids_that_only_look_like_patients_are_unknown(store: Store, patient: str) -> None:
    for resource_id in ("p1-000000", "p999-abcdef", "p1", f"{patient}-bp-1", ""):
        assert store.versions("Patient", resource_id) == ()
    with pytest.raises(KeyError):
        store.patient_name("nobody")


def test_the_name_is_that_of_the_resource(store: Store, patient: str) -> None:
    current = store.current("Patient", patient)
    assert current
    name = current.resource["name"][0]
    assert store.patient_name(patient) == " ".join((*name["given"], name["family"]))


def test_whoever_watches_is_told_of_what_is_there_to_stay(store: Store, patient: str) -> None:
    def failing() -> None:
        with store.transaction():
            store.create(weight(patient), NOW, "undone")
            raise LookupError

    told: list[str] = []
    store.watch(lambda stored: told.append(f"{stored.id}/{stored.version_id}/{stored.deleted}"))
    alone = store.create(weight(patient), NOW, "alone")
    with store.transaction():
        store.update(alone.id, weight(patient), NOW)
        with pytest.raises(LookupError):
            failing()
        with store.transaction():
            store.create(weight(patient), NOW, "inner")
        assert told == ["alone/1/False"]
    with store.transaction(keep=False):
        store.delete("Observation", alone.id, NOW)
    store.delete("Observation", alone.id, NOW)
    assert told == ["alone/1/False", "alone/2/False", "inner/1/False", "alone/3/True"]
