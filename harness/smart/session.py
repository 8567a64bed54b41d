"""A token that stays good: obtained when needed, renewed once however many ask, stored before used.

However a refresh ends, the caller's cancellation included, the rotated refresh token is stored:
the request runs in a task of its own, which a cancelled caller only stops waiting for.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime
from time import monotonic

from harness.errors import UsageError
from harness.smart.entropy import fresh
from harness.smart.identity import Identity
from harness.smart.renewal import Renewal, read, renewed
from harness.smart.scopes import Scope, ScopeSet
from harness.smart.stored import is_worn
from harness.smart.tokens import TokenResponse
from harness.smart.vault import Entry, Vault

LEASE_SECONDS = 330.0
"""Longer than the longest exchange."""

LOOKS_AGAIN = 0.25
"""Seconds between two looks whether another session has done with the grant."""


@dataclass(slots=True)
class TokenSession:
    """One grant, kept alive.

    With `vault` and `entry` it lives on a stored refresh token; without, on client_credentials.

    Args:
        identity: who asks.
        vault: where the refresh token is.
        entry: which one.
        scopes: for client_credentials.
        token: a token that is already there.
        obtained_at: when that came, UTC.
        shared: take over an access token that another session of the grant, in this process or
            another, has obtained; False refreshes for this session alone.
        names_scope: repeat the granted scopes when refreshing.
        patience: seconds that it waits for another session's refresh; of real time, as other
            processes know no other.
    """

    identity: Identity
    vault: Vault | None = None
    entry: Entry | None = None
    scopes: tuple[str, ...] = ()
    token: TokenResponse | None = None
    obtained_at: datetime | None = None
    shared: bool = False
    names_scope: bool = False
    patience: float = LEASE_SECONDS
    granted: ScopeSet | None = None
    """The scopes of the current token; None where the server never said."""
    vanished: tuple[Scope, ...] = ()
    """Scopes that the login was granted and the current token no longer has."""

    _flight: asyncio.Task[Renewal] | None = field(default=None, repr=False)
    _holder: str = field(default="", repr=False)
    _reserved: bool = False

    def __post_init__(self) -> None:
        self._holder = fresh(self.identity.entropy, 16)
        if self.token is not None:
            self.granted = self.token.scope

    async def access_token(self) -> str:
        """A token with enough life left for a request.

        Raises:
            GrantLost: the refresh token is refused; somebody has to log in again.
            OAuthError: another refusal.
            ProtocolError: an answer that cannot be used.
            Throttled: refused for load, beyond what the sender waits.
            EhrUnreachable: no answer.
        """
        if self.token is not None and not self._is_due():
            return self.token.access_token
        return (await self._renewed(None)).access_token

    async def renew(self, rejected: str) -> str:
        """Another token than `rejected`, after a 401; renews only if that is still the current.

        Raises:
            As `access_token`.
        """
        if self.token is not None and self.token.access_token != rejected:
            return await self.access_token()
        token = (await self._renewed(rejected)).access_token
        if token != rejected:
            return token
        # The renewal under way was not ours, and had taken over what we know to be worth nothing.
        return (await self._renewed(rejected)).access_token

    async def aclose(self) -> None:
        """Wait for a renewal under way, so that what it brings is stored before the loop ends."""
        if self._flight is not None:
            await asyncio.wait([self._flight])

    @asynccontextmanager
    async def reserved(self, seconds: float) -> AsyncIterator[None]:
        """Keep the grant to this session, for a run that may change it.

        Raises:
            UsageError: another process uses it.
        """
        vault, entry = self._stored_at()
        if not await asyncio.to_thread(vault.lock, entry, self._holder, seconds):
            raise UsageError(
                f"the login {entry} is in use by {vault.holder(entry)}",
                hint="wait until that run has ended; one refresh token serves one run at a time",
            )
        self._reserved = True
        try:
            yield
        finally:
            self._reserved = False
            await asyncio.shield(asyncio.to_thread(vault.unlock, entry, self._holder))

    def _is_due(self) -> bool:
        if self.token is None or self.obtained_at is None:
            return True
        return is_worn(self.token.expires_in, self.obtained_at, self.identity.clock.now())

    async def _renewed(self, rejected: str | None) -> TokenResponse:
        """Join the renewal under way, or start one; cancelling the caller does not cancel it."""
        if self._flight is None or self._flight.done():
            self._flight = asyncio.create_task(self._renew(rejected))
            self._flight.add_done_callback(_retrieve)
        return (await asyncio.shield(self._flight)).response

    async def _renew(self, rejected: str | None) -> Renewal:
        if self.entry is None:
            asked_at = self.identity.clock.now()
            exchange = await self.identity.client_credentials(self.scopes)
            response = read(exchange, asked_at)
            renewal = Renewal(response, asked_at, response.scope)
        else:
            vault, entry = self._stored_at()
            async with self._lease():
                renewal = await renewed(
                    self.identity,
                    vault,
                    entry,
                    rejected=rejected,
                    shared=self.shared,
                    names_scope=self.names_scope,
                )
        self.token, self.obtained_at = renewal.response, renewal.obtained_at
        self.granted, self.vanished = renewal.granted, renewal.vanished
        return renewal

    def _stored_at(self) -> tuple[Vault, Entry]:
        if self.vault is None or self.entry is None:
            raise UsageError("this session has no stored grant")
        return self.vault, self.entry

    @asynccontextmanager
    async def _lease(self) -> AsyncIterator[None]:
        """Wait for the row; another process may be refreshing the same grant."""
        vault, entry = self._stored_at()
        if self._reserved:
            yield
            return
        wait, until = LOOKS_AGAIN / 16, monotonic() + self.patience
        while not await asyncio.to_thread(vault.lock, entry, self._holder, LEASE_SECONDS):
            if monotonic() > until:
                raise UsageError(f"the login {entry} stays in use by {vault.holder(entry)}")
            await asyncio.sleep(wait)
            wait = min(LOOKS_AGAIN, wait * 2)
        try:
            yield
        finally:
            await asyncio.to_thread(vault.unlock, entry, self._holder)


def _retrieve(flight: asyncio.Task[Renewal]) -> None:
    """Whoever waits gets the exception; nobody may be waiting any more."""
    if not flight.cancelled():
        flight.exception()
