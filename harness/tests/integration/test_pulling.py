from __future__ import annotations

import pytest

from harness.benchmarks.laps import Lap, LapFailed, median
from harness.benchmarks.pulling import BARE, OURS, bare, harness, measured, peer
from harness.benchmarks.yardstick import Settings, start


def test_each_client_gets_all_and_is_measured() -> None:
    with start(Settings(patients=2, observations=3, page=2)) as yardstick:
        other = peer("other=echo resources=$((PATIENTS * 3)) from $FHIR_BASE", yardstick)
        laps = measured([harness(yardstick, None), bare(yardstick), other], yardstick, 1)
        assert yardstick.stats()["refused"] == 0
    assert list(laps) == [OURS, BARE, "other"]
    assert [each.resources for taken in laps.values() for each in taken] == [6, 6, 6]
    assert all(each.cpu_seconds > 0 for each in laps[OURS])
    assert all(each.peak_mib > 10 for each in laps[OURS])


@pytest.mark.parametrize(
    ("command", "expected"),
    [("echo resources=1", "got 1 of 6 resources"), ("echo no >&2; exit 3", "ended with 3: no")],
)
def test_a_client_that_gets_less_or_fails_is_no_lap(command: str, expected: str) -> None:
    with start(Settings(patients=2, observations=3)) as yardstick:
        slacker = peer(f"slacker={command}", yardstick)
        with pytest.raises(LapFailed, match=expected):
            measured([slacker], yardstick, 1)


def test_each_figure_has_its_own_median() -> None:
    laps = [Lap(1.0, 30.0, 7.0, 6), Lap(2.0, 10.0, 9.0, 6), Lap(3.0, 20.0, 8.0, 6)]
    assert median(laps) == Lap(2.0, 20.0, 8.0, 6)
