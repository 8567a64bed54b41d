"""The catalogue of requirements: one sentence of a specification each, with level and link.

The data stands in `requirements/*.toml`, one file per section of a specification:

    spec = "smart"                      # family
    [releases]                          # version -> what {release} becomes in url
    "2.2.0" = "STU2.2"
    [[requirement]]
    id = "smart/discovery/media-type"
    text = "..."
    url = "https://hl7.org/fhir/smart-app-launch/{release}/conformance.html#using-well-known"
    urls = { "1.0.0" = "https://..." }                  # where a version has it elsewhere, optional
    levels = { "2.0.0" = "SHALL", "2.2.0" = "SHALL" }   # or: level = "SHALL", for every version
    refs = ["hl7.fhir.uv.smart-app-launch_2.2.0@123"]   # official ids, optional
"""

from __future__ import annotations

import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from difflib import get_close_matches
from functools import cache
from pathlib import Path
from types import MappingProxyType
from typing import Any, Literal, Protocol, cast, get_args

from harness.errors import ConfigError

Level = Literal["SHALL", "SHOULD", "MAY", "ADVICE"]
"""ADVICE: a behaviour that an integrator needs without a normative sentence; it only advises."""

FAMILIES: Mapping[str, str] = MappingProxyType(
    {"smart": "smart", "us-core": "us_core", "bulk": "bulk"}
)
"""Families with a choice of version, and which attribute of the run's versions holds it."""

UNVERSIONED = frozenset({"fhir", "oauth", "oidc", "harness"})

_KEYS = frozenset({"id", "text", "url", "urls", "level", "levels", "refs"})


class ChosenVersions(Protocol):
    """The versions that a run judges against."""

    @property
    def us_core(self) -> str:
        """Version of US Core."""

    @property
    def smart(self) -> str:
        """Version of SMART App Launch."""

    @property
    def bulk(self) -> str:
        """Version of Bulk Data Access."""


@dataclass(frozen=True, slots=True)
class Requirement:
    """One sentence of a specification.

    Attributes:
        id: our own stable id, `family/section/name`.
        spec: the family: smart, us-core, bulk, fhir, oauth, oidc or harness.
        text: the sentence, in our words.
        levels: version -> level; the key `*` holds for every version.
        url: link to the sentence, `{release}` standing for the release of the version.
        urls: version -> link, where a version has the sentence at another place.
        refs: official ids, as cross-references.
        releases: version -> release, as links spell it.
    """

    id: str
    spec: str
    text: str
    levels: Mapping[str, Level]
    url: str
    urls: Mapping[str, str] = field(default_factory=dict)
    refs: tuple[str, ...] = ()
    releases: Mapping[str, str] = field(default_factory=dict)

    def version(self, versions: ChosenVersions) -> str | None:
        """The version of this requirement's specification; None where there is no choice."""
        attribute = FAMILIES.get(self.spec)
        return cast("str", getattr(versions, attribute)) if attribute else None

    def level(self, versions: ChosenVersions) -> Level | None:
        """Its level under these versions; None where that version does not have it."""
        return self.levels.get(self.version(versions) or "*", self.levels.get("*"))

    def link(self, versions: ChosenVersions) -> str:
        """The sentence itself, in the release judged against."""
        version = self.version(versions)
        if version is None:
            return self.url
        url = self.urls.get(version, self.url)
        return url.replace("{release}", self.releases.get(version, version))


def releases(family: str) -> Mapping[str, str]:
    """Version -> release as links spell it, of a family with a file of its own: `us-core`."""
    file = Path(__file__).parent / "requirements" / f"{family}.toml"
    found: Mapping[str, str] = tomllib.loads(file.read_text("utf-8"))["releases"]
    return found


@cache
def catalogue() -> Mapping[str, Requirement]:
    """Every shipped requirement by id.

    Raises:
        ConfigError: a file that does not follow the form, or an id given twice.
    """
    return read_catalogue(sorted((Path(__file__).parent / "requirements").glob("**/*.toml")))


def read_catalogue(files: Iterable[Path]) -> Mapping[str, Requirement]:
    """Read requirement files; ids are unique over all of them.

    Raises:
        ConfigError: naming file and requirement.
    """
    found: dict[str, Requirement] = {}
    for file in files:
        for requirement in _read(file):
            if requirement.id in found:
                raise ConfigError(f"{file.name}: requirement {requirement.id!r} is given twice")
            found[requirement.id] = requirement
    return MappingProxyType(found)


def find(requirements: Mapping[str, Requirement], requirement_id: str) -> Requirement:
    """The requirement of that id.

    Raises:
        ConfigError: there is none; the message names the nearest.
    """
    try:
        return requirements[requirement_id]
    except KeyError:
        nearest = did_you_mean(requirement_id, requirements)
        raise ConfigError(f"no requirement {requirement_id!r}{nearest}") from None


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """`; did you mean 'x'?` for the nearest known word, else an empty string."""
    close = get_close_matches(word, list(known), n=1)
    return f"; did you mean {close[0]!r}?" if close else ""


def _read(file: Path) -> list[Requirement]:
    try:
        data = tomllib.loads(file.read_text(encoding="utf-8"))
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(f"{file.name}: {error}") from None
    spec = data.get("spec")
    known = {*FAMILIES, *UNVERSIONED}
    if spec not in known:
        expected = ", ".join(sorted(known))
        raise ConfigError(f"{file.name}: expected spec to be one of {expected}, got {spec!r}")
    releases = MappingProxyType(dict(data.get("releases", {})))
    return [_requirement(entry, spec, releases, file) for entry in data.get("requirement", [])]


def _requirement(
    entry: dict[str, Any], spec: str, releases: Mapping[str, str], file: Path
) -> Requirement:
    place = f"{file.name}: requirement {entry.get('id')!r}"
    if unknown := sorted(entry.keys() - _KEYS):
        raise ConfigError(f"{place}: unknown key {unknown[0]!r}{did_you_mean(unknown[0], _KEYS)}")
    if missing := [key for key in ("id", "text", "url") if not isinstance(entry.get(key), str)]:
        raise ConfigError(f"{place}: expected a string for {missing[0]!r}")
    if not entry["id"].startswith(f"{spec}/"):
        raise ConfigError(f"{place}: expected an id that starts with '{spec}/'")
    return Requirement(
        id=entry["id"],
        spec=spec,
        text=entry["text"].strip(),
        levels=_levels(entry, spec, place),
        url=entry["url"],
        urls=MappingProxyType(dict(entry.get("urls", {}))),
        refs=tuple(entry.get("refs", ())),
        releases=releases,
    )


def _levels(entry: dict[str, Any], spec: str, place: str) -> Mapping[str, Level]:
    if ("level" in entry) == ("levels" in entry):
        raise ConfigError(f"{place}: expected either level or levels")
    levels = {"*": entry["level"]} if "level" in entry else dict(entry["levels"])
    if spec in UNVERSIONED and set(levels) != {"*"}:
        raise ConfigError(f"{place}: {spec} has no choice of version, so it takes level")
    for version, level in levels.items():
        if level not in get_args(Level):
            expected = ", ".join(get_args(Level))
            raise ConfigError(f"{place}: expected {expected} for {version}, got {level!r}")
    return MappingProxyType(levels)
