"""Exports that take long, expire, fail, are refused, or get lost on the way."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path
from typing import Any
from unittest.mock import patch

import pytest

from harness.config.tenant import load_tenant
from harness.http.exchange import Headers, Response
from harness.http.transport import NoAnswerError
from harness.reference.process import Running
from harness.sync.model import RunStatus
from harness.sync.status import status_of
from harness.sync.store.sqlite import SqliteFile
from harness.tests.chaos.bulk import KICKOFF, is_delete, is_file, is_poll, jobs, trial
from harness.tests.chaos.wire import (
    Harm,
    Sent,
    Trial,
    alter,
    answer,
    lose_answer,
    made,
    no_answer,
    with_headers,
)

HOUR = 3600.0
OUTCOME = {
    "resourceType": "OperationOutcome",
    "issue": [{"severity": "error", "code": "exception", "diagnostics": "out of memory"}],
}


def kickoffs(of: Trial) -> list[str]:
    return of.chaos.urls("/$export")


def status_lines(of: Trial) -> list[str]:
    with patch.dict(os.environ, of.environment):
        tenant = load_tenant(str(of.path))
    status = status_of(tenant, SqliteFile(of.site.store(of.path)))
    assert (status.as_json()["export"] or {}).get("phase") == "running"
    return status.lines(of.clock.now())


def deletes(of: Trial) -> int:
    return sum(each.method == "DELETE" for each in of.chaos.asked)


def complete(of: Trial, *harms: Harm) -> None:
    """One run through these harms ends with what the server has, and leaves no export behind."""
    account = of.sync(*harms)
    assert account.status is RunStatus.COMPLETE, account.lines()
    assert account.missing == ()
    assert of.stored() == of.truth()
    assert jobs(of) == []


def test_an_export_that_takes_days_is_gone_on_with_by_later_runs(
    tmp_path: Path, reference: Running
) -> None:
    of = trial(tmp_path, reference, "bulk-days", bulk={"expiry": 30 * 24 * HOUR})
    slow = Harm(answer(202, Retry_After="18000", X_Progress="1 %"), on=is_poll, times=2)
    begun = of.sync(slow)
    assert (begun.status, len(kickoffs(of))) == (RunStatus.INCOMPLETE, 1)
    assert begun.come_back is not None
    assert (begun.come_back - begun.ended).total_seconds() == pytest.approx(HOUR, abs=60)
    assert {each.reason for each in begun.missing} == {"the EHR is still preparing the export"}
    assert "is running; the next run goes on with it" in "\n".join(status_lines(of))
    of.advance(2 * 24 * HOUR)
    of.observe(of.patients[0], "written-meanwhile")
    again = of.sync(slow)
    assert (again.status, kickoffs(of)) == (RunStatus.INCOMPLETE, [])
    of.advance(2 * HOUR)
    done = of.sync()
    assert (done.status, kickoffs(of), deletes(of)) == (RunStatus.COMPLETE, [], 1)
    assert "written-meanwhile" not in {id_ for _, id_ in of.stored()}
    complete(of)
    assert "written-meanwhile" in {id_ for _, id_ in of.stored()}


def test_a_run_that_comes_too_early_does_not_ask(tmp_path: Path, reference: Running) -> None:
    of = trial(tmp_path, reference, "bulk-early")
    of.sync(Harm(answer(202, Retry_After="3600"), on=is_poll, times=1))
    account = of.sync()
    assert account.status is RunStatus.INCOMPLETE
    assert of.chaos.urls("$bulk-status") == []


@pytest.mark.parametrize("name", ["Content-Location", "Location"])
def test_a_relative_status_endpoint_is_found(tmp_path: Path, reference: Running, name: str) -> None:
    of = trial(tmp_path, reference, f"bulk-relative-{name.lower()}")

    def relative(response: Response) -> Response:
        place = response.headers.get("Content-Location") or ""
        path = "/" + place.split("/", 3)[3]
        return replace(response, headers=Headers(((name, path),)))

    complete(of, Harm(alter(relative), on=KICKOFF, times=1))


def test_an_export_whose_place_is_not_named_is_asked_for_again(
    tmp_path: Path, reference: Running
) -> None:
    of = trial(tmp_path, reference, "bulk-nowhere")
    account = of.sync(Harm(with_headers(Content_Location=None), on=KICKOFF, times=1))
    assert account.status is RunStatus.FAILED
    assert "did not say where it is" in str(account.reason)
    complete(of)


def test_a_status_endpoint_elsewhere_gets_no_token(tmp_path: Path, reference: Running) -> None:
    of = trial(tmp_path, reference, "bulk-elsewhere")

    def elsewhere(response: Response) -> Response:
        place = (response.headers.get("Content-Location") or "").replace("127.0.0.1", "localhost")
        return replace(response, headers=Headers((("Content-Location", place),)))

    account = of.sync(Harm(alter(elsewhere), on=KICKOFF))
    assert account.status is RunStatus.FAILED
    assert "gets none" in str(account.reason)
    there = [each for each in of.chaos.asked if "localhost" in each.url]
    assert there
    assert [each.headers.get("Authorization") for each in there] == [None] * len(there)
    complete(of)


def test_a_status_that_is_asked_for_too_soon_is_asked_for_later(
    tmp_path: Path, reference: Running
) -> None:
    bulk = {"polls": 3, "poll_seconds": 5, "retry_after": "none"}
    of = trial(tmp_path, reference, "bulk-soon", bulk=bulk)

    told: list[float] = []

    async def in_step(sent: Sent) -> Any:
        # The server's clock keeps pace with ours, which skips what it would wait.
        ahead = sum(of.clock.slept) - sum(told)
        told.append(ahead)
        if ahead > 0:
            of.site.running.advance(ahead, of.instance)
        return await sent.on()

    account = of.sync(Harm(in_step, on=is_poll))
    assert account.status is RunStatus.COMPLETE, account.lines()
    assert of.stored() == of.truth()
    statuses = [status for request, status in of.chaos.answers if is_poll(request)]
    assert 429 in statuses
    assert len(statuses) < 25, "each refusal waits longer than the one before"


@pytest.mark.parametrize("progress", [None, "150 %", "\x1b[2Jdone"])
def test_what_the_progress_says_changes_nothing(
    tmp_path: Path, reference: Running, progress: str | None
) -> None:
    name = f"bulk-progress-{0 if progress is None else len(progress)}"
    of = trial(tmp_path, reference, name, bulk={"polls": 2})
    complete(of, Harm(with_headers(X_Progress=progress), on=is_poll))


@pytest.mark.parametrize(
    ("status", "body"), [(404, OUTCOME), (410, b""), (500, OUTCOME), (500, b"<html>")]
)
def test_an_export_that_failed_or_expired_is_asked_for_once_more_with_the_same_since(
    tmp_path: Path, reference: Running, status: int, body: Any
) -> None:
    of = trial(tmp_path, reference, f"bulk-failed-{status}-{len(body)}")
    complete(of)
    of.advance(HOUR)
    of.observe(of.patients[0], "later")
    complete(of, Harm(answer(status, body), on=is_poll, times=1))
    first, second = kickoffs(of)
    assert first == second
    assert "_since=" in first
    assert deletes(of) == 2, "the failed one is deleted as well"


def test_an_export_that_keeps_failing_ends_the_run_and_not_in_success(
    tmp_path: Path, reference: Running
) -> None:
    of = trial(tmp_path, reference, "bulk-fails")
    account = of.sync(Harm(answer(500, OUTCOME), on=is_poll))
    assert account.status is RunStatus.FAILED
    assert "could not make the export" in str(account.reason)
    assert "out of memory" not in "\n".join(account.lines())
    assert len(kickoffs(of)) == 2
    complete(of)


@pytest.mark.parametrize("status", [200, 202, 400, 404, 405, 501])
def test_whatever_a_deletion_is_answered_it_was_said(
    tmp_path: Path, reference: Running, status: int
) -> None:
    of = trial(tmp_path, reference, f"bulk-deletion-{status}")
    if status == 501:
        account = of.sync(Harm(answer(status), on=is_delete, times=1))
        assert account.status is RunStatus.COMPLETE
        assert any("could not be deleted" in note for note in account.notes)
        assert [phase for phase, _ in jobs(of)] == ["closing"]
    else:
        complete(of, Harm(answer(status), on=is_delete, times=1))
    of.sync()
    assert jobs(of) == []
    assert deletes(of) == (2 if status == 501 else 1)


def test_a_deletion_that_was_lost_is_sent_by_the_next_run(
    tmp_path: Path, reference: Running
) -> None:
    of = trial(tmp_path, reference, "bulk-undeleted", bulk={"one_at_a_time": True})
    account = of.sync(Harm(no_answer(), on=is_delete))
    assert account.status is RunStatus.COMPLETE
    of.advance(120)
    complete(of)


def test_one_export_at_a_time_is_kept_to_by_deleting_each(
    tmp_path: Path, reference: Running
) -> None:
    of = trial(tmp_path, reference, "bulk-one", bulk={"one_at_a_time": True})
    for number in range(3):
        of.observe(of.patients[0], f"new-{number}")
        complete(of)
        of.advance(600)


def test_a_kickoff_whose_answer_was_lost_blocks_no_later_run(
    tmp_path: Path, reference: Running
) -> None:
    """The export exists, and nobody knows where: the EHR refuses another until it expires."""
    of = trial(tmp_path, reference, "bulk-lost", bulk={"one_at_a_time": True, "expiry": 7200})
    lost = of.sync(Harm(lose_answer(), on=KICKOFF, times=1))
    assert "does not answer" in str(lost.reason)
    assert [phase for phase, _ in jobs(of)] == ["asked"]
    of.advance(120)
    waiting = of.sync()
    assert (waiting.status, len(waiting.missing)) == (RunStatus.INCOMPLETE, 2)
    assert waiting.come_back is not None
    of.advance(3 * HOUR)
    complete(of)


def test_an_export_that_the_refusal_names_is_deleted_where_it_is_ours(
    tmp_path: Path, reference: Running
) -> None:
    of = trial(tmp_path, reference, "bulk-found", bulk={"one_at_a_time": True})
    places: list[str] = []

    async def lose(sent: Sent) -> Any:
        came = await sent.on()
        places.append(came.response.headers.get("Content-Location") or "")
        raise NoAnswerError("protocol", "the connection was reset")

    of.sync(Harm(lose, on=KICKOFF, times=1))

    def named(response: Response) -> Response:
        if response.status != 429:
            return response
        return made(429, OUTCOME, Content_Location=places[0])

    of.advance(120)
    complete(of, Harm(alter(named), on=KICKOFF))
    assert deletes(of) == 2


def test_an_export_of_somebody_else_is_left_alone(tmp_path: Path, reference: Running) -> None:
    of = trial(tmp_path, reference, "bulk-others")
    refusal = answer(429, OUTCOME, Content_Location="/i/bulk-others/r4/$bulk-status/theirs")
    account = of.sync(Harm(refusal, on=KICKOFF))
    assert account.status is RunStatus.INCOMPLETE
    assert account.come_back is not None
    assert deletes(of) == 0
    complete(of)


def test_a_run_that_is_cut_off_while_loading_goes_on_with_the_same_export(
    tmp_path: Path, reference: Running
) -> None:
    of = trial(tmp_path, reference, "bulk-cut-off", bulk={"one_at_a_time": True, "file_size": 400})
    account = of.sync(Harm(no_answer(), on=is_file, after=2))
    assert account.status is RunStatus.INCOMPLETE
    of.advance(120)
    fetched = len([1 for request, status in of.chaos.answers if is_file(request) and status])
    complete(of)
    assert kickoffs(of) == []
    files = len({each.url for each in of.chaos.asked if is_file(each)})
    assert fetched == 2
    assert files >= 5


def test_types_that_no_scope_covers_are_missing_and_hold_up_no_other(
    tmp_path: Path, reference: Running
) -> None:
    scopes = 'scopes = ["system/Patient.rs", "system/Group.rs"]'
    of = trial(tmp_path, reference, "bulk-scopes", tenant=scopes)
    account = of.sync()
    assert account.status is RunStatus.INCOMPLETE
    assert [(each.type, each.reason) for each in account.missing] == [
        ("Observation", "no scope that was granted covers it")
    ]
    assert {type_ for type_, _ in of.stored()} == {"Patient"}
    assert "_type=Patient" in kickoffs(of)[0]
    assert jobs(of) == []


def test_an_export_is_forgotten_where_the_tenant_is_synced_in_another_way(
    tmp_path: Path, reference: Running
) -> None:
    of = trial(tmp_path, reference, "bulk-other-way", bulk={"one_at_a_time": True})
    of.sync(Harm(answer(202, Retry_After="3600"), on=is_poll, times=1))
    assert [phase for phase, _ in jobs(of)] == ["running"]
    file = of.site.folder / "limited.toml"
    bulk = file.read_text()
    file.write_text(bulk.replace('"bulk_since"', '"last_updated"'))
    complete(of)
    assert deletes(of) == 1
    file.write_text(bulk)
    of.advance(HOUR)
    of.observe(of.patients[0], "later")
    complete(of)
