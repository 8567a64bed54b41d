"""The fault matrix: what each fault of the reference EHR trips, observed without pytest's help.

One reference process serves one isolated instance per fault. Acts that the fault cannot alter are
not acted again, and checks are judged as function calls, by the very function that judges a run.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import dataclass, field, replace
from io import StringIO
from pathlib import Path

import pytest

from harness.checks.acting import REGISTRY
from harness.checks.runner import Outcome
from harness.checks.verdict import ERRORS, Check, Terms, Verdict, Word, judge
from harness.config.ehr import EhrFile
from harness.config.load import load_ehr
from harness.config.paths import suites_dir
from harness.config.secrets import Secrets
from harness.plugin.collection import checks_of
from harness.plugin.live import Live
from harness.plugin.status import rootless
from harness.plugin.target import Target
from harness.reference.process import Running
from harness.spec.regulatory import Versions

VERSIONS = Versions(us_core="6.1.0", smart="2.2.0", bulk="1.0.1")
"""SMART 2.2.0 has every requirement that 2.0.0 has, and more."""

MISSED = frozenset({Word.FAILED, Word.ADVISED})
COLLECT = ("--ehr=reference", "--collect-only", "--quiet", "--assert=plain")

HEAVY = frozenset({"batch_pull", "token_under_load"})
"""Acted again only where a fault names it."""


class _Grab:
    """Keeps the checks that a collection finds."""

    def __init__(self) -> None:
        self.checks: tuple[Check, ...] = ()

    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        self.checks = tuple(checks_of(session.items))


def collected() -> tuple[Check, ...]:
    """Every check of the bundled suites."""
    grab, words = _Grab(), StringIO()
    with redirect_stdout(words), redirect_stderr(words):
        status = pytest.main([*COLLECT, str(suites_dir())], plugins=[grab])
    if status or not grab.checks:
        raise AssertionError(f"collection ended with {status}:\n{words.getvalue()}")
    return grab.checks


@dataclass(slots=True)
class Matrix:
    """Judges every check against instances of one reference EHR.

    Args:
        reference: the process.
        checks: what to judge.
        folder: for journals.
    """

    reference: Running
    checks: tuple[Check, ...]
    folder: Path
    baseline: Mapping[str, Outcome] = field(default_factory=dict)
    passed: Mapping[str, Word] = field(default_factory=dict)
    met: Mapping[str, int] = field(default_factory=dict)
    """How often the acts met each variant of the last instance."""

    def begin(self) -> dict[str, Verdict]:
        """Judge an instance without faults; what it yields is the baseline."""
        acts, ehr = (each for c in self.checks for each in c.acts), load_ehr("reference")
        outcomes = self._act("no-fault", {}, acts, {}, ehr)
        self.baseline = outcomes
        verdicts = self._judge(outcomes, ehr, self.checks)
        self.passed = {name: verdict.word for name, verdict in verdicts.items()}
        return verdicts

    def observe(
        self,
        name: str,
        instance: Mapping[str, object],
        alters: Iterable[str] = (),
        leaves_out: Collection[str] = (),
    ) -> dict[str, Verdict]:
        """Judge an instance with a fault or variants, and say what is worse than the baseline.

        Args:
            name: of the instance.
            instance: its faults, variants and limits, as the control takes them.
            alters: the acts that it can alter; none named means all.
            leaves_out: launches and clients that its EHR file does not name.

        Raises:
            AssertionError: a verdict is an error, or a failed prerequisite that nothing explains:
                the fault breaks the harness.
        """
        affected = self._affected(frozenset(alters))
        touched = [check for check in self.checks if affected & set(check.acts)]
        again = affected | {act for check in touched for act in check.acts}
        again = {need for each in again for need in REGISTRY.below(each)}
        given = {act: outcome for act, outcome in self.baseline.items() if act not in again}
        ehr = without(load_ehr("reference"), leaves_out)
        outcomes = self._act(name, instance, again, given, ehr)
        verdicts = self._judge(outcomes, ehr, touched)
        defects = [each for each in verdicts.values() if each.word in ERRORS]
        defects += rootless(verdicts.values(), outcomes, REGISTRY)
        errors = [f"{each.check.id}: {each.word}: {each.reason}" for each in defects]
        if errors:
            raise AssertionError("\n".join(errors))
        return {
            check: verdict
            for check, verdict in verdicts.items()
            if verdict.word in MISSED and self.passed[check] not in MISSED
        }

    def _affected(self, altered: frozenset[str]) -> set[str]:
        """The altered acts (all, if none is), and all that stand on them.

        Every act of a check that one of them touches is acted again with them, so that a check
        never compares answers of two instances.
        """
        below = {name: REGISTRY.below(name) for name in self.baseline}
        affected = {name for name, needs in below.items() if needs & altered or not altered}
        return affected - (HEAVY - altered)

    def _act(
        self,
        name: str,
        instance: Mapping[str, object],
        acts: Iterable[str],
        given: Mapping[str, Outcome],
        ehr: EhrFile,
    ) -> dict[str, Outcome]:
        made = self.reference.instance(name, smart=VERSIONS.smart, **instance)
        base = str(made["fhir_base"])
        target = Target(ehr, VERSIONS, Secrets({}), {}).at(
            base, self.reference.credentials, lambda by: self.reference.advance(by, name)
        )
        unpaced = replace(target.ehr.limits, requests_per_second=10_000.0)
        target = replace(target, ehr=replace(target.ehr, limits=unpaced))
        live = Live(target, REGISTRY, self.folder, given=given)
        try:
            live.begin(dict.fromkeys(acts))
            names = {each for check in self.checks for each in check.acts}
            live.wait(sorted(names - given.keys()))
            return {**given, **live.outcomes}
        finally:
            live.end()
            self.met = self.reference.control("GET", f"/instances/{name}/variants")
            self.reference.control("DELETE", f"/instances/{name}")

    def _judge(
        self, outcomes: Mapping[str, Outcome], ehr: EhrFile, checks: Iterable[Check]
    ) -> dict[str, Verdict]:
        terms = Terms(ehr, VERSIONS)
        return {check.id: judge(check, outcomes, terms) for check in checks}


def without(ehr: EhrFile, names: Collection[str]) -> EhrFile:
    """An EHR file that does not name some of its launches and clients."""
    return replace(
        ehr,
        launches=tuple(each for each in ehr.launches if each.name not in names),
        clients=tuple(each for each in ehr.clients if each.name not in names),
    )
