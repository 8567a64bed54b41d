"""Our lines in the place of pytest's dots; a pytest plugin."""

from __future__ import annotations

import sys
from collections.abc import Sequence

import pytest

from harness.checks.verdict import Check, Verdict
from harness.reporting.account import About, Account
from harness.reporting.terminal import Terminal


class Screen:
    """Prints while a run goes on.

    Lines are printed between checks, when pytest does not capture.

    Args:
        config: pytest's; its own reporter is told to be quiet through its own options.
    """

    def __init__(self, config: pytest.Config) -> None:
        option = config.option
        self._verbosity: int = option.verbose
        self._header: bool = not option.no_header
        self._summary: bool = not option.no_summary
        option.verbose = -2
        option.no_header = option.no_summary = True
        option.tbstyle = "no"
        color = {"yes": True, "no": False}.get(option.color)
        self._terminal = Terminal(sys.stdout, color=color)
        self._total = 0
        self._done = 0
        self._section: list[Verdict] = []
        self._fresh: list[Verdict] = []

    def begin(self, about: About, checks: Sequence[Check]) -> None:
        """Print the header."""
        self._total = len(checks)
        if self._header and self._verbosity >= 0:
            self._terminal.header(about, checks)

    def asking(self) -> None:
        """Show that the first answer is waited for, where the stream is a terminal."""
        if self._verbosity >= 0:
            self._terminal.passing("waiting for the first answer of the EHR")

    def waiting(self, check: Check) -> None:
        """Show what is waited for, where the stream is a terminal."""
        if self._verbosity >= 0:
            acts = ", ".join(check.acts)
            self._terminal.passing(f"[{self._done}/{self._total}] waiting for {acts}")

    def judged(self, verdict: Verdict) -> None:
        """Take note; it is printed as soon as pytest's capture is over."""
        self._fresh.append(verdict)

    def pytest_runtest_logfinish(self) -> None:
        """Print what was judged."""
        for verdict in self._fresh:
            if self._section and _file(self._section[-1]) != _file(verdict):
                self._end_section()
            self._done += 1
            self._section.append(verdict)
            if self._verbosity > 0:
                self._terminal.verdict(verdict)
        self._fresh.clear()

    def end(self, account: Account) -> None:
        """Print the summary; with --no-summary only the last lines."""
        self.pytest_runtest_logfinish()
        self._end_section()
        if self._summary:
            self._terminal.summary(account)
        else:
            self._terminal.totals(account)

    def say(self, text: str) -> None:
        """Print one line."""
        self._terminal.line(text)

    def _end_section(self) -> None:
        if self._section and self._verbosity == 0:
            first = self._section[0]
            name = f"{first.check.suite}  {first.check.section}".strip()
            self._terminal.section(name, self._section, self._done, self._total)
        self._section.clear()


def _file(verdict: Verdict) -> str:
    return verdict.check.id.partition("::")[0]
