"""The definitions of any package on this machine, derived when first asked for.

What was derived is kept, named by a digest of everything that it was derived from.
"""

from __future__ import annotations

import hashlib
import os
import sys
import tempfile
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

from harness.errors import UsageError
from harness.profiles import archive
from harness.profiles.derive import derive
from harness.profiles.install import cache_of, installed, reference, versions
from harness.profiles.package import MANIFEST, BrokenPackage, Manifest, digest, read
from harness.profiles.versions import chosen
from harness.spec.definitions import (
    R4,
    TABLES,
    Definitions,
    Source,
    folder_of,
    load,
    opened,
    shipped,
)
from harness.spec.definitions import Package as Origin


def definitions(package: str, environ: Mapping[str, str] = os.environ) -> Definitions:
    """The definitions of a package with all that it builds on.

    Args:
        package: `NAME#VERSION` of one that ships or is installed, where the version may be `latest`
            or `6.1.x`; or the path of an archive or of a folder.
        environ: for where packages are, and where what is derived is kept.

    Raises:
        UsageError: it is not there, or no package of FHIR R4.
        HostileInput: an archive that means harm.
    """
    if os.sep in package or package.endswith(".tgz"):
        return definitions_of(Path(package), environ)
    name, version = reference(package)
    cache = cache_of(environ)
    exact = _version(name, version, cache)
    if (name, exact) in shipped():
        return load(name, exact)
    folder = installed(name, exact, cache)
    if folder is None:
        raise UsageError(
            f"{name}#{version}: neither ships nor is installed in {cache}",
            hint=f"get it with: harness profiles install {name}#{version}",
        )
    return definitions_of(folder, environ)


def definitions_of(place: Path, environ: Mapping[str, str] = os.environ) -> Definitions:
    """The definitions of an archive or of a folder that one was unpacked to.

    Raises:
        UsageError: no package of FHIR R4.
        HostileInput: an archive that means harm.
    """
    stack = _Stack(cache_of(environ), kept_in(environ))
    stack.add(place)
    return Definitions.read(stack.packages, tuple(stack.missing))


def at_hand(name: str, version: str, environ: Mapping[str, str] = os.environ) -> bool:
    """Whether a package ships or is installed."""
    cache = cache_of(environ)
    exact = _version(name, version, cache)
    return (name, exact) in shipped() or installed(name, exact, cache) is not None


def kept_in(environ: Mapping[str, str] = os.environ) -> Path:
    """Where derived tables are kept: `HARNESS_CACHE`, else the platform's folder for caches."""
    if chosen_folder := environ.get("HARNESS_CACHE"):
        return Path(chosen_folder).expanduser() / "definitions"
    if sys.platform == "darwin":
        return Path.home() / "Library" / "Caches" / "fhir-harness" / "definitions"
    base = environ.get("XDG_CACHE_HOME")
    return (Path(base) if base else Path.home() / ".cache") / "fhir-harness" / "definitions"


@cache
def derivation() -> str:
    """A digest of the code that derives tables: what it changes is derived again."""
    whole = hashlib.sha256()
    folders = [Path(__file__).parent, TABLES.parent]
    for file in sorted(each for folder in folders for each in folder.iterdir() if each.is_file()):
        whole.update(file.read_bytes())
    return whole.hexdigest()


@dataclass(slots=True)
class _Stack:
    """Packages in the order in which they build on each other."""

    cache: Path
    kept: Path
    packages: list[tuple[Origin, Source]] = field(default_factory=list)
    missing: list[str] = field(default_factory=list)
    _names: set[str] = field(default_factory=set)

    def add(self, place: Path) -> None:
        """A package, after all that it builds on."""
        manifest = _manifest(place)
        self._names.add(manifest.name)
        if manifest.name != R4[0]:
            self._ship(*R4)
        for name, version in sorted(manifest.dependencies.items()):
            if name not in self._names:
                self._names.add(name)
                self._below(name, version)
        self.packages.append(self._derived(place))

    def _below(self, name: str, version: str) -> None:
        exact = _version(name, version, self.cache)
        folder = installed(name, exact, self.cache)
        if (name, exact) in shipped():
            self._ship(name, exact)
        elif folder is not None:
            try:
                self.add(folder)
            except BrokenPackage:  # of another version of FHIR, as some that only carry texts
                self.missing.append(f"{name}#{version}")
        else:
            self.missing.append(f"{name}#{version}")

    def _ship(self, name: str, version: str) -> None:
        package = opened(folder_of(name, version))
        self._names.add(name)
        if package[0] not in [each for each, _ in self.packages]:
            self.packages.append(package)

    def _derived(self, place: Path) -> tuple[Origin, Source]:
        """Its tables: those that are kept, or new ones."""
        sha = digest(place) if place.is_dir() else _sha256(place)
        below = [origin.sha256 for origin, _ in self.packages]
        key = hashlib.sha256("\n".join([derivation(), sha, *below]).encode())
        folder = self.kept / key.hexdigest()[:24]
        with suppress(OSError, ValueError, KeyError):
            return opened(folder)
        tables = derive(read(place), Definitions.read(self.packages) if self.packages else None)
        with suppress(OSError):  # a cache that cannot be written costs time, nothing else
            _keep(tables.files(), folder)
        return tables.source()


def _keep(files: Mapping[str, str], folder: Path) -> None:
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder.parent) as name:
        whole = Path(name) / "tables"
        whole.mkdir()
        for file, text in files.items():
            (whole / file).write_text(text, "utf-8")
        whole.rename(folder)


def _version(name: str, version: str, cache: Path) -> str:
    """The exact version that is meant, of those that ship or are installed."""
    known = {of for each, of in shipped() if each == name} | set(versions(name, cache))
    return chosen(version, known) or version


def _manifest(place: Path) -> Manifest:
    """What a package says of itself.

    Raises:
        BrokenPackage: it is none.
    """
    if place.is_dir():
        for file in (place / MANIFEST, place / "package.json"):
            if file.is_file():
                return Manifest.of(file.read_bytes(), str(place))
    else:
        for name, raw in archive.files(place):
            if name == MANIFEST:
                return Manifest.of(raw, str(place))
    raise BrokenPackage(f"{place}: expected a FHIR package, which has {MANIFEST}")


def _sha256(place: Path) -> str:
    return hashlib.sha256(place.read_bytes()).hexdigest()
