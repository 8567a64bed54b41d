"""A token that stays good: obtained when needed, renewed once however many ask, stored before used.

However a refresh ends, the caller's cancellation included, the rotated refresh token is stored:
the request runs in a task of its own, which a cancelled caller only stops waiting for.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime

from harness.config.ehr import OAuthClient
from harness.config.secrets import Secrets
from harness.errors import (
    EhrUnreachable,
    GrantLost,
    OAuthError,
    ProtocolError,
    Throttled,
    UsageError,
)
from harness.http.client import HttpClient
from harness.http.clock import Clock
from harness.http.exchange import Exchange
from harness.http.retry import is_refusal, retry_after
from harness.smart import grants
from harness.smart.client_auth import ClientProof, authenticate
from harness.smart.entropy import Entropy, fresh
from harness.smart.scopes import Scope, ScopeSet
from harness.smart.tokens import TokenResponse
from harness.smart.vault import Entry, Stored, Vault

DEFAULT_LIFE = 300.0
"""Seconds a token is taken to live where the server does not say."""

MARGIN = 60.0
"""Seconds before its end that a token is renewed; a fifth of its life where that is less."""

LEASE_SECONDS = 330.0
"""Longer than the longest exchange."""

BAD_REQUEST = 400


@dataclass(frozen=True, slots=True)
class Identity:
    """Who asks for tokens, and where: a client at its token endpoint."""

    http: HttpClient
    client: OAuthClient
    secrets: Secrets
    token_endpoint: str
    clock: Clock
    entropy: Entropy

    async def refresh(self, refresh_token: str) -> Exchange:
        """Refresh once."""
        proof = self._proof()
        return await grants.refresh(
            self.http, self.token_endpoint, proof, refresh_token=refresh_token
        )

    async def client_credentials(self, scopes: Iterable[str]) -> Exchange:
        """Ask for a token of the client's own."""
        proof = self._proof()
        return await grants.client_credentials(self.http, self.token_endpoint, proof, scopes=scopes)

    def _proof(self) -> ClientProof:
        return authenticate(
            self.client, self.secrets, self.token_endpoint, self.clock.now(), self.entropy
        )


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
    """

    identity: Identity
    vault: Vault | None = None
    entry: Entry | None = None
    scopes: tuple[str, ...] = ()
    token: TokenResponse | None = None
    obtained_at: datetime | None = None
    vanished: tuple[Scope, ...] = ()
    """Scopes that the grant once had and the last answer no longer has."""

    _flight: asyncio.Task[TokenResponse] | None = field(default=None, repr=False)
    _holder: str = field(default="", repr=False)
    _reserved: bool = False

    def __post_init__(self) -> None:
        self._holder = fresh(self.identity.entropy, 16)

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
        return (await self._renewed()).access_token

    async def renew(self, rejected: str) -> str:
        """Another token than `rejected`, after a 401; renews only if that is still the current.

        Raises:
            As `access_token`.
        """
        if self.token is not None and self.token.access_token != rejected:
            return await self.access_token()
        return (await self._renewed()).access_token

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
        life = self.token.expires_in or DEFAULT_LIFE
        age = (self.identity.clock.now() - self.obtained_at).total_seconds()
        return age >= life - min(MARGIN, life / 5)

    async def _renewed(self) -> TokenResponse:
        """Join the renewal under way, or start one; cancelling the caller does not cancel it."""
        if self._flight is None or self._flight.done():
            self._flight = asyncio.create_task(self._renew())
            self._flight.add_done_callback(_retrieve)
        return await asyncio.shield(self._flight)

    async def _renew(self) -> TokenResponse:
        asked_at = self.identity.clock.now()
        if self.entry is None:
            exchange = await self.identity.client_credentials(self.scopes)
            response = _read(exchange, asked_at)
        else:
            async with self._lease():
                response = await self._rotate(asked_at)
        self._take(response, asked_at)
        return response

    async def _rotate(self, asked_at: datetime) -> TokenResponse:
        """Refresh, and store what came before anybody uses it; the lease is held."""
        vault, entry = self._stored_at()
        stored = await asyncio.to_thread(vault.get, entry)
        if stored is None:
            raise GrantLost(f"no refresh token is stored for {entry}")
        response = await self._refresh(stored, asked_at)
        scope = str(response.scope) if response.scope is not None else stored.scope
        rotated = response.refresh_token
        if rotated is not None and rotated != stored.refresh_token.reveal():
            # A newer login may have replaced the row meanwhile; its token is the better one.
            await asyncio.to_thread(
                vault.put,
                entry,
                rotated,
                now=asked_at,
                scope=stored.scope or scope,
                seed=stored.seed,
                expected=stored.version,
            )
        if stored.scope is not None and response.scope is not None:
            self.vanished = response.scope.missing(ScopeSet.parse(stored.scope))
        return response

    async def _refresh(self, stored: Stored, asked_at: datetime) -> TokenResponse:
        """Twice at most: a lost answer and a bare 400 (Epic, now and then) deserve a second try."""
        token = stored.refresh_token.reveal()
        repeated = False
        try:
            exchange = await self.identity.refresh(token)
            repeated = _is_bare_refusal(exchange)
        except EhrUnreachable:
            repeated = True
        if repeated:
            exchange = await self.identity.refresh(token)
        try:
            return _read(exchange, asked_at)
        except OAuthError as error:
            if error.error != "invalid_grant":
                raise
            lost = "; an earlier answer may have been lost" if repeated else ""
            raise GrantLost(
                f"the refresh token of {self.entry} was refused: {error}{lost}"
            ) from None

    def _take(self, response: TokenResponse, obtained_at: datetime) -> None:
        self.token, self.obtained_at = response, obtained_at

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
        wait, waited = 0.05, 0.0
        while not await asyncio.to_thread(vault.lock, entry, self._holder, LEASE_SECONDS):
            if waited > LEASE_SECONDS:
                raise UsageError(f"the login {entry} stays in use by {vault.holder(entry)}")
            await self.identity.clock.sleep(wait)
            waited, wait = waited + wait, min(1.0, wait * 2)
        try:
            yield
        finally:
            await asyncio.to_thread(vault.unlock, entry, self._holder)


def _read(exchange: Exchange, now: datetime) -> TokenResponse:
    if is_refusal(exchange):
        seconds = retry_after(exchange.headers, now, exchange.body)
        raise Throttled(
            f"{exchange.where}: refused for load (status {exchange.status})", retry_after=seconds
        )
    return TokenResponse.parse(exchange, now)


def _is_bare_refusal(exchange: Exchange) -> bool:
    """A 400 without an OAuth error, though the refresh token has worked before."""
    if exchange.status != BAD_REQUEST:
        return False
    try:
        return not isinstance(exchange.json_object().get("error"), str)
    except ProtocolError:
        return True


def _retrieve(flight: asyncio.Task[TokenResponse]) -> None:
    """Whoever waits gets the exception; nobody may be waiting any more."""
    if not flight.cancelled():
        flight.exception()
