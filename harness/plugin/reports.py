"""Writes every report of a run into its folder, and looks it through for secrets."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path
from uuid import uuid4

import allure_commons
import pytest
from allure_commons.model2 import TestResult

from harness.checks.verdict import Verdict, Word
from harness.errors import ExitStatus
from harness.plugin.publishing import Publisher
from harness.plugin.status import first_that_holds
from harness.reporting import allure, folders, junit, log, summary
from harness.reporting.account import Account
from harness.reporting.sweep import sweep, written
from harness.spec.requirements import catalogue

_UNFINISHED = frozenset({ExitStatus.INTERRUPTED, ExitStatus.USAGE})


class Reports:
    """The reports of one run; also a plugin of Allure's, in front of what writes its files.

    Args:
        folder: where they go; exists.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._results = folder / "allure-results"
        self._filler = allure.Filler(_attach)
        self._current: Callable[[], Verdict | None] = lambda: None

    def listen(self, config: pytest.Config) -> None:
        """Let allure-pytest write into the folder, unless the user named another."""
        option = config.option
        if not hasattr(option, "allure_report_dir"):
            return
        if option.allure_report_dir:
            self._results = Path(option.allure_report_dir).absolute()
        option.allure_report_dir = str(self._results)
        # What is captured is not redacted.
        option.attach_capture = False
        allure_commons.plugin_manager.register(self, "harness-allure")
        config.add_cleanup(lambda: allure_commons.plugin_manager.unregister(self))

    def follow(self, current: Callable[[], Verdict | None]) -> None:
        """Know where the verdict of the check at hand is found."""
        self._current = current

    @allure_commons.hookimpl(tryfirst=True)
    def report_result(self, result: TestResult) -> None:
        """Make a result say what the verdict says, before it is written."""
        verdict = self._current()
        if verdict is not None:
            self._filler.fill(result, verdict)

    def write(self, account: Account, publisher: Publisher) -> Account:
        """Write all.

        Returns:
            The account as it is after the files were looked through.
        """
        self._write_allure(account)
        log.write(account, publisher.exchanges(), self._folder / "run.log")
        self._write_verdicts(account)
        account = self._swept(account, publisher)
        if account.status not in _UNFINISHED and not account.cut_off:
            folders.point_latest(self._folder)
        return account

    def discard(self) -> None:
        """Remove the folder of a run that came to nothing."""
        shutil.rmtree(self._folder, ignore_errors=True)

    def _write_verdicts(self, account: Account) -> None:
        junit.write(account, self._folder / "junit.xml")
        summary.write(account, self._folder / "summary.json")

    def _write_allure(self, account: Account) -> None:
        if not self._results.is_dir():
            return
        for verdict in account.verdicts:
            if verdict.word is Word.NOT_RUN:
                moment = int(account.ended_at.timestamp() * 1000)
                result = TestResult(uuid=str(uuid4()), start=moment, stop=moment)
                self.follow(partial(_same, verdict))
                allure_commons.plugin_manager.hook.report_result(result=result)
        allure.write_surroundings(account, self._results)
        allure.write_configuration(account, self._folder / "allurerc.mjs")

    def _swept(self, account: Account, publisher: Publisher) -> Account:
        files = {*written(self._folder)}
        if self._results.is_dir():
            files |= {*written(self._results, account.about.started_at.timestamp())}
        hit = sweep(sorted(files), publisher.secrets(), _public(account))
        if not hit:
            return account
        lines = tuple(f"{each.name} held a secret, and was removed" for each in hit)
        account = replace(
            account,
            defects=(*account.defects, *lines),
            status=first_that_holds({account.status, ExitStatus.HARNESS_DEFECT}),
        )
        if not {"junit.xml", "summary.json"} & {each.name for each in hit}:
            self._write_verdicts(account)
        return account


def _same(verdict: Verdict) -> Verdict:
    return verdict


def _attach(content: str, name: str) -> None:
    allure_commons.plugin_manager.hook.report_attached_data(body=content, file_name=name)


def _public(account: Account) -> str:
    """Text of our own, in which a value that happens to be somebody's password is no leak."""
    texts = [f"{each.id} {each.text} {each.url}" for each in catalogue().values()]
    texts += [
        f"{each.check.id} {each.check.title} {each.check.section}" for each in account.verdicts
    ]
    about = account.about
    texts += [about.ehr.name, about.ehr.title, about.ehr.fhir_base, about.run, str(about.folder)]
    return "\n".join(texts)
