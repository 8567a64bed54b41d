"""SMART App Launch, "Refresh access token": a grant in daily use.

https://hl7.org/fhir/smart-app-launch/STU2.2/app-launch.html#refresh-access-token
"""

from __future__ import annotations

from harness import expect, prerequisite, verifies
from harness.checks.acts.daily import DAYS, Daily


@verifies("harness/sync/grant-lives")
def test_grant_lives_through_daily_refreshes(daily_refreshes: Daily) -> None:
    """An application that syncs each day refreshes its token each day, for months."""
    expect(daily_refreshes).that(
        daily_refreshes.good == DAYS,
        expected=f"an access token from each of {DAYS} refreshes in a row",
        actual=f"from the first {daily_refreshes.good}",
    )


@verifies("harness/sync/grant-reads")
def test_refreshed_token_still_reads(daily_refreshes: Daily) -> None:
    """The token of the last refresh needs to open what that of the launch did."""
    prerequisite(daily_refreshes.read, unless="a refresh brought no access token")
    if daily_refreshes.read is not None:
        expect(daily_refreshes.read).status(200)
