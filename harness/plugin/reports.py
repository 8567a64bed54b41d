"""Writes every report of a run into its folder."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from harness.errors import ExitStatus
from harness.plugin.judging import Judging
from harness.plugin.publishing import Publisher
from harness.reporting import folders, summary
from harness.reporting.account import Account

_UNFINISHED = frozenset({ExitStatus.INTERRUPTED, ExitStatus.USAGE})


class Reports:
    """The reports of one run.

    Args:
        folder: where they go; exists.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def listen(self, config: pytest.Config) -> None:
        """Let Allure write into the folder."""

    def follow(self, judging: Judging, publisher: Publisher) -> None:
        """Know where verdicts come from."""

    def write(self, account: Account) -> Account:
        """Write all; the account as it is after the files were looked through for secrets."""
        summary.write(account, self._folder / "summary.json")
        if account.status not in _UNFINISHED and not account.cut_off:
            folders.point_latest(self._folder)
        return account

    def discard(self) -> None:
        """Remove the folder of a run that came to nothing."""
        shutil.rmtree(self._folder, ignore_errors=True)
