"""The tables that ship: made from packages, written, and compared with what is there."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path

from harness.errors import UsageError
from harness.profiles.derive import Tables, derive
from harness.profiles.known import at_most
from harness.profiles.package import read
from harness.spec.definitions import R4, Definitions, folder_of, load


def build(places: Iterable[Path]) -> Iterator[Tables]:
    """Reduce packages, FHIR R4 first; where it is not among them, the tables that ship are taken.

    Raises:
        UsageError: no package of FHIR R4.
        HostileInput: an archive that means harm.
    """
    packages = [read(each) for each in places]
    below: Definitions | None = None
    for package in sorted(packages, key=lambda each: _key(each.manifest.name)):
        if package.manifest.name == R4[0]:
            tables = derive(package, None, at_most())
            below = Definitions.read([tables.source()])
        else:
            below = below or load(*R4)
            tables = derive(package, below, at_most())
        yield tables


def write(tables: Tables, out: Path) -> Path:
    """Write a folder of tables below `out`; files that it no longer has are removed.

    Raises:
        UsageError: it cannot be written.
    """
    folder = folder_of(tables.origin.name, tables.origin.version, out)
    files = tables.files()
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for name, text in files.items():
            (folder / name).write_text(text, "utf-8")
        for each in folder.glob("*.json"):
            if each.name not in files:
                each.unlink()
    except OSError as error:
        raise UsageError(f"{folder}: cannot be written: {error.strerror}") from None
    return folder


def differences(tables: Tables, out: Path) -> Iterator[str]:
    """What a folder of tables below `out` has otherwise: a line for each definition."""
    folder = folder_of(tables.origin.name, tables.origin.version, out)
    files = tables.files()
    there = {each.name for each in folder.glob("*.json")}
    for name in sorted(files.keys() | there):
        where = f"{folder.name}/{name}"
        if name not in there:
            yield f"{where}: is missing"
        elif name not in files:
            yield f"{where}: is there, and should not be"
        else:
            text = (folder / name).read_text("utf-8")
            yield from (f"{where}: {each}" for each in _lines(files[name], text))


def _key(name: str) -> tuple[bool, str]:
    return name != R4[0], name


def _lines(wanted: str, found: str) -> Iterator[str]:
    """Which definitions differ, by the keys of their lines."""
    if wanted == found:
        return
    these, those = _by_key(wanted), _by_key(found)
    for key in sorted(these.keys() | those.keys()):
        if key not in those:
            yield f"{key} is missing"
        elif key not in these:
            yield f"{key} is there, and should not be"
        elif these[key] != those[key]:
            yield f"{key} differs"


def _by_key(text: str) -> dict[str, str]:
    parts = [line.strip().rstrip(",").partition('":') for line in text.splitlines()]
    return {key.lstrip('"'): rest for key, sign, rest in parts if sign}
