from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor, wait
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from msgspec import structs

from harness.sync.model import (
    Counts,
    Cursor,
    Gap,
    Lease,
    PageDone,
    Query,
    Received,
    RunStatus,
    Watermark,
)
from harness.sync.store.database import Place
from harness.sync.store.store import LeaseLost, Store
from harness.sync.store.upsert import MOST

T0 = datetime(2026, 1, 1, 12, tzinfo=UTC)
QUERY = Query("p", "Observation")


@pytest.fixture
def store(place: Place) -> Iterator[Store]:
    with Store(place) as made:
        yield made


@pytest.fixture
def lease(store: Store) -> Lease:
    return take(store, 1)


def take(store: Store, fence: int) -> Lease:
    store.connection.execute(
        "INSERT INTO leases VALUES ('t', 'sync', 'me:1', ?, '')"
        " ON CONFLICT (tenant, job) DO UPDATE SET fence = excluded.fence",
        (fence,),
    )
    return Lease("t", "sync", "me:1", fence, T0)


def observation(
    id_: str = "o", version: str = "1", raw: bytes = b"{}", at: datetime = T0
) -> Received:
    return Received("Observation", id_, version, at, raw)


def page(
    *received: Received,
    now: datetime = T0,
    cursor: Cursor | None = None,
    watermark: Watermark | None = None,
    fresh: bool = False,
) -> PageDone:
    return PageDone(QUERY, received, now, cursor, watermark, fresh=fresh)


supposed_fresh = pytest.mark.parametrize("fresh", [False, True], ids=["looked up", "fresh"])
"""Whether the store is supposed to have none of a page: rightly or not, all must come the same."""


def test_a_store_opens_again_with_what_it_held(store: Store, lease: Lease, place: Place) -> None:
    run = store.begin(lease, "r1", T0)
    store.commit(lease, run, page(observation(raw=b'{"a": 1.0}')))
    with Store(place) as again:
        assert again.body("Observation", "o") == b'{"a": 1.0}'


@supposed_fresh
def test_a_page_counts_new_changed_unchanged_and_older(
    store: Store, lease: Lease, *, fresh: bool
) -> None:
    run = store.begin(lease, "r1", T0)
    first = store.commit(lease, run, page(observation("a"), observation("b"), fresh=fresh))
    newer, older = observation("b", "2", b"[]"), observation("b", "1", b"{} ")
    others = observation("a"), newer, older, observation("c")
    second = store.commit(lease, run, page(*others, fresh=fresh))
    assert first == Counts(new=2, pages=1)
    assert second == Counts(new=1, unchanged=1, changed=1, older=1, pages=1)
    assert store.counts(run) == {("p", "Observation"): first + second}
    assert store.body("Observation", "b") == b"[]"
    assert store.holdings() == {"Observation": 3}


@supposed_fresh
def test_what_comes_twice_in_a_page_is_judged_by_what_came_before(
    store: Store, lease: Lease, *, fresh: bool
) -> None:
    run = store.begin(lease, "r1", T0)
    versions = [("1", b"one"), ("2", b"two"), ("2", b"two"), ("1", b"one"), ("3", b"three")]
    received = [observation(version=version, raw=raw) for version, raw in versions]
    done = store.commit(lease, run, page(*received, fresh=fresh))
    assert done == Counts(new=1, changed=2, unchanged=1, older=1, pages=1)
    assert store.body("Observation", "o") == b"three"
    rows = store.connection.execute("SELECT version FROM versions ORDER BY version").fetchall()
    assert [row["version"] for row in rows] == ["1", "2"]


@supposed_fresh
def test_a_page_may_be_larger_than_what_one_statement_binds(
    store: Store, lease: Lease, *, fresh: bool
) -> None:
    run = store.begin(lease, "r1", T0)
    many = [observation(str(number)) for number in range(2 * MOST + 1)]
    others = [structs.replace(each, type="Condition") for each in many]
    assert store.commit(lease, run, page(*many, *others, fresh=fresh)).new == 2 * len(many)
    assert store.commit(lease, run, page(*others, *many, fresh=fresh)).unchanged == 2 * len(many)


def test_an_outgrown_version_is_kept(store: Store, lease: Lease) -> None:
    run = store.begin(lease, "r1", T0)
    for version, raw in (("1", b"one"), ("2", b"two"), ("2", b"two"), ("1", b"one")):
        store.commit(lease, run, page(observation(version=version, raw=raw)))
    rows = store.connection.execute("SELECT version, body FROM versions").fetchall()
    assert [tuple(row) for row in rows] == [("1", b"one")]


def test_the_same_again_changes_nothing_but_when_it_was_seen(store: Store, lease: Lease) -> None:
    run = store.begin(lease, "r1", T0)
    store.commit(lease, run, page(observation()))
    store.commit(lease, run, page(observation(), now=T0 + timedelta(hours=1)))
    row = store.connection.execute("SELECT first_seen, last_seen FROM resources").fetchone()
    assert row["first_seen"] < row["last_seen"]


def test_cursor_and_watermark_take_turns(store: Store, lease: Lease) -> None:
    run = store.begin(lease, "r1", T0)
    cursor = Cursor("https://ehr.example/?page=2", None, T0, None, 1, run)
    store.commit(lease, run, page(cursor=cursor))
    assert store.cursor(QUERY) == cursor
    assert store.cursors() == {QUERY: cursor}
    assert store.watermark(QUERY) is None
    mark = Watermark(QUERY, T0, T0)
    store.commit(lease, run, page(watermark=mark))
    assert store.cursor(QUERY) is None
    assert store.watermark(QUERY) == mark
    assert store.watermarks() == (mark,)


