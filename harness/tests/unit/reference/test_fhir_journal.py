from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.errors import UsageError
from harness.reference.fhir.recent import Recent
from harness.reference.fhir.shelf import Shelf, TooBroad
from harness.reference.fhir.sqlite import Journal, Origin
from harness.reference.fhir.store import Store
from harness.reference.fhir.stored import Stored
from harness.tests.unit.reference.fhir_doubles import NOW, shared_store, weight


@pytest.fixture
def journal() -> Iterator[Journal]:
    journal = Journal()
    yield journal
    journal.close()


def version(number: int, resource_id: str = "a", **changes: object) -> Stored:
    stamp = NOW + timedelta(milliseconds=number)
    content = {"resourceType": "Observation", "id": resource_id, "number": number}
    stored = Stored("Observation", resource_id, str(number), stamp, content, "p")
    return replace(stored, **changes)  # type: ignore[arg-type]


def test_versions_come_back_as_they_were_written(journal: Journal) -> None:
    written = [version(1), version(2, deleted=True), version(3, patient=None)]
    for one in written:
        journal.append(one, new=one is written[0], below=False)
    assert list(journal.versions("Observation", "a")) == written
    assert list(journal.changes("Observation", None)) == written[::-1]
    assert journal.latest == written[-1].last_updated
    assert journal.current("Observation", "other") == (written[-1],)
    assert journal.versions("Observation", "b") == ()


def test_a_replaced_version_leaves_the_others_alone(journal: Journal) -> None:
    first, second = version(1), version(2)
    journal.append(first, new=True, below=True)
    journal.append(second, new=False, below=True)
    changed = replace(second, version_id="1", parsed={"a": 1}, raw=None)
    journal.replace_last(changed)
    assert journal.versions("Observation", "a") == (first, changed)
    assert journal.over("Observation") == {"a"}


def test_what_a_failed_transaction_wrote_is_gone(journal: Journal) -> None:
    journal.append(version(1), new=True, below=False)
    with pytest.raises(LookupError), journal.transaction():
        _write_and_fail(journal)
    with journal.transaction(keep=False):
        journal.append(version(2), new=False, below=False)
    with journal.transaction():
        journal.append(version(3), new=False, below=False)
    assert [one.version_id for one in journal.versions("Observation", "a")] == ["1", "3"]


def _write_and_fail(journal: Journal) -> None:
    journal.append(version(2), new=False, below=False)
    raise LookupError


def test_a_file_keeps_writes_for_the_next_process(tmp_path: Path) -> None:
    place = tmp_path / "ehr.db"
    journal, origin = Journal(place), Origin(7, 6, NOW)
    assert journal.origin is None
    journal.origin = origin
    store = shared_store().overlay(journal)
    patient = store.patient_ids()[0]
    kept = store.create(weight(patient), NOW)
    gone = store.create(weight(patient), NOW)
    store.delete("Observation", gone.id, NOW)
    store.update(f"{patient}-bp-1", weight(patient, id=f"{patient}-bp-1"), NOW)
    before = [one.reference for one in store.all("Observation", patient)]
    store.close()

    journal = Journal(place)
    assert journal.origin == origin
    again = shared_store().overlay(journal)
    assert again.current("Observation", kept.id) == kept
    assert [one.deleted for one in again.versions("Observation", gone.id)] == [False, True]
    assert len(again.versions("Observation", f"{patient}-bp-1")) > 1
    assert [one.reference for one in again.all("Observation", patient)] == before
    assert again.create(weight(patient), NOW).last_updated > gone.last_updated
    again.close()


def test_a_file_in_use_or_of_another_program_is_refused(tmp_path: Path) -> None:
    place, other, folder = tmp_path / "ehr.db", tmp_path / "other.db", tmp_path
    journal = Journal(place)
    journal.origin = Origin(1, 1, NOW)
    other.write_text("no database at all, but long enough to be looked at as one " * 20)
    for wrong in (place, other, folder):
        with pytest.raises(UsageError, match="--data"):
            Journal(wrong)
    journal.close()


@given(st.lists(st.tuples(st.sampled_from("abcde"), st.booleans())))
def test_a_shelf_follows_writes_like_a_dictionary(writes: list[tuple[str, bool]]) -> None:
    shelf, model = Shelf(()), {}
    for number, (resource_id, deleted) in enumerate(writes, start=1):
        stored = version(number, resource_id, deleted=deleted)
        shelf = shelf.after(stored)
        model[resource_id] = stored
    left = sorted(key for key, stored in model.items() if not stored.deleted)
    assert [one.id for one in shelf.resources] == left
    assert [one.version_id for one in shelf.resources] == [model[key].version_id for key in left]


KEYS = st.sampled_from("abc")
ACTS = st.lists(st.tuples(st.sampled_from(["put", "delete", "look", "fail"]), KEYS), max_size=20)


@given(ACTS)
def test_a_store_answers_like_one_that_remembers_nothing(acts: list[tuple[str, str]]) -> None:
    store = shared_store().overlay()
    patient = store.patient_ids()[0]
    model: dict[str, str] = {}
    for act, key in acts:
        known = store.current("Observation", key)
        if act == "look":
            store.all("Observation", patient)
            store.all("Observation")
        elif act == "put":
            model[key] = store.put_as_other(weight(patient, id=key), NOW).version_id
        elif act == "delete" and known and not known.deleted:
            store.delete("Observation", key, NOW)
            del model[key]
        elif act == "fail":
            with store.transaction(keep=False):
                store.put_as_other(weight(patient, id=key), NOW)
                store.all("Observation", patient)
        for found in (store.all("Observation", patient), store.all("Observation")):
            mine = {one.id: one.version_id for one in found if one.id in "abc"}
            assert mine == model


def test_remembering_is_bounded_by_weight() -> None:
    recent: Recent[str, str] = Recent(6, len)
    for key in ("one", "two", "four"):
        recent.keep(key, key)
    assert recent.get("one") is None
    recent.keep("three", "th")
    assert recent.get("four") == "four"
    recent.keep("four", "a value that is too heavy")
    assert recent.get("four") is None
    assert recent.get("three") == "th"


def test_patients_that_were_forgotten_are_made_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("harness.reference.fhir.shared.MOST_RESOURCES", 300)
    store = Store.seeded(seed=7, patients=6, now=NOW)
    first = {one: store.all("Observation", one) for one in store.patient_ids()}
    assert {one: store.all("Observation", one) for one in reversed(first)} == first


def test_so_many_patients_are_not_looked_at_without_a_name(monkeypatch: pytest.MonkeyPatch) -> None:
    store = Store.seeded(seed=7, patients=101, now=NOW)
    with pytest.raises(TooBroad):
        store.all("Observation")
    assert len(store.all("Patient")) == 101
    assert store.all("Organization")
    assert store.all("Observation", store.patient_ids()[100])
    few = Store.seeded(seed=7, patients=3, now=NOW)
    monkeypatch.setattr("harness.reference.fhir.shared.MOST_RESOURCES", 1000)
    with pytest.raises(TooBroad):
        few.all("Observation")
