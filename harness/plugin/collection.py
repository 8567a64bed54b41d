"""From collected functions to checks: suites, stable ids, markers, requirements, acts."""

from __future__ import annotations

import inspect
from collections.abc import Generator, Iterable, Mapping
from pathlib import Path

import pytest

from harness.checks.acting import Registry
from harness.checks.verdict import VALUES, Check
from harness.checks.words import MARK
from harness.config import paths
from harness.errors import ConfigError, UsageError
from harness.spec.requirements import Requirement, did_you_mean, find

MARKERS: Mapping[str, str] = {
    "smart": "SMART App Launch and Backend Services",
    "observations": "Observations: reading, searching, writing",
    "us_core": "US Core profiles and searches",
    "bulk": "Bulk Data Access",
    "sync": "staying in sync",
    "throttling": "behaviour under load",
    "tenancy": "isolation of patients, clients and tenants",
    "g10": "part of (g)(10) certification",
    "write": "writes to the EHR",
}
CERTIFIED = frozenset({"smart", "us-core", "oidc", "bulk"})
"""The specifications that (g)(10) certification names (45 CFR 170.215)."""

CHECK = pytest.StashKey[Check]()
_MOST = 10
"""Mistakes told at once."""


class SuiteModule(pytest.Module):
    """A file of checks: named by its place in the suites, whatever the settings of the project."""

    def funcnamefilter(self, name: str) -> bool:
        """Checks are functions called `test_...`, whatever `python_functions` says."""
        return name.startswith("test_")

    def classnamefilter(self, name: str) -> bool:  # noqa: ARG002 - the signature is pytest's
        """A check is a plain function; classes are not collected."""
        return False


