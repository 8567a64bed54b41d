"""A process that delivers through a wire that loses and refuses, until it is killed or done.

python -m harness.tests.chaos.outbox_process TENANT SEED
"""

from __future__ import annotations

import asyncio
import os
import random
import sys

from harness.config.ehr import Tls
from harness.config.tenant import load_tenant
from harness.http.clock import Clock, SystemClock
from harness.http.exchange import Request
from harness.http.transport import Answer, Bounds, NoAnswerError, Transport, WireTransport
from harness.scheduler.jobs import Site
from harness.scheduler.outbox import deliver
from harness.smart.entropy import system_entropy
from harness.tests.chaos.wire import made

LOST, REFUSED = 0.10, 0.05
THROTTLED = 0.02
"""How many of the refusals are 429: each slows the limiter down, which others show."""


class Harmed:
    """Loses a tenth of the answers to writes after they were processed, and refuses a twentieth."""

    def __init__(self, inner: Transport, clock: Clock, chance: random.Random) -> None:
        self._inner = inner
        self._clock = clock
        self._chance = chance

    async def send(self, request: Request, *, max_bytes: int) -> Answer:
        is_write = request.method == "POST" and "/Observation" in request.url
        if is_write and self._chance.random() < REFUSED:
            busy = made(429, b"", "", Retry_After="0")
            refusal = busy if self._chance.random() < THROTTLED else made(503, b"", "")
            return Answer(refusal, self._clock.now(), 0.0)
        answer = await self._inner.send(request, max_bytes=max_bytes)
        if is_write and self._chance.random() < LOST:
            raise NoAnswerError("protocol", "the connection was reset")
        return answer

    async def aclose(self) -> None:
        await self._inner.aclose()


def main(tenant: str, seed: str) -> int:
    """Deliver what is queued; 0 when nothing is left."""
    chance = random.Random(seed)

    def transport(tls: Tls, bounds: Bounds, clock: Clock) -> Transport:
        return Harmed(WireTransport(tls, bounds, clock), clock, chance)

    site = Site(os.environ, SystemClock(), system_entropy, transport=transport)
    outgoing = asyncio.run(deliver(load_tenant(tenant), site, patience=60.0))
    sys.stdout.write(f"{outgoing.line()}\n")
    return int(bool(outgoing.open))


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
