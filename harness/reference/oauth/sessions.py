"""Browsers at the authorization server: who is signed in, and what waits for approval."""

from __future__ import annotations

import math
import secrets
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from harness.reference.oauth.authorization_request import AuthorizationRequest
from harness.reference.oauth.launches import NO_CONTEXT, LaunchContext

SIGNED_IN = timedelta(hours=8)
UNDECIDED = timedelta(minutes=15)
LOCK = timedelta(seconds=60)
_WRONG_PASSWORDS = 5
_MAX_PENDING = 4096


@dataclass(slots=True)
class Session:
    """One browser. `csrf` is in every form it is shown; `username` is None until it signs in."""

    session_id: str
    csrf: str
    expires_at: datetime
    username: str | None = None
    _failures: int = 0
    _locked_until: datetime | None = None

    def failed(self, now: datetime) -> None:
        """Notes a wrong password; every fifth locks the session for a minute.

        The session and not the user name, so that nobody can lock somebody else out.
        """
        self._failures += 1
        if self._failures % _WRONG_PASSWORDS == 0:
            self._locked_until = now + LOCK

    def locked(self, now: datetime) -> int:
        """For how many seconds no password is looked at."""
        left = self._locked_until - now if self._locked_until else timedelta(0)
        return max(0, math.ceil(left.total_seconds()))


@dataclass(slots=True)
class Pending:
    """An authorization request on its way through the pages of one browser."""

    pending_id: str
    session_id: str
    request: AuthorizationRequest
    expires_at: datetime
    fresh_sign_in: bool
    """Whether the person still has to sign in, session or not (`prompt=login`)."""
    context: LaunchContext = NO_CONTEXT
    """What the EHR launched with, or what the person has chosen so far."""


@dataclass(slots=True)
class Sessions:
    """The browsers of one instance, in memory. Times are UTC and come from the caller."""

    sessions: dict[str, Session] = field(default_factory=dict)
    pending: dict[str, Pending] = field(default_factory=dict)

    def find(self, session_id: str | None, now: datetime) -> Session | None:
        """The session of a cookie."""
        session = self.sessions.get(session_id or "")
        return session if session and now < session.expires_at else None

    def start(self, now: datetime, username: str | None = None) -> Session:
        """A new session, never under an id that the browser brought along."""
        self._prune(now)
        session = Session(
            secrets.token_urlsafe(32), secrets.token_urlsafe(32), now + SIGNED_IN, username
        )
        self.sessions[session.session_id] = session
        return session

    def sign_in(
        self, old: Session, username: str, now: datetime, pending: Pending | None = None
    ) -> Session:
        """A new session for a person who gave a right password; the old one ends.

        Args:
            old: the session of the login page.
            username: who it is.
            now: the present.
            pending: the request that the person signed in for, which goes on.
        """
        self.sessions.pop(old.session_id, None)
        session = self.start(now, username)
        if pending:
            pending.session_id = session.session_id
            pending.fresh_sign_in = False
        return session

    def begin(self, session: Session, request: AuthorizationRequest, now: datetime) -> Pending:
        """Notes a request that the person has to decide on."""
        pending = Pending(
            secrets.token_urlsafe(16),
            session.session_id,
            request,
            now + UNDECIDED,
            fresh_sign_in="login" in request.prompt,
            context=request.launch.context if request.launch else NO_CONTEXT,
        )
        self.pending[pending.pending_id] = pending
        return pending

    def waiting(self, pending_id: str | None, session: Session, now: datetime) -> Pending | None:
        """The request that waits for a decision, if this browser began it."""
        pending = self.pending.get(pending_id or "")
        if pending is None or now >= pending.expires_at:
            return None
        return pending if pending.session_id == session.session_id else None

    def decided(self, pending: Pending) -> None:
        """Forgets a request once it was approved or denied."""
        self.pending.pop(pending.pending_id, None)

    def _prune(self, now: datetime) -> None:
        if len(self.sessions) + len(self.pending) < _MAX_PENDING:
            return
        self.sessions = {key: each for key, each in self.sessions.items() if now < each.expires_at}
        self.pending = {key: each for key, each in self.pending.items() if now < each.expires_at}
