"""The command line of a conformance run."""

from __future__ import annotations

from argparse import ArgumentError
from dataclasses import dataclass
from typing import Any

import pytest

_OPTIONS: tuple[tuple[str, dict[str, Any]], ...] = (
    ("--ehr", {"metavar": "NAME", "help": "EHR file to run against: a name, or a path to a .toml"}),
    ("--ehr-url", {"metavar": "URL", "help": "FHIR base; alone: what needs no credentials"}),
    ("--us-core", {"metavar": "VERSION", "help": "US Core version to judge against"}),
    ("--smart", {"metavar": "VERSION", "help": "SMART App Launch version to judge against"}),
    ("--bulk", {"metavar": "VERSION", "help": "Bulk Data Access version to judge against"}),
    ("--strict-should", {"action": "store_true", "help": "a missed SHOULD fails, too"}),
    ("--require-complete", {"action": "store_true", "help": "status 1 unless all was judged"}),
    ("--reports", {"metavar": "DIR", "help": "where reports go; default: reports/"}),
    (
        "--record",
        {"action": "store_true", "help": "keep what --replay needs (synthetic data only)"},
    ),
    ("--replay", {"metavar": "RUN", "help": "judge a recorded run again; sends nothing"}),
)


_POINTS = ("--ehr", "--ehr-url", "--replay")
"""What names an endpoint, or a recording of one."""


@dataclass(frozen=True, slots=True)
class Options:
    """What was asked for on the command line."""

    ehr: str | None
    ehr_url: str | None
    us_core: str | None
    smart: str | None
    bulk: str | None
    strict_should: bool
    require_complete: bool
    reports: str | None
    record: bool
    replay: str | None


def add(parser: pytest.Parser) -> None:
    """Add the options; one that another plugin has taken is left to it."""
    group = parser.getgroup("harness", "conformance of an EHR (FHIR, SMART, US Core)")
    for name, settings in _OPTIONS:
        try:
            group.addoption(name, dest=_dest(name), default=None, **settings)
        except (ValueError, ArgumentError):
            _conflicts.append(name)


_conflicts: list[str] = []


def active(config: pytest.Config) -> bool:
    """Whether an endpoint, or a recording of one, was named."""
    return any(config.getoption(_dest(name), None) is not None for name in _POINTS)


def parse(config: pytest.Config) -> Options:
    """The options of this run.

    Raises:
        UsageError: options that exclude each other, or that another plugin has taken.
    """
    from harness.errors import UsageError

    if _conflicts:
        raise UsageError(
            f"{_conflicts[0]} belongs to another pytest plugin here",
            hint="switch that plugin off with -p no:NAME",
        )
    given = Options(**{_dest(name)[8:]: config.getoption(_dest(name)) for name, _ in _OPTIONS})
    for name in (each for each in _POINTS if config.getoption(_dest(each)) == ""):
        # An empty variable of a script must not turn a conformance run into another one.
        raise UsageError(f"{name}= is empty", hint="is the variable set that it comes from?")
    if given.replay and (given.ehr or given.ehr_url or given.record):
        raise UsageError("--replay brings its own EHR file, and records nothing: give it alone")
    if _distributed(config):
        raise UsageError(
            "pytest-xdist cannot be used with --ehr: the run is concurrent itself, and the EHR "
            "would see several limiters",
            hint="leave -n and --dist out, or add -n 0",
        )
    return given


def _dest(name: str) -> str:
    return "harness_" + name.removeprefix("--").replace("-", "_")


def _distributed(config: pytest.Config) -> bool:
    workers = config.getoption("numprocesses", None)
    spread = config.getoption("dist", "no")
    return bool(workers) or bool(config.getoption("tx", None)) or spread not in {"no", None}
