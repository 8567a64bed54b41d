"""The catalogue of faults and the code agree."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest

import harness.reference
from harness.errors import UsageError
from harness.reference import faults, variants
from harness.reference.faults import PARTS, catalogue, known

SOURCES = "\n".join(
    path.read_text(encoding="utf-8")
    for path in Path(harness.reference.__path__[0]).rglob("*.py")
    if path.parent.name not in ("faults", "variants")
)


def test_every_fault_is_asked_for_in_the_code() -> None:
    assert [name for name in catalogue() if f'"{name}"' not in SOURCES] == []


def test_every_fault_that_the_code_asks_for_is_in_the_catalogue() -> None:
    asked = set(re.findall(r'\bhas\(\s*"([a-z0-9-]+)"', SOURCES))
    assert asked
    assert asked - catalogue().keys() - variants.catalogue().keys() == set()


def test_each_fault_has_a_part_and_a_cause_in_one_sentence() -> None:
    for fault in catalogue().values():
        assert fault.part in PARTS
        assert re.fullmatch(r"\S[^\n]+\.", fault.cause), fault.name
        assert re.fullmatch(r"[a-z0-9]+(-[a-z0-9]+)*", fault.name)


def test_no_two_faults_have_one_name() -> None:
    data = Path(faults.__path__[0])
    entries = [
        entry["name"]
        for part in PARTS
        for entry in tomllib.loads((data / f"{part}.toml").read_text(encoding="utf-8"))["fault"]
    ]
    assert sorted(entries) == sorted(catalogue())
    assert {path.stem for path in data.glob("*.toml")} == set(PARTS)


def test_an_unknown_fault_is_refused_with_the_nearest_name() -> None:
    with pytest.raises(UsageError, match="did you mean 'scope-missing'"):
        known(["scope-mising"])
