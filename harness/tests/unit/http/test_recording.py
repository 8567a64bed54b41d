import json
import secrets
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import anyio
import pytest

from harness.config.ehr import Limits
from harness.errors import EhrUnreachable, UsageError
from harness.http.client import HttpClient
from harness.http.clock import ManualClock
from harness.http.entropy import Draw, Entropy
from harness.http.evidence import Evidence, current_act
from harness.http.exchange import Exchange, Headers, Request, Response
from harness.http.limiter import HostLimiters
from harness.http.recording import UNPACED, ReplayTransport, load, write
from harness.http.redaction import Redactor
from harness.http.transport import Answer, NoAnswerError, Transport

BASE = "https://ehr.example/r4"
START = datetime(2026, 5, 1, tzinfo=UTC)
ABOUT = {"ehr": {"name": "x", "logins": {"password": "env:EHR_PASSWORD"}}, "versions": {}}
Conversation = Callable[[HttpClient, Entropy], Awaitable[list[Exchange]]]


class FakeEhr:
    """Echoes the state, gives a token once it has refused once, and hangs on /hang."""

    def __init__(self, clock: ManualClock) -> None:
        self.clock = clock
        self.token = secrets.token_urlsafe(24)
        self.asked: list[Request] = []

    async def send(self, request: Request, *, max_bytes: int) -> Answer:
        assert max_bytes
        self.asked.append(request)
        self.clock.advance(0.25)
        return Answer(self.answer(request), self.clock.now(), 0.25)

    def answer(self, request: Request) -> Response:
        if request.url.endswith("/hang"):
            raise NoAnswerError("timeout", "no complete answer within 300 s")
        if "/authorize" in request.url:
            state = request.url.rpartition("state=")[2]
            return Response(302, Headers((("Location", f"https://app/cb?code=c&state={state}"),)))
        if len(self.asked) == 2:
            return Response(429, Headers((("Retry-After", "3"),)))
        value = {"access_token": self.token, "unicode": "\u2028 é"}
        return Response(200, Headers((("X-Case", "Kept"),)), json.dumps(value).encode())

    async def aclose(self) -> None:
        pass


async def conversation(http: HttpClient, entropy: Entropy) -> list[Exchange]:
    current_act.set("launch")
    state = entropy.token()
    authorized = await http.get(f"{BASE}/authorize?state={state}")
    location = authorized.headers.get("Location") or ""
    assert location.endswith(f"state={state}")
    token = await http.post_form(f"{BASE}/token", {"code": "c", "code_verifier": entropy.token()})
    bearer = token.json()["access_token"]
    read = await http.get(f"{BASE}/Patient/1", bearer=bearer)
    with pytest.raises(EhrUnreachable, match="no complete answer"):
        await http.send(Request("POST", f"{BASE}/hang"))
    return [authorized, token, read]


def talk(transport: Transport, clock: ManualClock, limits: Limits, entropy: Entropy) -> Any:
    evidence = Evidence()

    async def main() -> list[Exchange]:
        limiter = HostLimiters(limits, clock)
        async with HttpClient(
            base=BASE, evidence=evidence, limiter=limiter, clock=clock, transport=transport
        ) as http:
            return await conversation(http, entropy)

    return anyio.run(main), evidence


def record(path: Path) -> tuple[FakeEhr, Evidence, Entropy]:
    clock, entropy = ManualClock(START), Entropy()
    ehr = FakeEhr(clock)
    _, evidence = talk(ehr, clock, Limits(), entropy)
    count = write(path, (ABOUT, START), evidence.steps, entropy.drawn, Redactor())
    assert count == len(evidence.steps) == 5
    return ehr, evidence, entropy


def test_a_replay_equals_what_was_recorded(tmp_path: Path) -> None:
    path = tmp_path / "recording.jsonl"
    _, live, _ = record(path)
    recording = load(path)
    assert recording.about == ABOUT
    clock = ManualClock(recording.clock)
    _, replayed = talk(ReplayTransport(recording, clock), clock, UNPACED, Entropy(recording.drawn))
    assert [each.status for each in replayed.all] == [302, 429, 200, 200]
    for before, after in zip(live.all, replayed.all, strict=True):
        assert after.where == before.where
        assert after.attempt == before.attempt
        assert after.started_at == before.started_at
        assert after.seconds == before.seconds
        assert [n for n, _ in after.headers] == [n for n, _ in before.headers]
    assert replayed.all[2].json()["unicode"] == live.all[2].json()["unicode"]
    assert replayed.all[2].json()["access_token"] == "access_token-1-redacted"


