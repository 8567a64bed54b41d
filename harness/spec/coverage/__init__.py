"""Official lists of requirements, row by row: which requirements of ours judge each, or why none.

The data stands beside this module, one file per specification and version:

    spec = "smart"                                      # family
    title = "SMART App Launch"
    version = "2.2.0"
    official = "hl7.fhir.uv.smart-app-launch_2.2.0"     # what comes before @ in official ids
    [[row]]
    number = 372                                        # what comes after it
    level = "SHALL"                                     # as the official list has it
    name = "..."                                        # in our words
    requirements = ["smart/discovery/well-known"]       # either: ours, which checks verify
    open = "..."                                        # what they leave unjudged, optional
    reason = "planned"                                  # or: one of `REASONS`, or `duplicate of @N`
    detail = "..."                                      # in a sentence

A version whose rows are those of another says `like = "smart-2.2.0"`, and `without = [...]`.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from harness.errors import ConfigError, UsageError
from harness.spec.requirements import did_you_mean

PLANNED = "planned"
DUPLICATE = "duplicate"
REASONS = (
    PLANNED,
    "not observable from outside",
    "needs a person",
    "needs another product",
    "concerns registration",
    "policy, no behaviour",
    "conditional: server does not claim it",
)
"""Why no check judges a row, beside its being a duplicate of another."""

LEVELS = ("SHALL", "SHALL NOT", "SHOULD", "SHOULD NOT", "MAY")

_DUPLICATE_OF = re.compile(r"duplicate of @([1-9][0-9]*)")
_HEAD = ("spec", "title", "version", "official")
_KEYS = frozenset({"number", "level", "name", "requirements", "open", "reason", "detail"})


@dataclass(frozen=True, slots=True)
class Row:
    """One row of an official list.

    Attributes:
        number: its number there.
        level: its level there.
        name: what it is about, in our words.
        requirements: ids of our requirements that judge it; empty where there is a reason.
        open: what those leave unjudged; empty where nothing is known to be.
        reason: one of `REASONS`, `DUPLICATE`, or None where requirements judge it.
        duplicate_of: the number of the row that says the same.
        detail: the reason in a sentence.
    """

    number: int
    level: str
    name: str
    requirements: tuple[str, ...] = ()
    open: str = ""
    reason: str | None = None
    duplicate_of: int | None = None
    detail: str = ""


@dataclass(frozen=True, slots=True)
class OfficialList:
    """The rows of a version of a specification, by number.

    Attributes:
        name: of the file: `smart-2.2.0`.
        spec: the family of requirements.
        title: of the specification, as people call it.
        version: the version of the specification.
        official: what comes before `@` in official ids.
        rows: in the order of their numbers.
    """

    name: str
    spec: str
    title: str
    version: str
    official: str
    rows: tuple[Row, ...]

    def reference(self, row: Row) -> str:
        """The official id of a row, as the `refs` of requirements spell it."""
        return f"{self.official}@{row.number}"


def names(folder: Path | None = None) -> tuple[str, ...]:
    """The lists there are, sorted."""
    return tuple(sorted(path.stem for path in (folder or _shipped()).glob("*.toml")))


def read(name: str, folder: Path | None = None) -> OfficialList:
    """Read one list.

    Args:
        name: of the file, without its suffix.
        folder: where it lies; None for the shipped ones.

    Raises:
        UsageError: there is none of that name.
        ConfigError: it does not follow the form; the message names file and row.
    """
    known = names(folder)
    if name not in known:
        hint = f"there are: {', '.join(known)}"
        raise UsageError(f"no coverage of {name!r}{did_you_mean(name, known)}", hint=hint)
    file = (folder or _shipped()) / f"{name}.toml"
    try:
        data = tomllib.loads(file.read_text(encoding="utf-8"))
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(f"{file.name}: {error}") from None
    for key in _HEAD:
        if not isinstance(data.get(key), str):
            raise ConfigError(f"{file.name}: expected a string for {key!r}")
    rows = _like(data, file, folder) if "like" in data else _rows(data, file)
    head = {key: data[key] for key in _HEAD}
    return OfficialList(name, rows=rows, **head)


def _like(data: Mapping[str, Any], file: Path, folder: Path | None) -> tuple[Row, ...]:
    """The rows of another list but for some."""
    if data["like"] == file.stem:
        raise ConfigError(f"{file.name}: a list cannot be like itself")
    other = read(data["like"], folder)
    without = set(data.get("without", ()))
    if unknown := sorted(without - {each.number for each in other.rows}):
        raise ConfigError(f"{file.name}: {other.name} has no row {unknown[0]} to be without")
    return tuple(each for each in other.rows if each.number not in without)


def _rows(data: Mapping[str, Any], file: Path) -> tuple[Row, ...]:
    rows = {}
    for entry in data.get("row", ()):
        row = _row(entry, f"{file.name}: row {entry.get('number')}")
        if row.number in rows:
            raise ConfigError(f"{file.name}: row {row.number} is given twice")
        rows[row.number] = row
    for row in rows.values():
        if row.duplicate_of is not None:
            first = rows.get(row.duplicate_of)
            if first is None or first.duplicate_of is not None:
                place = f"{file.name}: row {row.number}"
                raise ConfigError(f"{place}: @{row.duplicate_of} is no row that stands for itself")
    return tuple(rows[number] for number in sorted(rows))


def _row(entry: Mapping[str, Any], place: str) -> Row:
    if unknown := sorted(entry.keys() - _KEYS):
        raise ConfigError(f"{place}: unknown key {unknown[0]!r}{did_you_mean(unknown[0], _KEYS)}")
    if missing := sorted({"number", "level", "name"} - entry.keys()):
        raise ConfigError(f"{place}: expected {missing[0]!r}")
    if entry["level"] not in LEVELS:
        raise ConfigError(f"{place}: expected one of {', '.join(LEVELS)}, got {entry['level']!r}")
    if bool(entry.get("requirements")) == ("reason" in entry):
        raise ConfigError(f"{place}: expected either requirements or a reason")
    if ("open" in entry and "reason" in entry) or ("detail" in entry and "reason" not in entry):
        raise ConfigError(f"{place}: open belongs to requirements, detail to a reason")
    fields = {key: value for key, value in entry.items() if key != "requirements"}
    row = Row(**fields, requirements=tuple(entry.get("requirements", ())))
    return _explained(row, place) if row.reason is not None else row


def _explained(row: Row, place: str) -> Row:
    """The row with its reason taken apart; all but a duplicate have a detail."""
    same = _DUPLICATE_OF.fullmatch(str(row.reason))
    if same:
        return replace(row, reason=DUPLICATE, duplicate_of=int(same.group(1)))
    if row.reason not in REASONS:
        guess = did_you_mean(str(row.reason), REASONS)
        raise ConfigError(
            f"{place}: expected a reason of the closed list, got {row.reason!r}{guess}"
        )
    if not row.detail:
        raise ConfigError(f"{place}: expected the reason {row.reason!r} in a sentence as detail")
    return row


def _shipped() -> Path:
    return Path(__file__).parent
