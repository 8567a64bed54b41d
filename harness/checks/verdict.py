"""Verdicts: what is said of a check, and the pure function that says it.

failed              a SHALL missed                                      status 1
advised             a SHOULD missed, or an advice                       status 0
known deviation     fails as the EHR file says it does                  status 0
now passing         passes though the EHR file says it fails            status 0
not applicable ...  the five skips of `harness.errors`
attested            a person's word stands in the EHR file
not run             the run was cut off                                 status 2 or 6
error               a defect of the harness                             status 3
unreachable         the EHR gave no answer                              status 6
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum
from time import perf_counter
from traceback import format_exception

import pytest

from harness.checks.expect import watching
from harness.checks.runner import Outcome, one_line
from harness.config.ehr import AuthKind, DataKind, EhrFile
from harness.errors import (
    EhrUnreachable,
    HarnessError,
    HostileInput,
    NotConformant,
    PrerequisiteFailed,
    ProtocolError,
    Skip,
)
from harness.http.exchange import Exchange
from harness.spec.requirements import ChosenVersions, Level, Requirement


class Word(StrEnum):
    """The verdict words, the same in pytest, Allure, JUnit and summary."""

    PASSED = "passed"
    FAILED = "failed"
    ADVISED = "advised"
    KNOWN_DEVIATION = "known deviation"
    NOW_PASSING = "now passing"
    NOT_APPLICABLE = "not applicable"
    NOT_SUPPORTED = "not supported"
    NOT_CONFIGURED = "not configured"
    NOT_PERMITTED = "not permitted"
    PREREQUISITE_FAILED = "prerequisite failed"
    ATTESTED = "attested"
    NOT_RUN = "not run"
    ERROR = "error"
    UNREACHABLE = "unreachable"


SKIPS = frozenset(
    {
        Word.NOT_APPLICABLE,
        Word.NOT_SUPPORTED,
        Word.NOT_CONFIGURED,
        Word.NOT_PERMITTED,
        Word.PREREQUISITE_FAILED,
    }
)
PASSES = frozenset({Word.PASSED, Word.NOW_PASSING})
ERRORS = frozenset({Word.ERROR, Word.UNREACHABLE})
VALUES = frozenset({"ehr", "versions"})
"""What a check may take beside acts and parametrised values."""


@dataclass(frozen=True, slots=True)
class Check:
    """One check, as judged: a function with its parametrised values.

    Attributes:
        id: stable, relative to the suites: `smart/discovery.py::test_jwks_uri[param]`.
        function: a plain function of acts.
        requirement: what it verifies.
        params: parametrised values by name.
        suite: the folder, which is also its marker.
        section: the section of the specification, from the docstring of its module.
    """

    id: str
    function: Callable[..., None]
    requirement: Requirement
    params: Mapping[str, object] = field(default_factory=dict)
    suite: str = ""
    section: str = ""

    @property
    def title(self) -> str:
        """The first line of the docstring: the sentence under test."""
        return (inspect.getdoc(self.function) or self.id).splitlines()[0]

    @property
    def acts(self) -> tuple[str, ...]:
        """The acts that it stands on: its parameters, in order."""
        names = inspect.signature(self.function).parameters
        return tuple(name for name in names if name not in VALUES and name not in self.params)


@dataclass(frozen=True, slots=True)
class Terms:
    """What a run judges by.

    Attributes:
        ehr: the endpoint, with its deviations and attestations.
        versions: the versions judged against.
        strict_should: whether a missed SHOULD fails.
    """

    ehr: EhrFile
    versions: ChosenVersions
    strict_should: bool = False


@dataclass(frozen=True, slots=True)
class Verdict:
    """What is said of one check.

    Attributes:
        check: the check.
        word: the verdict.
        level: of the requirement under the versions judged against; None where they lack it.
        link: to the sentence.
        reason: in one line, why; empty when passed.
        expected: all that was acceptable, of a miss.
        actual: what came instead.
        where: method and path.
        exchanges: what `expect` was called with.
        standing_on: the exchanges of the acts that it takes.
        root: the act at which a failed prerequisite or an error began.
        detail: the traceback of a defect.
        seconds: how long judging took.
        facts: what the check told beside its judgement, one line each.
    """

    check: Check
    word: Word
    level: Level | None = None
    link: str = ""
    reason: str = ""
    expected: str | None = None
    actual: str | None = None
    where: str | None = None
    exchanges: tuple[Exchange, ...] = ()
    standing_on: tuple[Exchange, ...] = ()
    root: str | None = None
    detail: str | None = None
    seconds: float = 0.0
    facts: tuple[str, ...] = ()

    @property
    def evidence(self) -> tuple[Exchange, ...]:
        """Every exchange of this verdict once, in the order of the run."""
        by_number = {each.number: each for each in (*self.standing_on, *self.exchanges)}
        return tuple(by_number[number] for number in sorted(by_number))


def not_applicable(check: Check, terms: Terms) -> str | None:
    """Why the requirement cannot bind this server, known before anything is sent; else None."""
    requirement = check.requirement
    if requirement.level(terms.versions) is None:
        version = requirement.version(terms.versions)
        return f"{requirement.spec} {version} does not have this requirement"
    auth = terms.ehr.auth.kind
    if requirement.spec in {"smart", "oauth", "oidc"} and auth is not AuthKind.SMART:
        return f"the EHR file says auth.kind = {auth.value!r}"
    return None


def judge(
    check: Check,
    outcomes: Mapping[str, Outcome],
    terms: Terms,
    *,
    reported: Collection[str] = (),
    timer: Callable[[], float] = perf_counter,
) -> Verdict:
    """Judge one check; nothing is sent and nothing is kept.

    Args:
        check: what to judge.
        outcomes: of every act that it takes.
        terms: what to judge by.
        reported: acts whose failure an earlier verdict has shown already; a check that stands on
            one is `prerequisite failed`, so that one failure is one error.
        timer: gives seconds.
    """
    started = timer()
    verdict = Verdict(
        check,
        Word.PASSED,
        level=check.requirement.level(terms.versions),
        link=check.requirement.link(terms.versions),
    )
    if reason := not_applicable(check, terms):
        verdict = replace(verdict, word=Word.NOT_APPLICABLE, reason=reason)
    else:
        taken = [outcomes[name] for name in check.acts]
        standing_on = tuple(exchange for each in taken for exchange in each.exchanges)
        verdict = replace(verdict, standing_on=standing_on)
        blocked = next((each for each in taken if each.error is not None), None)
        if blocked is not None:
            began = outcomes.get(blocked.root or "", blocked)
            verdict = replace(verdict, standing_on=(*standing_on, *began.exchanges))
            verdict = _without(verdict, blocked, reported)
        else:
            verdict = _call(verdict, {each.act: each.value for each in taken}, terms)
    return replace(_by_the_file(verdict, terms), seconds=timer() - started)


def not_run(check: Check, terms: Terms, reason: str) -> Verdict:
    """The verdict of a check that the run never came to."""
    requirement = check.requirement
    return Verdict(
        check,
        Word.NOT_RUN,
        level=requirement.level(terms.versions),
        link=requirement.link(terms.versions),
        reason=reason,
    )


def _without(verdict: Verdict, blocked: Outcome, reported: Collection[str]) -> Verdict:
    """The verdict where an act that the check takes has no value."""
    error, root = blocked.error, blocked.root
    if isinstance(error, Skip):
        return replace(verdict, word=Word(error.word), reason=error.reason, root=root)
    reason = f"act {blocked.act} failed: {one_line(error)}"
    if root in reported or (
        isinstance(error, HarnessError) and not isinstance(error, EhrUnreachable)
    ):
        word = Word.PREREQUISITE_FAILED
        return replace(verdict, word=word, reason=reason, root=root)
    return replace(_error(verdict, error), reason=reason, root=root)


def _call(verdict: Verdict, values: Mapping[str, object], terms: Terms) -> Verdict:
    check = verdict.check
    offered = {"ehr": terms.ehr, "versions": terms.versions, **values, **check.params}
    arguments = {name: offered[name] for name in inspect.signature(check.function).parameters}
    quotable = terms.ehr.data is DataKind.SYNTHETIC
    with watching(values=quotable) as watch:
        try:
            check.function(**arguments)
        except (pytest.skip.Exception, pytest.fail.Exception) as bare:
            # Those of pytest carry no word and no requirement, so they judge nothing.
            words = "expected a word of harness.checks.words, got a bare pytest outcome"
            verdict = _error(verdict, TypeError(f"{words}: {bare}"))
        except Exception as error:  # noqa: BLE001 - every exception of a check is a verdict
            verdict = _raised(verdict, error, terms)
    return replace(verdict, exchanges=tuple(watch.exchanges), facts=tuple(watch.facts))


def _raised(verdict: Verdict, error: Exception, terms: Terms) -> Verdict:
    match error:
        case NotConformant():
            return _missed(verdict, error, terms)
        case PrerequisiteFailed():
            return replace(verdict, word=Word.PREREQUISITE_FAILED, reason=error.reason)
        case Skip():
            return replace(verdict, word=Word(error.word), reason=error.reason)
        case ProtocolError() | HostileInput():
            miss = NotConformant("an answer that can be used", str(error))
            return _missed(verdict, miss, terms)
        case _:
            return _error(verdict, error)


def _missed(verdict: Verdict, miss: NotConformant, terms: Terms) -> Verdict:
    fails = verdict.level == "SHALL" or (verdict.level == "SHOULD" and terms.strict_should)
    return replace(
        verdict,
        word=Word.FAILED if fails else Word.ADVISED,
        reason=str(miss),
        expected=miss.expected,
        actual=miss.actual,
        where=miss.where,
    )


def _error(verdict: Verdict, error: Exception | None) -> Verdict:
    word = Word.UNREACHABLE if isinstance(error, EhrUnreachable) else Word.ERROR
    detail = "".join(format_exception(error)) if error and word is Word.ERROR else None
    return replace(verdict, word=word, reason=one_line(error), detail=detail)


def _by_the_file(verdict: Verdict, terms: Terms) -> Verdict:
    """Apply the deviations and attestations of the EHR file."""
    names = {verdict.check.id, verdict.check.id.split("[", 1)[0]}
    known = next((each for each in terms.ehr.deviations if each.check in names), None)
    if known is not None and verdict.word in {Word.FAILED, Word.ADVISED}:
        reason = f"{known.reason} ({verdict.reason})"
        return replace(verdict, word=Word.KNOWN_DEVIATION, reason=reason)
    if known is not None and verdict.word is Word.PASSED:
        reason = f"the EHR file lists it as a known deviation: {known.reason}"
        return replace(verdict, word=Word.NOW_PASSING, reason=reason)
    attested = next((each for each in terms.ehr.attestations if each.check in names), None)
    if attested is not None and verdict.word in SKIPS - {Word.NOT_APPLICABLE}:
        reason = f"by {attested.by} on {attested.on.isoformat()}: {attested.evidence}"
        return replace(verdict, word=Word.ATTESTED, reason=reason)
    return verdict
