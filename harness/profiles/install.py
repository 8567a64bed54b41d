"""Packages on this machine: put where every FHIR tool looks for them.

https://confluence.hl7.org/display/FHIR/FHIR+Package+Cache: `~/.fhir/packages/NAME#VERSION/package`.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import tempfile
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from harness.errors import HostileInput, UsageError
from harness.profiles import archive
from harness.profiles.package import MANIFEST, NAME, VERSION, BrokenPackage, Manifest, require_r4
from harness.profiles.versions import is_exact
from harness.spec.definitions import folder_of, opened, shipped

_REFERENCE = re.compile(rf"({NAME.pattern})(?:[#@]({VERSION.pattern}))?")
_INDEXED = ("resourceType", "id", "url", "version", "kind", "type")


@dataclass(frozen=True, slots=True)
class Installed:
    """A package as it was installed.

    Attributes:
        manifest: what it says of itself.
        folder: where it is.
        warning: what is odd about it, or None.
    """

    manifest: Manifest
    folder: Path
    warning: str | None = None


def cache_of(environ: Mapping[str, str] = os.environ) -> Path:
    """Where packages are kept: `HARNESS_FHIR_CACHE`, else `~/.fhir/packages`."""
    chosen = environ.get("HARNESS_FHIR_CACHE")
    return Path(chosen).expanduser() if chosen else Path.home() / ".fhir" / "packages"


def reference(text: str) -> tuple[str, str]:
    """Name and version of `NAME#VERSION`; without a version, `latest`.

    Raises:
        UsageError: it is neither.
    """
    found = _REFERENCE.fullmatch(text)
    if not found:
        raise UsageError(f"{text[:80]!r}: expected NAME#VERSION, as hl7.fhir.us.core#6.1.0")
    name, version = found[1], found[2] or "latest"
    if version in ("current", "dev"):
        raise UsageError(
            f"{name}#{version}: registries have no builds that are not published",
            hint="give the file or its URL to --from",
        )
    return name, version


def installed(name: str, version: str, cache: Path) -> Path | None:
    """The folder of a package that is there, or None."""
    folder = cache / f"{name}#{version}"
    return folder if (folder / MANIFEST).is_file() else None


def versions(name: str, cache: Path) -> Iterator[str]:
    """The versions of a package that are there."""
    for folder in cache.glob(f"{name}#*"):
        if (folder / MANIFEST).is_file():
            yield folder.name.partition("#")[2]


def install(
    place: Path,
    cache: Path,
    *,
    wanted: tuple[str, str] | None = None,
    replace: bool = False,
) -> Installed:
    """Unpack an archive, or copy a folder, into the cache; it is there whole or not at all.

    Args:
        place: a `.tgz` file, or a folder as one was unpacked to.
        cache: see `cache_of`.
        wanted: name and version that it has to have; the latter may be `latest` or `X.Y.x`.
        replace: whether one that is there is replaced.

    Raises:
        UsageError: no package, another one, not of FHIR R4, or the cache cannot be written.
        HostileInput: an archive that means harm.
    """
    try:
        cache.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=".harness-", dir=cache) as name:
            unpacked = Path(name) / "unpacked"
            _unpack(_files(place), unpacked)
            manifest = _manifest(unpacked, place, wanted)
            _index(unpacked / "package")
            folder = _settle(unpacked, cache / f"{manifest.name}#{manifest.version}", replace)
    except OSError as error:
        where = error.filename or cache
        raise UsageError(f"{where}: cannot be written: {error.strerror}") from None
    return Installed(manifest, folder, _warning(manifest, place))


def _files(place: Path) -> Iterable[tuple[str, bytes]]:
    return _of_folder(place) if place.is_dir() else archive.files(place)


def _of_folder(place: Path) -> Iterator[tuple[str, bytes]]:
    """The files of a folder, by the names that an archive gives them."""
    top = place / "package" if (place / "package").is_dir() else place
    for file in sorted(top.rglob("*")):
        if file.is_symlink():
            raise HostileInput(f"{file}: expected a file, got a link")
        if file.is_file():
            yield f"package/{file.relative_to(top).as_posix()}", file.read_bytes()


def _unpack(files: Iterable[tuple[str, bytes]], into: Path) -> None:
    for name, content in files:
        path = into / name
        path.parent.mkdir(parents=True, exist_ok=True)
        if path.exists() and path.read_bytes() != content:
            raise HostileInput(f"{name}: is there twice, with different contents")
        path.write_bytes(content)


def _manifest(unpacked: Path, place: Path, wanted: tuple[str, str] | None) -> Manifest:
    file = unpacked / MANIFEST
    if not file.is_file():
        raise BrokenPackage(f"{place.name}: expected a FHIR package, which has {MANIFEST}")
    manifest = Manifest.of(file.read_bytes(), place.name)
    if wanted is not None:
        exact = wanted[1] if is_exact(wanted[1]) else manifest.version
        got = f"{manifest.name}#{manifest.version}"
        if got != f"{wanted[0]}#{exact}":
            raise BrokenPackage(f"{place.name}: expected {'#'.join(wanted)}, got {got}")
    require_r4(manifest, place.name)
    return manifest


def _index(folder: Path) -> None:
    """Write the index that other tools look for, where the package has none.

    https://confluence.hl7.org/display/FHIR/NPM+Package+Specification, .index.json
    """
    index = folder / ".index.json"
    if index.exists():
        return
    files = []
    for file in sorted(folder.glob("*.json")):
        said = _resource(file)
        if said:
            known = {name: said[name] for name in _INDEXED if isinstance(said.get(name), str)}
            files.append({"filename": file.name} | known)
    index.write_text(json.dumps({"index-version": 2, "files": files}, indent=2) + "\n", "utf-8")


def _resource(file: Path) -> dict[str, Any] | None:
    try:
        said = json.loads(file.read_bytes())
    except (ValueError, RecursionError):
        return None
    known = isinstance(said, dict) and isinstance(said.get("resourceType"), str)
    return said if known else None


def _settle(unpacked: Path, folder: Path, replace: bool) -> Path:  # noqa: FBT001 - private
    """Give the package its name; whoever was faster has won, for it is the same package."""
    if folder.exists():
        if not replace:
            return folder
        old = unpacked.with_name("old")
        folder.rename(old)
    try:
        unpacked.rename(folder)
    except OSError:
        if not (folder / MANIFEST).is_file():
            raise
    return folder


def _warning(manifest: Manifest, place: Path) -> str | None:
    """Whether the archive is another than the one that the shipped tables were derived from."""
    key = manifest.name, manifest.version
    if key not in shipped() or place.is_dir():
        return None
    known = opened(folder_of(*key))[0].sha256
    sha = hashlib.sha256(place.read_bytes()).hexdigest()
    if sha == known:
        return None
    return (
        f"{'#'.join(key)}: another build than the one known here: "
        f"sha256 {sha[:16]}…, expected {known[:16]}…"
    )