class Collection:
    """Collects checks; a pytest plugin.

    Args:
        requirements: the catalogue.
        registry: the acts.
        only: ids of the checks to select, where a recording has no others; None selects all.
    """

    def __init__(
        self,
        requirements: Mapping[str, Requirement],
        registry: Registry,
        *,
        only: frozenset[str] | None = None,
    ) -> None:
        self._requirements = requirements
        self._registry = registry
        self._only = only
        self.checks: list[Check] = []
        self.deselected = 0

    @pytest.hookimpl(wrapper=True)
    def pytest_collect_file(
        self, file_path: Path, parent: pytest.Collector
    ) -> Generator[None, list[pytest.Collector], list[pytest.Collector]]:
        """Collect every `test_` module of suites, whatever `python_files` says."""
        found = yield
        name = file_path.name
        wanted = file_path.suffix == ".py" and name.startswith("test_")
        if wanted and not found and root_of(file_path) is not None:
            found = [SuiteModule.from_parent(parent, path=file_path, nodeid=_id_of(file_path))]
        return found

    def pytest_pycollect_makemodule(
        self, module_path: Path, parent: pytest.Collector
    ) -> pytest.Module:
        """Name a module by its place in the suites."""
        if root_of(module_path) is None:
            return pytest.Module.from_parent(parent, path=module_path)
        return SuiteModule.from_parent(parent, path=module_path, nodeid=_id_of(module_path))

    @pytest.hookimpl(tryfirst=True)
    def pytest_collection_modifyitems(
        self, config: pytest.Config, items: list[pytest.Item]
    ) -> None:
        """Turn each item into a check, before anything is selected.

        Raises:
            pytest.UsageError: naming the check and what is wrong with it (status 4).
        """
        wrong = []
        for item in items:
            try:
                self._prepare(item)
            except UsageError as error:
                wrong.append(str(error))
        if wrong:
            raise pytest.UsageError(*wrong[:_MOST])
        left_out = [each for each in items if self._only and each.nodeid not in self._only]
        if left_out:
            items[:] = [each for each in items if each not in left_out]
            config.hook.pytest_deselected(items=left_out)

    def pytest_deselected(self, items: Iterable[pytest.Item]) -> None:
        """Count what `-m`, `-k` and others left out."""
        self.deselected += len(list(items))

    def pytest_collection_finish(self, session: pytest.Session) -> None:
        """What is selected is what will be judged."""
        self.checks = checks_of(session.items)

    def _prepare(self, item: pytest.Item) -> None:
        if not isinstance(item, pytest.Function) or not inspect.isfunction(item.obj):
            raise UsageError(f"{item.nodeid}: a check is a plain function")
        check = self._check(item)
        item.stash[CHECK] = check
        suite = check.suite.replace("-", "_")
        if suite in MARKERS:
            item.add_marker(getattr(pytest.mark, suite))
        if check.requirement.spec in CERTIFIED:
            item.add_marker(pytest.mark.g10)

    def _check(self, item: pytest.Function) -> Check:
        check_id, function = item.nodeid, item.function
        if inspect.iscoroutinefunction(function):
            raise UsageError(f"{check_id}: a check is a plain function; what awaits is an act")
        if not (inspect.getdoc(function) or "").strip():
            raise UsageError(f"{check_id}: expected a docstring, the sentence under test")
        callspec = getattr(item, "callspec", None)
        params = dict(callspec.params) if callspec else {}
        check = Check(
            check_id,
            function,
            self._requirement(item),
            params,
            suite=_suite(item.path),
            section=_section(item),
        )
        self._known(check)
        return check

    def _requirement(self, item: pytest.Function) -> Requirement:
        ids = list(dict.fromkeys(arg for mark in item.iter_markers(MARK) for arg in mark.args))
        if not ids:
            raise UsageError(f"{item.nodeid}: expected @verifies with the requirement it judges")
        try:
            found = [find(self._requirements, str(each)) for each in ids]
        except ConfigError as error:
            raise UsageError(f"{item.nodeid}: {error}") from None
        if len({tuple(sorted(each.levels.items())) for each in found}) > 1:
            raise UsageError(
                f"{item.nodeid}: requirements of different levels in one check: {', '.join(ids)}",
                hint="one check for each, or parametrise with pytest.param(marks=verifies(...))",
            )
        if len(found) > 1:
            raise UsageError(
                f"{item.nodeid}: one check judges one requirement, not {', '.join(ids)}",
                hint="parametrise with pytest.param(marks=verifies(...))",
            )
        return found[0]

    def _known(self, check: Check) -> None:
        acts = self._registry.view()
        for name in check.acts:
            if name not in acts:
                nearest = did_you_mean(name, [*acts, *VALUES])
                raise UsageError(f"{check.id}: no act {name!r}{nearest}")
        try:
            self._registry.plan(check.acts)
        except UsageError as error:
            raise UsageError(f"{check.id}: {error}") from None


def checks_of(items: Iterable[pytest.Item]) -> list[Check]:
    """The checks that collected items became."""
    return [item.stash[CHECK] for item in items if CHECK in item.stash]


def root_of(path: Path) -> Path | None:
    """The folder that ids are relative to: the bundled suites, or the nearest one called suites."""
    if _bundled(path):
        return paths.suites_dir()
    return next((each for each in path.parents if each.name == "suites"), None)


def resolve_argument(argument: str, start: Path) -> str:
    """A command line argument; an id relative to the suites becomes a path."""
    place, separator, rest = argument.partition("::")
    bundled = paths.suites_dir() / place
    if place and not (start / place).exists() and bundled.exists():
        return f"{bundled}{separator}{rest}"
    return argument


def _bundled(path: Path) -> bool:
    return path.resolve().is_relative_to(paths.suites_dir().resolve())


def _id_of(path: Path) -> str:
    root = root_of(path)
    if root is None:
        return path.name
    return path.resolve().relative_to(root.resolve()).as_posix()


def _suite(path: Path) -> str:
    root = root_of(path)
    if root is None:
        return path.parent.name
    parts = path.resolve().relative_to(root.resolve()).parts
    return parts[0] if len(parts) > 1 else ""


def _section(item: pytest.Function) -> str:
    text = inspect.getdoc(inspect.getmodule(item.function)) or item.path.stem
    return text.splitlines()[0].rstrip(".")