def test_a_short_draw_is_no_secret_and_is_drawn_again_as_it_was(tmp_path: Path) -> None:
    path = tmp_path / "recording.jsonl"
    draws = [Draw("run", "abcDEQ"), Draw("run", secrets.token_urlsafe(16))]
    write(path, ({}, START), (), draws, Redactor())
    kept = load(path).drawn
    assert kept[0] == draws[0]
    assert kept[1] != draws[1]
    again = Entropy(kept)
    assert again.token(4) == "abcDEQ"
    assert again.token(16) == kept[1].value


def test_a_recording_holds_no_secret(tmp_path: Path) -> None:
    path = tmp_path / "recording.jsonl"
    ehr, _, entropy = record(path)
    text = path.read_text()
    for secret in (ehr.token, *(draw.value for draw in entropy.drawn)):
        assert secret not in text
    assert "env:EHR_PASSWORD" in text


def test_a_step_that_was_not_recorded_is_named(tmp_path: Path) -> None:
    path = tmp_path / "recording.jsonl"
    record(path)
    transport = ReplayTransport(load(path), ManualClock(START))

    async def ask(act: str, url: str) -> None:
        current_act.set(act)
        await transport.send(Request("GET", url), max_bytes=1000)

    with pytest.raises(UsageError, match="'GET /r4/Patient/2' of act 'launch'"):
        anyio.run(ask, "launch", f"{BASE}/Patient/2")
    with pytest.raises(UsageError, match="of act 'other'"):
        anyio.run(ask, "other", f"{BASE}/Patient/1")


def test_concurrent_requests_of_one_act_may_come_in_another_order(tmp_path: Path) -> None:
    path = tmp_path / "recording.jsonl"
    evidence = Evidence()
    for number in (1, 2):
        url = f"{BASE}/Observation?patient={number}"
        body = json.dumps({"number": number}).encode()
        answer = Response(200, Headers(), body)
        evidence.add(Request("GET", url), answer, started_at=START, seconds=0.1, act="search")
    write(path, ({}, START), evidence.steps, (), Redactor())
    transport = ReplayTransport(load(path), ManualClock(START))

    async def main() -> list[bytes]:
        current_act.set("search")
        urls = [f"{BASE}/Observation?patient={number}" for number in (2, 1)]
        answers = [await transport.send(Request("GET", url), max_bytes=99) for url in urls]
        return [answer.response.body for answer in answers]

    assert anyio.run(main) == [b'{"number": 2}', b'{"number": 1}']


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda text: text[: text.rstrip().rindex("\n") + 1], "cut off"),
        (lambda text: text[:-40], "cannot be read"),
        (lambda text: "", "not a recording"),
        (lambda text: '{"format": "har"}\n', "not a recording"),
        (lambda text: text.replace('"version":1', '"version":9', 1), "expected format version 1"),
        (lambda text: text.replace('"started_at"', '"began"'), "not as it was written"),
        (lambda text: "\x00binary", "cannot be read"),
    ],
)
def test_a_file_that_is_no_whole_recording_is_refused_by_name(
    damage: Callable[[str], str], message: str, tmp_path: Path
) -> None:
    path = tmp_path / "recording.jsonl"
    record(path)
    path.write_text(damage(path.read_text()))
    with pytest.raises(UsageError, match=message) as caught:
        load(path)
    assert str(path) in str(caught.value)


def test_a_missing_file_is_refused_by_name(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"absent.jsonl"):
        load(tmp_path / "absent.jsonl")


def test_entropy_is_fresh_live_and_the_same_in_a_replay() -> None:
    live = Entropy()
    values = [live.token(), live.token(16)]
    assert len(set(values)) == 2
    again = Entropy(live.drawn)
    assert [again.token(), again.token(16)] == values
    with pytest.raises(UsageError, match="act 'run' draws 32 bytes"):
        again(32)


def test_redacted_draws_are_drawn_again_as_labels() -> None:
    value = Entropy().token()
    label = Redactor().learn(value, "state")
    assert Entropy([Draw("run", label)]).token() == label
