"""No sequence of answers, losses and crashes makes a duplicate, or loses a write."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path
from typing import Any

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from harness.config.ehr import WritesSpec
from harness.sync.outbox.model import Op, State
from harness.tests.unit.sync.outbox.desk import Desk

EVENTS = (
    "well",
    "bare",
    "lost-before",
    "lost-after",
    "unreached",
    "500-before",
    "500-after",
    "429",
    "503",
    "crash-before",
    "crash-after",
)
SERVERS: tuple[dict[str, Any], ...] = (
    {"conditional": True, "identifiers": True},
    {"conditional": True, "identifiers": False, "contents": False},
    {"conditional": False, "identifiers": True, "contents": False},
    {"conditional": False, "identifiers": False, "contents": True},
    {"conditional": False, "identifiers": True, "contents": True, "keeps": False},
    {"conditional": True, "identifiers": True, "stated": False, "versions": False},
)


class Writes(RuleBasedStateMachine):
    """An application submits, a deliverer dies and begins again, the EHR answers as it likes."""

    @initialize(server=st.sampled_from(SERVERS), batch=st.sampled_from([1, 3]))
    def begin(self, server: dict[str, Any], batch: int) -> None:
        self.folder = tempfile.TemporaryDirectory()
        self.desk = Desk(Path(self.folder.name) / "private" / "store.sqlite", **server)
        self.desk.spec = WritesSpec(batch=batch)
        self.numbers: set[int] = set()

    def teardown(self) -> None:
        if hasattr(self, "desk"):
            self.calm()
            self.desk.close()
            self.folder.cleanup()

    @rule(
        numbers=st.sets(st.integers(1, 12), min_size=1, max_size=5),
        events=st.lists(st.sampled_from(EVENTS), min_size=1, max_size=8),
    )
    def write(self, numbers: set[int], events: list[str]) -> None:
        for number in numbers:
            self.desk.submit(number, "pqr"[number % 3])
        self.numbers |= numbers
        self.desk.ehr.events = list(events)
        self.desk.deliver()

    @rule(id_=st.integers(1, 6))
    def retry(self, id_: int) -> None:
        entry = self.desk.box.entry(id_)
        if entry is not None and entry.state is State.DEAD:
            self.desk.box.retry(id_, self.desk.clock.now())

    @invariant()
    def nothing_is_there_twice(self) -> None:
        if not hasattr(self, "desk"):
            return
        ehr = self.desk.ehr
        whole = [str({**e, "id": "", "meta": ""}) for e in ehr.resources.values()]
        assert len(whole) == len(set(whole)), "equal resources under two ids"
        assert max(ehr.copies().values(), default=0) <= 1

    def calm(self) -> None:
        """In the end everything goes well: then each write is there, or accounted for."""
        self.desk.ehr.events = []
        self.desk.deliver()
        self.desk.deliver()
        entries = self.desk.box.entries(State)
        assert len(entries) == len(self.numbers)
        for entry in entries:
            assert entry.op is Op.CREATE
            assert entry.state in (State.CONFIRMED, State.DEAD), entry
            if entry.state is State.CONFIRMED and entry.server_id is not None:
                assert entry.server_id in self.desk.ehr.resources
            if entry.state is State.DEAD:
                assert entry.error
        ids = [e.server_id for e in entries if e.state is State.CONFIRMED and e.server_id]
        assert len(ids) == len(set(ids)), "two entries are confirmed by one resource"
        self.nothing_is_there_twice()


TestWrites = Writes.TestCase
TestWrites.settings = settings(
    max_examples=1000 if os.environ.get("HARNESS_SOAK") else 40,
    stateful_step_count=15,
    deadline=None,
)
