"""What the FHIR interface needs of the instance that it belongs to."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Protocol

from starlette.requests import Request

from harness.reference.access import Access
from harness.reference.fhir.paging import Snapshots
from harness.reference.fhir.store import Store

if TYPE_CHECKING:
    from harness.reference.bulk.jobs import Bulk
    from harness.reference.push.subscriptions import Subscriptions


class Clock(Protocol):
    """Time of one instance."""

    def now(self) -> datetime:
        """The present, in UTC."""


class Served(Protocol):
    """The part of an instance that the FHIR interface knows."""

    @property
    def store(self) -> Store:
        """Its resources."""

    @property
    def clock(self) -> Clock:
        """Its time."""

    @property
    def fhir_base(self) -> str:
        """The absolute FHIR base, without a trailing slash."""

    @property
    def bulk(self) -> Bulk:
        """Its exports."""

    @property
    def push(self) -> Subscriptions:
        """Who wants to be told of writes."""

    def has(self, fault: str, /) -> bool:
        """Whether it has the fault."""

    def oauth(self, endpoint: str, /) -> str:
        """URL of an OAuth endpoint: authorize, token, introspect, revoke, jwks."""


@dataclass(frozen=True)
class Context:
    """One FHIR interface at work.

    Args:
        instance: whose it is.
        started: since when it is served, in UTC.
        snapshots: the searches that clients are still paging through.
    """

    instance: Served
    started: datetime
    snapshots: Snapshots = field(default_factory=Snapshots)

    @property
    def store(self) -> Store:
        """The resources of the instance."""
        return self.instance.store

    @property
    def now(self) -> datetime:
        """The present of the instance, in UTC."""
        return self.instance.clock.now()

    def url(self, path: str) -> str:
        """Returns the absolute URL of a path below the FHIR base."""
        return f"{self.instance.fhir_base}/{path}"


def access_of(request: Request) -> Access:
    """Returns what the token of the request may do, as the middleware found it."""
    access = request.state.access
    if not isinstance(access, Access):
        raise TypeError(f"request.state.access is a {type(access).__name__}, not an Access")
    return access
