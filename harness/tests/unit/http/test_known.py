from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.http.known import Known
from harness.http.skew import Skew

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
EVERYTHING = Known(49.5, settled=True, burst=9.8, per_minute=250, concurrency=3, closed_until=NOON)


@pytest.mark.parametrize("known", [EVERYTHING, Known(), Known(rate=5.0), Known(concurrency=2)])
def test_what_was_learnt_is_read_as_it_was_written(known: Known) -> None:
    assert Known.read(known.text()) == known


@given(st.text(max_size=60))
def test_what_cannot_be_read_is_as_if_nothing_was_learnt(text: str) -> None:
    assert Known.read(text) == Known()


@pytest.mark.parametrize(
    "text", ['{"rate": "5"}', '{"rate": -1}', '{"rate": true}', "[]", '{"closed_until": 4}', "null"]
)
def test_what_is_no_rate_is_none(text: str) -> None:
    assert Known.read(text) == Known()


def second(at: float) -> datetime:
    return NOON + timedelta(seconds=at)


@pytest.mark.parametrize("ahead", [7.3, -120.4])
def test_a_clock_that_differs_is_noticed_within_some_answers(ahead: float) -> None:
    """The server's less ours; never more than it is, so that no wait for its time is too short."""
    skew = Skew()
    for at in (0.0, 0.4, 1.1, 1.7, 2.25):
        theirs = second(at + 0.05 + ahead).replace(microsecond=0)
        skew.heard(theirs, second(at), second(at + 0.1))
    found = skew.of_server.total_seconds()
    assert ahead - 1.0 <= found <= ahead


def test_a_clock_that_agrees_is_left_alone_though_dates_have_whole_seconds() -> None:
    skew = Skew()
    for at in (0.0, 0.3, 0.95, 1.5, 7.99):
        skew.heard(second(int(at)), second(at), second(at + 0.02))
    assert skew.of_server == timedelta()


def test_a_clock_that_is_set_is_noticed() -> None:
    skew = Skew()
    skew.heard(second(0), second(0), second(0.1))
    skew.heard(second(3600), second(1), second(1.1))
    assert skew.of_server > timedelta(minutes=59)
