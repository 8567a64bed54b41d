"""The act of a grant in daily use: refreshed again and again, each time with what the last gave.

https://hl7.org/fhir/smart-app-launch/STU2.2/app-launch.html#refresh-access-token
"""

from __future__ import annotations

from dataclasses import dataclass

from harness.checks.acting import Run, act
from harness.checks.acts.access import fhir_get
from harness.checks.acts.refresh import Refreshed, offline_launch, refreshed_from, send_refresh
from harness.errors import PrerequisiteFailed
from harness.http.exchange import Exchange
from harness.smart.discovery import Discovery

DAYS = 5


@dataclass(frozen=True, slots=True)
class Daily:
    """Refreshes in a row, up to the first that failed, and a read with the last token."""

    refreshes: tuple[Refreshed, ...]
    read: Exchange | None

    @property
    def good(self) -> int:
        """How many of them brought an access token."""
        return sum(each.token is not None for each in self.refreshes)

    @property
    def exchange(self) -> Exchange:
        """The last refresh."""
        return self.refreshes[-1].exchange


@act
async def daily_refreshes(run: Run, discovery: Discovery, refreshed: Refreshed) -> Daily:
    """One grant, refreshed on five days; the days follow each other at once."""
    del refreshed
    launch, token = await offline_launch(run, discovery)
    done: list[Refreshed] = []
    for _ in range(DAYS):
        exchange = await send_refresh(run, discovery, launch.authorization.plan, token)
        done.append(refreshed_from(run, exchange, launch))
        given = done[-1].token
        if given is None:
            return Daily(tuple(done), None)
        # A server that rotates nothing leaves the refresh token out: the old one goes on.
        token = given.refresh_token or token
    if given is None:
        raise PrerequisiteFailed("no refresh brought an access token")
    return Daily(tuple(done), await fhir_get(run, f"Patient/{launch.patient}", given.access_token))
