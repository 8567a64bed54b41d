"""The catalogue of variants and the code agree."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

import harness.reference
from harness.config.load import load_ehr
from harness.errors import UsageError
from harness.reference import faults, variants
from harness.reference.variants import PARTS, catalogue, known

SOURCES = "\n".join(
    path.read_text(encoding="utf-8")
    for path in Path(harness.reference.__path__[0]).rglob("*.py")
    if path.parent.name not in ("faults", "variants")
)


def test_every_variant_is_asked_for_in_the_code() -> None:
    asked = set(re.findall(r'\bhas\(\s*"([a-z0-9-]+)"', SOURCES))
    assert catalogue().keys() - asked == set()


def test_no_variant_has_the_name_of_a_fault() -> None:
    assert catalogue().keys() & faults.catalogue().keys() == set()


def test_each_variant_says_in_one_sentence_what_differs_and_why_it_may() -> None:
    for each in catalogue().values():
        assert re.fullmatch(r"[a-z0-9]+(-[a-z0-9]+)*", each.name)
        assert re.fullmatch(r"\S[^\n]+\.", each.difference), each.name
        assert re.fullmatch(r"\S[^\n]+\.", each.liberty), each.name
        assert re.fullmatch(r"https?://\S+", each.url), each.name


def test_no_two_variants_have_one_name() -> None:
    data = Path(variants.__path__[0])
    text = "\n".join(path.read_text(encoding="utf-8") for path in data.glob("*.toml"))
    assert text.count("[[variant]]") == len(catalogue())
    assert {path.stem for path in data.glob("*.toml")} == set(PARTS)


def test_variants_leave_out_launches_and_clients_that_there_are() -> None:
    ehr = load_ehr("reference")
    named = {each.name for each in ehr.launches} | {each.name for each in ehr.clients}
    assert {name for each in catalogue().values() for name in each.leaves_out} - named == set()


def test_an_unknown_variant_is_refused_with_the_nearest_name() -> None:
    with pytest.raises(UsageError, match="did you mean 'redirects-relative'"):
        known(["redirect-relative"])
