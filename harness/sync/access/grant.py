"""How a tenant's grant stands, from its vault alone: good, lost since when, last refreshed when."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any

from harness.config.secrets import Secrets
from harness.config.tenant import Tenant
from harness.errors import HarnessError
from harness.smart.scopes import ScopeSet
from harness.smart.stored import Stored
from harness.sync.access.connect import vault_of
from harness.sync.access.granted import not_covered

IDLE = timedelta(days=30)
"""Unused for so long, a grant is worth a word: Oracle Health ends those of three months."""


class Standing(StrEnum):
    """What a grant is worth."""

    GOOD = "good"
    LOST = "lost"
    NONE = "none"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Grant:
    """How a grant stands. No token is in it.

    Attributes:
        standing: `unknown` where the vault cannot be read.
        refreshed: when the EHR last gave tokens for it, the login included; UTC.
        lost: since when its refresh token is refused; UTC.
        reason: why it is not good.
        not_covered: types that the tenant syncs and no scope of the grant covers.
    """

    standing: Standing
    refreshed: datetime | None = None
    lost: datetime | None = None
    reason: str | None = None
    not_covered: tuple[str, ...] = ()

    def as_json(self) -> dict[str, Any]:
        """For a script; times are ISO 8601 in UTC."""
        return {
            "standing": self.standing.value,
            "refreshed": self.refreshed.isoformat() if self.refreshed else None,
            "lost": self.lost.isoformat() if self.lost else None,
            "reason": self.reason,
            "not_covered": list(self.not_covered),
        }

    def lines(self, now: datetime) -> list[str]:
        """For a person; `now` tells ages."""
        words = [f"grant: {self.standing.value}"]
        if self.lost is not None:
            words.append(f"since {self.lost:%Y-%m-%d %H:%M} UTC")
        if self.refreshed is not None:
            words.append(f"last refreshed {self.refreshed:%Y-%m-%d %H:%M} UTC")
        lines = [", ".join(words) + (f": {self.reason}" if self.reason else "")]
        idle = now - self.refreshed if self.refreshed else timedelta()
        if self.standing is Standing.GOOD and idle >= IDLE:
            lines.append(f"grant: unused for {idle.days} days; EHRs end idle grants, so sync soon")
        if self.not_covered:
            lines.append(f"grant: no scope covers {', '.join(self.not_covered)}: log in again")
        return lines


def grant_of(tenant: Tenant, secrets: Secrets) -> Grant | None:
    """The grant of a tenant; None where it has none, as its client needs no login.

    A vault that does not exist yet is not made.
    """
    if tenant.login is None:
        return None
    hint = f"harness login --tenant {tenant.name}"
    if not tenant.vault.path.exists():
        return Grant(Standing.NONE, reason=f"nobody has signed in yet ({hint})")
    try:
        vault, entry = vault_of(tenant, secrets)
        stored = vault.get(entry)
    except HarnessError as error:
        return Grant(Standing.UNKNOWN, reason=str(error))
    if stored is None:
        return Grant(Standing.NONE, reason=f"nobody has signed in yet ({hint})")
    if stored.lost_at is not None:
        reason = f"{stored.lost_because} ({hint})"
        return Grant(Standing.LOST, stored.stored_at, stored.lost_at, reason)
    lacking = not_covered(tenant.resources, *_scopes(stored))
    return Grant(Standing.GOOD, stored.stored_at, not_covered=lacking)


def _scopes(stored: Stored) -> tuple[ScopeSet | None, ScopeSet]:
    """What the grant covers now, and what its login did."""
    login = ScopeSet.parse(stored.scope or "")
    now = stored.access.scope if stored.access else None
    return (ScopeSet.parse(now) if now is not None else login), login
