"""Reads one TOML file into plain JSON values, within bounds; nothing but ConfigError comes out.

Dates and times become their ISO text, so that one schema speaks of both.
"""

from __future__ import annotations

import math
import tomllib
import unicodedata
from collections.abc import Iterable
from datetime import date, datetime, time
from pathlib import Path
from typing import Any

from harness.config.schema import Violation, key_path, kind_of, meaning
from harness.errors import ConfigError

_MAX_BYTES = 1 << 20
_MAX_DEPTH = 16
_MAX_LINES = 10


def read(path: Path) -> dict[str, Any]:
    """The TOML document at `path`.

    Raises:
        ConfigError: it cannot be read, is too large or too deep, or is not TOML.
    """
    try:
        with path.open("rb") as file:
            raw = file.read(_MAX_BYTES + 1)
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else "not a possible path"
        raise ConfigError(f"{display(path)}: cannot be read: {reason}") from None
    if len(raw) > _MAX_BYTES:
        raise ConfigError(f"{display(path)}: larger than {_MAX_BYTES} bytes")
    try:
        return parse(raw.decode("utf-8-sig"), display(path))
    except UnicodeDecodeError as error:
        line = raw[: error.start].count(b"\n") + 1
        raise ConfigError(f"{display(path)}: line {line}: expected UTF-8 text") from None


def parse(text: str, where: str) -> dict[str, Any]:
    """`text` as a document; `where` names it in messages.

    Raises:
        ConfigError: not TOML, with the line and column; or beyond the bounds.
    """
    try:
        document = tomllib.loads(text)
    except RecursionError:
        raise ConfigError(f"{where}: nested too deep") from None
    except (ValueError, OverflowError) as error:
        raise ConfigError(f"{where}: not TOML: {error}") from None
    wrong: list[Violation] = []
    plain = _plain(document, (), wrong)
    if wrong:
        raise ConfigError(lines(where, wrong))
    assert isinstance(plain, dict)  # noqa: S101 -- a TOML document is a table
    return plain


def lines(where: str, wrong: Iterable[Violation]) -> str:
    """One line per violation, worst first, each with the file; at most ten."""
    ordered = sorted(wrong)
    text = [f"{where}: {violation}" for violation in ordered[:_MAX_LINES]]
    if len(ordered) > _MAX_LINES:
        text[-1] = f"{where}: and {len(ordered) - _MAX_LINES + 1} more"
    return "\n".join(text)


def display(path: Path) -> str:
    """`path` as messages show it: relative to the working folder where it lies in it."""
    try:
        return str(path.absolute().relative_to(Path.cwd()))
    except (ValueError, OSError):
        return str(path)


def _plain(value: Any, place: tuple[str | int, ...], wrong: list[Violation]) -> Any:
    if len(place) > _MAX_DEPTH:
        wrong.append(meaning(key_path(place[:3]), "nested too deep"))
        return None
    if isinstance(value, dict):
        wrong += [
            meaning(key_path((*place, key)), "control character in the key")
            for key in value
            if not _one_line(key)
        ]
        return {key: _plain(item, (*place, key), wrong) for key, item in value.items()}
    if isinstance(value, list):
        return [_plain(item, (*place, number), wrong) for number, item in enumerate(value)]
    if isinstance(value, (date, datetime, time)):
        return value.isoformat()
    if isinstance(value, float) and not math.isfinite(value):
        wrong.append(meaning(key_path(place), f"expected a finite number, got {value}"))
    if isinstance(value, str) and not _one_line(value):
        wrong.append(meaning(key_path(place), f"expected {kind_of(value)} of one line"))
    return value


def _one_line(text: str) -> bool:
    return not any(unicodedata.category(character) == "Cc" for character in text)
