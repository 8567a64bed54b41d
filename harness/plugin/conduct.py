"""Conducts a run: reference EHR, probe, acts, verdicts, reports, exit status."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime

import pytest

from harness.checks.acting import REGISTRY
from harness.checks.verdict import Terms
from harness.config import paths
from harness.errors import EhrUnreachable, ExitStatus, HarnessError, UsageError
from harness.garbage import collecting_rarely
from harness.plugin import conclusion
from harness.plugin.collection import Collection
from harness.plugin.conclusion import Ending
from harness.plugin.judging import Judging, acts_of
from harness.plugin.live import Live
from harness.plugin.options import Options
from harness.plugin.probe import PROBE, not_r4
from harness.plugin.publishing import Publisher
from harness.plugin.reports import Reports
from harness.plugin.screen import Screen
from harness.plugin.target import Target
from harness.reporting import folders
from harness.reporting.account import About
from harness.reporting.summary import installed

REFERENCE_RATE, REFERENCE_BURST = 100.0, 20
"""Requests per second that the reference EHR permits a run; its EHR file says no more."""


class Conduct:
    """One run; a pytest plugin.

    Args:
        config: pytest's.
        options: what was asked for.
        target: what the run is pointed at.
        collection: knows the checks.
    """

    def __init__(
        self, config: pytest.Config, options: Options, target: Target, collection: Collection
    ) -> None:
        self._config = config
        self._options = options
        self._target = target
        self._collection = collection
        self._stack = ExitStack()
        config.add_cleanup(self._stack.close)
        self._started_at = datetime.now(UTC)
        self._run = folders.new_run(self._started_at)
        root = folders.reports_root(options.reports)
        self._folder = folders.create(root, target.ehr.name, self._run)
        self._reports = Reports(self._folder)
        self._reports.listen(config)
        self._screen = Screen(config)
        config.pluginmanager.register(self._screen, "harness-screen")
        self._live: Live | None = None
        self._judging: Judging | None = None
        self._publisher: Publisher | None = None
        self._broken: list[str] = []
        self._cut_off: HarnessError | None = None
        self._status: ExitStatus | None = None

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtestloop(self, session: pytest.Session) -> bool | None:
        """Let the acts begin; True where there is nothing to judge.

        Raises:
            pytest.UsageError: the endpoint is no R4 server, or something it needs is missing.
        """
        if session.testsfailed or not session.items:
            return None
        try:
            return self._begin()
        except UsageError as error:
            raise pytest.UsageError(str(error)) from None
        except HarnessError as error:
            self._cut_off = error
            return True

    def pytest_collectreport(self, report: pytest.CollectReport) -> None:
        """Remember modules that could not be collected."""
        if report.failed:
            self._broken.append(f"{report.nodeid}: {report.longreprtext}")

    @pytest.hookimpl(trylast=True)
    def pytest_sessionfinish(self, session: pytest.Session, exitstatus: int) -> None:
        """End the acts, undo writes, write the reports, find the status."""
        if self._live is None or exitstatus == ExitStatus.USAGE:
            self._status = self._without_verdicts(int(exitstatus))
        else:
            self._status = self._conclude(self._live, int(exitstatus))
        session.exitstatus = self._status

    def _begin(self) -> bool | None:
        self._stack.enter_context(_ended_as_by_ctrl_c())
        self._stack.enter_context(collecting_rarely(after=20_000))
        if self._target.starts_reference:
            self._start_reference()
        live = self._live = Live(self._target, REGISTRY, self._folder)
        self._stack.callback(live.end)
        publisher = self._publisher = Publisher(live)
        terms = self._terms()
        checks = self._collection.checks
        self._screen.begin(self._about(), checks)
        judging = self._judging = Judging(live, terms, publisher.verdict, self._screen)
        self._reports.follow(lambda: judging.current)
        self._config.pluginmanager.register(judging, "harness-judging")
        wanted = acts_of(checks, terms)
        if wanted:
            self._probe(live)
            live.begin(wanted)
        return None

    def _start_reference(self) -> None:
        from harness.reference.process import start

        handle = self._stack.enter_context(
            start(rate=REFERENCE_RATE, burst=REFERENCE_BURST, smart=self._target.versions.smart)
        )
        self._target = self._target.at(handle.fhir_base, handle.credentials, handle.advance)

    def _probe(self, live: Live) -> None:
        live.begin([PROBE])
        live.wait([PROBE], self._screen.asking)
        outcome = live.outcomes[PROBE]
        if isinstance(outcome.error, EhrUnreachable):
            raise outcome.error
        if reason := not_r4(outcome.value):
            raise pytest.UsageError(reason)

    def _without_verdicts(self, exitstatus: int) -> ExitStatus:
        """The status of a run that came to no check."""
        if self._live is not None:
            self._live.end()
        self._reports.discard()
        for each in self._broken:
            self._screen.say(each)
        if self._broken:
            return ExitStatus.USAGE
        if self._cut_off:
            self._screen.say(str(self._cut_off))
            return conclusion.status_of(self._cut_off)
        if exitstatus == ExitStatus.NOTHING_PASSED:
            left_out = self._collection.deselected
            self._screen.say(f"no check was selected, of {left_out}: nothing was asked of the EHR")
        known = {each.value for each in ExitStatus}
        return ExitStatus(exitstatus) if exitstatus in known - {0} else ExitStatus.NOTHING_PASSED

    def _conclude(self, live: Live, exitstatus: int) -> ExitStatus:
        left = live.end()
        if self._judging is None or self._publisher is None:
            return ExitStatus.HARNESS_DEFECT
        ending = Ending(
            exitstatus=exitstatus,
            cut_off=self._cut_off,
            require_complete=self._options.require_complete,
            partial=bool(self._collection.deselected) or self._named_files,
            left_behind=tuple(left),
            deselected=self._collection.deselected,
        )
        account = conclusion.conclude(
            self._about(),
            self._collection.checks,
            self._judging.verdicts,
            live,
            self._terms(),
            self._publisher,
            ending,
        )
        if self._options.record:
            ids = [each.id for each in self._collection.checks]
            conclusion.record(self._target, live, self._about(), ids, self._folder)
        account = self._reports.write(account, self._publisher)
        self._screen.end(account)
        return account.status

    @property
    def _named_files(self) -> bool:
        """Whether less than the bundled suites was asked for."""
        return self._config.args != [str(paths.suites_dir())]

    def _terms(self) -> Terms:
        strict = self._options.strict_should or self._target.recorded_option("strict_should")
        return Terms(self._target.ehr, self._target.versions, strict_should=strict)

    def _about(self) -> About:
        return About(
            ehr=self._target.ehr,
            versions=self._target.versions,
            run=self._run,
            folder=self._folder,
            started_at=self._started_at,
            endpoints=self._target.endpoints,
            options={
                "strict_should": self._options.strict_should,
                "require_complete": self._options.require_complete,
            },
            packages=installed(),
            replayed=str(self._target.recorded[1]) if self._target.recorded else None,
        )


@contextmanager
def _ended_as_by_ctrl_c() -> Iterator[None]:
    """Undo writes and write the reports on SIGTERM, too: a build server's way to cancel."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)
