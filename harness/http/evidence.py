"""The exchanges of a run, in order, by act."""

from __future__ import annotations

from contextvars import ContextVar
from dataclasses import dataclass
from datetime import datetime
from threading import Lock

from harness.http.exchange import Exchange, Request, Response

current_act: ContextVar[str] = ContextVar("current_act", default="run")
"""The act on whose behalf the running coroutine sends."""


@dataclass(frozen=True, slots=True)
class Unanswered:
    """A request that got no answer: what a recording needs to fail in the same way.

    Attributes:
        act: name of the act that caused it.
        request: what was sent, or was to be sent.
        kind: `dns`, `refused`, `tls`, `timeout`, `protocol` or `hostile`.
        reason: one line for a person.
        started_at: harness clock, UTC.
        seconds: until it was given up.
        attempt: 1 for the first try.
    """

    act: str
    request: Request
    kind: str
    reason: str
    started_at: datetime
    seconds: float
    attempt: int = 1


class Evidence:
    """Keeps what was sent and what came; written by the loop's thread, read by any."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._steps: list[Exchange | Unanswered] = []
        self._answered = 0

    def add(
        self,
        request: Request,
        response: Response,
        *,
        started_at: datetime,
        seconds: float,
        attempt: int = 1,
        act: str | None = None,
        arrived: bool = False,
    ) -> Exchange:
        """Number an exchange and keep it; `act` defaults to `current_act`."""
        act = act or current_act.get()
        with self._lock:
            self._answered += 1
            exchange = Exchange(
                self._answered, act, request, response, started_at, seconds, attempt, arrived
            )
            self._keep(exchange)
        return exchange

    def add_unanswered(
        self,
        request: Request,
        kind: str,
        reason: str,
        *,
        started_at: datetime,
        seconds: float,
        attempt: int = 1,
        act: str | None = None,
    ) -> Unanswered:
        """Keep a request that got no answer; it has no number, and is no exchange."""
        act = act or current_act.get()
        unanswered = Unanswered(act, request, kind, reason, started_at, seconds, attempt)
        with self._lock:
            self._keep(unanswered)
        return unanswered

    def _keep(self, step: Exchange | Unanswered) -> None:
        """What becomes of an attempt; called under the lock."""
        self._steps.append(step)

    def of(self, act: str) -> tuple[Exchange, ...]:
        """The exchanges that `act` caused, in order of their answers."""
        return tuple(each for each in self.all if each.act == act)

    @property
    def all(self) -> tuple[Exchange, ...]:
        """Every exchange so far, in order of their answers."""
        return tuple(each for each in self.steps if isinstance(each, Exchange))

    @property
    def steps(self) -> tuple[Exchange | Unanswered, ...]:
        """Every attempt so far, with and without an answer."""
        with self._lock:
            return tuple(self._steps)
