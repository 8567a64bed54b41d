"""What goes wrong with a host, counted until something goes right again: when a run is to stop."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from harness.errors import (
    EhrUnreachable,
    GrantLost,
    HarnessError,
    OAuthError,
    Throttled,
    UsageError,
)
from harness.http.clock import Clock
from harness.sync.answers import Refused

UNREACHABLE_IN_A_ROW = 3
"""Then the host is taken for down, and the run stops knocking."""

REFUSED_IN_A_ROW = 3
"""Refusals, each after all retries and a pause, until the run gives up for now."""

STRANGE_IN_A_ROW = 10
"""Answers that are no FHIR, for more than one type: a page for maintenance or signing in."""

FIXED_WINDOW = 60.0
"""Seconds of pause after such a refusal: eClinicalWorks blocks until the minute turns, unasked."""

COME_BACK = timedelta(hours=1)
"""When to return to a host that did not say when."""


@dataclass(slots=True)
class Trouble:
    """Troubles of one run.

    Args:
        clock: time.
        pause: holds back the whole host for so many seconds.
        stop: ends the run, with a reason and when to come back.
    """

    clock: Clock
    pause: Callable[[float], None]
    stop: Callable[[str, datetime | None], None]
    unreachable: int = 0
    refusals: int = 0
    strange: list[str] = field(default_factory=list)
    no_grant: dict[int, str] = field(default_factory=dict)
    _paused_until: float = 0.0

    def refused(self, refused: Refused, max_wait: float) -> None:
        """The host refused for load: pause if that helps within this run, else stop it."""
        if refused.seconds is not None and refused.seconds > max_wait:
            at = self.clock.now() + timedelta(seconds=refused.seconds)
            self.stop(f"the EHR asks to wait {refused.seconds:.0f} s", at)
            return
        now = self.clock.monotonic()
        if now < self._paused_until:
            return  # asked before the pause began: the same incident
        self.refusals += 1
        if self.refusals == REFUSED_IN_A_ROW:
            self.stop("the EHR keeps refusing for load", self.clock.now() + COME_BACK)
            return
        self._paused_until = now + FIXED_WINDOW
        self.pause(FIXED_WINDOW)

    def unanswered(self, error: HarnessError, reader: int) -> str | None:
        """A request ended without an answer: why its query is given up; None if it is not."""
        if isinstance(error, Throttled):
            wait = COME_BACK if error.retry_after is None else timedelta(seconds=error.retry_after)
            self.stop(error.message, self.clock.now() + wait)
            return None
        if isinstance(error, (OAuthError, GrantLost, UsageError)):
            self.no_grant[reader] = f"no access token: {error}"
            return self.no_grant[reader]
        if isinstance(error, EhrUnreachable):
            self.unreachable += 1
            if self.unreachable == UNREACHABLE_IN_A_ROW:
                self.stop(f"the EHR does not answer: {error.message}", None)
        return error.message

    def no_fhir(self, type_: str, types: tuple[str, ...]) -> None:
        """An answer was no FHIR; where that goes on for whatever is asked, the run stops."""
        self.strange.append(type_)
        several = len(set(self.strange)) > 1 or len(types) == 1
        if len(self.strange) >= STRANGE_IN_A_ROW and several:
            self.stop(
                "the EHR answers with something that is no FHIR", self.clock.now() + COME_BACK
            )
