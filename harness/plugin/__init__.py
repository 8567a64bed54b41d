"""The pytest plugin: inert, and quick to import, until `--ehr`, `--ehr-url` or `--replay` is given.

This module is the entry point. It holds what pytest needs to know in every run: the options, the
mark of a check, and that a check without an endpoint is a mistake. All else stands in
`harness.plugin.lifecycle` and is imported when the harness is asked for.
"""

from __future__ import annotations

import pytest

from harness.plugin import options


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the options of a conformance run."""
    options.add(parser)


@pytest.hookimpl(tryfirst=True)
def pytest_load_initial_conftests(early_config: pytest.Config) -> None:
    """Leave the tests of the project at hand alone, and what they import: suites are judged."""
    known = early_config.known_args_namespace
    if options.active(early_config) and not known.file_or_dir:
        from harness.config import paths

        known.file_or_dir = [str(paths.suites_dir())]


@pytest.hookimpl(tryfirst=True)
def pytest_configure(config: pytest.Config) -> None:
    """Register the mark, and the rest of the plugin where the harness is asked for.

    Raises:
        pytest.UsageError: a wrong option, EHR file or name, in one line (status 4).
    """
    config.addinivalue_line("markers", "verifies(requirement): the requirement a check judges")
    if options.active(config):
        from harness.errors import HarnessError
        from harness.plugin import lifecycle

        try:
            lifecycle.start(config)
        except HarnessError as error:
            raise pytest.UsageError(str(error)) from None


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Refuse to run checks without an endpoint.

    Raises:
        pytest.UsageError: a check was collected, and no EHR was named (status 4).
    """
    if options.active(config):
        return
    check = next((item for item in items if item.get_closest_marker("verifies")), None)
    if check is not None:
        raise pytest.UsageError(
            f"{check.name} is a check of an EHR: name one with --ehr=NAME or --ehr-url=URL "
            "(--ehr=reference needs neither network nor credentials)"
        )
