"""HTML from Allure results, by Allure 3 itself: a Node program, run through npx."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Callable, Sequence
from pathlib import Path

from harness.errors import ExitStatus, HarnessError, UsageError

ALLURE = "allure@3"
OUTPUT = "allure-report"
_WITHIN = 600.0

Run = Callable[[Sequence[str], Path], tuple[int, str]]
"""Runs a command in a folder: its exit status, and what it said."""


class ReportFailed(HarnessError):
    """Allure did not write the report."""

    status = ExitStatus.HARNESS_DEFECT


def generate(
    folder: Path,
    *,
    find: Callable[[str], str | None] = shutil.which,
    run: Run | None = None,
) -> Path:
    """Write `allure-report/` beside the results of a run.

    Args:
        folder: of the run, with `allure-results/` and `allurerc.mjs`.
        find: where a program is; None where it is not.
        run: how a command is run.

    Returns:
        The page to open.

    Raises:
        UsageError: the run has no Allure results, or there is no Node.
        ReportFailed: Allure did not write it.
    """
    if not (folder / "allure-results").is_dir():
        raise UsageError(f"{folder}: no Allure results", hint="results lie in a run's own folder")
    npx = find("npx")
    if npx is None:
        raise UsageError(
            "the HTML report needs Node.js 20 or newer (npx), which is not installed",
            hint=f"the results are in {folder / 'allure-results'}; any Allure can read them",
        )
    target = folder / OUTPUT
    shutil.rmtree(target, ignore_errors=True)
    command = [npx, "--yes", ALLURE, "generate", "allure-results"]
    command += ["--config", "allurerc.mjs", "--output", OUTPUT]
    status, said = (run or _run)(command, folder)
    page = next((each for each in _pages(target) if each.is_file()), None)
    if status or page is None:
        words = " ".join(said.split())[-400:]
        raise ReportFailed(f"Allure did not write the report: {words or f'status {status}'}")
    return page


def _pages(target: Path) -> list[Path]:
    return [target / "index.html", target / "awesome" / "index.html"]


def _run(command: Sequence[str], folder: Path) -> tuple[int, str]:
    try:
        done = subprocess.run(  # noqa: S603 - our own words and a program found on PATH
            command, cwd=folder, capture_output=True, text=True, timeout=_WITHIN, check=False
        )
    except subprocess.TimeoutExpired:
        return 1, f"no answer within {_WITHIN:g} s"
    return done.returncode, done.stdout + done.stderr
