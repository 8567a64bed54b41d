"""Acts and verdicts without pytest: as the fault matrix and a replay judge."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime
from types import SimpleNamespace
from typing import Any

import anyio
import anyio.lowlevel
import pytest

from harness.checks.acting import Registry
from harness.checks.expect import expect
from harness.checks.runner import ActRunner, Outcome
from harness.checks.verdict import Check, Terms, Word, judge
from harness.checks.words import applies_if, attestation, fact
from harness.config.ehr import Attestation, AuthKind, AuthSpec, DataKind, Deviation, EhrFile
from harness.errors import (
    ConfigError,
    EhrUnreachable,
    LoginFailed,
    NotConfigured,
    PrerequisiteFailed,
    ProtocolError,
    UsageError,
)
from harness.http.clock import ManualClock
from harness.http.evidence import current_act
from harness.http.exchange import Exchange, Request, Response
from harness.spec.regulatory import Versions
from harness.spec.requirements import Requirement

VERSIONS = Versions(us_core="6.1.0", smart="2.0.0", bulk="1.0.1")
EHR = EhrFile("tiny", "Tiny", "https://ehr.example/r4", AuthSpec(), data=DataKind.SYNTHETIC)
TERMS = Terms(EHR, VERSIONS)
ANSWER = Exchange(
    1, "asked", Request("GET", "https://ehr.example/x"), Response(404), datetime.now(UTC), 0.1
)


def requirement(level: str = "SHALL", version: str = "2.0.0") -> Requirement:
    return Requirement("smart/x", "smart", "Text.", {version: level}, "https://hl7.org/{release}")  # type: ignore[dict-item]


def check(function: Any, level: str = "SHALL", version: str = "2.0.0", **params: object) -> Check:
    return Check("smart/test_x.py::test_it", function, requirement(level, version), params)


def missed(asked: Exchange) -> None:
    """It SHALL be found."""
    expect(asked).status(200)


def found(asked: Exchange) -> None:
    """It SHALL not be found."""
    expect(asked).status(404)


def outcomes(value: object = ANSWER, error: Exception | None = None, **more: Any) -> Any:
    root = "asked" if error else None
    return {"asked": Outcome("asked", value, error, **{"root": root, **more})}


@pytest.mark.parametrize(
    ("level", "strict", "word"),
    [
        ("SHALL", 0, Word.FAILED),
        ("SHOULD", 0, Word.ADVISED),
        ("SHOULD", 1, Word.FAILED),
        ("MAY", 1, Word.ADVISED),
        ("ADVICE", 1, Word.ADVISED),
    ],
)
def test_the_level_decides_what_a_miss_is(level: str, strict: int, word: Word) -> None:
    verdict = judge(check(missed, level), outcomes(), replace(TERMS, strict_should=bool(strict)))
    assert (verdict.word, verdict.expected, verdict.actual) == (word, "status 200", "status 404")
    assert (verdict.where, verdict.exchanges) == ("GET /x", (ANSWER,))


def test_judging_again_gives_the_same_verdict() -> None:
    first, second = (judge(check(missed), outcomes(), TERMS, timer=lambda: 0.0) for _ in "ab")
    assert first == second


def test_a_version_without_the_requirement_is_not_judged_at_all() -> None:
    verdict = judge(check(missed, version="2.2.0"), {}, TERMS)
    assert verdict.word is Word.NOT_APPLICABLE
    assert verdict.level is None
    assert verdict.reason == "smart 2.0.0 does not have this requirement"


def test_smart_does_not_bind_a_server_without_it() -> None:
    ehr = replace(EHR, auth=AuthSpec(AuthKind.BASIC))
    assert judge(check(missed), {}, replace(TERMS, ehr=ehr)).word is Word.NOT_APPLICABLE


@pytest.mark.parametrize(("wanted", "word"), [(404, Word.PASSED), (200, Word.FAILED)])
def test_facts_are_kept_whatever_the_verdict(wanted: int, word: Word) -> None:
    def tells(asked: Exchange, wanted: int) -> None:
        """It SHALL."""
        fact("usable rate: 50 requests a second")
        expect(asked).status(wanted)

    verdict = judge(check(tells, wanted=wanted), outcomes(), TERMS)
    assert (verdict.word, verdict.facts) == (word, ("usable rate: 50 requests a second",))


def test_values_and_parameters_reach_the_check() -> None:
    def asks(ehr: EhrFile, versions: Versions, asked: Exchange, name: str) -> None:
        """It SHALL."""
        assert (ehr, versions, asked, name) == (EHR, VERSIONS, ANSWER, "n")

    asking = check(asks, name="n")
    assert asking.acts == ("asked",)
    assert judge(asking, outcomes(), TERMS).word is Word.PASSED


@pytest.mark.parametrize(
    ("error", "word"),
    [
        (NotConfigured("no client"), Word.NOT_CONFIGURED),
        (PrerequisiteFailed("refused"), Word.PREREQUISITE_FAILED),
        (LoginFailed("another page"), Word.PREREQUISITE_FAILED),
        (EhrUnreachable("refused"), Word.UNREACHABLE),
        (KeyError("x"), Word.ERROR),
    ],
)
def test_an_act_without_a_value_decides_the_word(error: Exception, word: Word) -> None:
    verdict = judge(check(found), outcomes(error=error, exchanges=(ANSWER,)), TERMS)
    assert (verdict.word, verdict.root) == (word, "asked")
    assert verdict.evidence == (ANSWER,)
    again = judge(check(found), outcomes(error=error), TERMS, reported={"asked"})
    skipped = {Word.ERROR: Word.PREREQUISITE_FAILED, Word.UNREACHABLE: Word.PREREQUISITE_FAILED}
    assert again.word is skipped.get(word, word)


@pytest.mark.parametrize(
    ("error", "word"),
    [
        (ProtocolError("HTML"), Word.FAILED),
        (KeyError("x"), Word.ERROR),
        (AssertionError("bare"), Word.ERROR),
        (pytest.fail.Exception("bare"), Word.ERROR),
    ],
)
def test_what_a_check_raises_decides_the_word(error: Exception, word: Word) -> None:
    def raises() -> None:
        """It SHALL."""
        raise error

    assert judge(check(raises), {}, TERMS).word is word


def test_the_ehr_file_has_the_last_word() -> None:
    deviation = Deviation("smart/test_x.py::test_it", "ticket 7")
    known = replace(TERMS, ehr=replace(EHR, deviations=(deviation,)))
    assert judge(check(missed), outcomes(), known).word is Word.KNOWN_DEVIATION
    assert judge(check(found), outcomes(), known).word is Word.NOW_PASSING

    def attested() -> None:
        """It SHALL."""
        attestation("the consent page")

    def inapplicable() -> None:
        """It SHALL."""
        applies_if(0, unless="not here")

    sworn = Attestation("smart/test_x.py::test_it", "A. Person", date(2026, 5, 1), "shot")
    by_file = replace(TERMS, ehr=replace(EHR, attestations=(sworn,)))
    assert judge(check(attested), {}, TERMS).word is Word.NOT_CONFIGURED
    assert judge(check(attested), {}, by_file).word is Word.ATTESTED
    assert judge(check(inapplicable), {}, by_file).word is Word.NOT_APPLICABLE
    assert judge(check(missed), outcomes(), by_file).word is Word.FAILED


def run_acts(registry: Registry, *names: str, given: Any = None) -> dict[str, Outcome]:
    run: Any = SimpleNamespace(clock=ManualClock())
    runner = ActRunner(registry, run, exchanges_of=lambda _: (), given=given)
    anyio.run(runner.act, names)
    return dict(runner.outcomes)


def test_acts_are_done_once_after_what_they_need() -> None:
    done: list[str] = []
    registry = Registry()

    async def first(run: Any) -> str:
        done.append(current_act.get())
        return "one"

    async def left(run: Any, first: str) -> str:
        done.append(current_act.get())
        return f"{first} left"

    async def right(run: Any, left: str, first: str) -> str:
        done.append(current_act.get())
        return f"{first}, {left}, right"

    for each in (right, left, first):
        registry.add(each)
    assert run_acts(registry, "right", "left")["right"].value == "one, one left, right"
    assert done == ["first", "left", "right"]
    done.clear()
    given = {"first": Outcome("first", "given")}
    assert run_acts(registry, "left", given=given)["left"].value == "given left"
    assert done == ["left"]


def test_independent_acts_run_at_the_same_time() -> None:
    registry = Registry()
    event = anyio.Event()

    async def waits(run: Any) -> None:
        await event.wait()

    async def sets(run: Any) -> None:
        event.set()

    registry.add(waits)
    registry.add(sets)
    assert run_acts(registry, "waits", "sets")["waits"].error is None


def test_last_acts_come_after_all_others_and_in_their_own_order() -> None:
    done: list[str] = []
    registry = Registry()

    async def load(run: Any) -> None:
        done.append("load")

    async def clear(run: Any) -> None:
        done.append("clear")

    async def over(run: Any, clear: None) -> None:
        done.append("over")

    async def plain(run: Any) -> None:
        await anyio.lowlevel.checkpoint()
        done.append("plain")

    registry.add(over, last=True)
    registry.add(clear, last=True, after=("load", "not-acted"))
    registry.add(load, last=True)
    registry.add(plain)
    run_acts(registry, "over", "clear", "load", "plain")
    assert done == ["plain", "load", "clear", "over"]


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (NotConfigured("no client"), NotConfigured),
        (ConfigError("env:X: not found"), NotConfigured),
        (KeyError("x"), PrerequisiteFailed),
        (EhrUnreachable("refused"), PrerequisiteFailed),
    ],
)
def test_what_stands_on_a_failed_act_is_not_acted(error: Exception, kind: Any) -> None:
    registry = Registry()

    async def fails(run: Any) -> None:
        raise error

    async def above(run: Any, fails: None) -> None:
        raise AssertionError

    registry.add(fails)
    registry.add(above)
    outcome = run_acts(registry, "above")["above"]
    assert type(outcome.error) is kind
    assert outcome.root == "fails"
    assert not outcome.failed_itself


def test_a_registry_refuses_what_cannot_be_acted() -> None:
    registry = Registry()

    def plain(run: Any) -> None: ...

    async def runless(other: Any) -> None: ...

    async def request(run: Any) -> None: ...

    for each in (plain, runless, request):
        with pytest.raises(UsageError, match=each.__name__):
            registry.add(each)  # type: ignore[arg-type]
    with pytest.raises(UsageError, match="no act 'nothing'"):
        registry.plan(["nothing"])
