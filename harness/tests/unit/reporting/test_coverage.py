"""Rows, requirements, checks and verdicts are brought together by a pure function."""

from __future__ import annotations

import json

import pytest

from harness.checks.verdict import Word
from harness.reporting.coverage import (
    NO_CHECK,
    WORST_FIRST,
    Coverage,
    because,
    cover,
    folded,
    values,
    worst,
)
from harness.reporting.coverage_page import markdown
from harness.spec.coverage import OfficialList, Row
from harness.spec.regulatory import Versions
from harness.spec.requirements import Level, Requirement

NOW = Versions(us_core="6.1.0", smart="2.2.0", bulk="1.0.1")
THEN = Versions(us_core="6.1.0", smart="2.0.0", bulk="1.0.1")
ROWS = (
    Row(1, "SHALL", "judged", ("smart/a", "smart/b")),
    Row(2, "SHALL", "in part", ("smart/b",), open="the rest"),
    Row(3, "SHALL", "not verified", ("smart/c",)),
    Row(4, "SHALL", "to come", reason="planned", detail="Ask | again."),
    Row(5, "SHALL", "again", reason="duplicate", duplicate_of=4),
)
CHECKS = {"x.py::one": "smart/a", "x.py::two": "smart/b", "x.py::three": "smart/b"}


def requirement(name: str, **levels: Level) -> Requirement:
    by_version = {"2.2.0": levels.get("now", "SHALL")} | (
        {"2.0.0": levels["then"]} if "then" in levels else {}
    )
    return Requirement(name, "smart", f"What {name} says.", by_version, "https://x/{release}")


CATALOGUE = {
    each.id: each
    for each in (
        requirement("smart/a"),
        requirement("smart/b", then="SHALL"),
        requirement("smart/c"),
    )
}


def covered(versions: Versions = NOW, **verdicts: str) -> Coverage:
    official = OfficialList("smart-2.2.0", "smart", "SMART", versions.smart, "official_2.2.0", ROWS)
    said = {f"x.py::{check}": word for check, word in verdicts.items()}
    return cover(official, CATALOGUE, CHECKS, versions, said)


def test_a_row_is_judged_by_every_check_of_its_requirements() -> None:
    found = covered()
    assert [each.checks for each in found.rows] == [tuple(CHECKS), tuple(CHECKS)[1:], (), (), ()]
    assert [each.reason for each in found.rows] == [None, None, NO_CHECK, "planned", "duplicate"]
    assert because(found.rows[2]) == "no check of smart/c"
    assert because(found.rows[3]) == "planned: Ask | again."
    assert because(found.rows[4]) == "duplicate of @4"
    assert because(found.rows[0]) == ""


def test_what_is_missing_includes_what_is_judged_in_part() -> None:
    found = covered()
    assert [each.row.number for each in found.missing] == [2, 3, 4, 5]
    assert [each.requirement.id for each in found.unverified] == ["smart/c"]
    assert str(found) == (
        "5 rows (5 of them SHALL): 2 judged by checks (1 of them in part), "
        "3 not: 1 'no check', 1 'planned', 1 'duplicate'"
    )


def test_a_requirement_that_the_version_lacks_judges_nothing() -> None:
    found = covered(THEN)
    assert found.rows[0].checks == ("x.py::two", "x.py::three")
    assert [each.level for each in found.requirements] == [None, "SHALL", None]


def test_the_worst_verdict_of_a_run_speaks() -> None:
    found = covered(one="passed", two="not applicable", three="failed")
    assert [each.verdict for each in found.rows] == ["failed", "failed", None, None, None]
    assert [each.verdict for each in found.requirements] == ["passed", "failed", None]
    assert covered(two="passed", three="passed").rows[1].verdict == "passed"
    assert covered(two="passed").rows[1].verdict == "not run"
    assert covered().rows[0].verdict is None


def test_every_verdict_word_has_its_place() -> None:
    assert set(WORST_FIRST) == set(Word)
    assert len(WORST_FIRST) == len(Word)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["passed", "not applicable"], "passed"),
        (["passed", "prerequisite failed"], "prerequisite failed"),
        (["passed", "not configured"], "not configured"),
        (["advised", "passed"], "advised"),
        (["not supported", "not applicable"], "not supported"),
    ],
)
def test_an_open_question_weighs_more_than_a_pass(words: list[str], said: str) -> None:
    assert worst(["0", "1"], dict(zip("01", words, strict=True))) == said


def test_cases_of_one_check_are_put_together() -> None:
    assert folded(["x.py::one[a]", "x.py::two", "x.py::one[b[0]]"]) == [
        "x.py::one[a, b[0]]",
        "x.py::two",
    ]


def test_values_hold_every_row_with_its_official_id() -> None:
    found = covered(one="failed")
    said = json.loads(json.dumps(values(found, found.missing)))
    assert [each["id"] for each in said["rows"]] == [f"official_2.2.0@{n}" for n in (2, 3, 4, 5)]
    assert said["rows"][0]["open"] == "the rest"
    assert said["summary"]["rows"] == 5
    assert said["summary"]["unverified"] == ["smart/c"]
    assert said["summary"]["not_judged"] == {"no check": 1, "planned": 1, "duplicate": 1}
    assert said["requirements"][0] == {
        "id": "smart/a",
        "text": "What smart/a says.",
        "level": "SHALL",
        "rows": [1],
        "checks": ["x.py::one"],
        "verdict": "failed",
    }


def test_a_page_has_one_line_for_each_row_and_requirement() -> None:
    found = covered(one="failed")
    page = list(markdown(found, found.rows, NOW))
    table = [line for line in page if line.startswith("| ")]
    sums = 2 + 2 + len(found.reasons)
    assert len(table) == sums + 2 + len(ROWS) + 2 + len(CATALOGUE)
    assert "| 1 | 5 | not judged: planned |" in table
    assert "| @4 | SHALL | to come | planned: Ask \\| again. |" in table
    assert (
        "| @2 | SHALL | in part | `x.py::two`<br>`x.py::three`<br>*the rest*<br>**not run** |"
        in table
    )
    assert any(line.startswith("| [smart/a](https://x/2.2.0)<br>") for line in table)
    assert any(line.endswith("**failed** |") for line in table)
