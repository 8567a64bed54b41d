"""RFC 6585 section 4 and daily use: how fast a batch pull may go.

https://www.rfc-editor.org/rfc/rfc6585#section-4
"""

from __future__ import annotations

from harness import conforms, fact, verifies
from harness.checks.acts.throttling import BatchPull
from harness.checks.sustained import EACH, HOURS, NEEDED, PATIENTS


@verifies("harness/throttling/usable-rate")
def test_usable_rate_is_enough_for_a_daily_refresh(batch_pull: BatchPull) -> None:
    """An application that refreshes a practice's patients each night needs a rate that does it."""
    fact(str(batch_pull.sustained))
    conforms(
        batch_pull.sustained.rate >= NEEDED,
        expected=f"{NEEDED:.0f} request a second, for {PATIENTS:,} patients with {EACH} requests "
        f"each in {HOURS} h",
        actual=f"{batch_pull.sustained.rate:.2f} a second",
    )
