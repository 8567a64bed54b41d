"""A store as it was at one moment, whatever is written while it is looked at."""

from __future__ import annotations

from datetime import timedelta
from itertools import islice

from hypothesis import given
from hypothesis import strategies as st

from harness.reference.fhir.asof import AsOf
from harness.reference.fhir.sqlite import Journal
from harness.reference.fhir.store import Store
from harness.reference.fhir.stored import Stored
from harness.tests.unit.reference.fhir_doubles import NOW, shared_store, weight

LATER = NOW + timedelta(hours=1)
WRITES = st.lists(st.tuples(st.sampled_from("abcde"), st.booleans()), max_size=30)


def _write(store: Store, name: str, *, deleted: bool) -> None:
    patient = store.patient_ids()[0]
    known = store.current("Observation", name)
    if deleted and known and not known.deleted:
        store.delete("Observation", name, LATER)
    else:
        store.put_as_other(weight(patient, id=name), LATER)


def _held(view: AsOf) -> dict[str, tuple[str, bool]]:
    return {one.id: (one.version_id, one.deleted) for one in view.written("Observation")}


@given(WRITES, st.integers(0, 30))
def test_what_was_written_by_then_stays_as_it_was(
    writes: list[tuple[str, bool]], before: int
) -> None:
    store = shared_store().overlay()
    for name, deleted in writes[:before]:
        _write(store, name, deleted=deleted)
    view = store.as_of(LATER)
    known = _held(view)
    assert known == {
        one.id: (one.version_id, one.deleted)
        for name in "abcde"
        if (one := store.current("Observation", name))
    }
    for name, deleted in writes[before:]:
        _write(store, name, deleted=deleted)
    assert _held(view) == known


def test_every_later_write_is_stamped_later() -> None:
    store = shared_store().overlay()
    for _ in range(3):  # in the same millisecond each time
        _write(store, "a", deleted=False)
        view = store.as_of(LATER)
        _write(store, "a", deleted=False)
        versions = store.versions("Observation", "a")
        assert versions[-2].last_updated <= view.moment < versions[-1].last_updated
        assert view.versions("Observation", "a") == versions[:-1]


def test_the_data_below_gives_way_to_what_was_written_by_then() -> None:
    store = shared_store().overlay()
    patient = store.patient_ids()[0]
    goals = [one for one in store.all("Goal", patient) if one.patient == patient]
    early, late = goals[:2]
    store.delete("Goal", early.id, LATER)
    view = store.as_of(LATER)
    store.delete("Goal", late.id, LATER)
    assert set(view.of_patient(patient, ["Goal"])) == set(goals) - {early}
    assert [(one.id, one.deleted) for one in view.written("Goal")] == [(early.id, True)]


def test_what_nobody_owns_gives_way_too() -> None:
    store = shared_store().overlay()
    group = dict(store.all("Group")[0].resource)
    view = store.as_of(LATER)
    assert len(list(view.of_nobody("Group"))) == 2
    store.put_as_other(group, LATER)
    assert len(list(view.of_nobody("Group"))) == 2
    now = store.as_of(LATER)
    assert len(list(now.of_nobody("Group"))) == len(list(now.written("Group"))) == 1


def test_of_many_patients_none_is_remembered() -> None:
    store = Store.seeded(seed=7, patients=10_000, now=NOW)
    view = store.as_of(LATER)
    ids = view.synthetic_ids()
    held = [len(list(view.of_patient(one, ["Condition"]))) for one in islice(ids, 3)]
    assert all(held)
    assert store._shared._made.get(1) is None
    assert sum(1 for _ in ids) == 9_997


def test_somebody_unknown_owns_nothing() -> None:
    view = shared_store().as_of(LATER)
    assert list(view.of_patient("nobody", ["Condition"])) == []
    assert view.versions("Patient", "nobody") == ()


def test_many_writes_are_looked_at_a_few_at_a_time_while_others_write() -> None:
    journal = Journal()
    for number in range(1200):
        stamp = NOW + timedelta(milliseconds=number)
        content = {"resourceType": "Observation", "id": f"o{number:04}"}
        one = Stored("Observation", content["id"], "1", stamp, content, None)
        journal.append(one, new=True, below=number % 2 == 0)
    moment = NOW + timedelta(milliseconds=1099)
    reading = journal.as_of("Observation", moment)
    first = [next(reading).id for _ in range(700)]
    journal.append(Stored("Observation", "o9", "1", LATER, {}, None), new=True, below=False)
    assert [*first, *(one.id for one in reading)] == [f"o{number:04}" for number in range(1100)]
    assert len(journal.over_by("Observation", moment)) == 550
    journal.close()
