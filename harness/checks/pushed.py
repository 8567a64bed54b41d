"""What came of Subscriptions: which were taken, what arrived at their endpoints, and when.

http://hl7.org/fhir/R4/subscription.html
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from harness.checks.found import object_
from harness.errors import ProtocolError
from harness.http.client import FHIR_JSON
from harness.http.exchange import Exchange, parse_json

FORMS: Mapping[str, str | None] = {"payload": FHIR_JSON, "empty": None}
"""Subscriptions by what they ask to be sent, the better one first."""


@dataclass(frozen=True, slots=True)
class Subscribed:
    """One Subscription.

    Attributes:
        name: `payload` or `empty`; or by what happens to it: `off`, `deleted`, `failing`.
        create: the answer to its create.
        id: the id that the server gave it; None where it was not taken.
        read: as it was read last.
        over: the answer to what ended it.
        arrived: what came to its endpoint, in order.
        below: the path of its endpoint.
    """

    name: str
    create: Exchange
    id: str | None = None
    read: Exchange | None = None
    over: Exchange | None = None
    arrived: tuple[Exchange, ...] = ()
    below: str = field(default="", repr=False)

    @property
    def refused_in_words(self) -> bool:
        """Whether it was refused with an OperationOutcome."""
        said = _json(self.create.body, self.create.where).get("resourceType")
        client_error = self.create.status // 100 == 4  # noqa: PLR2004 - the class of the status
        return client_error and said == "OperationOutcome"

    @property
    def status(self) -> str:
        """Its status, as it was read last."""
        last = self.read or self.create
        return str(_json(last.body, last.where).get("status", "unknown"))

    @property
    def tells_of_failure(self) -> bool:
        """Whether its status or its error says that the endpoint does not take notifications."""
        last = self.read or self.create
        return self.status in ("error", "off") or "error" in _json(last.body, last.where)

    def updated(self, **changes: Any) -> Subscribed:
        """A copy with changes."""
        return replace(self, **changes)


@dataclass(frozen=True, slots=True)
class Pushed:
    """Subscriptions, and what was written while they stood.

    Attributes:
        known: the Subscriptions by name.
        secret: what the header of each channel holds.
        writes: the create of each Observation: `other` does not meet the criteria, `first` and
            `second` do; before `second`, `off` was set off and `deleted` was deleted. `third`
            came a while later, where these were told of `second`.
        ids: the id of each of these.
        activated: whether the server made the main Subscription active, as it is asked to.
        strays: how many requests came to none of the endpoints.
        wait: seconds that a notification may take.
    """

    known: Mapping[str, Subscribed]
    secret: str = field(repr=False)
    writes: Mapping[str, Exchange]
    ids: Mapping[str, str]
    activated: bool
    strays: int
    wait: float

    @property
    def main(self) -> Subscribed | None:
        """The Subscription that tells most; None where none was taken."""
        return next((self.known[name] for name in FORMS if self.known[name].id), None)

    @property
    def active(self) -> bool:
        """Whether there was one to be told, so that Observations were written."""
        return "first" in self.writes

    def told(self, name: str) -> tuple[Exchange, ...]:
        """What came to an endpoint once `first` was on its way."""
        if not self.active:
            return ()
        since = self.writes["first"].started_at
        return tuple(e for e in self.known[name].arrived if e.started_at >= since)

    def late(self, name: str) -> tuple[Exchange, ...]:
        """What came to an endpoint because of the last write."""
        last = next((each for each in ("third", "second") if each in self.writes), None)
        if last is None:
            return ()
        since = self.writes[last].started_at
        after = (e for e in self.known[name].arrived if e.started_at >= since)
        return tuple(e for e in after if subject(e) in (None, self.ids[last]))

    def named(self, name: str, what: str) -> tuple[Exchange, ...]:
        """What came to an endpoint and names an Observation, in its path or in its payload."""
        return tuple(e for e in self.known[name].arrived if subject(e) == self.ids.get(what))

    @property
    def came(self) -> str:
        """What arrived elsewhere, in words."""
        elsewhere = f", and {self.strays} requests elsewhere" if self.strays else ""
        return f"nothing within {self.wait:g} s{elsewhere}"


def subject(arrived: Exchange) -> str | None:
    """The id of the Observation that a notification names; None where it names none."""
    if arrived.request.body:
        found = payload(arrived).get("id")
        if isinstance(found, str):
            return found
    before, _, last = arrived.request.url.rpartition("/")
    return last if before.endswith("/Observation") else None


def payload(arrived: Exchange) -> Mapping[str, Any]:
    """The JSON object of a notification; empty where it holds none."""
    return _json(arrived.request.body, "notification")


def _json(body: bytes, where: str) -> Mapping[str, Any]:
    try:
        return object_(parse_json(body, where))
    except ProtocolError:
        return {}
