"""One verification of one tenant: what its store and its EHR differ in, told on one page.

It holds no PHI: patients and resources bear pseudonyms, unless the data is synthetic.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any

from harness.errors import ExitStatus
from harness.sync.account import Missing, summed
from harness.sync.model import Traffic
from harness.sync.telling import listed, span, table
from harness.sync.verify.listing import Kind


class Result(StrEnum):
    """How a verification ended."""

    EQUAL = "equal"
    DIFFERENT = "different"
    INCOMPLETE = "incomplete"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class Told:
    """One resource in which store and EHR differ, under names that reports may show."""

    kind: Kind
    type: str
    patient: str
    id: str
    reason: str


@dataclass(frozen=True, slots=True)
class Verification:
    """What a verification found.

    Attributes:
        tenant: its name.
        started: UTC.
        ended: UTC.
        result: equal, different, incomplete (equal as far as could be seen), or failed.
        reason: why it ended early; None if it did not.
        come_back: when the EHR may be asked again; None where nothing was said.
        patients: how many were compared.
        compared: resources that the EHR shows, by type.
        differences: each resource that differs.
        missing: what could not be compared, and why.
        notes: what the EHR remarked, with how often.
        marked: how many extra ones the store counts as deleted from now on.
        traffic: what it cost.
    """

    tenant: str
    started: datetime
    ended: datetime
    result: Result
    reason: str | None = None
    come_back: datetime | None = None
    patients: int = 0
    compared: Mapping[str, int] = field(default_factory=dict)
    differences: tuple[Told, ...] = ()
    missing: tuple[Missing, ...] = ()
    notes: Mapping[str, int] = field(default_factory=dict)
    marked: int = 0
    traffic: Traffic = field(default_factory=Traffic)

    @property
    def exit_status(self) -> ExitStatus:
        """0 equal; 7 different, or not all could be compared; 1 failed."""
        if self.result is Result.FAILED:
            return ExitStatus.NOT_CONFORMANT
        return ExitStatus.OK if self.result is Result.EQUAL else ExitStatus.INCOMPLETE

    @property
    def counts(self) -> dict[str, dict[str, int]]:
        """By type: how many were compared, and how many are missing, stale, extra."""
        found = Counter((each.type, each.kind) for each in self.differences)
        types = dict.fromkeys([*self.compared, *(each.type for each in self.differences)])
        return {
            type_: {
                "compared": self.compared.get(type_, 0),
                **{kind.value: found[type_, kind] for kind in Kind},
            }
            for type_ in types
        }

    def as_json(self) -> dict[str, Any]:
        """For a script; times are ISO 8601 in UTC, durations in seconds."""
        return {
            "tenant": self.tenant,
            "result": self.result.value,
            "started": self.started.isoformat(),
            "ended": self.ended.isoformat(),
            "reason": self.reason,
            "come_back": self.come_back.isoformat() if self.come_back else None,
            "patients": self.patients,
            "types": self.counts,
            "differences": [{**asdict(each), "kind": each.kind.value} for each in self.differences],
            "missing": [asdict(each) for each in self.missing],
            "notes": dict(self.notes),
            "marked_deleted": self.marked,
            "requests": self.traffic.requests,
            "refusals": self.traffic.refusals,
            "seconds_waited": round(self.traffic.waited, 3),
        }

    def lines(self) -> list[str]:
        """For a person."""
        head = f"store of {self.tenant} and EHR: {self.result.value}"
        lines = [f"{head}, because {self.reason}" if self.reason else head]
        below = [f"come back at {self.come_back:%Y-%m-%d %H:%M:%S} UTC"] if self.come_back else []
        below += table(
            ("at the EHR", *(kind.value for kind in Kind)),
            {type_: tuple(n.values()) for type_, n in self.counts.items()},
        )
        differing = [
            f"{each.kind.value}: {each.type} {each.id} of {each.patient}: {each.reason}"
            for each in self.differences
        ]
        below += listed("different:", differing)
        below += listed("not compared:", summed(self.missing))
        remarks = [f"{note} ({n:,} times)" for note, n in self.notes.items()]
        below += listed("the EHR remarks:", remarks)
        if self.marked:
            below.append(f"{self.marked:,} extra ones count as deleted in the store from now on")
        below.append(
            f"{self.patients:,} patients, {self.traffic.requests:,} requests in"
            f" {span((self.ended - self.started).total_seconds())},"
            f" {self.traffic.refusals:,} refused, {span(self.traffic.waited)} waited"
        )
        return [*lines, *(f"  {line}" for line in below)]
