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
from harness.sync.answers.answer import Refused

UNREACHABLE_IN_A_ROW = 3
"""Then the host is taken for down, and the run stops knocking."""

PATIENCE = 150.0
"""Seconds of refusals, each after all retries and pauses, until the run gives up for now.

A host that counts by the minute of the clock has let something through before.
"""

STRANGE_IN_A_ROW = 10
"""Answers that are no FHIR, for more than one type: a page for maintenance or signing in."""

COME_BACK = timedelta(hours=1)
"""When to return to a host that did not say when."""


@dataclass(slots=True)
class Trouble:
    """Troubles of one run.

    Args:
        clock: time.
        stop: ends the run, with a reason and when to come back.
    """

    clock: Clock
    stop: Callable[[str, datetime | None], None]
    unreachable: int = 0
    strange: list[str] = field(default_factory=list)
    no_grant: dict[int, str] = field(default_factory=dict)
    _refused_since: float | None = None

    def refused(self, refused: Refused, max_wait: float) -> None:
        """The host refused for load, and its limiter waits: stop the run where that is no use."""
        if refused.seconds is not None and refused.seconds > max_wait:
            at = self.clock.now() + timedelta(seconds=refused.seconds)
            self.stop(f"the EHR asks to wait {refused.seconds:.0f} s", at)
            return
        now = self.clock.monotonic()
        if self._refused_since is None:
            self._refused_since = now
        elif now - self._refused_since >= PATIENCE:
            self.stop("the EHR keeps refusing for load", self.clock.now() + COME_BACK)

    def let_through(self) -> None:
        """The host did not refuse."""
        self._refused_since = None

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
