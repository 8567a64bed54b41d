"""Observations that a check writes: new ones, what became of them, and what changed on the way.

http://hl7.org/fhir/R4/http.html#create, http://hl7.org/fhir/R4/http.html#update
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import timedelta, timezone
from email.utils import parsedate_to_datetime
from typing import Any

from harness.checks.acting import Run
from harness.checks.acts.access import IDENTIFIERS, new_identifier
from harness.checks.found import Found
from harness.config.ehr import Permit
from harness.errors import NotPermitted, NotSupported, PrerequisiteFailed, ProtocolError
from harness.fhir import observations
from harness.fhir.dates import parse
from harness.fhir.fidelity import Comparison, same
from harness.fhir.observations import Measured
from harness.fhir.writes import Place, version_of, written_place
from harness.http.exchange import Exchange

Resource = dict[str, Any]

OFFSET = timezone(timedelta(hours=-5))
"""A zone that is not UTC, so that a server which drops it is found out."""

CUFF = ("371911009", "Measurement of blood pressure using cuff method")

BUILDERS: Mapping[str, Callable[[Measured], Resource]] = {
    "blood-pressure": lambda measured: observations.blood_pressure(measured, 128, 83),
    "glucose": lambda measured: observations.glucose(measured, 104),
    "body-weight": lambda measured: observations.body_weight(measured, 81.35),
    "heart-rate": lambda measured: observations.heart_rate(measured, 67),
    "body-height": lambda measured: observations.body_height(measured, 178.0),
    "bmi": lambda measured: observations.body_mass_index(measured, 25.7),
    "respiratory-rate": lambda measured: observations.respiratory_rate(measured, 14),
    "body-temperature": lambda measured: observations.body_temperature(measured, 36.6),
    "pulse-oximetry": lambda measured: observations.pulse_oximetry(measured, 97),
    "continuous-glucose": lambda measured: observations.continuous_glucose(measured, 112),
    "steps": lambda measured: observations.steps(measured, 4312, timedelta(hours=12)),
    "sleep": lambda measured: observations.sleep(measured, 7.25, timedelta(hours=9)),
}
KINDS = tuple(BUILDERS)

ADMINISTRATIVE = frozenset({"issued", "performer", "encounter", "extension", "identifier"})
"""What a server may fill in of its own, as it says who filed what and when."""

_TRANSLATION = re.compile(r"\bcoding\[[^\]]*\]$")
"""A further code for the same concept, as the server's own flowsheet calls it."""

REFUSALS = frozenset({400, 401, 403, 404, 405, 409, 422, 501})
"""How a server says that it does not take a kind of Observation, or this one."""


@dataclass(frozen=True, slots=True)
class Written:
    """One Observation: sent, answered, read back and searched for; None where that was not done.

    Attributes:
        sent: as sent.
        create: the answer.
        id: the id that the server gave it.
        read: the exchange of reading it back.
        search: a search that has to find it.
        seconds: how long after the answer the search found it; None where it never did.
    """

    sent: Resource
    create: Exchange
    id: str | None = None
    read: Exchange | None = None
    search: Found | None = None
    seconds: float | None = None

    @property
    def accepted(self) -> bool:
        """Whether the create was answered with success."""
        return self.create.status < 300

    @property
    def stored(self) -> bool:
        """Whether it can be read."""
        return self.read is not None and self.read.status == 200

    @property
    def visible(self) -> bool:
        """Whether a search finds it."""
        return self.search is not None and self.id in self.search.ids

    @property
    def version_read(self) -> str | None:
        """`meta.versionId` of what was read back."""
        version = meta_of(self.require_read()).get("versionId")
        return version if isinstance(version, str) else None

    @property
    def kept_meta(self) -> list[str]:
        """Which of versionId and lastUpdated are as the client sent them."""
        sent, came = self.sent.get("meta", {}), meta_of(self.require_read())
        return [name for name in ("versionId", "lastUpdated") if came.get(name) == sent.get(name)]

    @property
    def minutes_off(self) -> int | None:
        """How far lastUpdated is from the server's own Date; None where one of them is missing."""
        read = self.require_read()
        stamp, date = parse(meta_of(read).get("lastUpdated")), read.headers.get("Date")
        try:
            moment = parsedate_to_datetime(date) if date else None
        except ValueError:
            return None
        if moment is None or moment.tzinfo is None or stamp is None or not stamp.zoned:
            return None
        return round((stamp.low - moment).total_seconds() / 60)

    @property
    def digits_read(self) -> str | None:
        """The value as it stands in the body that was read, digit by digit."""
        text = self.require_read().body.decode("utf-8", "replace")
        found = re.search(r'"value"\s*:\s*(-?[0-9][0-9.eE+-]*)', text)
        return found[1] if found else None

    @property
    def shown(self) -> str:
        """What became of it, in words."""
        read = f"status {self.read.status}" if self.read else "not tried"
        return f"read: {read}; search: {'found' if self.visible else 'not found'}"

    def require_taken(self) -> Exchange:
        """The answer to the create, where the server takes this kind at all.

        Raises:
            NotSupported: it was refused as a kind that the server does not take.
        """
        if self.create.status in REFUSALS:
            raise NotSupported(f"the server does not take it: status {self.create.status}")
        return self.create

    def require_read(self) -> Exchange:
        """The exchange of reading it back.

        Raises:
            NotSupported: as `require_taken`.
            PrerequisiteFailed: it was not created, or the answer does not say where.
        """
        self.require_taken()
        if self.read is None:
            raise PrerequisiteFailed("the Observation was not created, or nobody knows where")
        return self.read

    def comparison(self) -> Comparison:
        """What was read back, compared with what was sent.

        Raises:
            NotSupported, PrerequisiteFailed: as `require_read`, or it could not be read.
        """
        return compared(self.sent, self.require_read())

    def changes(self) -> list[str]:
        """What is different in what was read back, one line each; raises as `comparison`."""
        return [str(each) for each in self.comparison().differences]

    def changes_of(self, element: str) -> list[str]:
        """What is different in one element of what was read back; raises as `comparison`."""
        return [each for each in self.changes() if each.startswith(element)]

    def additions(self) -> list[str]:
        """Elements that nobody wrote and that say something of the measurement."""
        found = self.comparison().additions
        return [
            each
            for each in found
            if each.partition(".")[0].partition("[")[0] not in ADMINISTRATIVE
            and not _TRANSLATION.search(each)
        ]


