"""A host that is silent is left alone for a while, by every tenant and every job that asks it."""

from __future__ import annotations

from datetime import datetime, timedelta

from harness.errors import EhrUnreachable
from harness.http.origin import host_of
from harness.sync.access.meter import Meter
from harness.sync.world import World


class Spared(EhrUnreachable):
    """The host gave no answer a moment ago, and it is not yet time to try again.

    Args:
        message: whom, and for how long.
        until: when to try again.
    """

    def __init__(self, message: str, until: datetime) -> None:
        self.until = until
        super().__init__(message, sent=False)


def spare(world: World, base: str) -> None:
    """Leave the host of `base` alone that gave no answer to those who asked before.

    Raises:
        Spared: it is not yet time to try again.
    """
    wait = world.breaker.wait(world.clock.monotonic())
    if wait > 0:
        raise Spared(
            f"{host_of(base)} did not answer a moment ago; it is tried again in {wait:.0f} s",
            world.clock.now() + timedelta(seconds=wait),
        )


def mind(world: World, meter: Meter) -> None:
    """Tell those who ask next whether the host answered up to the end."""
    if meter.silent:
        world.breaker.unanswered(world.clock.monotonic())
    elif meter.requests:
        world.breaker.answered()
