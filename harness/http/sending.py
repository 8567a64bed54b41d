"""Attempts: wait for the turn, send, keep as evidence, decide whether to send again."""

from __future__ import annotations

import random
from dataclasses import dataclass

from harness.errors import EhrUnreachable, HostileInput
from harness.http.clock import Clock
from harness.http.evidence import Evidence, current_act
from harness.http.exchange import Exchange, Request
from harness.http.limiter import HostLimiter, Place
from harness.http.origin import host_of
from harness.http.refusal import Kind, refusal_of
from harness.http.retry import Policy, Retry, decide, decide_unanswered
from harness.http.transport import NoAnswerError, Transport

_chance = random.random

NEVER_SENT = frozenset({"dns", "refused"})
"""Kinds of `NoAnswerError` that end before the first byte goes out; TLS may fail later."""

BAD_REQUEST = 400

SILENT = frozenset({"refused", "timeout", "protocol"})
"""Kinds that may mean that the host is down; names and certificates are another matter."""


@dataclass(slots=True)
class Sending:
    """One request until its last attempt.

    Attributes:
        request: as it goes out.
        act: whose evidence it is.
        limiter: of its host.
        policy: how often and how long.
        repeatable: whether it may be processed twice.
        urgent: whether it overtakes.
        max_bytes: cap of the decoded body.
        attempt: the last one begun.
        next: what follows it; None ends the sending.
    """

    request: Request
    act: str
    limiter: HostLimiter
    policy: Policy
    repeatable: bool
    urgent: bool
    max_bytes: int
    attempt: int = 0
    next: Retry | None = None

    async def run(self, transport: Transport, evidence: Evidence, clock: Clock) -> Exchange:
        """Send until there is nothing more to do; the last exchange, whatever its status.

        Raises:
            EhrUnreachable: the last attempt brought no answer.
            HostileInput: the body exceeds its cap.
        """
        # A replay finds its answers by the act.
        before = current_act.set(self.act)
        try:
            return await self._attempts(transport, evidence, clock)
        except NoAnswerError as error:
            where = f"{self.request.method} {host_of(self.request.url)}"
            sent = error.kind not in NEVER_SENT
            raise EhrUnreachable(f"{where}: {error.reason}", hint=error.hint, sent=sent) from None
        finally:
            current_act.reset(before)

    async def _attempts(self, transport: Transport, evidence: Evidence, clock: Clock) -> Exchange:
        """The first attempt is nearly always the last: only what follows it is the library's."""
        try:
            exchange = await self._once(transport, evidence, clock)
        except (NoAnswerError, HostileInput):
            if self.next is None:
                raise
        else:
            if self.next is None:
                return exchange
        from tenacity import AsyncRetrying

        await clock.sleep(self.next.wait)
        again = AsyncRetrying(
            retry=lambda _: self.next is not None,
            wait=lambda _: self.next.wait if self.next else 0.0,
            sleep=clock.sleep,
        )
        last: Exchange = await again(self._once, transport, evidence, clock)
        return last

    async def _once(self, transport: Transport, evidence: Evidence, clock: Clock) -> Exchange:
        self.attempt += 1
        self.next = None
        async with self.limiter.slot(self.request, urgent=self.urgent) as place:
            started_at, started = clock.now(), clock.monotonic()
            try:
                answer = await transport.send(self.request, max_bytes=self.max_bytes)
            except (NoAnswerError, HostileInput) as error:
                kind = error.kind if isinstance(error, NoAnswerError) else "hostile"
                seconds = clock.monotonic() - started
                evidence.add_unanswered(
                    self.request,
                    kind,
                    str(error),
                    started_at=started_at,
                    seconds=seconds,
                    attempt=self.attempt,
                    act=self.act,
                )
                if kind in SILENT and not self.request.old_tls:
                    self.limiter.unanswered()
                self.next = decide_unanswered(
                    kind,
                    self.attempt,
                    repeatable=self.repeatable,
                    policy=self.policy,
                    chance=_chance,
                )
                raise
            exchange = evidence.add(
                self.request,
                answer.response,
                started_at=answer.started_at,
                seconds=answer.seconds,
                attempt=self.attempt,
                act=self.act,
            )
            self._judge(place, exchange, clock)
            return exchange

    def _judge(self, place: Place, exchange: Exchange, clock: Clock) -> None:
        """Decide what comes next; a refusal holds back the whole host, and so this request."""
        refusal = refusal_of(exchange, clock.now())
        if refusal is None:
            self.limiter.answered(place, exchange.headers, exchange.started_at)
            if exchange.response.status < BAD_REQUEST:
                return
        else:
            self.limiter.refused(place, refusal, exchange.headers, exchange.started_at)
        self.next = decide(
            exchange,
            repeatable=self.repeatable,
            policy=self.policy,
            now=clock.now(),
            chance=_chance,
        )
        if refusal is not None and self.next is not None:
            waits = refusal.kind in (Kind.LOAD, Kind.CONCURRENCY)
            self.next = Retry(0.0) if waits else None
