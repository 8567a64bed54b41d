"""Rows of a store as Parquet; the one importer of pyarrow.

Every file has the columns of the store. Those of Observations have what is measured beside it, as
far as one column can say it: the body keeps every digit.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import IO, Any

import orjson
import pyarrow as pa
import pyarrow.parquet as pq

from harness.sync.answers.stamps import earliest
from harness.sync.store.rows import instant_or_none

ROWS, BYTES = 2000, 4 << 20
"""How much is held in memory before it is written, as one row group."""

_STAMP = pa.timestamp("us", tz="UTC")
_EVERY = (
    pa.field("type", pa.string(), nullable=False),
    pa.field("id", pa.string(), nullable=False),
    pa.field("patient", pa.string(), nullable=False),
    pa.field("version", pa.string()),
    pa.field("last_updated", _STAMP),
    pa.field("deleted", pa.bool_(), nullable=False),
    pa.field("body", pa.string(), nullable=False),
)
_MEASURED = (
    pa.field("code_system", pa.string()),
    pa.field("code", pa.string()),
    pa.field("value", pa.float64()),
    pa.field("value_text", pa.string()),
    pa.field("unit", pa.string()),
)
_OBSERVATION = (
    pa.field("status", pa.string()),
    *_MEASURED,
    pa.field("effective", pa.string()),
    pa.field("effective_at", _STAMP),
    pa.field("components", pa.list_(pa.struct(_MEASURED))),
)


class Parquet:
    """Rows of one type in one file.

    Args:
        file: open for writing.
        type_: of all rows.
    """

    def __init__(self, file: IO[bytes], type_: str) -> None:
        self._observed = type_ == "Observation"
        self._schema = pa.schema([*_EVERY, *(_OBSERVATION if self._observed else ())])
        self._writer = pq.ParquetWriter(file, self._schema, compression="zstd")
        self._rows: list[dict[str, Any]] = []
        self._size = 0

    def write(self, row: Any) -> None:
        """Add one."""
        self._rows.append(_columns(row) | (_observed(row["body"]) if self._observed else {}))
        self._size += len(row["body"])
        if len(self._rows) == ROWS or self._size >= BYTES:
            self._flush()

    def close(self) -> None:
        """Write what is left, and the end of the file; the file itself stays open."""
        self._flush()
        self._writer.close()

    def _flush(self) -> None:
        if self._rows:
            self._writer.write_table(pa.Table.from_pylist(self._rows, self._schema))
        self._rows, self._size = [], 0


def _columns(row: Any) -> dict[str, Any]:
    return {
        "type": row["type"],
        "id": row["id"],
        "patient": row["patient"],
        "version": row["version"],
        "last_updated": instant_or_none(row["last_updated"]),
        "deleted": bool(row["deleted"]),
        "body": bytes(row["body"]).decode("utf-8", "replace"),
    }


def _observed(raw: bytes) -> dict[str, Any]:
    """What an Observation says, read tolerantly; what is not of the right kind is left out."""
    try:
        resource = orjson.loads(raw)
    except orjson.JSONDecodeError:
        return {}
    if not isinstance(resource, dict):
        return {}
    effective = resource.get("effectiveDateTime", resource.get("effectiveInstant"))
    if effective is None:
        effective = _member(resource.get("effectivePeriod"), "start")
    return {
        "status": _text(resource.get("status")),
        **_measured(resource),
        "effective": _text(effective),
        "effective_at": earliest(effective),
        "components": [
            _measured(each) for each in _list(resource.get("component")) if isinstance(each, dict)
        ],
    }


def _measured(holder: dict[str, Any]) -> dict[str, Any]:
    """Code and value of an Observation, or of one component."""
    coding = next(iter(_list(_member(holder.get("code"), "coding"))), None)
    quantity = holder.get("valueQuantity")
    number = _member(quantity, "value")
    is_number = isinstance(number, int | float) and not isinstance(number, bool)
    unit = _member(quantity, "code") or _member(quantity, "unit")
    return {
        "code_system": _text(_member(coding, "system")),
        "code": _text(_member(coding, "code")),
        "value": float(number) if is_number else None,
        "value_text": _words(holder),
        "unit": _text(unit),
    }


def _words(holder: dict[str, Any]) -> str | None:
    """A value that is no quantity."""
    if isinstance(holder.get("valueString"), str):
        return _text(holder["valueString"])
    concept = holder.get("valueCodeableConcept")
    coding = next(iter(_list(_member(concept, "coding"))), None)
    return _text(_member(concept, "text")) or _text(_member(coding, "display"))


def _member(value: Any, name: str) -> Any:
    return value.get(name) if isinstance(value, dict) else None


def _list(value: Any) -> Iterable[Any]:
    return value if isinstance(value, list) else ()


def _text(value: Any) -> str | None:
    return value if isinstance(value, str) else None