def of_kind(written: Mapping[str, Written], kind: str) -> Written:
    """What was written of a kind.

    Raises:
        NotSupported: the EHR file names other kinds.
    """
    if kind not in written:
        raise NotSupported(f"the EHR file does not name {kind} in `writes`")
    return written[kind]


def compared(sent: Resource, read: Exchange) -> Comparison:
    """What was read, compared with what was sent.

    Raises:
        PrerequisiteFailed: it could not be read, which is judged by itself.
    """
    if read.status != 200:
        raise PrerequisiteFailed(f"the Observation could not be read: status {read.status}")
    return same(sent, resource_of(read))


def resource_of(exchange: Exchange) -> Resource:
    """The resource that an exchange brought.

    Raises:
        PrerequisiteFailed: it brought no JSON object.
    """
    try:
        return exchange.json_object()
    except ProtocolError as error:
        raise PrerequisiteFailed(str(error)) from None


def observation_of(exchange: Exchange) -> Resource:
    """The Observation that was read, to be changed and sent back.

    Raises:
        PrerequisiteFailed: what was read is none, or has no id.
    """
    resource = resource_of(exchange)
    if resource.get("resourceType") != "Observation":
        raise PrerequisiteFailed(f"{exchange.where}: expected an Observation")
    if not isinstance(resource.get("id"), str):
        raise PrerequisiteFailed(f"{exchange.where}: expected an Observation with an id")
    return resource


def id_of(exchange: Exchange) -> str:
    """The id of the Observation that was read.

    Raises:
        PrerequisiteFailed: as `observation_of`.
    """
    return str(observation_of(exchange)["id"])


def meta_of(exchange: Exchange) -> Resource:
    """`meta` of the resource that an exchange brought; empty where it has none."""
    meta = resource_of(exchange).get("meta")
    return meta if isinstance(meta, dict) else {}


def place_of(exchange: Exchange) -> Place | None:
    """Where an accepted write put an Observation."""
    return written_place(exchange, "Observation") if exchange.status < 300 else None


def current_version(exchange: Exchange) -> str | None:
    """The version that a read shows; an ETag, if the server gave one, as it came."""
    tag = exchange.headers.get("ETag")
    return tag if tag and tag.strip().endswith('"') else version_of(exchange)


def measured(run: Run, patient: str) -> Measured:
    """An hour ago in a zone that is not UTC, with an identifier of its own."""
    moment = (run.clock.now() - timedelta(hours=1)).astimezone(OFFSET).replace(microsecond=0)
    return Measured(patient, moment, (IDENTIFIERS, new_identifier(run)))


def new(run: Run, patient: str, kind: str) -> Resource:
    """A new Observation of a kind.

    Raises:
        NotPermitted: the EHR file has no `write` among its permits.
    """
    if not run.permits(Permit.WRITE):
        raise NotPermitted("permit has no write")
    return BUILDERS[kind](measured(run, patient))


def identifier_of(resource: Mapping[str, Any]) -> str | None:
    """The value of the identifier that this run gave."""
    listed = resource.get("identifier")
    named = (each for each in listed if isinstance(each, dict)) if isinstance(listed, list) else ()
    return next((each.get("value") for each in named if each.get("system") == IDENTIFIERS), None)


def having(found: Iterable[Mapping[str, Any]], identifier: str | None) -> list[Mapping[str, Any]]:
    """Those that carry an identifier of this run."""
    return [each for each in found if identifier and identifier_of(each) == identifier]
