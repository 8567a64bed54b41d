"""Writes whose answers are lost, bare, late or refused, at the reference EHR."""

from __future__ import annotations

import asyncio
import os
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from unittest.mock import patch

import pytest

from harness.config.tenant import Tenant, load_tenant
from harness.fhir.observations import Measured, heart_rate
from harness.http.exchange import Request
from harness.reference.process import Running
from harness.scheduler.outbox import deliver, submit
from harness.sync.outbox.box import Box
from harness.sync.outbox.drafting import to_correct, to_create, to_retract
from harness.sync.outbox.model import Entry, State
from harness.sync.outbox.telling import Outgoing
from harness.sync.store.places import place_of
from harness.sync.store.store import Store
from harness.tests.chaos.wire import (
    Harm,
    Trial,
    answer,
    lose_answer,
    method,
    no_answer,
    then,
    with_headers,
    with_json,
)

WRITING = """
outbox = { enabled = true }
scopes = "system/Patient.rs system/Observation.cruds"
"""
NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
POST = method("POST", "/Observation")
PUT = method("PUT", "/Observation")


class Writer:
    """A trial that writes."""

    def __init__(self, trial: Trial, tenant: Tenant, store: Store) -> None:
        self.trial = trial
        self.tenant = tenant
        self.box = Box(store)
        self.before = self.observations()

    def observations(self) -> dict[str, str]:
        """Versions of the EHR's Observations by id."""
        found = self.trial.site.running.control(
            "GET", f"/instances/{self.trial.instance}/resources/Observation"
        )
        return {each["id"]: each["version"] for each in found}

    @property
    def added(self) -> dict[str, str]:
        return {k: v for k, v in self.observations().items() if k not in self.before}

    def rate(self, number: int, value: int | None = None) -> dict[str, Any]:
        patient = self.trial.patients[number % 2]
        at = NOON + timedelta(minutes=number)
        measured = Measured(patient, at, ("urn:test", f"m{number}"))
        return heart_rate(measured, 60 + number if value is None else value)

    def queue(self, *numbers: int) -> None:
        for number in numbers:
            draft = to_create(self.tenant.name, self.rate(number))
            submit(self.tenant, self.box, draft, self.trial.clock.now())

    def deliver(self, *harms: Harm, patience: float = 100_000.0) -> Outgoing:
        self.trial._through(harms)
        return asyncio.run(deliver(self.tenant, self.trial.process, patience=patience))

    def entries(self) -> tuple[Entry, ...]:
        return self.box.entries(State)

    def each_is_there_once(self) -> None:
        """Every entry is confirmed by a resource of its own, and there is no other."""
        entries = self.entries()
        assert [each.state for each in entries] == [State.CONFIRMED] * len(entries)
        assert sorted(str(each.server_id) for each in entries) == sorted(self.added)


Make = Callable[..., Writer]


@pytest.fixture
def writer(tmp_path: Path, reference: Running) -> Iterator[Make]:
    with contextmanager(_writers)(tmp_path, reference) as make:
        yield make


def _writers(tmp_path: Path, reference: Running) -> Iterator[Make]:
    stores: list[Store] = []
    environments: list[Any] = []

    def make(name: str, writes: str = "", **what: Any) -> Writer:
        ehr = f"[sync.writes]\n{writes}\n" if writes else ""
        trial = Trial.of(tmp_path, reference, name, tenant=WRITING, ehr=ehr, **what)
        environments.append(patch.dict(os.environ, trial.environment))
        environments[-1].start()
        tenant = load_tenant(str(trial.path))
        stores.append(Store(place_of(tenant, os.environ)))
        return Writer(trial, tenant, stores[-1])

    yield make
    for store in stores:
        store.close()
    for each in environments:
        each.stop()


@pytest.mark.parametrize("variants", [(), ("conditional-create-not-offered",)])
def test_a_lost_answer_makes_no_duplicate(writer: Make, variants: tuple[str, ...]) -> None:
    made = writer(f"w1-{len(variants)}", variants=list(variants))
    made.queue(*range(10))
    lost = Harm(lose_answer(), on=POST, times=4)
    unsent = Harm(no_answer("timeout", "no answer"), on=POST, times=3, after=4)
    made.deliver(lost, unsent)
    assert (lost.struck, unsent.struck) == (4, 3)
    made.each_is_there_once()
    asked = [each for each in made.trial.chaos.asked if POST(each)]
    conditional = {each.headers.get("If-None-Exist") is not None for each in asked}
    assert conditional == {not variants}


