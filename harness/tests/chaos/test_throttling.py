"""Refusals for load in every form that servers have: the store ends equal to the server's truth."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from harness.http.exchange import Headers, Response
from harness.http.transport import Answer
from harness.reference.process import Running
from harness.sync.account import Account
from harness.sync.model import RunStatus
from harness.tests.chaos.wire import (
    Do,
    Harm,
    Sent,
    Trial,
    answer,
    every,
    method,
    search,
    with_headers,
    without,
)

REFUSED = {
    "resourceType": "OperationOutcome",
    "issue": [{"severity": "error", "code": "throttled"}],
}
OBSERVATIONS = search("Observation")


def http_date(ahead: float, zone: str = "GMT") -> str:
    """A date so many seconds from now, as HTTP writes it; in another zone as nobody should."""
    moment = datetime.now(UTC) + timedelta(seconds=ahead)
    if zone == "GMT":
        return format_datetime(moment, usegmt=True)
    return format_datetime(moment.astimezone(ZoneInfo(zone)))


def refuse(body: Any = REFUSED, status: int = 429, **headers: str) -> Do:
    return answer(status, body, **headers)


def twice(*values: str) -> Do:
    """A refusal with a header that is there more than once."""

    async def do(sent: Sent) -> Answer:
        fields = tuple(("Retry-After", value) for value in values)
        return sent.answered(Response(429, Headers(fields), b"{}"))

    return do


def is_all_there(trial: Trial, account: Account) -> None:
    assert account.status is RunStatus.COMPLETE, account.lines()
    assert trial.stored() == trial.truth()


@pytest.mark.parametrize(
    ("name", "do", "least", "most"),
    [
        ("nothing", refuse(), 0.09, 3.0),
        ("seconds", refuse(Retry_After="7"), 7.0, 9.0),
        ("date", refuse(Retry_After=http_date(8)), 0.09, 9.0),
        ("date past", refuse(Retry_After=http_date(-3600)), 0.09, 3.0),
        ("date of another zone", refuse(Retry_After=http_date(8, "Asia/Tokyo")), 0.09, 9.0),
        (
            "date of a clock that is wrong",
            refuse(Date=http_date(86400), Retry_After=http_date(86405)),
            4.0,
            7.0,
        ),
        ("zero", refuse(Retry_After="0"), 0.09, 3.0),
        ("fraction", refuse(Retry_After="1.5"), 1.5, 3.5),
        ("empty", refuse(Retry_After=""), 0.09, 3.0),
        ("words", refuse(Retry_After="soon"), 0.09, 3.0),
        ("twice, one of them words", twice("soon", "4"), 4.0, 6.0),
        ("milliseconds", refuse(x_ms_retry_after_ms="2500"), 2.5, 4.0),
        (
            "in the outcome",
            refuse({**REFUSED, "issue": [{"diagnostics": '{"_msBeforeNext": 3200}'}]}),
            3.2,
            5.0,
        ),
        (
            "as an extension",
            refuse({**REFUSED, "extension": [{"url": "x/rate-limit-reset", "valueInteger": 6}]}),
            6.0,
            8.0,
        ),
        ("503", refuse(status=503, Retry_After="5"), 5.0, 7.0),
        ("403 that speaks of it", refuse("Developer Over Rate", status=403), 0.09, 3.0),
    ],
)
def test_a_refusal_in_any_form_is_waited_for_and_nothing_is_lost(
    tmp_path: Path, reference: Running, name: str, do: Do, least: float, most: float
) -> None:
    trial = Trial.of(tmp_path, reference, "throttled-" + name.replace(" ", "-").replace(",", ""))
    harm = Harm(do, on=OBSERVATIONS, times=1)
    is_all_there(trial, trial.sync(harm))
    assert harm.struck == 1
    longest = max(trial.clock.slept)
    assert least <= longest <= most


def test_a_wait_of_hours_ends_the_run_with_the_time_to_come_back(
    tmp_path: Path, reference: Running
) -> None:
    trial = Trial.of(tmp_path, reference, "throttled-hours")
    account = trial.sync(Harm(refuse(Retry_After="18000"), on=OBSERVATIONS, after=1))
    assert account.status is RunStatus.INCOMPLETE
    assert account.missing
    assert account.come_back is not None
    assert account.come_back - trial.clock.now() > timedelta(hours=4.9)
    assert max(trial.clock.slept, default=0.0) < 60.0
    is_all_there(trial, trial.sync())


class ByMinute:
    """Lets so many requests through in each minute of the clock; says nothing of when to return."""

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self.let_through: Counter[datetime] = Counter()
        self.refused = 0

    async def __call__(self, sent: Sent) -> Answer:
        minute = sent.clock.now().replace(second=0, microsecond=0)
        date = format_datetime(sent.clock.now(), usegmt=True)
        if self.let_through[minute] >= self.limit:
            self.refused += 1
            return await refuse(Date=date)(sent)
        self.let_through[minute] += 1
        return await with_headers(Date=date)(sent)


def test_a_budget_of_the_minute_that_nobody_told_is_waited_for(
    tmp_path: Path, reference: Running
) -> None:
    trial = Trial.of(tmp_path, reference, "throttled-minute", types=("Patient", "Observation"))
    ends = ByMinute(9)
    is_all_there(trial, trial.sync(Harm(ends, on=without(every, "/token", "well-known"))))
    assert ends.refused > 0, "or nothing was shown"
    assert len(ends.let_through) > 1
    assert ends.refused <= 12 * len(ends.let_through)


def test_a_budget_of_the_minute_that_is_configured_sees_no_refusal(
    tmp_path: Path, reference: Running
) -> None:
    trial = Trial.of(tmp_path, reference, "throttled-known-minute", limits={"per_minute": 9})
    ends = ByMinute(9)
    is_all_there(trial, trial.sync(Harm(ends)))
    assert (ends.refused, len(ends.let_through) > 1) == (0, True)


def day_is_spent() -> Do:
    code = {"coding": [{"system": "urn:oid:1.2.840.114350", "code": "4135"}]}
    issue = {"severity": "fatal", "code": "processing", "details": code}
    return answer(400, {"resourceType": "OperationOutcome", "issue": [issue]})


def test_come_back_tomorrow_is_obeyed_by_every_run_until_then(
    tmp_path: Path, reference: Running
) -> None:
    trial = Trial.of(tmp_path, reference, "throttled-day", limits={"max_retry_after": 5})
    account = trial.sync(Harm(day_is_spent(), on=OBSERVATIONS, after=1, times=1))
    assert account.status is RunStatus.INCOMPLETE
    assert account.come_back is not None
    midnight = (trial.clock.now() + timedelta(days=1)).replace(hour=0, minute=0, second=0)
    assert abs(account.come_back - midnight) < timedelta(seconds=2)
    again = trial.sync()
    assert again.status is not RunStatus.COMPLETE
    assert trial.chaos.asked == []
    trial.advance((account.come_back - trial.clock.now()).total_seconds() + 1)
    is_all_there(trial, trial.sync())


def test_a_token_endpoint_that_refuses_is_asked_no_more_than_it_must(
    tmp_path: Path, reference: Running
) -> None:
    trial = Trial.of(tmp_path, reference, "throttled-token")
    harm = Harm(refuse(Retry_After="2"), on=method("POST", "/token"), times=2)
    is_all_there(trial, trial.sync(harm))
    assert harm.met == 3, "one token, and one request for each refusal"


def test_what_is_left_is_heeded_before_anything_is_refused(
    tmp_path: Path, reference: Running
) -> None:
    trial = Trial.of(tmp_path, reference, "throttled-left")
    left = with_headers(X_RateLimit_Remaining="0", X_RateLimit_Reset=str(epoch(11)))
    is_all_there(trial, trial.sync(Harm(left, on=OBSERVATIONS, times=1)))
    assert max(trial.clock.slept) > 8.0
    assert all(
        status == 200 for request, status in trial.chaos.answers if "/token" not in request.url
    )


def epoch(ahead: float) -> int:
    """Milliseconds since 1970, so many seconds from now."""
    return int((datetime.now(UTC) + timedelta(seconds=ahead)).timestamp() * 1000)
