"""How a person ends what runs."""

from __future__ import annotations

import asyncio
import signal
from typing import Protocol


class Stoppable(Protocol):
    """What can be told to finish."""

    def stop(self, reason: str, /) -> None:
        """Finish what is under way, and begin nothing more."""
        ...


def stop_on_signals(run: Stoppable) -> None:
    """A first signal finishes the pages under way; a second one ends at once, losing nothing."""
    loop = asyncio.get_running_loop()

    def stop(number: signal.Signals) -> None:
        run.stop(f"told to stop by {number.name}")
        loop.remove_signal_handler(number)

    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop, number)
