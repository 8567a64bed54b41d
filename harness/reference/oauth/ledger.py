"""What the authorization server remembers: grants, codes, tokens and used assertions.

Everything that is given out because of one approval belongs to one `Grant` and dies with it.
Times are UTC and come from the caller.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Protocol, TypeVar

from harness.reference.access import Access
from harness.reference.oauth.launches import NO_CONTEXT, LaunchContext

CODE_LIFE = timedelta(seconds=60)
OFFLINE_LIFE = timedelta(days=100)
ONLINE_LIFE = timedelta(hours=8)
_PRUNE_EVERY = 1024


class _Expiring(Protocol):
    @property
    def expires_at(self) -> datetime: ...


_Entry = TypeVar("_Entry", bound=_Expiring)


@dataclass(frozen=True, slots=True)
class Grant:
    """What a person, or a registration, permitted a client.

    Args:
        grant_id: names the family of codes and tokens that stem from it.
        client_id: the client it was given to.
        scopes: as granted, in the form in which they were asked for.
        username: who approved; None for client_credentials.
        context: what the app was launched with, as far as it was granted.
        fhir_user: the person's own resource, None unless `fhirUser` was granted.
        nonce: of the authorization request (OpenID Connect Core section 3.1.2.1).
        granted_at: when; None for client_credentials.
    """

    grant_id: str
    client_id: str
    scopes: tuple[str, ...]
    username: str | None = None
    context: LaunchContext = NO_CONTEXT
    fhir_user: str | None = None
    nonce: str | None = None
    granted_at: datetime | None = None

    @property
    def patient(self) -> str | None:
        """Id of the patient in context."""
        return self.context.patient


@dataclass(frozen=True, slots=True)
class Code:
    """An authorization code (RFC 6749 section 4.1.2) with its PKCE challenge (S256), if any."""

    value: str = field(repr=False)
    grant: Grant
    redirect_uri: str
    code_challenge: str | None
    expires_at: datetime


@dataclass(frozen=True, slots=True)
class AccessToken:
    """An opaque access token and what it permits."""

    value: str = field(repr=False)
    grant: Grant
    access: Access
    issued_at: datetime
    expires_at: datetime


@dataclass(frozen=True, slots=True)
class RefreshToken:
    """A refresh token; its life slides on with each rotation."""

    value: str = field(repr=False)
    grant: Grant
    expires_at: datetime


@dataclass(slots=True)
class Ledger:
    """All codes and tokens of one instance, in memory."""

    codes: dict[str, Code] = field(default_factory=dict)
    access_tokens: dict[str, AccessToken] = field(default_factory=dict)
    refresh_tokens: dict[str, RefreshToken] = field(default_factory=dict)
    spent: dict[str, Code | RefreshToken] = field(default_factory=dict)
    """Codes that were redeemed and refresh tokens that were rotated, to notice their reuse."""
    revoked_grants: set[str] = field(default_factory=set)
    _revoked_access: set[str] = field(default_factory=set)
    _assertions: dict[tuple[str, str], datetime] = field(default_factory=dict)
    _writes: int = 0

    def add_code(self, code: Code, now: datetime) -> None:
        """Remembers a code until it is redeemed or expires."""
        self.codes[code.value] = code
        self._prune(now)

    def add_tokens(
        self, access_token: AccessToken, refresh_token: RefreshToken | None, now: datetime
    ) -> None:
        """Remembers what one token response gives out."""
        self.access_tokens[access_token.value] = access_token
        if refresh_token:
            self.refresh_tokens[refresh_token.value] = refresh_token
        self._prune(now)

    def spend_code(self, code: Code) -> None:
        """Marks a code as redeemed."""
        self.codes.pop(code.value, None)
        self.spent[code.value] = code

    def rotate(self, token: RefreshToken) -> None:
        """Ends a refresh token for which another was given."""
        self.refresh_tokens.pop(token.value, None)
        self.spent[token.value] = token

    def refresh_of(self, grant: Grant) -> str | None:
        """The refresh token of a grant, where it has one."""
        found = (value for value, each in self.refresh_tokens.items() if each.grant == grant)
        return next(found, None)

    def live_access(self, value: str, now: datetime) -> AccessToken | None:
        """The access token, if it is known, not expired and its grant not revoked."""
        token = self.access_tokens.get(value)
        if token is None or now >= token.expires_at or self.ended(token):
            return None
        return token

    def ended(self, token: AccessToken) -> bool:
        """Whether the access token was revoked, by itself or with its grant."""
        return token.value in self._revoked_access or self.revoked(token.grant)

    def live_grants(self, username: str, now: datetime) -> list[Grant]:
        """What a person has permitted and apps can still use, the latest first."""
        access = (self.live_access(value, now) for value in self.access_tokens)
        refresh = (self.live_refresh(value, now) for value in self.refresh_tokens)
        held = [token.grant for tokens in (access, refresh) for token in tokens if token]
        grants = {grant.grant_id: grant for grant in held if grant.username == username}
        return sorted(grants.values(), key=lambda grant: str(grant.granted_at), reverse=True)

    def live_refresh(self, value: str, now: datetime) -> RefreshToken | None:
        """The refresh token, if it is known, not rotated, not expired, and not revoked."""
        token = self.refresh_tokens.get(value)
        if token is None or now >= token.expires_at or self.revoked(token.grant):
            return None
        return token

    def last_refresh(self, client_id: str) -> RefreshToken | None:
        """The refresh token that a client was given last; only a fault asks for it."""
        for token in reversed(self.refresh_tokens.values()):
            if token.grant.client_id == client_id:
                return token
        return None

    def revoked(self, grant: Grant) -> bool:
        """Whether the grant was revoked, and with it everything that stems from it."""
        return grant.grant_id in self.revoked_grants

    def revoke(self, grant: Grant) -> None:
        """Ends everything that stems from the grant."""
        self.revoked_grants.add(grant.grant_id)

    def revoke_access(self, token: AccessToken) -> None:
        """Ends one access token (RFC 7009 section 2.1)."""
        self._revoked_access.add(token.value)

    def first_use(self, issuer: str, jti: str, expires_at: datetime, now: datetime) -> bool:
        """Whether an assertion's `jti` is new; remembers it until the assertion expires."""
        known = self._assertions.get((issuer, jti))
        if known is not None and now < known:
            return False
        self._assertions[issuer, jti] = expires_at
        self._prune(now)
        return True

    def _prune(self, now: datetime) -> None:
        self._writes += 1
        if self._writes % _PRUNE_EVERY:
            return
        # Expired access tokens are kept for a day, so that an expired one is told from garbage.
        _drop(self.access_tokens, lambda token: now >= token.expires_at + timedelta(days=1))
        self._revoked_access &= self.access_tokens.keys()
        _drop(self.codes, lambda code: now >= code.expires_at)
        _drop(self.refresh_tokens, lambda token: now >= token.expires_at)
        _drop(self.spent, lambda each: now >= each.expires_at + timedelta(days=1))
        stale = [key for key, expires_at in self._assertions.items() if now >= expires_at]
        for key in stale:
            del self._assertions[key]


def _drop(entries: dict[str, _Entry], stale: Callable[[_Entry], bool]) -> None:
    values: Iterable[str] = [value for value, entry in entries.items() if stale(entry)]
    for value in values:
        del entries[value]


def new_token() -> str:
    """An opaque random value of 256 bits (RFC 6749 section 10.10)."""
    return secrets.token_urlsafe(32)
