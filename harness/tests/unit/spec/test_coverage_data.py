"""The coverage data is whole, of one mind with the catalogue, and equal to the official list."""

from __future__ import annotations

import csv
import os
from pathlib import Path

import pytest

from harness.errors import ConfigError, UsageError
from harness.spec.coverage import DUPLICATE, REASONS, OfficialList, Row, names, read
from harness.spec.regulatory import Versions
from harness.spec.requirements import catalogue

OFFICIAL = os.environ.get("HARNESS_REQUIREMENTS")
"""A folder with the official lists; read before the environment is cleaned for the tests."""

LONGEST_NAME = 80
NORMATIVE = {"SHALL", "SHALL NOT"}
GOOD = """
spec = "smart"
title = "Made up"
version = "9.9.9"
official = "made.up_9.9.9"
[[row]]
number = 2
level = "SHALL"
name = "two"
reason = "duplicate of @1"
[[row]]
number = 1
level = "SHALL NOT"
name = "one"
requirements = ["smart/discovery/well-known"]
open = "half of it"
[[row]]
number = 3
level = "SHALL"
name = "three"
reason = "planned"
detail = "A check to come."
"""


@pytest.fixture(params=names())
def official(request: pytest.FixtureRequest) -> OfficialList:
    return read(request.param)


def written(folder: Path, text: str, name: str = "made-9.9.9") -> OfficialList:
    (folder / f"{name}.toml").write_text(text)
    return read(name, folder)


def test_every_row_is_either_judged_or_explained(official: OfficialList) -> None:
    for row in official.rows:
        assert bool(row.requirements) != (row.reason is not None), row
        assert row.reason is None or row.reason in {*REASONS, DUPLICATE}, row
        assert bool(row.detail) == (row.reason in REASONS), row
        assert row.name
        assert len(row.name) <= LONGEST_NAME, row


def test_numbers_ascend_and_duplicates_lead_to_a_row(official: OfficialList) -> None:
    numbers = [row.number for row in official.rows]
    assert numbers == sorted(set(numbers))
    assert {row.duplicate_of for row in official.rows if row.duplicate_of} <= set(numbers)


def test_what_judges_a_row_stands_in_the_catalogue_for_that_version(
    official: OfficialList,
) -> None:
    versions = Versions(us_core="6.1.0", smart=official.version, bulk="1.0.1")
    for row in official.rows:
        for name in row.requirements:
            level = catalogue()[name].level(versions)
            assert level is not None, f"@{row.number}: {official.version} does not have {name}"
            assert level != "SHALL" or row.level in NORMATIVE, f"@{row.number}: {name}"
        strict = [name for name in row.requirements if catalogue()[name].level(versions) == "SHALL"]
        # What is only advised never fails a run, so that such a row is judged in part, and says so.
        assert strict or row.open or not row.requirements or row.level not in NORMATIVE, row


def test_references_of_catalogue_and_rows_are_the_same() -> None:
    official = read("smart-2.2.0")
    from_rows = {
        (name, official.reference(row)) for row in official.rows for name in row.requirements
    }
    from_catalogue = {
        (each.id, ref)
        for each in catalogue().values()
        for ref in each.refs
        if ref.startswith("hl7.fhir.uv.smart-app-launch_")
    }
    assert from_catalogue == from_rows


def test_rows_are_those_of_the_official_list(official: OfficialList) -> None:
    if OFFICIAL is None:
        pytest.skip("HARNESS_REQUIREMENTS names no folder with the official lists")
    file = Path(OFFICIAL) / "smart-app-launch.csv"
    with file.open(encoding="utf-8-sig", newline="") as lines:
        theirs = {
            int(each["ID"]): each["Conformance"]
            for each in csv.DictReader(lines)
            if each["Req Set"] == official.official and "Server" in each["Actors"]
        }
    ours = {row.number: row.level for row in official.rows}
    assert ours.items() <= theirs.items()
    normative = {number for number, level in theirs.items() if level in NORMATIVE}
    assert {number for number, level in ours.items() if level in NORMATIVE} == normative


def test_a_row_is_read_with_what_is_left_open_and_what_it_doubles(tmp_path: Path) -> None:
    found = written(tmp_path, GOOD)
    assert found.rows == (
        Row(1, "SHALL NOT", "one", ("smart/discovery/well-known",), open="half of it"),
        Row(2, "SHALL", "two", reason=DUPLICATE, duplicate_of=1),
        Row(3, "SHALL", "three", reason="planned", detail="A check to come."),
    )
    assert found.reference(found.rows[0]) == "made.up_9.9.9@1"


def test_a_version_like_another_is_without_what_it_lacks(tmp_path: Path) -> None:
    written(tmp_path, GOOD)
    head = GOOD.partition("[[row]]")[0].replace("9.9.9", "9.0.0") + 'like = "made-9.9.9"\n'
    older = written(tmp_path, f"{head}without = [3]\n", "made-9.0.0")
    assert [row.number for row in older.rows] == [1, 2]
    with pytest.raises(ConfigError, match="has no row 7 to be without"):
        written(tmp_path, f"{head}without = [7]\n", "made-9.0.0")
    with pytest.raises(ConfigError, match="like itself"):
        written(tmp_path, head.replace("9.9.9", "9.0.0"), "made-9.0.0")


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (('reason = "planned"', 'reason = "planed"'), "got 'planed'; did you mean 'planned'?"),
        (('detail = "A check to come."', ""), "expected the reason 'planned' in a sentence"),
        (('reason = "planned"\ndetail = "A check to come."', ""), "either requirements or a"),
        (('reason = "planned"', 'reason = "planned"\nrequirements = ["x"]'), "either requirements"),
        (("duplicate of @1", "duplicate of @9"), "row 2: @9 is no row that stands for itself"),
        (("duplicate of @1", "duplicate of @2"), "row 2: @2 is no row that stands for itself"),
        (("number = 3", "number = 1"), "row 1 is given twice"),
        (('name = "three"', 'nmae = "three"'), "unknown key 'nmae'; did you mean 'name'?"),
        (('name = "three"', ""), "row 3: expected 'name'"),
        (('"SHALL NOT"', '"MUST"'), "got 'MUST'"),
        (('detail = "A check to come."', 'detail = "x"\nopen = "y"'), "open belongs to"),
        (('version = "9.9.9"', ""), "expected a string for 'version'"),
        (("[[row]]", "[[row]"), "made-9.9.9.toml"),
    ],
)
def test_data_that_does_not_follow_the_form_is_refused(
    tmp_path: Path, change: tuple[str, str], said: str
) -> None:
    with pytest.raises(ConfigError) as caught:
        written(tmp_path, GOOD.replace(*change, 1))
    assert said in str(caught.value)


def test_the_nearest_list_is_named() -> None:
    with pytest.raises(UsageError, match=r"did you mean 'smart-2\.2\.0'"):
        read("smart-2.2")
