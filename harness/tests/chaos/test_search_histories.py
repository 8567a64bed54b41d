"""Histories of types that fail, lie or do not end; and verification beside all that ends."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from harness.reference.process import Running
from harness.sync.verify.verification import Result
from harness.tests.chaos.test_paging_links import complete
from harness.tests.chaos.test_search_answers import condition
from harness.tests.chaos.test_search_ends import delete
from harness.tests.chaos.wire import (
    Harm,
    Trial,
    answer,
    ask_otherwise,
    no_answer,
    outcome,
    search,
    url,
    with_body,
    with_json,
)

HISTORY = url("_history")


def deleted(trial: Trial) -> str:
    """Sync, then delete one resource at the EHR; its id."""
    assert complete(trial, trial.sync())
    id_ = min(id_ for _, id_ in trial.truth())
    trial.advance(60)
    delete(trial, "Condition", id_)
    return id_


def test_a_history_that_gives_no_answer_is_read_from_the_same_mark_next_time(
    tmp_path: Path, reference: Running
) -> None:
    trial = Trial.small(tmp_path, reference, "history-silent")
    id_ = deleted(trial)
    account = trial.sync(Harm(no_answer("timeout", "read timed out"), on=HISTORY))
    assert account.gone == ()
    assert any("deletions were not looked for" in note for note in account.notes)
    trial.clock.skip(120)
    assert [each.id for each in trial.sync().gone] == [id_]


@pytest.mark.parametrize("status", [403, 404, 501])
def test_a_history_that_is_refused_is_not_asked_for_again(
    tmp_path: Path, reference: Running, status: int
) -> None:
    trial = Trial.small(tmp_path, reference, f"history-refused-{status}")
    refuse = answer(status, outcome("error", "not-supported"))
    account = trial.sync(Harm(refuse, on=HISTORY))
    assert complete(trial, account)
    note = "Condition: has no usable history; deletions show in a full reading only"
    assert account.notes == {note: 1}
    again = Harm(refuse, on=HISTORY)
    trial.sync(again)
    assert again.met == 0


def test_a_history_without_an_end_is_given_up(tmp_path: Path, reference: Running) -> None:
    trial = Trial.small(tmp_path, reference, "history-endless")
    pages = 0

    def on_and_on(bundle: dict[str, Any]) -> None:
        nonlocal pages
        pages += 1
        here = trial.chaos.asked[-1].url.partition("&_page")[0]
        bundle["link"] = [{"relation": "next", "url": f"{here}&_page={pages}"}]
        bundle["entry"] = []

    first = ask_otherwise(lambda link: link.partition("&_page")[0])
    harms = [Harm(with_json(on_and_on), on=HISTORY), Harm(first, on=HISTORY)]
    # The second harm is the nearer one to the server: the first one calls it.
    account = trial.sync(*harms)
    assert complete(trial, account)
    assert pages == 50
    assert any("has no usable history" in note for note in account.notes)


def test_what_is_deleted_and_there_again_stays(tmp_path: Path, reference: Running) -> None:
    trial = Trial.small(tmp_path, reference, "history-again")
    id_ = deleted(trial)
    condition(trial, id_, trial.patients[0])
    account = trial.sync()
    assert account.gone == ()
    assert complete(trial, account)


def test_an_ehr_that_offers_no_history_is_not_asked_for_one(
    tmp_path: Path, reference: Running
) -> None:
    trial = Trial.small(tmp_path, reference, "history-none")

    def silent(statement: dict[str, Any]) -> None:
        for resource in statement["rest"][0]["resource"]:
            kept = [e for e in resource["interaction"] if e["code"] != "history-type"]
            resource["interaction"] = kept

    trial.sync(Harm(with_json(silent), on=url("/metadata")))
    assert trial.chaos.urls("_history") == []
    trial.sync()
    assert trial.chaos.urls("/metadata") == [], "that is remembered"


def test_a_verification_names_what_ended_since_the_last_sync(
    tmp_path: Path, reference: Running
) -> None:
    trial = Trial.small(tmp_path, reference, "history-verified", types=("Patient", "Condition"))
    gone, left = trial.patients[0], trial.patients[4]
    assert complete(trial, trial.sync())
    assert trial.verify().result is Result.EQUAL
    id_ = min(id_ for type_, id_ in trial.truth() if type_ == "Condition")
    delete(trial, "Condition", id_)
    condition(trial, "new", trial.patients[1])
    found = trial.verify()
    assert {(each.kind.value, each.id) for each in found.differences} == {
        ("extra", id_),
        ("missing", "new"),
    }
    trial.sync()
    assert trial.verify().result is Result.EQUAL
    there = f"{trial.base}/Patient/{left}"
    moved = Harm(answer(301, outcome("error", "not-found", "4107"), Location=there), on=url(gone))
    found = trial.verify(moved)
    assert found.result is Result.DIFFERENT
    assert {each.patient for each in found.differences if each.kind.value == "missing"} == {left}
    assert found.patients == 3


def test_a_verification_that_an_answer_leaves_in_doubt_is_not_equal(
    tmp_path: Path, reference: Running
) -> None:
    trial = Trial.small(tmp_path, reference, "history-doubt")
    assert complete(trial, trial.sync())
    said = json.dumps({"resource": outcome("warning", "incomplete")}).encode()

    def lacking(body: bytes) -> bytes:
        return re.sub(rb'"entry":\s*\[', rb'"entry":[' + said + b",", body, count=1)

    found = trial.verify(Harm(with_body(lacking), on=search("Condition"), times=1))
    assert found.result is Result.INCOMPLETE
    assert "left matches out: warning incomplete" in found.missing[0].reason
