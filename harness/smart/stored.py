"""What a vault keeps of one grant: its refresh token, its last access token, and how it stands."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from harness.config.secrets import Secret
from harness.smart.scopes import ScopeSet
from harness.smart.tokens import TokenResponse

DEFAULT_LIFE = 300.0
"""Seconds a token is taken to live where the server does not say."""

MARGIN = 60.0
"""Seconds before its end that a token is renewed; a fifth of its life where that is less."""

KEPT_ALIVE = 7 * 86400.0
"""Seconds after which a grant is refreshed though its access token lives: idle ones are ended."""


@dataclass(frozen=True, slots=True)
class Access:
    """An access token, for every session of its grant.

    Attributes:
        token: opaque.
        obtained_at: UTC.
        expires_in: seconds; None where the server did not say.
        scope: as granted; None where the server did not say.
        patient: id of the patient in context.
    """

    token: Secret
    obtained_at: datetime
    expires_in: float | None = None
    scope: str | None = None
    patient: str | None = field(repr=False, default=None)

    @classmethod
    def of(cls, response: TokenResponse, obtained_at: datetime) -> Access:
        """What of a token response serves more than the session that asked for it."""
        scope = None if response.scope is None else str(response.scope)
        token = Secret(response.access_token)
        return cls(token, obtained_at, response.expires_in, scope, response.patient)

    def response(self) -> TokenResponse:
        """The token response as far as it is kept."""
        life = self.expires_in
        return TokenResponse(
            self.token.reveal(),
            expires_in=life,
            expires_at=None if life is None else self.obtained_at + timedelta(seconds=life),
            scope=None if self.scope is None else ScopeSet.parse(self.scope),
            patient=self.patient,
        )


@dataclass(frozen=True, slots=True)
class Stored:
    """One grant as it was stored.

    Attributes:
        refresh_token: the token.
        version: counts the changes of the row, from 1.
        stored_at: when the EHR last gave tokens for the grant, the login included; UTC.
        scope: as the login was granted; None where the server did not say.
        seed: digest of the reference that it was first taken from; None after a login.
        access: the access token that came last.
        begun: whether a refresh was begun of whose answer nothing is known: its successor, if the
            server made one, is lost.
        lost_at: since when the refresh token is refused, UTC; None while it is good.
        lost_because: in the server's words.
    """

    refresh_token: Secret
    version: int
    stored_at: datetime
    scope: str | None = None
    seed: str | None = field(repr=False, default=None)
    access: Access | None = None
    begun: bool = False
    lost_at: datetime | None = None
    lost_because: str | None = None

    def as_json(self) -> dict[str, Any]:
        """For the vault alone: with the tokens as they are."""
        access = self.access
        return {
            "token": self.refresh_token.reveal(),
            "at": self.stored_at.timestamp(),
            "scope": self.scope,
            "seed": self.seed,
            "begun": self.begun,
            "lost_at": None if self.lost_at is None else self.lost_at.timestamp(),
            "lost_because": self.lost_because,
            "access": access
            and {
                "token": access.token.reveal(),
                "at": access.obtained_at.timestamp(),
                "expires_in": access.expires_in,
                "scope": access.scope,
                "patient": access.patient,
            },
        }

    @classmethod
    def from_json(cls, content: Mapping[str, Any], version: int) -> Stored:
        """As `as_json` wrote it, or a version of the harness that kept less."""
        access, lost_at = content.get("access"), content.get("lost_at")
        return cls(
            Secret(content["token"]),
            version,
            _utc(content["at"]),
            content["scope"],
            content["seed"],
            access
            and Access(
                Secret(access["token"]),
                _utc(access["at"]),
                access["expires_in"],
                access["scope"],
                access["patient"],
            ),
            begun=content.get("begun", False),
            lost_at=None if lost_at is None else _utc(lost_at),
            lost_because=content.get("lost_because"),
        )


def is_worn(expires_in: float | None, obtained_at: datetime, now: datetime) -> bool:
    """Whether an access token has too little life left for a request, or is from the future."""
    life = expires_in or DEFAULT_LIFE
    age = (now - obtained_at).total_seconds()
    return age < 0 or age >= min(life - min(MARGIN, life / 5), KEPT_ALIVE)


def _utc(stamp: float) -> datetime:
    return datetime.fromtimestamp(stamp, UTC)
