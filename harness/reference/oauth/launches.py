"""Launches out of the EHR: the context that one is made for, and its opaque, single-use handle.

SMART App Launch, "EHR Launch" and "Launch context arrives with your access_token".
"""

from __future__ import annotations

import secrets
from dataclasses import dataclass, field
from datetime import datetime, timedelta

HANDLE_LIFE = timedelta(minutes=5)


@dataclass(frozen=True, slots=True)
class LaunchContext:
    """What an app is launched with.

    Args:
        patient: id of the Patient in context.
        encounter: id of the Encounter in context.
        intent: what the app is opened for, a word of the EHR's own.
        fhir_context: relative references to further resources in context.
        tenant: the organization that launches.
    """

    patient: str | None = None
    encounter: str | None = None
    intent: str | None = None
    fhir_context: tuple[str, ...] = ()
    tenant: str | None = None


NO_CONTEXT = LaunchContext()


@dataclass(frozen=True, slots=True)
class Launch:
    """One launch of one app by one user; `handle` is the `launch` parameter."""

    handle: str = field(repr=False)
    client_id: str
    username: str
    context: LaunchContext
    expires_at: datetime


@dataclass(slots=True)
class Launches:
    """The launches of one instance that no app has answered yet. Times are UTC."""

    _open: dict[str, Launch] = field(default_factory=dict)

    def begin(self, client_id: str, username: str, context: LaunchContext, now: datetime) -> Launch:
        """A new launch."""
        self._open = {key: each for key, each in self._open.items() if now < each.expires_at}
        handle = secrets.token_urlsafe(24)
        launch = Launch(handle, client_id, username, context, now + HANDLE_LIFE)
        self._open[handle] = launch
        return launch

    def find(self, handle: str, now: datetime) -> Launch | None:
        """The launch behind a handle, unless it is unknown, used or expired."""
        launch = self._open.get(handle)
        return launch if launch and now < launch.expires_at else None

    def used(self, launch: Launch) -> None:
        """Ends a handle, for which an authorization request has come."""
        self._open.pop(launch.handle, None)
