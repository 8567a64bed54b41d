"""Loads one file into the store: a batch of lines is one commit, with how far the file is loaded.

Whatever instruction a run dies at, the next one goes on behind the last batch that was committed.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator
from dataclasses import dataclass, field, replace
from datetime import datetime
from pathlib import Path
from types import TracebackType
from typing import BinaryIO, Self

from harness.fhir.bulk.manifest import Kind
from harness.fhir.bulk.ndjson import Line, Splitter
from harness.fhir.bulk.refusal import in_codes
from harness.fhir.outcome import issues
from harness.sync.asking.marks import believable
from harness.sync.bulk.job import File, Job, advance_newest, put_file
from harness.sync.bulk.lines import NOBODY, Bad, Kept, Left, deletions, parsed, read_line
from harness.sync.deletions.gone import Gone, Held
from harness.sync.model import Counts, Lease, Received
from harness.sync.store.database import Database
from harness.sync.store.rows import text_of
from harness.sync.store.statements import add_counts
from harness.sync.store.store import Store
from harness.sync.store.upsert import upsert

LINES, BYTES = 2000, 4 << 20
"""What one commit may hold; the line that passes a bound still belongs to it."""

_CHUNK = 256 * 1024
NAMED_DELETED = "the export names it as deleted"
_SHOWN = 3


@dataclass(frozen=True, slots=True)
class Whose:
    """What a tenant syncs."""

    types: Collection[str]
    patients: Collection[str]


@dataclass(slots=True)
class Loaded:
    """What loading a file told, as far as this run loaded it.

    Attributes:
        counts: what it did to the store.
        resources: lines that were resources of the tenant.
        old: those of them that are older than the export was asked for.
        notes: remarks by (type, line), with how often.
        bad: lines that could not be read, by reason.
        lines: numbers of the first of them.
        torn: whether fetching the file again may help.
        gone: what was marked as deleted.
        doubtful: what is named as deleted and was seen all the same.
    """

    counts: Counts = field(default_factory=Counts)
    resources: int = 0
    old: int = 0
    notes: Counter[tuple[str, str]] = field(default_factory=Counter)
    bad: Counter[str] = field(default_factory=Counter)
    lines: list[int] = field(default_factory=list)
    torn: bool = False
    gone: list[Gone] = field(default_factory=list)
    doubtful: list[Held] = field(default_factory=list)

    def complain(self, line: Line, why: str, *, torn: bool) -> None:
        """A line that could not be read."""
        self.bad[why] += 1
        self.torn = self.torn or torn
        if len(self.lines) < _SHOWN:
            self.lines.append(line.number)

    def problem(self) -> str | None:
        """What could not be read, in one line; None if all was."""
        if not self.bad:
            return None
        reasons = ", ".join(
            f"{n} {'line' if n == 1 else 'lines'}: {w}" for w, n in self.bad.items()
        )
        return f"{reasons} (first at line {', '.join(map(str, self.lines))})"


class Loader:
    """One file on its way into the store; a context manager, used from the store's thread.

    Args:
        store: the tenant's.
        lease: checked with every commit.
        run: the run that loads.
        job: whose file it is.
        file: as it stands; it lies whole at `path`.
        path: where it lies.
        whose: what is kept.
        longest: bytes that one line may have.
        now: harness clock.

    Attributes:
        file: as it stands after the last batch.
        told: what loading it told.
        ended: whether its last line is loaded.
    """

    def __init__(  # noqa: PLR0913 - what a batch is committed with
        self,
        store: Store,
        lease: Lease,
        run: int,
        job: Job,
        file: File,
        path: Path,
        *,
        whose: Whose,
        longest: int,
        now: Callable[[], datetime],
    ) -> None:
        if file.kind is not Kind.OUTPUT:
            file = replace(file, loaded=0, lines=0, found=0)  # harmless twice, and kept nowhere
        self.job, self.file, self.told, self.ended = job, file, Loaded(), False
        self._store, self._lease, self._run, self._now = store, lease, run, now
        self._whose = whose
        self._path = path
        self._splitter = Splitter(longest, offset=file.loaded, number=file.lines)
        self._lines = self._read()
        self._handle: BinaryIO

    def __enter__(self) -> Self:
        # Opened here and not in the thread that loads: who is cancelled amid a batch closes it.
        self._handle = self._path.open("rb")
        self._handle.seek(self.file.loaded)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._handle.close()

    def batch(self) -> Counts:
        """Load the next lines, and commit; what that did."""
        lines = list(self._next())
        file = self.file
        if lines:
            last, found = lines[-1], file.found + len(lines)
            file = replace(file, loaded=last.end, lines=last.number, found=found)
        with self._store.fenced(self._lease) as db:
            if file.kind is Kind.OUTPUT:
                counts, newest = self._resources(db, lines)
                if newest is not None:
                    advance_newest(db, self.job, newest)
            elif file.kind is Kind.DELETED:
                counts = self._deleted(db, lines)
            else:
                counts = self._errors(lines)
            file = replace(file, problem=self.told.problem() or file.problem)
            put_file(db, self.job, file)
        self.file = file
        self.told.counts += counts
        return counts

    def _read(self) -> Iterator[Line]:
        while chunk := self._handle.read(_CHUNK):
            yield from self._splitter.feed(chunk)
        yield from self._splitter.end()

    def _next(self) -> Iterator[Line]:
        size = 0
        for number, line in enumerate(self._lines, 1):
            yield line
            size += len(line.data)
            if number >= LINES or size >= BYTES:
                return
        self.ended = True

    def _resources(self, db: Database, lines: Iterable[Line]) -> tuple[Counts, datetime | None]:
        by_patient: dict[str, list[Received]] = {}
        for line in lines:
            kept = self._kept(line)
            if kept is not None:
                by_patient.setdefault(kept.patient, []).append(kept.received)
        done, now = Counts(), self._now()
        for patient, received in by_patient.items():
            by_type: dict[str, list[Received]] = {}
            for each in received:
                by_type.setdefault(each.type, []).append(each)
            for type_, page in by_type.items():
                counts = upsert(db, page, patient, self._run, now)
                add_counts(db, self._run, patient, type_, counts)
                done += counts
                self._store.taken(page)
        stamps = (each.last_updated for page in by_patient.values() for each in page)
        return done, believable(stamps, self.job.started)

    def _kept(self, line: Line) -> Kept | None:
        told, file = self.told, self.file
        if self._too_long(line):
            return None
        one = read_line(line.data, self._whose.types, self._whose.patients)
        if isinstance(one, Bad):
            told.complain(line, one.why if line.ended else "is cut off", torn=True)
            return None
        if isinstance(one, Left):
            told.notes[one.type, one.why] += 1
            return None
        received = one.received
        if file.type and received.type != file.type:
            told.notes[received.type, f"came in a file of {file.type}"] += 1
        told.resources += 1
        since, stamp = self.job.since, received.last_updated
        told.old += since is not None and stamp is not None and stamp < since
        return one

    def _deleted(self, db: Database, lines: Iterable[Line]) -> Counts:
        done, now = Counts(), text_of(self._now())
        for line in lines:
            bundle = None if self._too_long(line) else parsed(line.data)
            if isinstance(bundle, Bad):
                self.told.complain(line, bundle.why, torn=True)
            for type_, id_ in deletions(bundle) if isinstance(bundle, dict) else ():
                done += self._delete(db, type_, id_, now)
        return done

    def _delete(self, db: Database, type_: str, id_: str, now: str) -> Counts:
        row = db.execute(
            "SELECT patient, seen_in FROM resources WHERE type = ? AND id = ? AND deleted = 0",
            (type_, id_),
        ).fetchone()
        if row is None or type_ not in self._whose.types:
            return Counts()
        held = Held(row["patient"], type_, id_)
        if row["seen_in"] >= self.job.run:
            self.told.doubtful.append(held)
            return Counts()
        db.execute(
            "UPDATE resources SET deleted = 1, gone = ?, gone_because = ?"
            " WHERE type = ? AND id = ?",
            (now, NAMED_DELETED, type_, id_),
        )
        add_counts(db, self._run, held.patient, type_, Counts(deleted=1))
        self.told.gone.append(Gone(held, NAMED_DELETED))
        return Counts(deleted=1)

    def _errors(self, lines: Iterable[Line]) -> Counts:
        """What the EHR says of its own export; errors are gaps, the rest are remarks."""
        for line in lines:
            outcome = None if self._too_long(line) else parsed(line.data)
            if isinstance(outcome, Bad):
                self.told.complain(line, outcome.why, torn=True)
            for issue in issues(outcome):
                if issue.is_error:
                    self.told.complain(line, f"the EHR reports {in_codes(issue)}", torn=False)
                else:
                    self.told.notes["export", in_codes(issue)] += 1
        return Counts()

    def _too_long(self, line: Line) -> bool:
        if line.too_long:
            size = (line.end - line.start) >> 20
            self.told.complain(line, f"is too long ({size} MB)", torn=False)
        return line.too_long


def finished(loader: Loader) -> File:
    """A file after its last line: what its manifest promised is compared with what came."""
    file, told = loader.file, loader.told
    problem = file.problem
    if file.count is not None and file.kind is Kind.OUTPUT and file.found != file.count:
        if file.found < file.count:
            told.torn = True
            short = f"holds {file.found} of {file.count} lines"
            problem = short if problem is None else f"{problem}; {short}"
        else:
            told.notes[file.type or NOBODY, "has more lines than its manifest says"] += 1
    return replace(file, done=True, problem=problem)
