"""`--collect-only`: every check with its requirement and level; offline, without secrets."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from harness.plugin.collection import checks_of
from harness.spec.requirements import ChosenVersions


class Listing:
    """Lists checks in the place of pytest's own listing; a pytest plugin.

    Args:
        versions: levels depend on them.
    """

    def __init__(self, versions: ChosenVersions) -> None:
        self._versions = versions

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_collection_finish(self, session: pytest.Session) -> Iterator[None]:
        """Print one line for each selected check."""
        items, session.items = session.items, []
        try:
            yield
        finally:
            session.items = items
        reporter = session.config.pluginmanager.getplugin("terminalreporter")
        if reporter is None:
            return
        for check in checks_of(items):
            level = check.requirement.level(self._versions) or "not applicable"
            reporter.write_line(f"{check.id}  {check.requirement.id}  {level}")
