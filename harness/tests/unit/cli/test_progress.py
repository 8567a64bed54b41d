from __future__ import annotations

import pytest

from harness.cli.progress import line, remaining
from harness.sync.model import Counts, Query
from harness.sync.standing import Progress

STANDS = Progress(Query("p", "Observation"), Counts(), 600, 2, 50.0, 1000, 2000, 400)


def test_a_person_sees_how_far_how_fast_and_how_long_yet() -> None:
    assert line(STANDS, 15.0) == (
        "400 of 2,000 queries of 1,000 patients, 40.0/s of 50.0 permitted, 2 refused,"
        " about 1 min 0 s left"
    )


@pytest.mark.parametrize(("seconds", "left"), [(5.0, 48.0), (15.0, 60.0), (60.0, 240.0)])
def test_what_is_permitted_counts_first_and_then_what_was_achieved(
    seconds: float, left: float
) -> None:
    assert remaining(STANDS, seconds) == pytest.approx(left)


def test_nothing_is_guessed_before_a_query_has_ended() -> None:
    begun = Progress(Query("p", "Observation"), Counts(), 3, 0, None, 1, 20, 0)
    assert remaining(begun, 1.0) is None
    assert line(begun, 1.0) == "0 of 20 queries of 1 patients, 3.0/s, 0 refused"