def test_a_forgotten_cursor_leaves_the_watermark(store: Store, lease: Lease) -> None:
    run = store.begin(lease, "r1", T0)
    mark = Watermark(QUERY, T0, T0)
    store.commit(lease, run, page(watermark=mark))
    store.commit(lease, run, page(cursor=Cursor("u", T0, T0, T0, 1, run)))
    store.forget_cursor(lease, QUERY)
    assert store.cursor(QUERY) is None
    assert store.watermark(QUERY) == mark


def test_a_holder_that_lost_its_lease_writes_nothing(store: Store, lease: Lease) -> None:
    run = store.begin(lease, "r1", T0)
    take(store, 2)
    mark = Watermark(QUERY, T0, T0)
    with pytest.raises(LeaseLost, match="another process"):
        store.commit(lease, run, page(observation(), watermark=mark))
    with pytest.raises(LeaseLost):
        store.forget_cursor(lease, QUERY)
    with pytest.raises(LeaseLost):
        store.begin(lease, "r2", T0)
    assert store.holdings() == {}
    assert store.watermark(QUERY) is None


def test_a_page_is_committed_whole_or_not_at_all(store: Store, lease: Lease) -> None:
    run = store.begin(lease, "r1", T0)
    bad = Received("Observation", "b", "1", T0, "no bytes")  # type: ignore[arg-type]
    with pytest.raises(TypeError):
        store.commit(lease, run, page(observation("a"), bad, watermark=Watermark(QUERY, T0, T0)))
    assert store.holdings() == {}
    assert store.watermarks() == ()
    assert store.counts(run) == {}


def test_a_run_that_never_ended_was_cut_off(store: Store, lease: Lease) -> None:
    store.begin(lease, "r1", T0)
    store.begin(lease, "r2", T0 + timedelta(hours=1))
    last, before = store.runs()
    assert (last.name, last.status) == ("r2", RunStatus.RUNNING)
    assert (before.name, before.status) == ("r1", RunStatus.CUT_OFF)


def test_a_run_is_remembered_with_its_gaps(store: Store, lease: Lease) -> None:
    store.begin(lease, "r1", T0)
    row = store.runs()[0]
    ended = replace(
        row,
        ended=T0 + timedelta(minutes=1),
        status=RunStatus.INCOMPLETE,
        reason="why",
        come_back=T0 + timedelta(hours=1),
    )
    gap = Gap(Query("p", "Observation", "laboratory"), "status 403")
    store.finish(lease, ended, [gap])
    assert store.runs() == (ended,)
    assert store.gaps(row.id) == (gap,)


def test_an_error_in_a_transaction_rolls_back(store: Store) -> None:
    def fail() -> None:
        with store.connection.transaction() as db:
            db.execute("INSERT INTO leases VALUES ('t', 'j', 'o', 1, '')")
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail()
    assert store.connection.execute("SELECT count(*) FROM leases").fetchone()[0] == 0


def test_a_writer_waits_until_the_one_before_has_finished(store: Store, place: Place) -> None:
    """Else a fence that was checked at the beginning of a page may be void at its end."""
    with Store(place) as rival, ThreadPoolExecutor(1) as other:

        def add() -> int:
            with rival.connection.transaction() as db:
                rows = db.execute("SELECT count(*) FROM leases").fetchone()
                db.execute("INSERT INTO leases VALUES ('t', 'b', 'o', 1, '')")
            return int(rows[0])

        with store.connection.transaction() as db:
            db.execute("INSERT INTO leases VALUES ('t', 'a', 'o', 1, '')")
            seen = other.submit(add)
            assert not wait([seen], timeout=0.2).done
        assert seen.result(timeout=20) == 1


def test_rows_are_streamed_while_others_write(store: Store, lease: Lease, place: Place) -> None:
    run = store.begin(lease, "r1", T0)
    store.commit(lease, run, page(*(observation(f"{number:04}") for number in range(1200))))
    with Store(place) as reader:
        rows = reader.connection.stream("SELECT id FROM resources ORDER BY id")
        first = next(iter(rows))["id"]
        store.commit(lease, run, page(observation("9999")))
        rest = [row["id"] for row in rows]
    assert (first, len(rest), rest[-1]) == ("0000", 1199, "1199")


def test_a_store_that_is_not_there_is_seen_without_being_made(place: Place) -> None:
    assert not place.exists()
    with Store(place):
        pass
    assert place.exists()


def raise_after(_done: Counts) -> None:
    raise LeaseLost("as if another had taken over")


def test_pages_that_go_together_are_all_kept_or_none(store: Store, lease: Lease) -> None:
    run = store.begin(lease, "r1", T0)
    with store.together(lease):
        store.commit(lease, run, page(observation("a")))
        store.commit(lease, run, page(observation("b")))
    with pytest.raises(LeaseLost), store.together(lease):
        raise_after(store.commit(lease, run, page(observation("c"))))
    held = [store.body("Observation", each) for each in "abc"]
    assert [each is None for each in held] == [False, False, True]
    assert store.commit(lease, run, page(observation("c"))).new == 1


def test_a_lost_lease_keeps_all_of_them_out(store: Store, lease: Lease) -> None:
    run = store.begin(lease, "r1", T0)
    take(store, 2)
    with pytest.raises(LeaseLost), store.together(lease):
        store.commit(lease, run, page(observation("a")))
    assert store.body("Observation", "a") is None
