"""What guides say in words, or leave to a server: read from the tables beside this module."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

from harness.profiles.codes import Known
from harness.spec.definitions.model import Amendment, Choice, Support

_HERE = Path(__file__).parent


@cache
def value_sets() -> Mapping[str, Known]:
    """Value sets that no package carries, by canonical URL."""
    return {each["url"]: _known(each) for each in _table("value_sets")["value_set"]}


@cache
def at_most() -> Mapping[str, int]:
    """How many codes of a system a list may have to be shipped, by system."""
    return dict(_table("value_sets")["at_most"])


@cache
def support(package: str, version: str) -> Mapping[str, Support]:
    """What a version of a guide says of must-support in words, by canonical URL of the profile."""
    table = _table("must_support")
    if package != table["package"]:
        return {}
    found: dict[str, Support] = {}
    for kind, make in (("choices", _choice), ("added", _amendment), ("withdrawn", _amendment)):
        for row in table[kind]:
            for name in row["profiles"] if version in row["versions"] else ():
                url = name if "://" in name else f"{table['profiles']}{name}"
                before = found.get(url, Support())
                parts = {each: getattr(before, each) for each in ("choices", "added", "withdrawn")}
                parts[kind] += (make(row, table["profiles"]),)
                found[url] = Support(**parts)
    return found


def _known(row: Mapping[str, Any]) -> Known:
    codes = {
        system: None if each == "*" else frozenset(each)
        for system, each in row["codes"].items()
        if each
    }
    return Known(codes, frozenset() if row["complete"] else frozenset(row["codes"]))


def _choice(row: Mapping[str, Any], profiles: str) -> Choice:
    return Choice(tuple(row["elements"]), _targets(row, profiles), row.get("uscdi", False))


def _amendment(row: Mapping[str, Any], profiles: str) -> Amendment:
    return Amendment(
        row["element"],
        row["reason"],
        row.get("value"),
        _targets(row, profiles),
        row.get("uscdi", False),
    )


def _targets(row: Mapping[str, Any], profiles: str) -> tuple[str, ...]:
    return tuple(f"{profiles}{each}" for each in row.get("targets", ()))


def _table(name: str) -> dict[str, Any]:
    return tomllib.loads((_HERE / f"{name}.toml").read_text("utf-8"))
