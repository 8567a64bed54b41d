"""The outbox in a file and in PostgreSQL: the same promises."""

from __future__ import annotations

import pytest

from harness.errors import UsageError
from harness.sync.outbox.drafting import to_correct
from harness.sync.outbox.model import KeyTaken, State
from harness.sync.store.database import Place
from harness.tests.unit.sync.outbox.desk import Desk, rate


def test_writes_are_kept_delivered_and_counted_in_either_make(place: Place) -> None:
    desk = Desk(place, conditional=False)
    for number in range(1, 5):
        desk.submit(number, "pq"[number % 2])
    assert desk.submit(1, "q").id == 1
    with pytest.raises(KeyTaken):
        desk.submit(1, "q", value=7)
    desk.ehr.events = ["lost-after", "400", "crash-after"]
    desk.deliver()
    assert State.SENDING in desk.states(), "so it stands where a process died"
    desk.deliver()
    assert sorted(desk.states()) == [State.CONFIRMED] * 3 + [State.DEAD]
    dead = desk.box.entries([State.DEAD])[0]
    assert desk.box.retry(dead.id, desk.clock.now()).place > dead.place
    first, latest = desk.entry(), desk.box.latest_of(1)
    assert latest is not None
    desk.box.put(to_correct(first, latest, rate(1, "q", 99)), desk.clock.now())
    desk.deliver()
    assert desk.box.counts() == {State.CONFIRMED: 5}
    assert max(desk.ehr.copies().values()) == 1
    with pytest.raises(UsageError):
        desk.box.drop(1)
    desk.close()
