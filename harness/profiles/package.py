"""A package of FHIR definitions, from its archive or from the folder where it was unpacked."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from harness.errors import UsageError
from harness.profiles import archive

MANIFEST = "package/package.json"
NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,127}")
VERSION = re.compile(r"[0-9A-Za-z][0-9A-Za-z.+-]{0,63}")
_RESOURCE = re.compile(r"package/[^/.][^/]*\.json")


class BrokenPackage(UsageError):
    """A package that is not what it should be."""


@dataclass(frozen=True, slots=True)
class Manifest:
    """What `package.json` says.

    Attributes:
        name: `hl7.fhir.us.core`.
        version: `6.1.0`.
        licence: SPDX identifier, or None.
        fhir_versions: `4.0.1`; empty where nothing is said.
        dependencies: version by name.
    """

    name: str
    version: str
    licence: str | None = None
    fhir_versions: tuple[str, ...] = ()
    dependencies: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def of(cls, raw: bytes, where: str) -> Manifest:
        """Read one.

        Raises:
            BrokenPackage: it is no manifest.
        """
        said = _object(raw, f"{where}: package.json")
        name, version = said.get("name"), said.get("version")
        if not (isinstance(name, str) and NAME.fullmatch(name)):
            raise BrokenPackage(
                f"{where}: package.json: expected a package's name, got {name!r:.80}"
            )
        if not (isinstance(version, str) and VERSION.fullmatch(version)):
            raise BrokenPackage(f"{where}: package.json: expected a version, got {version!r:.80}")
        fhir = said.get("fhirVersions") or said.get("fhir-version-list") or []
        dependencies = said.get("dependencies") or {}
        licence = said.get("license")
        return cls(
            name,
            version,
            licence if isinstance(licence, str) else None,
            tuple(each for each in fhir if isinstance(each, str)) if isinstance(fhir, list) else (),
            {k: v for k, v in dependencies.items() if isinstance(v, str)}
            if isinstance(dependencies, dict)
            else {},
        )


@dataclass(frozen=True, slots=True)
class Package:
    """A package in memory.

    Attributes:
        manifest: what it says of itself.
        sha256: of the archive; of a folder, over names and contents of its definitions.
        resources: its conformance resources, by type, in the order of their canonical URLs.
    """

    manifest: Manifest
    sha256: str
    resources: Mapping[str, tuple[dict[str, Any], ...]]

    def of(self, type_: str) -> tuple[dict[str, Any], ...]:
        """Its resources of one type."""
        return self.resources.get(type_, ())


def read(place: Path) -> Package:
    """A package from an archive or a folder.

    Raises:
        UsageError: no package, or not of FHIR R4.
        HostileInput: an archive that means harm.
    """
    if place.is_dir():
        found = dict(folder(place))
        sha = _digest(found.items())
    else:
        found = {name: raw for name, raw in archive.files(place) if _counts(name)}
        sha = hashlib.sha256(place.read_bytes()).hexdigest()
    if MANIFEST not in found:
        raise BrokenPackage(f"{place}: expected a FHIR package, which has package/package.json")
    manifest = Manifest.of(found[MANIFEST], str(place))
    require_r4(manifest, str(place))
    resources = [_object(found[each], f"{place}: {each}") for each in found if each != MANIFEST]
    return Package(manifest, sha, by_type(resources))


def digest(place: Path) -> str:
    """The sha256 that `read` gives the package of a folder."""
    return _digest(folder(place))


def folder(place: Path) -> Iterator[tuple[str, bytes]]:
    """The definitions in a folder, by the names that an archive gives them, sorted.

    The folder is that of a package, or the one named `package` in it.

    Raises:
        BrokenPackage: it cannot be read.
    """
    inner = place / "package" if (place / "package" / "package.json").is_file() else place
    try:
        for file in sorted(inner.glob("*.json")):
            if _counts(f"package/{file.name}"):
                yield f"package/{file.name}", file.read_bytes()
    except OSError as error:
        raise BrokenPackage(f"{inner}: cannot be read: {error.strerror}") from None


def require_r4(manifest: Manifest, where: str) -> None:
    """Refuse what is of another version of FHIR.

    Raises:
        BrokenPackage: it is.
    """
    said = manifest.fhir_versions
    if said and not any(each.startswith("4.0.") for each in said):
        raise BrokenPackage(
            f"{where}: expected a package of FHIR R4 (4.0.1), got {', '.join(said)}"
        )


def _counts(name: str) -> bool:
    """Whether a file may be a definition; what lies deeper are examples, schemas and the like."""
    return _RESOURCE.fullmatch(name) is not None


def _digest(found: Iterable[tuple[str, bytes]]) -> str:
    whole = hashlib.sha256()
    for name, raw in found:
        whole.update(f"{name}\0{len(raw)}\0".encode())
        whole.update(raw)
    return whole.hexdigest()


def by_type(resources: Iterable[Mapping[str, Any]]) -> dict[str, tuple[dict[str, Any], ...]]:
    """Resources that have a canonical URL, by their type, sorted by URL and version."""
    kept: dict[str, list[dict[str, Any]]] = {}
    for each in resources:
        if isinstance(each.get("resourceType"), str) and isinstance(each.get("url"), str):
            kept.setdefault(each["resourceType"], []).append(dict(each))
    return {
        type_: tuple(sorted(found, key=lambda each: (each["url"], str(each.get("version")))))
        for type_, found in kept.items()
    }


def _object(raw: bytes, where: str) -> dict[str, Any]:
    try:
        value = json.loads(raw)
    except (ValueError, RecursionError):
        raise BrokenPackage(f"{where}: expected JSON") from None
    if not isinstance(value, dict):
        raise BrokenPackage(f"{where}: expected a JSON object")
    return value
