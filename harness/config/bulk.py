"""How a bulk export is asked for, where changes are found by one."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class ExportLevel(StrEnum):
    """Whose data an export holds."""

    GROUP = "group"
    PATIENT = "patient"
    SYSTEM = "system"


class TypeEncoding(StrEnum):
    """How `_type` says several types: vendors differ."""

    COMMA = "comma"
    """One parameter, as the specification has it."""
    REPEATED = "repeated"
    """One parameter for each type."""
    OMITTED = "omitted"
    """None at all; what was not asked for is left out after it came."""


class Backfill(StrEnum):
    """How patients that were never synced get their history, which `_since` would hide."""

    SEARCH = "search"
    """By searching for each of them."""
    EXPORT = "export"
    """By an export of everything."""


@dataclass(frozen=True, slots=True)
class BulkSpec:
    """The table `[sync.bulk]` of an EHR file."""

    level: ExportLevel | None = None
    """None: `group` where a Group is named, else `patient`."""
    group: str | None = None
    """None: the Group whose members the tenant syncs."""
    type_encoding: TypeEncoding = TypeEncoding.COMMA
    type_filters: tuple[str, ...] = ()
    """FHIR searches such as `Observation?category=vital-signs`."""
    backfill: Backfill = Backfill.SEARCH
    wait_seconds: int = 600
    """How long a run waits for an export before it ends, and the next one goes on."""
    max_line_mb: int = 32
    """A longer line is not read, and named in the account."""
    max_file_mb: int = 4096
    """A larger file is not fetched, and named in the account."""
