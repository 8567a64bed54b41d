"""`harness coverage` tells what is judged, from the bundled suites or with a run's verdicts."""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path

import pytest

from harness.cli import coverage, main
from harness.config.paths import suites_dir
from harness.spec.coverage import read
from harness.spec.requirements import catalogue

PAGE = Path(__file__).parents[4] / "docs" / "coverage.md"
WELL_KNOWN = "smart/test_discovery.py::test_configuration_is_served_to_anyone"

bundled = cache(coverage.collected)


@pytest.fixture
def _collected(monkeypatch: pytest.MonkeyPatch) -> None:
    """Collect once, however many tests ask."""
    monkeypatch.setattr(coverage, "collected", bundled)


def run(reports: Path, **summary: object) -> None:
    folder = reports / "tiny" / "20260101T000000Z-abc"
    folder.mkdir(parents=True)
    (folder / "summary.json").write_text(json.dumps(summary))


def test_every_bundled_check_is_collected_with_its_requirement() -> None:
    found = bundled()
    assert found[WELL_KNOWN] == "smart/discovery/well-known"
    assert set(found.values()) <= set(catalogue())
    files = {check.partition("::")[0] for check in found}
    assert files == {
        path.relative_to(suites_dir()).as_posix() for path in suites_dir().glob("*/test_*.py")
    }


@pytest.mark.usefixtures("_collected")
def test_every_row_that_names_requirements_has_a_check() -> None:
    verified = set(bundled().values())
    for row in read("smart-2.2.0").rows:
        assert set(row.requirements) <= verified, f"@{row.number}"


@pytest.mark.usefixtures("_collected")
def test_the_committed_page_is_what_the_command_writes(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert main(["coverage", "--markdown"]) == 0
    written = PAGE.read_text(encoding="utf-8")
    stale = "stale: harness coverage --markdown > docs/coverage.md"
    assert written == capsys.readouterr().out, stale


@pytest.mark.usefixtures("_collected")
def test_the_table_ends_with_the_sums(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["coverage"]) == 0
    out = capsys.readouterr().out
    assert (
        f"@372 SHALL     Configuration at .well-known/smart-configuration\n{' ' * 15}{WELL_KNOWN}"
        in out
    )
    assert out.splitlines()[-2].startswith(
        f"{len(read('smart-2.2.0').rows)} rows (172 of them SHALL): "
    )
    assert out.splitlines()[-1].startswith(f"{len(catalogue())} requirements: ")


@pytest.mark.usefixtures("_collected")
def test_only_what_is_missing_is_shown_when_asked(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["coverage", "--missing", "--spec", "smart-2.0.0"]) == 0
    out = capsys.readouterr().out
    assert out.startswith("SMART App Launch 2.0.0: ")
    assert "@372" not in out
    assert "@396" not in out, "brands came with a later version"
    assert "duplicate of @335" in out


@pytest.mark.usefixtures("_collected")
def test_a_run_adds_its_verdicts(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    judged = {"specifications": {"smart": "2.0.0"}}
    run(tmp_path, **judged, verdicts=[{"check": WELL_KNOWN, "verdict": "failed"}])
    options = ["--run", "20260101T000000Z-abc", "--reports", str(tmp_path)]
    assert main(["coverage", *options, "--json"]) == 0
    out, noted = capsys.readouterr()
    by_number = {each["number"]: each for each in json.loads(out)["rows"]}
    assert by_number[372]["verdict"] == "failed"
    assert by_number[14]["verdict"] == "not run"
    assert by_number[18]["verdict"] is None
    assert noted == "note: the run judged SMART App Launch 2.0.0\n"
    assert main(["coverage", *options]) == 0
    assert "well-known/smart-configuration  [failed]" in capsys.readouterr().out


def test_a_summary_that_is_none_is_told_in_one_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run(tmp_path, verdicts="none")
    assert main(["coverage", "--run", "20260101T000000Z-abc", "--reports", str(tmp_path)]) == 4
    said = capsys.readouterr().err
    assert "no summary of a run" in said
    assert said.count("\n") == 1


def test_an_unknown_list_is_told_with_the_nearest(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["coverage", "--spec", "smart-2.20"]) == 4
    assert "did you mean 'smart-2.2.0'" in capsys.readouterr().err


def test_checks_that_cannot_be_collected_are_told_in_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(coverage, "suites_dir", lambda: tmp_path)
    assert main(["coverage"]) == 4
    said = capsys.readouterr().err
    assert "the checks cannot be collected" in said
    assert said.count("\n") == 1
