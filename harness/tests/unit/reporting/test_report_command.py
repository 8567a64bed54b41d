"""`harness report` says where the page is, or in one line why there is none."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from harness.cli import main
from harness.reporting import folders, html


@pytest.fixture
def run(tmp_path: Path) -> Path:
    folder = folders.create(tmp_path, "tiny", "20260101T000000Z-abc")
    (folder / "summary.json").write_text("{}")
    folders.point_latest(folder)
    return folder


def test_the_page_of_the_latest_run_is_printed(
    run: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(html, "generate", lambda folder: folder / "index.html")
    reports = str(run.parents[1])
    assert main(["report", "--reports", reports]) == 0
    assert capsys.readouterr().out == f"{run / 'index.html'}\n"
    assert main(["report", "tiny", "--json", "--reports", reports]) == 0
    printed = json.loads(capsys.readouterr().out)
    assert printed == {"run": str(run), "page": str(run / "index.html")}


def test_without_node_one_line_says_so(
    run: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (run / "allure-results").mkdir()
    monkeypatch.setenv("PATH", "")
    assert main(["report", "--reports", str(run.parents[1])]) == 4
    said = capsys.readouterr().err
    assert "needs Node.js" in said
    assert said.count("\n") == 1


def test_without_a_run_one_line_says_so(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["report", "--reports", str(tmp_path)]) == 4
    assert "no run under" in capsys.readouterr().err
