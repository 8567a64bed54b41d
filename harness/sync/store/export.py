"""What a store holds, as files: one per type, for whatever reads NDJSON or Parquet.

A file is written beside its place and moved there when it is whole, so that nobody reads half of
one. Rows are streamed: memory does not grow with the store.
"""

from __future__ import annotations

import gzip
import json
import os
import re
import secrets
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import IO, Any, Protocol, cast

from harness.config.paths import make_private
from harness.errors import UsageError
from harness.sync.store.database import Database
from harness.sync.store.rows import text_of

_TYPE = re.compile(r"[A-Z][A-Za-z]{0,63}")
_OUTSIDE_STRINGS = re.compile(rb'("[^"\\]*(?:\\.[^"\\]*)*")|[ \t\r\n]+', re.DOTALL)
_BOM = b"\xef\xbb\xbf"
_COLUMNS = "type, id, patient, version, last_updated, deleted, body"


@dataclass(frozen=True, slots=True)
class Selection:
    """What to export.

    Attributes:
        types: resource types; none for all that the store holds.
        patients: ids at the EHR; none for all.
        since: only what a run took over or found to be gone at this time or later, by the harness
            clock; runs that were under way then count whole, so that nothing is left out.
        deleted: whether what is gone from the EHR is told as well; in a file of its own where the
            format has one for it.
    """

    types: tuple[str, ...] = ()
    patients: tuple[str, ...] = ()
    since: datetime | None = None
    deleted: bool = False


@dataclass(frozen=True, slots=True)
class Exported:
    """One file; `resources` is how many it holds."""

    path: Path
    resources: int


class Sink(Protocol):
    """Takes rows of `resources` (type, id, patient, version, last_updated, deleted, body)."""

    def write(self, row: Any) -> None:
        """Add one."""
        ...

    def close(self) -> None:
        """Write what is left, and leave the file open."""
        ...


@dataclass(frozen=True, slots=True)
class Format:
    """How files are written.

    Attributes:
        suffix: of their names; one that ends in `.gz` is compressed.
        sink: makes what writes rows of one type to a file.
        deletions_apart: whether what is gone goes to the file `deleted`, as in Bulk Data.
    """

    suffix: str
    sink: Callable[[IO[bytes], str], Sink]
    deletions_apart: bool = False


class Ndjson:
    """One resource per line: the very bytes that the EHR sent, wherever they have no line break."""

    def __init__(self, file: IO[bytes], _type: str) -> None:
        self._file = file

    def write(self, row: Any) -> None:
        """Add one; what is gone from the EHR as Bulk Data tells it, by a Bundle that deletes it.

        https://hl7.org/fhir/uv/bulkdata/export.html#response---complete-status, `deleted`.
        """
        line = _deletion(row["type"], row["id"]) if row["deleted"] else one_line(row["body"])
        self._file.write(line + b"\n")

    def close(self) -> None:
        """Nothing is held back."""


def one_line(raw: bytes) -> bytes:
    """A JSON text without line breaks: only white space outside strings goes, and only if need be.

    Numbers keep their digits: https://hl7.org/fhir/R4/json.html#decimal.
    """
    line = raw.removeprefix(_BOM).strip(b" \t\r\n")
    if b"\n" not in line and b"\r" not in line:
        return line
    return _OUTSIDE_STRINGS.sub(lambda found: found.group(1) or b"", line)


def ndjson(*, packed: bool = False) -> Format:
    """NDJSON, as Bulk Data has it."""
    return Format("ndjson.gz" if packed else "ndjson", Ndjson, deletions_apart=True)


def export(
    database: Database, selection: Selection, folder: Path, form: Format
) -> tuple[tuple[Exported, ...], tuple[str, ...]]:
    """Write one file per type, all of one moment.

    Args:
        database: of the store.
        selection: what.
        folder: where; made for its owner alone where it is missing.
        form: how.

    Returns:
        The files, and the types in the store that are no names of resource types and were left out.

    Raises:
        UsageError: the folder cannot be written.
    """
    try:
        make_private(folder)
        with database.snapshot() as db:
            types = selection.types or _types(db)
            usual = [each for each in types if _TYPE.fullmatch(each)]
            apart = selection.deleted and form.deletions_apart
            alive = replace(selection, deleted=selection.deleted and not apart)
            files = {each: _selected(db, alive, [each]) for each in usual}
            if apart:
                files["deleted"] = _selected(db, selection, usual, gone=True)
            written = [_file(rows, name, folder, form) for name, rows in files.items()]
    except OSError as error:
        raise UsageError(f"{folder}: cannot be written: {error.strerror}") from None
    return tuple(written), tuple(each for each in types if each not in usual)


def _types(db: Database) -> tuple[str, ...]:
    rows = db.execute("SELECT DISTINCT type FROM resources ORDER BY type").fetchall()
    return tuple(row["type"] for row in rows)


def _file(rows: Iterable[Any], name: str, folder: Path, form: Format) -> Exported:
    path, found = folder / f"{name}.{form.suffix}", 0
    with _whole(path) as file:
        sink = form.sink(file, name)
        for row in rows:
            sink.write(row)
            found += 1
        sink.close()
    return Exported(path, found)


def _selected(
    db: Database, selection: Selection, types: Sequence[str], *, gone: bool = False
) -> Iterator[Any]:
    where, values = [f"type IN ({_marks(types)})"], list(types)
    if selection.patients:
        where.append(f"patient IN ({_marks(selection.patients)})")
        values += selection.patients
    if gone or not selection.deleted:
        where.append(f"deleted = {gone:d}")
    if selection.since is not None:
        since = text_of(selection.since)
        taken = "run IN (SELECT id FROM runs WHERE ended IS NULL OR ended >= ?)"
        where.append(f"({taken} OR gone >= ?)")
        values += [since, since]
    statement = f"SELECT {_COLUMNS} FROM resources WHERE {' AND '.join(where)}"  # noqa: S608 - marks only
    yield from db.stream(statement, values)


def _marks(values: Sequence[str]) -> str:
    return ", ".join("?" * len(values))


@contextmanager
def _whole(path: Path) -> Iterator[IO[bytes]]:
    """A file that is there when it is whole, for its owner alone; one before it stays till then.

    Raises:
        OSError: it cannot be written.
    """
    part = path.with_name(f".{path.name}.{secrets.token_hex(4)}.part")
    descriptor = os.open(part, os.O_CREAT | os.O_EXCL | os.O_WRONLY | os.O_CLOEXEC, 0o600)
    try:
        with os.fdopen(descriptor, "wb", buffering=1 << 20) as file:
            if path.name.endswith(".gz"):
                with gzip.GzipFile("", "wb", fileobj=file, mtime=0) as packed:
                    yield cast("IO[bytes]", packed)
            else:
                yield file
            file.flush()
            os.fsync(file.fileno())
        part.replace(path)
    except BaseException:
        with suppress(FileNotFoundError):
            part.unlink()
        raise


def _deletion(type_: str, id_: str) -> bytes:
    entry = {"request": {"method": "DELETE", "url": f"{type_}/{id_}"}}
    bundle = {"resourceType": "Bundle", "type": "transaction", "entry": [entry]}
    return json.dumps(bundle, separators=(",", ":")).encode()
