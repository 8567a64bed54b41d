"""The definitions of a package with those that it builds on."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from harness.errors import UsageError
from harness.spec.definitions import decode
from harness.spec.definitions.model import CodeSystem, Profile, Type, ValueSet
from harness.spec.definitions.table import Row, Source, Table

if TYPE_CHECKING:  # validation needs neither, and both take time to import
    from harness.spec.definitions.server import SearchParameter, Server

R4 = ("hl7.fhir.r4.core", "4.0.1")
"""The package of FHIR R4 itself, which every other one builds on."""

TABLES = Path(__file__).with_name("tables")
"""Where the tables are that ship, a folder for each package."""


@dataclass(frozen=True, slots=True)
class Package:
    """Where definitions come from.

    Attributes:
        name: `hl7.fhir.us.core`.
        version: `6.1.0`.
        licence: SPDX identifier that the package gives itself, or None.
        sha256: of the archive that the tables were derived from; of a folder, over its files.
        problems: a line for each definition that could not be used.
    """

    name: str
    version: str
    licence: str | None
    sha256: str
    problems: tuple[str, ...] = ()


@dataclass(frozen=True)
class Definitions:
    """Everything that a package and those that it builds on define; read when it is asked for.

    Attributes:
        packages: FHIR R4 first, the package itself last.
        types: by name.
        profiles: by canonical URL, without a version; extensions among them.
        value_sets: by canonical URL; those that a binding may need.
        code_systems: whose codes are all known, by URL.
        search_parameters: by canonical URL.
        servers: what servers are to do, by canonical URL.
        missing: packages that these build on and that were not at hand, as `name#version`.
    """

    packages: tuple[Package, ...]
    types: Mapping[str, Type]
    profiles: Mapping[str, Profile]
    value_sets: Mapping[str, ValueSet]
    code_systems: Mapping[str, CodeSystem]
    search_parameters: Mapping[str, SearchParameter]
    servers: Mapping[str, Server]
    missing: tuple[str, ...] = ()

    @classmethod
    def read(
        cls, packages: Sequence[tuple[Package, Source]], missing: tuple[str, ...] = ()
    ) -> Definitions:
        """The definitions of several packages; where two define the same, the later one wins."""
        sources = [source for _, source in packages]
        return cls(
            tuple(package for package, _ in packages),
            Table("types", sources, decode.type_of),
            Table("profiles", sources, decode.profile_of),
            Table("value-sets", sources, decode.value_set_of),
            Table("code-systems", sources, decode.code_system_of),
            Table("search-parameters", sources, _parameter_of),
            Table("servers", sources, _server_of),
            missing,
        )


@cache
def load(name: str, version: str) -> Definitions:
    """The definitions that ship with the harness: a package, and FHIR R4 below it.

    Raises:
        UsageError: no such package ships.
    """
    known = shipped()
    if (name, version) not in known:
        raise UsageError(
            f"{name}#{version}: not among the definitions that ship: "
            f"{', '.join(f'{each}#{of}' for each, of in known)}",
            hint=f"get it with: harness profiles install {name}#{version}",
        )
    wanted = [R4] if (name, version) == R4 else [R4, (name, version)]
    return Definitions.read([opened(folder_of(*each)) for each in wanted])


def shipped() -> tuple[tuple[str, str], ...]:
    """Name and version of each package whose tables ship, sorted."""
    manifests = sorted(TABLES.glob("*/package.json"))
    packages = [package_of(each.read_text("utf-8")) for each in manifests]
    return tuple(sorted((each.name, each.version) for each in packages))


def folder_of(name: str, version: str, tables: Path = TABLES) -> Path:
    """Where the tables of a package are kept."""
    return tables / f"{name}-{version}"


def opened(folder: Path) -> tuple[Package, Source]:
    """What a folder of tables holds.

    Raises:
        OSError: it cannot be read.
    """

    def source(table: str) -> str | None:
        file = folder / f"{table}.json"
        return file.read_text("utf-8") if file.is_file() else None

    return package_of((folder / "package.json").read_text("utf-8")), source


def package_of(text: str) -> Package:
    """What the manifest of a folder of tables says."""
    said = json.loads(text)
    problems = tuple(said["problems"])
    return Package(said["name"], said["version"], said["licence"], said["sha256"], problems)


def _parameter_of(url: str, row: Row) -> SearchParameter:
    from harness.spec.definitions import server_rows

    return server_rows.parameter_of(url, row)


def _server_of(url: str, row: Row) -> Server:
    from harness.spec.definitions import server_rows

    return server_rows.server_of(url, row)