def test_a_condition_that_is_claimed_and_ignored_makes_no_duplicate(writer: Make) -> None:
    made = writer("w2-ignored", faults=["if-none-exist-ignored"])
    made.queue(*range(4))
    made.deliver(Harm(lose_answer(), on=POST, times=4))
    made.each_is_there_once()


def test_a_write_that_shows_late_is_waited_for(writer: Make) -> None:
    """The EHR's index is behind its answers: a search that is made at once finds nothing."""
    made = writer(
        "w2-late", "visible_after_seconds = 60", variants=["conditional-create-not-offered"]
    )
    made.queue(1)
    made.deliver(Harm(lose_answer(), on=POST, times=1))
    assert made.trial.clock.slept[0] == pytest.approx(60, abs=1)
    made.each_is_there_once()


@pytest.mark.parametrize("status", [201, 200])
def test_an_answer_without_body_location_and_etag_is_enough(writer: Make, status: int) -> None:
    made = writer(f"w3-{status}")

    def bare() -> Any:
        async def do(sent: Any) -> Any:
            await sent.on()
            return await answer(status, b"", "")(sent)

        return do

    made.queue(1, 2)
    made.deliver(Harm(bare(), on=POST))
    made.each_is_there_once()


@pytest.mark.parametrize(
    "fault", ["create-without-location", "create-without-etag", "create-answers-200"]
)
def test_what_an_answer_leaves_out_is_found_out(writer: Make, fault: str) -> None:
    made = writer(f"w3-{fault}", faults=[fault])
    made.queue(1, 2)
    made.deliver()
    made.each_is_there_once()
    assert {each.version for each in made.entries()} == {"1"}


def test_a_success_that_stored_nothing_is_no_success(writer: Make) -> None:
    made = writer("w3-not-stored", faults=["create-not-stored"])
    made.queue(1)
    outgoing = made.deliver()
    assert (outgoing.confirmed, outgoing.died) == (0, 1)
    assert "the EHR answered 201" in str(made.entries()[0].error)
    assert made.added == {}


def test_what_the_ehr_makes_of_a_value_is_told(writer: Make) -> None:
    made = writer("w3-altered", faults=["unit-changed"])
    made.queue(1)
    assert made.deliver().altered == 1
    assert str(made.entries()[0].note).startswith("altered: valueQuantity.")


def corrected(made: Writer, value: int) -> None:
    first, latest = made.entries()[0], made.box.latest_of(1)
    assert latest is not None
    draft = to_correct(first, latest, made.rate(1, value))
    submit(made.tenant, made.box, draft, made.trial.clock.now())


def test_a_stale_version_is_read_again_and_merged(writer: Make) -> None:
    made = writer("w4-merged")
    made.queue(1)
    made.deliver()
    id_ = str(made.entries()[0].server_id)
    theirs = made.rate(1) | {"id": id_, "note": [{"text": "seen"}]}
    corrected(made, 99)
    # Between our read and our put somebody else writes.
    meanwhile = Harm(then(lambda: made.trial.write(theirs)), on=method("GET", id_), times=1)
    made.deliver(meanwhile)
    assert meanwhile.struck == 1
    assert [each.state for each in made.entries()] == [State.CONFIRMED] * 2
    assert made.added == {id_: "3"}
    assert [s for r, s in made.trial.chaos.answers if PUT(r)] == [412, 200]


def test_a_change_of_the_same_element_is_never_overwritten(writer: Make) -> None:
    made = writer("w4-clash")
    made.queue(1)
    made.deliver()
    id_ = str(made.entries()[0].server_id)
    made.trial.write(made.rate(1, 50) | {"id": id_})
    corrected(made, 99)
    made.deliver()
    entry = made.entries()[1]
    assert entry.state is State.DEAD
    words = "based on version entry 1, the EHR has version 2: both change valueQuantity"
    assert entry.error == words
    assert made.added == {id_: "2"}


@pytest.mark.parametrize("fault", ["strong-etag-refused", "read-without-etag"])
def test_either_spelling_of_an_etag_gets_through(writer: Make, fault: str) -> None:
    made = writer(f"w4-{fault}", faults=[fault])
    made.queue(1)
    corrected(made, 99)
    made.deliver(
        Harm(with_headers(ETag='"1"'), on=method("GET", "/Observation/"))
        if fault == "strong-etag-refused"
        else Harm(lose_answer(), on=PUT, times=1)
    )
    assert [each.state for each in made.entries()] == [State.CONFIRMED] * 2
    assert list(made.added.values()) == ["2"]


