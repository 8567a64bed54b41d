"""Exit status and roots of failed prerequisites; and that the plugin is inert and light."""

from __future__ import annotations

import subprocess
import sys
from typing import Any

import pytest

from harness.checks.acting import Registry
from harness.checks.runner import Outcome
from harness.checks.verdict import Check, Verdict, Word
from harness.errors import PRECEDENCE, EhrUnreachable, ExitStatus, LoginFailed, PrerequisiteFailed
from harness.plugin import status
from harness.plugin.conclusion import Ending, of_ending
from harness.spec.requirements import Requirement

REQUIREMENT = Requirement("fhir/x", "fhir", "Text.", {"*": "SHALL"}, "https://hl7.org")


def on_first(first: Any) -> None:
    """It SHALL."""


def on_second(second: Any) -> None:
    """It SHALL."""


def verdict(word: Word, function: Any = on_first) -> Verdict:
    return Verdict(Check(f"x::{function.__name__}", function, REQUIREMENT), word, level="SHALL")


@pytest.fixture
def registry() -> Registry:
    registry = Registry()

    async def first(run: Any) -> None: ...

    async def second(run: Any, first: Any) -> None: ...

    registry.add(first)
    registry.add(second)
    return registry


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ([Word.PASSED], ExitStatus.OK),
        ([Word.PASSED, Word.ADVISED, Word.NOT_CONFIGURED], ExitStatus.OK),
        ([Word.NOW_PASSING, Word.KNOWN_DEVIATION], ExitStatus.OK),
        ([Word.PASSED, Word.FAILED], ExitStatus.NOT_CONFORMANT),
        ([Word.FAILED], ExitStatus.NOT_CONFORMANT),
        ([Word.NOT_CONFIGURED, Word.ATTESTED], ExitStatus.NOTHING_PASSED),
        ([], ExitStatus.NOTHING_PASSED),
        ([Word.FAILED, Word.UNREACHABLE], ExitStatus.UNREACHABLE),
        ([Word.FAILED, Word.UNREACHABLE, Word.ERROR], ExitStatus.HARNESS_DEFECT),
    ],
)
def test_words_ask_for_a_status(words: list[Word], expected: Any) -> None:
    assert status.first_that_holds(status.of_verdicts(map(verdict, words))) is expected


def test_precedence_is_that_of_the_contract() -> None:
    assert [each.value for each in PRECEDENCE] == [4, 2, 3, 6, 1, 5, 0]
    assert status.first_that_holds(set(ExitStatus) - {ExitStatus.INCOMPLETE}) is ExitStatus.USAGE


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (KeyError("x"), {ExitStatus.HARNESS_DEFECT}),
        (EhrUnreachable("x"), {ExitStatus.UNREACHABLE}),
        (LoginFailed("x"), {ExitStatus.NOT_CONFORMANT}),
        (PrerequisiteFailed("x"), set()),
    ],
)
def test_an_act_that_failed_itself_asks_for_a_status(error: Exception, expected: Any) -> None:
    assert status.of_outcomes([Outcome("first", error=error, root="first")]) == expected
    assert status.of_outcomes([Outcome("second", error=error, root="first")]) == set()


@pytest.mark.parametrize(
    ("verdicts", "error", "orphans"),
    [
        ([verdict(Word.PREREQUISITE_FAILED, on_second)], None, 1),
        ([verdict(Word.PREREQUISITE_FAILED, on_second), verdict(Word.PASSED)], None, 1),
        ([verdict(Word.PREREQUISITE_FAILED, on_second), verdict(Word.FAILED)], None, 0),
        ([verdict(Word.PREREQUISITE_FAILED, on_second), verdict(Word.ADVISED)], None, 0),
        ([verdict(Word.PREREQUISITE_FAILED), verdict(Word.FAILED, on_second)], None, 1),
        ([verdict(Word.PREREQUISITE_FAILED, on_second)], LoginFailed("x"), 0),
    ],
)
def test_a_failed_prerequisite_has_a_root_below_it(
    registry: Registry, verdicts: list[Verdict], error: Exception, orphans: int
) -> None:
    outcomes = {"first": Outcome("first", error=error, root="first" if error else None)}
    assert len(status.rootless(verdicts, outcomes, registry)) == orphans


def test_the_plugin_imports_nothing_heavy_until_it_is_asked_for() -> None:
    code = (
        "import sys, time, pytest\n"
        "before = set(sys.modules); start = time.perf_counter()\n"
        "import harness.plugin\n"
        "spent = time.perf_counter() - start\n"
        "new = {each.partition('.')[0] for each in set(sys.modules) - before}\n"
        "heavy = {'httpx', 'allure_commons', 'fhir', 'rich', 'anyio', 'jsonschema', 'joserfc'}\n"
        "print(sorted(new & heavy), sorted(each for each in sys.modules if 'harness' in each))\n"
        "sys.exit(spent > 0.2)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout.strip()) == (
        0,
        "[] ['harness', 'harness.plugin', 'harness.plugin.options']",
    )


def ending(**more: Any) -> Ending:
    usual: dict[str, Any] = {
        "exitstatus": 0,
        "cut_off": None,
        "require_complete": False,
        "partial": False,
        "left_behind": (),
        "deselected": 0,
    }
    return Ending(**{**usual, **more})


@pytest.mark.parametrize(
    ("how", "complete", "orphans", "expected"),
    [
        ({}, 0, 0, set()),
        ({}, 1, 1, {ExitStatus.HARNESS_DEFECT}),
        # With checks left out, the root may be among those.
        ({"partial": True}, 1, 1, {ExitStatus.NOT_CONFORMANT}),
        ({"require_complete": True}, 0, 0, {ExitStatus.NOT_CONFORMANT}),
        ({"require_complete": True}, 1, 0, set()),
        ({"exitstatus": 2}, 1, 0, {ExitStatus.INTERRUPTED}),
        ({"exitstatus": 3}, 1, 0, {ExitStatus.HARNESS_DEFECT}),
        ({"cut_off": EhrUnreachable("x")}, 1, 0, {ExitStatus.UNREACHABLE}),
        ({"cut_off": LoginFailed("x")}, 1, 0, {ExitStatus.HARNESS_DEFECT}),
    ],
)
def test_the_ending_of_a_run_asks_for_a_status(
    how: dict[str, Any], complete: int, orphans: int, expected: set[ExitStatus]
) -> None:
    asked = of_ending(ending(**how), complete=bool(complete), orphans=bool(orphans))
    assert asked == expected
