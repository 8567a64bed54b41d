"""Who asks for tokens, and where: a client at its token endpoint, by the server's own time."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime

from harness.config.ehr import ClientAuth, OAuthClient
from harness.config.secrets import Secrets
from harness.http.client import HttpClient
from harness.http.clock import Clock
from harness.http.exchange import Exchange
from harness.smart import grants
from harness.smart.assertion import BACKDATE
from harness.smart.client_auth import ClientProof, authenticate
from harness.smart.entropy import Entropy

TOLERATED = timedelta(seconds=BACKDATE)
"""Assertions are good at a server whose clock differs by no more."""

_REFUSED = frozenset({400, 401})


@dataclass(slots=True)
class Identity:
    """A client at its token endpoint.

    Args:
        http: the sender.
        client: who.
        secrets: resolves its references.
        token_endpoint: where.
        clock: ours.
        entropy: for assertions.
        skew: how far the server's clock is ahead of ours; found out when an assertion is refused.
    """

    http: HttpClient
    client: OAuthClient
    secrets: Secrets
    token_endpoint: str
    clock: Clock
    entropy: Entropy
    skew: timedelta = timedelta()

    async def refresh(self, refresh_token: str, scope: str | None = None) -> Exchange:
        """Refresh; without `scope` the granted ones stay."""
        return await self._proven(
            lambda proof: grants.refresh(
                self.http, self.token_endpoint, proof, refresh_token=refresh_token, scope=scope
            )
        )

    async def client_credentials(self, scopes: Iterable[str]) -> Exchange:
        """Ask for a token of the client's own."""
        wanted = tuple(scopes)
        return await self._proven(
            lambda proof: grants.client_credentials(
                self.http, self.token_endpoint, proof, scopes=wanted
            )
        )

    async def _proven(self, ask: Callable[[ClientProof], Awaitable[Exchange]]) -> Exchange:
        """Ask; where an assertion was refused and the clocks differ, once more by the server's."""
        exchange = await ask(self._proof())
        if self.client.auth is not ClientAuth.PRIVATE_KEY_JWT or exchange.status not in _REFUSED:
            return exchange
        ahead = server_ahead(exchange)
        if ahead is None or abs(ahead - self.skew) <= TOLERATED:
            return exchange
        self.skew = ahead
        return await ask(self._proof())

    def _proof(self) -> ClientProof:
        now = self.clock.now() + self.skew
        return authenticate(self.client, self.secrets, self.token_endpoint, now, self.entropy)


def server_ahead(exchange: Exchange) -> timedelta | None:
    """How far the server's clock is ahead of ours, by its Date header (RFC 9110 section 6.6.1).

    Right to a second and the time that the answer took; None without a readable header.
    """
    value = exchange.headers.get("Date")
    try:
        theirs = parsedate_to_datetime(value) if value else None
    except (ValueError, IndexError, OverflowError):
        return None
    if theirs is None:
        return None
    aware: datetime = theirs if theirs.tzinfo else theirs.replace(tzinfo=UTC)
    return aware - (exchange.started_at + timedelta(seconds=exchange.seconds))
