"""One renewal of a stored grant, under its lease: at most one refresh, and a successor never lost.

Before a refresh is sent the vault notes that it was begun, and the note goes with what the answer
brought. So whoever comes after a kill, a time-out or an answer that could not be read knows that
the token it holds may have been used up (RFC 9700 section 4.14.2), and can say so.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, replace
from datetime import datetime

from harness.config.secrets import Secret
from harness.errors import (
    EhrUnreachable,
    GrantLost,
    HarnessError,
    HostileInput,
    OAuthError,
    ProtocolError,
    Throttled,
)
from harness.http.exchange import Exchange
from harness.http.retry import is_refusal, retry_after
from harness.smart.identity import Identity
from harness.smart.scopes import Scope, ScopeSet
from harness.smart.stored import Access, Stored, is_worn
from harness.smart.tokens import TokenResponse
from harness.smart.vault import Entry, Vault

SERVER_ERROR = 500
BAD_REQUEST = 400


@dataclass(frozen=True, slots=True)
class Renewal:
    """A token to use.

    Attributes:
        response: the token response.
        obtained_at: when it was asked for, UTC.
        granted: the scopes of the grant now; None where the server never said.
        vanished: scopes that the login was granted, and the grant no longer has.
    """

    response: TokenResponse
    obtained_at: datetime
    granted: ScopeSet | None = None
    vanished: tuple[Scope, ...] = ()


async def renewed(
    identity: Identity,
    vault: Vault,
    entry: Entry,
    *,
    rejected: str | None = None,
    shared: bool = False,
    names_scope: bool = False,
) -> Renewal:
    """A token of a stored grant; its lease has to be held.

    Args:
        identity: who asks.
        vault: where the grant is.
        entry: which one.
        rejected: an access token that the server no longer takes.
        shared: take over an access token that another session obtained.
        names_scope: repeat the granted scopes in the request, where the server wants that.

    Raises:
        GrantLost: the refresh token is refused, or there is none.
        OAuthError, ProtocolError, Throttled, EhrUnreachable, HostileInput: no token came.
    """
    now = identity.clock.now()
    stored = await asyncio.to_thread(vault.get, entry)
    if stored is None:
        raise lost(entry, f"no refresh token is stored for {entry}")
    access = stored.access if shared else None
    if access is not None and _is_good(access, rejected, now):
        return _renewal(stored, access.response(), access.obtained_at)
    return await _Refresh(identity, vault, entry, names_scope).run(stored, now)


@dataclass(slots=True)
class _Refresh:
    """One refresh of one row.

    Attributes:
        doubtful: whether the server may have processed a refresh whose answer did not arrive.
    """

    identity: Identity
    vault: Vault
    entry: Entry
    names_scope: bool
    doubtful: bool = False

    async def run(self, stored: Stored, now: datetime) -> Renewal:
        """Refresh, and store what came before anybody uses it."""
        self.doubtful = stored.begun
        # A newer login may replace the row meanwhile; its token is the better one, and stays.
        begun = await self._write(replace(stored, begun=True), stored.version) or stored
        try:
            response = await self._asked(begun)
        except OAuthError as error:
            if error.error != "invalid_grant":
                await self._write(replace(begun, begun=self.doubtful), begun.version)
                raise
            raise await self._lose(begun, error) from None
        except HarnessError:
            await self._write(replace(begun, begun=self.doubtful), begun.version)
            raise
        rotated = response.refresh_token
        kept = replace(
            begun,
            refresh_token=Secret(rotated) if rotated else begun.refresh_token,
            stored_at=now,
            scope=begun.scope or (str(response.scope) if response.scope is not None else None),
            access=Access.of(response, now),
            begun=False,
            lost_at=None,
            lost_because=None,
        )
        await self._write(kept, begun.version)
        return _renewal(kept, response, now)

    async def _asked(self, stored: Stored) -> TokenResponse:
        """Twice at most: lost and unreadable answers, and a bare 400 (Epic), deserve a second try.

        A server with a grace period gives the successor again; at one without, nothing is lost by
        asking, because the token at hand is used up already.
        """
        try:
            return await self._once(stored)
        except (EhrUnreachable, HostileInput, ProtocolError) as error:
            if not _is_vague(error):
                raise
        return await self._once(stored)

    async def _once(self, stored: Stored) -> TokenResponse:
        scope = stored.scope if self.names_scope else None
        try:
            exchange = await self.identity.refresh(stored.refresh_token.reveal(), scope)
        except (EhrUnreachable, HostileInput) as error:
            self.doubtful |= not isinstance(error, EhrUnreachable) or error.sent
            raise
        try:
            return read(exchange, self.identity.clock.now())
        except ProtocolError:
            self.doubtful |= not BAD_REQUEST <= exchange.status < SERVER_ERROR
            raise

    async def _lose(self, stored: Stored, error: OAuthError) -> GrantLost:
        """Note since when the grant is lost, and say why."""
        words = str(error).replace(stored.refresh_token.reveal(), "[refresh token]")
        if self.doubtful:
            words += "; the answer to an earlier refresh was lost, and a new token may be with it"
        since = stored.lost_at or self.identity.clock.now()
        refused = replace(stored, begun=self.doubtful, lost_at=since, lost_because=words)
        await self._write(refused, stored.version)
        return lost(self.entry, f"the refresh token of {self.entry} was refused: {words}")

    async def _write(self, stored: Stored, expected: int) -> Stored | None:
        return await asyncio.to_thread(self.vault.write, self.entry, stored, expected=expected)


def read(exchange: Exchange, now: datetime) -> TokenResponse:
    """What a token endpoint answered.

    Raises:
        Throttled: it refused for load.
        OAuthError, ProtocolError: as `TokenResponse.parse`.
    """
    if is_refusal(exchange):
        seconds = retry_after(exchange.headers, now, exchange.body)
        raise Throttled(
            f"{exchange.where}: refused for load (status {exchange.status})", retry_after=seconds
        )
    return TokenResponse.parse(exchange, now)


def lost(entry: Entry, message: str) -> GrantLost:
    """The error that says which login helps."""
    kind, _, name = entry.owner.partition(":")
    return GrantLost(message, login=f"--{kind} {name}" if kind in ("tenant", "ehr") else "")


def _renewal(stored: Stored, response: TokenResponse, obtained_at: datetime) -> Renewal:
    before = None if stored.scope is None else ScopeSet.parse(stored.scope)
    granted = before if response.scope is None else response.scope
    vanished = granted.missing(before) if granted is not None and before is not None else ()
    return Renewal(response, obtained_at, granted, vanished)


def _is_good(access: Access, rejected: str | None, now: datetime) -> bool:
    worn = is_worn(access.expires_in, access.obtained_at, now)
    return not worn and access.token.reveal() != rejected


def _is_vague(error: HarnessError) -> bool:
    """Whether it leaves open what became of the refresh: all but a refusal in OAuth's own words."""
    if not isinstance(error, OAuthError):
        return True
    return error.error.startswith("status ") or (error.http_status or 0) >= SERVER_ERROR
