"""How far a tenant is synced, from its store alone. No patient is named."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from harness.config.tenant import Tenant
from harness.sync.access.grant import Grant
from harness.sync.bulk.job import Job, open_job
from harness.sync.model import RunRow, Watermark
from harness.sync.outbox.box import Box
from harness.sync.store.database import Place
from harness.sync.store.store import Store
from harness.sync.telling import span, table
from harness.sync.validated import stored

RUNS = 5


@dataclass(frozen=True, slots=True)
class Reach:
    """How far one type is synced: the oldest of its patients' watermarks, and the newest."""

    patients: int
    oldest: datetime
    newest: datetime
    confirmed: datetime


@dataclass(frozen=True, slots=True)
class Status:
    """One tenant's state.

    Attributes:
        tenant: its name.
        reach: by type.
        resources: how many the store holds, by type.
        open: queries that the next run goes on with in the middle.
        runs: the last ones, newest first.
        error: why there is no state to tell; None where there is.
        grant: how the tenant's grant stands; None where it has none.
        outbox: how many writes there are, by state.
        export: the bulk export that the next run goes on with.
    """

    tenant: str
    reach: dict[str, Reach] = field(default_factory=dict)
    resources: dict[str, int] = field(default_factory=dict)
    open: int = 0
    runs: tuple[RunRow, ...] = ()
    error: str | None = None
    grant: Grant | None = None
    outbox: Mapping[str, int] = field(default_factory=dict)
    export: Job | None = None

    def as_json(self) -> dict[str, Any]:
        """For a script; times are ISO 8601 in UTC."""
        return {
            "tenant": self.tenant,
            "error": self.error,
            "grant": self.grant.as_json() if self.grant else None,
            "types": {
                type_: {
                    "patients": reach.patients,
                    "oldest_watermark": reach.oldest.isoformat(),
                    "newest_watermark": reach.newest.isoformat(),
                    "confirmed": reach.confirmed.isoformat(),
                    "resources": self.resources.get(type_, 0),
                }
                for type_, reach in self.reach.items()
            },
            "resumable_queries": self.open,
            "export": _export(self.export),
            "outbox": dict(self.outbox),
            "runs": [_run(each) for each in self.runs],
        }

    def lines(self, now: datetime) -> list[str]:
        """For a person; `now` tells ages."""
        if self.error is not None:
            return [f"{self.tenant}: {self.error}"]
        head = [f"  {line}" for line in self.grant.lines(now)] if self.grant else []
        if self.outbox:
            counts = ", ".join(f"{n} {state}" for state, n in self.outbox.items())
            head.append(f"  outbox: {counts}")
        if not self.runs:
            return [f"{self.tenant}: never synced", *head]
        lines = [f"{self.tenant}:", *head]
        rows = {
            type_: (
                self.resources.get(type_, 0),
                reach.patients,
                f"{reach.oldest:%Y-%m-%d %H:%M}",
                f"{span((now - reach.confirmed).total_seconds())} ago",
            )
            for type_, reach in self.reach.items()
        }
        columns = ("resources", "patients", "complete to (UTC)", "confirmed")
        lines += [f"  {line}" for line in table(columns, rows)]
        if self.open:
            lines.append(f"  {self.open:,} queries stand in the middle; the next run goes on there")
        if self.export is not None:
            begun = f"{self.export.asked:%Y-%m-%d %H:%M}"
            lines.append(
                f"  an export of {begun} is {self.export.phase.value}; the next run goes on with it"
            )
        if self.runs[0].come_back is not None and self.runs[0].come_back > now:
            lines.append(f"  the EHR may be asked again at {self.runs[0].come_back:%H:%M:%S} UTC")
        lines.append("  last runs:")
        lines += [f"    {_told(run)}" for run in self.runs]
        found = next(filter(None, (stored(run.validation) for run in self.runs)), None)
        lines += [f"  {line}" for line in found.lines()] if found else []
        return lines


def status_of(tenant: Tenant, place: Place) -> Status:
    """The state in the store at `place`; a store that does not exist yet is not made.

    Raises:
        ConfigError, StoreUnreachable: the store cannot be used.
    """
    if not place.exists():
        return Status(tenant.name)
    with Store(place) as store:
        return Status(
            tenant.name,
            status_by_type(store),
            store.holdings(),
            len(store.cursors()),
            store.runs(RUNS),
            outbox={state.value: n for state, n in Box(store).counts().items()},
            export=open_job(store),
        )


def status_by_type(store: Store) -> dict[str, Reach]:
    """How far each type is; the history of a type has a mark as well, and no patient."""
    by_type: dict[str, list[Watermark]] = {}
    for each in store.watermarks():
        if each.query.patient:
            by_type.setdefault(each.query.type, []).append(each)
    return {type_: _reach(marks) for type_, marks in by_type.items()}


def _reach(marks: list[Watermark]) -> Reach:
    return Reach(
        len({each.query.patient for each in marks}),
        min(each.mark for each in marks),
        max(each.mark for each in marks),
        min(each.confirmed for each in marks),
    )


def _export(job: Job | None) -> dict[str, Any] | None:
    if job is None:
        return None
    since = job.since.isoformat() if job.since else None
    return {"phase": job.phase.value, "begun": job.asked.isoformat(), "since": since}


def _run(run: RunRow) -> dict[str, Any]:
    return {
        "run": run.name,
        "status": run.status.value,
        "started": run.started.isoformat(),
        "ended": run.ended.isoformat() if run.ended else None,
        "reason": run.reason,
        "come_back": run.come_back.isoformat() if run.come_back else None,
        "requests": run.traffic.requests,
        "refusals": run.traffic.refusals,
        "validation": found.as_json() if (found := stored(run.validation)) else None,
    }


def _told(run: RunRow) -> str:
    took = f" in {span((run.ended - run.started).total_seconds())}" if run.ended else ""
    cost = f", {run.traffic.requests:,} requests, {run.traffic.refusals:,} refused"
    why = f": {run.reason}" if run.reason else ""
    return f"{run.started:%Y-%m-%d %H:%M} {run.status.value}{took}{cost}{why}"
