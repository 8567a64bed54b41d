from __future__ import annotations

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.reference.fhir import paging
from harness.reference.fhir.paging import (
    LIFETIME,
    CursorExpired,
    Page,
    Snapshot,
    Snapshots,
    cursor,
)
from harness.reference.fhir.query import Query
from harness.reference.fhir.stored import Stored
from harness.tests.unit.reference.fhir_doubles import NOW


def snapshot(matches: int, count: int) -> Snapshot:
    found = tuple(Stored("Observation", str(n), "1", NOW, {}, None) for n in range(matches))
    return Snapshot(Query("Observation", count=count), found, None, NOW + LIFETIME)


@given(st.integers(0, 60), st.integers(1, 20))
def test_pages_hold_every_match_once_in_order(matches: int, count: int) -> None:
    snapshots, whole = Snapshots(), snapshot(matches, count)
    name, page = snapshots.keep(whole), Page(whole, 0, count)
    found = list(page.matches)
    while page.next_offset is not None:
        _, page = snapshots.find(cursor(name, page.next_offset), NOW)
        assert 0 < len(page.matches) <= count
        found += page.matches
    assert tuple(found) == whole.matches


@given(st.text(max_size=40))
def test_any_other_text_is_no_cursor(text: str) -> None:
    snapshots = Snapshots()
    snapshots.keep(snapshot(3, 1))
    with pytest.raises(CursorExpired):
        snapshots.find(text, NOW)


def test_a_cursor_lives_for_a_while() -> None:
    snapshots = Snapshots()
    name = snapshots.keep(snapshot(3, 1))
    assert snapshots.find(cursor(name, 1), NOW + LIFETIME - timedelta(seconds=1))
    with pytest.raises(CursorExpired):
        snapshots.find(cursor(name, 1), NOW + LIFETIME)
    with pytest.raises(CursorExpired):
        snapshots.find(cursor(name, 1), NOW)


def test_what_was_not_asked_for_the_longest_gives_way(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(paging, "MOST_MATCHES", 8)
    snapshots = Snapshots()
    first, second = snapshots.keep(snapshot(3, 1)), snapshots.keep(snapshot(4, 1))
    assert snapshots.find(cursor(first, 1), NOW)
    snapshots.keep(snapshot(2, 1))
    with pytest.raises(CursorExpired):
        snapshots.find(cursor(second, 1), NOW)
    assert snapshots.find(cursor(first, 1), NOW)


def test_one_snapshot_is_kept_however_large_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(paging, "MOST_MATCHES", 2)
    snapshots = Snapshots()
    assert snapshots.find(cursor(snapshots.keep(snapshot(5, 1)), 1), NOW)
