from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest

from harness.scheduler.leases import LIFE, LeaseHeld, acquire, owner, release, renew
from harness.sync.model import Lease
from harness.sync.store.database import Place
from harness.sync.store.store import LeaseLost, Store

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)


@pytest.fixture
def store(place: Place) -> Iterator[Store]:
    with Store(place) as made:
        yield made


def take(store: Store, by: str = "a:1", now: datetime = NOON, *, dead: bool = False) -> Lease:
    return acquire(store, "t", "sync", by=by, now=now, holder_is_dead=dead)


def test_a_free_lease_is_taken_with_the_first_fence(store: Store) -> None:
    assert take(store) == Lease("t", "sync", "a:1", 1, NOON + LIFE)


def test_a_held_lease_is_refused_with_its_holder(store: Store) -> None:
    take(store)
    with pytest.raises(LeaseHeld, match="a:1 is at its sync already"):
        take(store, "b:2")
    with pytest.raises(LeaseHeld):
        take(store, "a:2")


def test_a_lease_of_a_dead_process_on_this_machine_is_taken_over_at_once(store: Store) -> None:
    take(store)
    assert take(store, "a:2", dead=True).fence == 2


def test_a_lease_of_another_machine_is_waited_for(store: Store) -> None:
    take(store, "elsewhere:1")
    with pytest.raises(LeaseHeld):
        take(store, "a:2", dead=True)


def test_an_expired_lease_is_taken_over_and_its_holder_cannot_renew_it(store: Store) -> None:
    first = take(store)
    second = take(store, "b:1", NOON + LIFE)
    assert second.fence == 2
    with pytest.raises(LeaseLost):
        renew(store, first, NOON + LIFE)
    release(store, first, NOON + LIFE)
    with pytest.raises(LeaseHeld):
        take(store, "c:1", NOON + LIFE)


def test_a_renewed_lease_lives_on(store: Store) -> None:
    lease = renew(store, take(store), NOON + timedelta(minutes=1))
    assert lease.until == NOON + timedelta(minutes=1) + LIFE
    with pytest.raises(LeaseHeld):
        take(store, "b:1", NOON + LIFE)


def test_a_released_lease_is_free_and_its_fence_still_grows(store: Store) -> None:
    release(store, take(store), NOON)
    assert take(store, "b:1").fence == 2


def test_a_sign_of_life_is_kept_by_one_at_a_time(store: Store, place: Place) -> None:
    with Store(place) as rival:
        with store.connection.alive("sync") as first:
            with rival.connection.alive("sync") as second:
                assert (first, second) == (True, False)
            with rival.connection.alive("other") as other:
                assert other
        with rival.connection.alive("sync") as again:
            assert again


def test_an_owner_names_host_and_process() -> None:
    host, _, process = owner().rpartition(":")
    assert host
    assert process.isdigit()
