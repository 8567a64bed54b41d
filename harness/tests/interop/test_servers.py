"""Whole runs against servers of other make, as a person starts them.

`INTEROP_EHRS` names the EHR files, separated as `PATH` is; their secrets are in variables that
begin with `INTEROP_` too. Beside `NAME.toml` may lie `NAME.findings.toml`: the ids of the checks
that have to fail (`failed`) or advise (`advised`), and of those that may do either (`sometimes`).
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

GIVEN = {name: value for name, value in os.environ.items() if name.startswith("INTEROP_")}
FILES = [Path(each) for each in GIVEN.get("INTEROP_EHRS", "").split(os.pathsep) if each]
JUDGED = {0, 1}
MINUTES = 10 * 60
NONE = pytest.param(None, id="none", marks=pytest.mark.skip(reason="INTEROP_EHRS names none"))


@dataclass(frozen=True, slots=True)
class Finished:
    """A run that came to its end, and the summary that it wrote."""

    file: Path
    status: int
    said: str
    summary: dict[str, Any]

    def checks(self, word: str) -> set[str]:
        return {each["check"] for each in self.summary["verdicts"] if each["verdict"] == word}

    @property
    def expected(self) -> dict[str, list[str]] | None:
        beside = self.file.with_suffix(".findings.toml")
        return tomllib.loads(beside.read_text("utf-8")) if beside.is_file() else None


@pytest.fixture(
    scope="module",
    params=[pytest.param(each, id=each.stem) for each in FILES] or [NONE],
)
def run(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Finished:
    file: Path = request.param
    reports = tmp_path_factory.mktemp("reports")
    done = subprocess.run(
        [sys.executable, "-m", "pytest", f"--ehr={file.resolve()}", f"--reports={reports}"],
        cwd=Path(__file__).parents[3],
        env=os.environ | GIVEN,
        capture_output=True,
        text=True,
        timeout=MINUTES,
        check=False,
    )
    written = sorted(reports.glob("*/2*/summary.json"))
    assert written, done.stdout + done.stderr
    summary = json.loads(written[-1].read_text("utf-8"))
    return Finished(file, done.returncode, done.stdout + done.stderr, summary)


def test_it_ends_with_a_verdict_about_the_server(run: Finished) -> None:
    assert run.status in JUDGED, run.said
    assert run.summary["defects"] == []
    assert "Traceback" not in run.said


def test_no_check_breaks(run: Finished) -> None:
    assert run.checks("error") == set()
    assert run.checks("unreachable") == set()


def test_nothing_that_it_wrote_stays_behind(run: Finished) -> None:
    assert run.summary["left_behind"] == []


@pytest.mark.parametrize("word", ["failed", "advised"])
def test_it_finds_what_is_wrong_and_nothing_else(run: Finished, word: str) -> None:
    if run.expected is None:
        pytest.skip(f"no {run.file.stem}.findings.toml: what is wrong with it is not known")
    sometimes = set(run.expected.get("sometimes", ()))
    assert run.checks(word) - sometimes == set(run.expected.get(word, ())) - sometimes