def test_a_retraction_whose_answer_is_lost_is_done_once(writer: Make) -> None:
    made = writer("w4-retract")
    made.queue(1)
    made.deliver()
    draft = to_retract(made.entries()[0])
    submit(made.tenant, made.box, draft, made.trial.clock.now())
    made.deliver(Harm(lose_answer(), on=PUT, times=1))
    assert [each.state for each in made.entries()] == [State.CONFIRMED] * 2
    assert list(made.added.values()) == ["2"]


@pytest.mark.parametrize("code", ["59188", "59189", "59141"])
def test_a_refusal_by_epics_codes_goes_to_the_dead_letters_at_once(writer: Make, code: str) -> None:
    made = writer(f"w5-{code}")
    issue = {
        "severity": "fatal",
        "code": "business-rule",
        "details": {"coding": [{"code": code}], "text": "No flowsheet row for the code"},
    }
    outcome = {"resourceType": "OperationOutcome", "issue": [issue]}
    refused = Harm(answer(400, outcome), on=POST, times=1)
    made.queue(0, 2, 1)
    outgoing = made.deliver(refused)
    assert (outgoing.confirmed, outgoing.died, refused.met) == (2, 1, 3)
    words = f"status 400: fatal business-rule [{code}]: No flowsheet row for the code"
    assert made.entries()[0].error == words
    assert len(made.added) == 2, "neither the next of the same patient nor others wait for it"


def test_invalid_content_is_refused_for_good_and_taken_up_again_when_told(writer: Make) -> None:
    made = writer("w6-422")
    outcome = {
        "resourceType": "OperationOutcome",
        "issue": [{"severity": "error", "code": "value"}],
    }
    made.queue(1)
    made.deliver(Harm(answer(422, outcome), on=POST, times=1))
    assert made.entries()[0].error == "status 422: error value"
    made.box.retry(1, made.trial.clock.now())
    made.deliver()
    made.each_is_there_once()


def test_a_missing_scope_is_refused_for_good(writer: Make) -> None:
    made = writer("w6-403")
    text = made.trial.path.read_text().replace("Observation.cruds", "Observation.rs")
    made.trial.path.write_text(text)
    made.tenant = load_tenant(str(made.trial.path))
    made.queue(1)
    assert made.deliver().died == 1
    assert str(made.entries()[0].error).startswith("status 403: error forbidden")
    assert made.added == {}


def test_a_token_that_is_refused_costs_one_renewal(writer: Make) -> None:
    made = writer("w6-401")
    made.queue(1)
    made.deliver(Harm(answer(401, b"", ""), on=POST, times=1))
    made.each_is_there_once()
    tokens = [each for each in made.trial.chaos.asked if each.url.endswith("/token")]
    assert len(tokens) == 2


def test_entries_of_a_batch_stand_each_for_itself(writer: Make) -> None:
    """A 429, a 409 and a 422 inside a 200 concern their own entries, and no other."""
    made = writer("w7", "batch = 10")
    statuses = iter(["429", "422"])

    def spoil(bundle: Any) -> None:
        for entry, status in zip(bundle["entry"], statuses, strict=False):
            # What the batch did to it is undone by nobody: so only what it says is changed.
            entry["response"] = {"status": status}

    made.queue(1, 2)
    batch = Harm(with_json(spoil), on=_is_batch, times=1)
    made.deliver(batch)
    assert batch.struck == 1
    states = Counter(each.state for each in made.entries())
    assert states == {State.CONFIRMED: 1, State.DEAD: 1}
    assert made.entries()[1].error == "status 422"
    assert len(made.added) == 2, "under its condition the one that was put off is there once"


@pytest.mark.parametrize("fault", ["batch-answers-out-of-order", "batch-fails-as-a-whole"])
def test_batches_that_are_answered_wrongly_confirm_nothing_wrong(writer: Make, fault: str) -> None:
    made = writer(f"w7-{fault}", "batch = 10", faults=[fault])
    made.queue(*range(6))
    made.deliver()
    made.each_is_there_once()
    assert {each.note for each in made.entries()} == {None}


def test_a_batch_whose_answer_is_lost_makes_no_duplicate(writer: Make) -> None:
    made = writer("w7-lost", "batch = 10", variants=["conditional-create-not-offered"])
    made.queue(*range(6))
    made.deliver(Harm(lose_answer(), on=_is_batch, times=2))
    made.each_is_there_once()


def _is_batch(request: Request) -> bool:
    return request.method == "POST" and request.url.endswith("/r4")
