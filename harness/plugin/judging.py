"""From acts to verdicts, and from verdicts to what pytest understands."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Generator
from typing import NoReturn, Protocol

import pytest

from harness.checks.verdict import ERRORS, Check, Terms, Verdict, Word, judge, not_applicable
from harness.errors import NotConformant
from harness.plugin.collection import CHECK
from harness.plugin.live import Live

VERDICT = pytest.StashKey[Verdict]()
_CATEGORY = {
    Word.PASSED: "passed",
    Word.NOW_PASSING: "xpassed",
    Word.FAILED: "failed",
    Word.ADVISED: "xfailed",
    Word.KNOWN_DEVIATION: "xfailed",
    Word.ERROR: "error",
    Word.UNREACHABLE: "error",
}


class NotJudged(Exception):
    """A check ended in an error; the report carries the words."""


class Observer(Protocol):
    """Whoever wants to know of progress and verdicts."""

    def waiting(self, check: Check) -> None:
        """A check waits for its acts."""

    def judged(self, verdict: Verdict) -> None:
        """A verdict, redacted."""


class Judging:
    """Judges each check when pytest comes to it; a pytest plugin.

    Args:
        live: where the acts are.
        terms: what to judge by.
        publish: redacts a verdict; what it returns is all that leaves this class.
        observer: is told of each verdict.
    """

    def __init__(
        self,
        live: Live,
        terms: Terms,
        publish: Callable[[Verdict], Verdict],
        observer: Observer,
    ) -> None:
        self._live = live
        self._terms = terms
        self._publish = publish
        self._observer = observer
        self._reported: set[str] = set()
        self.verdicts: dict[str, Verdict] = {}
        self.current: Verdict | None = None

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_protocol(self, item: pytest.Function) -> None:
        """Wait for the acts, outside of pytest's capture, so that progress can be shown."""
        self.current = None
        check = item.stash[CHECK]
        if not_applicable(check, self._terms) is None:
            self._live.wait(check.acts, lambda: self._observer.waiting(check))
        # What pytest finds here it does not look up as a fixture.
        for name in inspect.signature(check.function).parameters:
            item.funcargs.setdefault(name, None)

    @pytest.hookimpl(tryfirst=True)
    def pytest_pyfunc_call(self, pyfuncitem: pytest.Function) -> bool:
        """Judge, and say it in pytest's words."""
        check = pyfuncitem.stash[CHECK]
        verdict = judge(check, self._live.outcomes, self._terms, reported=self._reported)
        if verdict.root and verdict.word in ERRORS:
            self._reported.add(verdict.root)
        self._keep(pyfuncitem, verdict)
        _say(pyfuncitem.stash[VERDICT])
        return True

    @pytest.hookimpl(wrapper=True, trylast=True)
    def pytest_runtest_makereport(
        self, item: pytest.Item, call: pytest.CallInfo[None]
    ) -> Generator[None, pytest.TestReport, pytest.TestReport]:
        """Let the report carry the verdict; inside of other wrappers, so that they see it."""
        report = yield
        verdict = item.stash.get(VERDICT, None)
        if report.when == "call" and verdict is not None:
            _dress(report, verdict)
        elif report.failed and verdict is None:
            self._keep(item, self._foreign(item, report, call))
        return report

    @pytest.hookimpl(tryfirst=True)
    def pytest_report_teststatus(self, report: pytest.TestReport) -> tuple[str, str, str] | None:
        """Categories of verdicts; letters are left to our own terminal report."""
        said = dict(report.user_properties).get("verdict")
        if report.when == "call" and said is not None:
            return _CATEGORY.get(Word(str(said)), "skipped"), "", ""
        return ("error", "", "") if report.failed else ("", "", "")

    def _keep(self, item: pytest.Item, verdict: Verdict) -> None:
        public = self._publish(verdict)
        item.stash[VERDICT] = public
        self.verdicts[item.nodeid] = public
        self.current = public
        self._observer.judged(public)

    def _foreign(
        self, item: pytest.Item, report: pytest.TestReport, call: pytest.CallInfo[None]
    ) -> Verdict:
        """The verdict where something that is not ours failed around a check."""
        what = call.excinfo.exconly() if call.excinfo else "an unknown failure"
        reason = f"{report.when} of the check failed: {what}"
        return Verdict(
            item.stash[CHECK],
            Word.ERROR,
            level=item.stash[CHECK].requirement.level(self._terms.versions),
            link=item.stash[CHECK].requirement.link(self._terms.versions),
            reason=reason,
            detail=report.longreprtext,
        )


def acts_of(checks: list[Check], terms: Terms) -> list[str]:
    """The acts that these checks take, each once, in the order of the checks."""
    names = (name for each in checks if not_applicable(each, terms) is None for name in each.acts)
    return list(dict.fromkeys(names))


def _say(verdict: Verdict) -> None:
    match verdict.word:
        case Word.PASSED | Word.NOW_PASSING:
            return
        case Word.FAILED:
            raise _miss(verdict)
        case Word.ERROR | Word.UNREACHABLE:
            raise NotJudged(verdict.reason)
        case _:
            _skip(verdict)


def _miss(verdict: Verdict) -> NotConformant:
    return NotConformant(verdict.expected or "", verdict.actual or "", verdict.where)


def _skip(verdict: Verdict) -> NoReturn:
    pytest.skip(f"{verdict.word}: {verdict.reason}")


def _dress(report: pytest.TestReport, verdict: Verdict) -> None:
    report.user_properties.append(("verdict", verdict.word.value))
    if verdict.word in {Word.ADVISED, Word.KNOWN_DEVIATION}:
        report.wasxfail = f"{verdict.word}: {verdict.reason}"
    if verdict.word is Word.FAILED or verdict.word in ERRORS:
        report.longrepr = verdict.detail or verdict.reason
