"""What a sync run did, in one page: counted per type and patient, with what is missing and why.

It holds no PHI: patients bear pseudonyms, unless the EHR file says that its data is synthetic.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict, dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Any

from harness.errors import ExitStatus
from harness.sync.answers.merged import Merged
from harness.sync.deletions.gone import Gone
from harness.sync.deletions.sweep import Swept
from harness.sync.model import Counts, RunRow, RunStatus, Traffic
from harness.sync.store.store import Store
from harness.sync.telling import listed, span, table

if TYPE_CHECKING:
    from harness.sync.outbox.telling import Outgoing
    from harness.sync.validated import Validated

NOTHING = Swept()

NO_ONE = "no single patient"
"""Whose it is what an export holds for all, or for none."""


@dataclass(frozen=True, slots=True)
class Missing:
    """What a run could not get. `patient` is a pseudonym, unless the data is synthetic."""

    patient: str
    type: str
    part: str
    reason: str


@dataclass(frozen=True, slots=True)
class Ended:
    """A resource that the EHR has no more, or a patient that it replaced.

    `patient` and `id` are pseudonyms, unless the data is synthetic.
    """

    patient: str
    type: str
    id: str
    reason: str


@dataclass(frozen=True, slots=True)
class Account:
    """One run, told.

    Attributes:
        tenant: its name.
        run: name of the run, and of its report folder.
        started: UTC.
        ended: UTC.
        status: `complete`, `incomplete` or `failed`.
        reason: why it ended early; None if it did not.
        come_back: when the EHR may be asked again; None where nothing was said.
        patients: how many it was to serve.
        by_type: what it did to the store.
        by_patient: the same by patient, under the name that reports may show.
        missing: what it could not get.
        notes: what the EHR remarked among its matches, with how often.
        gone: what was deleted at the EHR, and counts as deleted now.
        merged: patients that the EHR replaced by others, or has as inactive.
        traffic: what it cost.
        validation: what validating what came found; None where nothing was validated.
        outbox: what was delivered before it; None where there was nothing to tell.
    """

    tenant: str
    run: str
    started: datetime
    ended: datetime
    status: RunStatus
    reason: str | None = None
    come_back: datetime | None = None
    patients: int = 0
    by_type: Mapping[str, Counts] = field(default_factory=dict)
    by_patient: Mapping[str, Counts] = field(default_factory=dict)
    missing: tuple[Missing, ...] = ()
    notes: Mapping[str, int] = field(default_factory=dict)
    gone: tuple[Ended, ...] = ()
    merged: tuple[Ended, ...] = ()
    traffic: Traffic = field(default_factory=Traffic)
    outbox: Outgoing | None = None
    validation: Validated | None = None

    @property
    def seconds(self) -> float:
        """How long it took."""
        return max(0.0, (self.ended - self.started).total_seconds())

    @property
    def rate(self) -> float:
        """Requests per second that it achieved."""
        return self.traffic.requests / self.seconds if self.seconds else 0.0

    @property
    def exit_status(self) -> ExitStatus:
        """0 complete, 7 incomplete, 1 failed; writes that are not delivered are missing as well."""
        unsent = self.outbox is not None and not self.outbox.is_complete
        if self.status is RunStatus.COMPLETE and unsent:
            return ExitStatus.INCOMPLETE
        return {
            RunStatus.COMPLETE: ExitStatus.OK,
            RunStatus.INCOMPLETE: ExitStatus.INCOMPLETE,
        }.get(self.status, ExitStatus.NOT_CONFORMANT)

    def as_json(self) -> dict[str, Any]:
        """For a script; times are ISO 8601 in UTC, durations in seconds."""
        return {
            "tenant": self.tenant,
            "run": self.run,
            "status": self.status.value,
            "started": self.started.isoformat(),
            "ended": self.ended.isoformat(),
            "seconds": round(self.seconds, 3),
            "reason": self.reason,
            "come_back": self.come_back.isoformat() if self.come_back else None,
            "patients": self.patients,
            "types": {type_: counts.as_json() for type_, counts in self.by_type.items()},
            "by_patient": {name: each.as_json() for name, each in self.by_patient.items()},
            "requests": self.traffic.requests,
            "refusals": self.traffic.refusals,
            "seconds_waited": round(self.traffic.waited, 3),
            "permitted_per_second": self.traffic.permitted,
            "achieved_per_second": round(self.rate, 3),
            "missing": [asdict(each) for each in self.missing],
            "notes": dict(self.notes),
            "gone": [asdict(each) for each in self.gone],
            "merged": [asdict(each) for each in self.merged],
            "outbox": self.outbox.as_json() if self.outbox else None,
            "validation": self.validation.as_json() if self.validation else None,
        }

    def lines(self) -> list[str]:
        """For a person."""
        head = f"sync of {self.tenant}: {self.status.value}"
        lines = [f"{head}, because {self.reason}" if self.reason else head]
        below = [f"come back at {self.come_back:%Y-%m-%d %H:%M:%S} UTC"] if self.come_back else []
        below += self._table()
        below.append(f"{self.patients:,} patients, {self._cost()}")
        below += listed("missing, and asked for again by the next run:", summed(self.missing))
        remarks = [f"{note} ({n:,} times)" for note, n in self.notes.items()]
        below += listed("the EHR remarks:", remarks)
        gone = [f"{e.type} {e.id} of {e.patient}: {e.reason}" for e in self.gone]
        below += listed("gone at the EHR, and deleted in the store:", gone)
        below += listed("patients who ended:", [f"{e.patient} {e.reason}" for e in self.merged])
        below += self.validation.lines() if self.validation else []
        below += [self.outbox.line()] if self.outbox else []
        return [*lines, *(f"  {line}" for line in below)]

    def _table(self) -> list[str]:
        missing = Counter(each.type for each in self.missing)
        types = dict.fromkeys([*self.by_type, *missing])
        counts = {type_: self.by_type.get(type_, Counts()) for type_ in types}
        return table(
            ("new", "changed", "unchanged", "deleted", "pages", "missing"),
            {
                type_: (n.new, n.changed, n.unchanged, n.deleted, n.pages, missing[type_])
                for type_, n in counts.items()
            },
        )

    def _cost(self) -> str:
        permitted = self.traffic.permitted
        of = f" of {permitted:.1f} permitted" if permitted is not None else ""
        return (
            f"{self.traffic.requests:,} requests in {span(self.seconds)} ({self.rate:.1f}/s{of}),"
            f" {self.traffic.refusals:,} refused, {span(self.traffic.waited)} waited"
        )


def account_of(
    store: Store,
    run: RunRow,
    tenant: str,
    names: Mapping[str, str],
    notes: Mapping[str, int],
    swept: Swept = NOTHING,
) -> Account:
    """The account of a run that has ended.

    Args:
        store: where its counters are.
        run: its row.
        tenant: name of the tenant.
        names: how reports may name each patient that was to be served.
        notes: what the EHR remarked.
        swept: what ended at the EHR.
    """
    named = _namer(store, names)
    by_type: dict[str, Counts] = {}
    by_patient: dict[str, Counts] = {}
    for (patient, type_), counts in store.counts(run.id).items():
        by_type[type_] = by_type.get(type_, Counts()) + counts
        by_patient[named(patient)] = by_patient.get(named(patient), Counts()) + counts
    return Account(
        tenant,
        run.name,
        run.started,
        run.ended or run.started,
        run.status,
        run.reason,
        run.come_back,
        len(names),
        by_type,
        by_patient,
        tuple(
            Missing(
                named(gap.query.patient),
                gap.query.type,
                gap.query.part,
                _without(gap.query.patient, gap.reason, named),
            )
            for gap in store.gaps(run.id)
        ),
        notes,
        tuple(_gone(each, store, names, named) for each in swept.gone),
        tuple(_merged(each, named) for each in swept.merged),
        run.traffic,
        validation=_validation(run.validation),
    )


def _gone(gone: Gone, store: Store, names: Mapping[str, str], named: Callable[[str], str]) -> Ended:
    held = gone.held
    # A patient's own id is its name in reports where the data is synthetic; so is that of the rest.
    plain = names.get(held.patient) == held.patient
    identity = held.id if plain else store.pseudonym(held.id, "resource")
    return Ended(named(held.patient), held.type, identity, gone.reason)


def _merged(merged: Merged, named: Callable[[str], str]) -> Ended:
    reason = "is inactive" if merged.into is None else f"was replaced by {named(merged.into)}"
    return Ended(named(merged.patient), "Patient", named(merged.patient), reason)


def _namer(store: Store, names: Mapping[str, str]) -> Callable[[str], str]:
    def named(patient: str) -> str:
        return names.get(patient) or (store.pseudonym(patient) if patient else NO_ONE)

    return named


def _without(patient: str, text: str, named: Callable[[str], str]) -> str:
    """A text that may name the patient by the id of the EHR."""
    return text.replace(patient, named(patient)) if patient else text


def summed(missing: Iterable[Missing]) -> list[str]:
    """What is missing in few lines: equal reasons together."""
    groups: dict[tuple[str, str, str], list[str]] = {}
    for each in missing:
        groups.setdefault((each.type, each.part, each.reason), []).append(each.patient)
    return [
        f"{' '.join(filter(None, (type_, part)))} of {_whom(patients)}: {reason}"
        for (type_, part, reason), patients in groups.items()
    ]


def _whom(patients: list[str]) -> str:
    return patients[0] if len(patients) == 1 else f"{len(patients):,} patients"


def _validation(text: str | None) -> Validated | None:
    if text is None:
        return None
    from harness.sync.validated import stored

    return stored(text)
