"""When a run may sit out a lifetime, and until when it does."""

from __future__ import annotations

from datetime import timedelta
from types import SimpleNamespace
from typing import Any

import anyio
import pytest

from harness.checks.acts.expiry import CODE_LIFE, end_of, may_wait, wait_until
from harness.config.ehr import Limits, Permit
from harness.errors import NotApplicable, NotPermitted
from harness.http.clock import ManualClock
from harness.smart.tokens import TokenResponse


def run_of(max_wait: float, *permits: Permit) -> Any:
    ehr = SimpleNamespace(limits=Limits(max_wait=max_wait))
    return SimpleNamespace(ehr=ehr, clock=ManualClock(), permits=lambda each: each in permits)


def test_waiting_has_to_be_permitted() -> None:
    with pytest.raises(NotPermitted, match="permit has no wait"):
        may_wait(run_of(86400, Permit.LOAD), CODE_LIFE)


def test_no_wait_is_longer_than_the_ehr_file_says() -> None:
    with pytest.raises(NotPermitted, match=r"max_wait is 719 s, and 720 s are needed"):
        may_wait(run_of(719, Permit.WAIT), CODE_LIFE)
    may_wait(run_of(720, Permit.WAIT), CODE_LIFE)


def test_a_wait_goes_beyond_the_moment_and_never_back() -> None:
    run = run_of(0)
    start = run.clock.now()
    anyio.run(wait_until, run, start + timedelta(seconds=300))
    assert run.clock.now() - start == timedelta(seconds=420)
    anyio.run(wait_until, run, start)
    assert run.clock.now() - start == timedelta(seconds=420)


def test_a_token_that_does_not_say_how_long_it_lives_is_not_waited_for() -> None:
    with pytest.raises(NotApplicable):
        end_of(run_of(86400, Permit.WAIT), TokenResponse("token"))
