"""Mutants by hand: one defect each, in a resource of our own, and what has to be said of it."""

from __future__ import annotations

import json
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, Final

from harness.tests.validation.changing import Change
from harness.validation.findings import Finding, Severity

HERE: Final = Path(__file__).parent
US_CORE: Final = "6.1.0"


@dataclass(frozen=True, slots=True)
class Mutant:
    """One defect.

    Args:
        name: what is wrong, in words.
        base: the resource that has none: a file of `bases`.
        us_core: the version of US Core by whose profiles it is judged.
        profile: judged by this profile as well, whatever `meta.profile` says.
        change: what makes it wrong.
        rule, path, key: of the error that has to be found; other errors may be found as well.
    """

    name: str
    base: str
    us_core: str
    profile: str | None
    change: Change
    rule: str
    path: str
    key: str | None

    @property
    def resource(self) -> Any:
        """The defective resource."""
        return self.change.applied(bases()[self.base])

    def is_caught_by(self, finding: Finding) -> bool:
        """Says whether a finding is about this very defect."""
        said = (finding.severity, finding.rule, finding.path, finding.key)
        return said == (Severity.ERROR, self.rule, self.path, self.key)


@cache
def bases() -> Mapping[str, Any]:
    """Returns the resources without defects, by name."""
    files = sorted((HERE / "bases").glob("*.json"))
    return {file.stem: json.loads(file.read_text("utf-8")) for file in files}


@cache
def mutants() -> tuple[Mutant, ...]:
    """Returns all mutants by hand."""
    files = sorted((HERE / "mutants").glob("*.toml"))
    return tuple(
        _mutant(one) for file in files for one in tomllib.loads(file.read_text("utf-8"))["mutant"]
    )


def _mutant(told: dict[str, Any]) -> Mutant:
    return Mutant(
        name=told.pop("name"),
        base=told.pop("base"),
        us_core=told.pop("us_core", US_CORE),
        profile=told.pop("profile", None),
        rule=told.pop("rule"),
        path=told.pop("path"),
        key=told.pop("key", None),
        change=Change(**told),
    )
