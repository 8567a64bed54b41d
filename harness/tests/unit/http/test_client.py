from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Any

import anyio
import pytest

from harness.config.ehr import Limits
from harness.errors import EhrUnreachable, HostileInput
from harness.http.client import HttpClient
from harness.http.clock import ManualClock, SystemClock
from harness.http.evidence import Evidence, current_act
from harness.http.exchange import Headers, Request, Response
from harness.http.limiter import HostLimiters
from harness.http.transport import Answer, NoAnswerError

BASE = "https://ehr.example/r4"


class Fake:
    """Answers with each result in turn, and notes on whose behalf it was asked."""

    def __init__(self, *results: Response | Exception) -> None:
        self.results = list(results)
        self.clock = ManualClock()
        self.acts: list[str] = []
        self.asked: list[Request] = []

    async def send(self, request: Request, *, max_bytes: int) -> Answer:
        assert max_bytes
        self.asked.append(request)
        self.acts.append(current_act.get())
        result = self.results.pop(0) if self.results else Response(200)
        if isinstance(result, Exception):
            raise result
        return Answer(result, self.clock.now(), 0.5)

    async def aclose(self) -> None:
        pass


def talk(
    fake: Fake, conversation: Callable[[HttpClient], Awaitable[Any]], **options: Any
) -> Evidence:
    evidence = Evidence()
    limits = options.pop("limits", Limits())

    async def main() -> None:
        limiter = HostLimiters(limits, fake.clock)
        async with HttpClient(
            base=BASE,
            evidence=evidence,
            limiter=limiter,
            clock=fake.clock,
            transport=fake,
            **options,
        ) as http:
            await conversation(http)

    anyio.run(main)
    return evidence


def refusal(seconds: str) -> Response:
    return Response(429, Headers((("Retry-After", seconds),)))


def test_each_exchange_belongs_to_the_act_that_caused_it() -> None:
    async def conversation(http: HttpClient) -> None:
        current_act.set("launch")
        await http.get(f"{BASE}/a")
        await http.send(Request("GET", f"{BASE}/b"), act="probe")
        assert current_act.get() == "launch"
        await http.get(f"{BASE}/c")

    fake = Fake()
    evidence = talk(fake, conversation)
    assert fake.acts == [each.act for each in evidence.all] == ["launch", "probe", "launch"]
    assert [each.number for each in evidence.all] == [1, 2, 3]
    assert [each.where for each in evidence.of("probe")] == ["GET /r4/b"]


def test_how_long_is_waited_follows_the_limits_of_the_ehr_file() -> None:
    fake = Fake(refusal("90"), Response(200))
    talk(fake, lambda http: http.get(BASE), limits=Limits(max_retry_after=100.0))
    assert 90.0 <= max(fake.clock.slept) <= 91.0
    fake = Fake(refusal("90"), Response(200))
    evidence = talk(fake, lambda http: http.get(BASE), limits=Limits(max_retry_after=80.0))
    assert [each.status for each in evidence.all] == [429]


def test_a_refusal_holds_back_other_requests_to_the_host() -> None:
    moments: list[float] = []

    async def conversation(http: HttpClient) -> None:
        await http.send(Request("GET", f"{BASE}/a"), retry=False)
        await http.get(f"{BASE}/a")
        await http.get(f"{BASE}/b")
        moments.append(http.clock.monotonic())

    fake = Fake(refusal("20"), refusal("20"))
    talk(fake, conversation)
    assert moments[0] >= 20.0


def test_no_message_shows_a_query() -> None:
    fake = Fake(NoAnswerError("dns", "the host name is unknown", "check it"))
    with pytest.raises(EhrUnreachable) as caught:
        talk(fake, lambda http: http.get(f"{BASE}/token?client_secret=hush"))
    assert str(caught.value) == "GET ehr.example: the host name is unknown (check it)"
    with pytest.raises(HostileInput) as refused:
        talk(Fake(), lambda http: http.get("https://10.0.0.1/?client_secret=hush"))
    assert "hush" not in str(refused.value)


def test_an_attempt_without_an_answer_is_evidence_too() -> None:
    fake = Fake(NoAnswerError("refused", "connection refused"), Response(200))
    evidence = talk(fake, lambda http: http.get(BASE))
    first, second = evidence.steps
    assert (first.attempt, second.attempt) == (1, 2)
    assert evidence.all == (second,)


def test_own_headers_win_over_those_of_a_call_and_a_fragment_is_never_sent() -> None:
    fake = Fake()
    talk(
        fake,
        lambda http: http.get(f"{BASE}/x#frag", headers={"epic-client-id": "b", "accept": "c"}),
        headers={"Epic-Client-ID": "a"},
    )
    sent = fake.asked[0]
    assert sent.url == f"{BASE}/x"
    assert sent.headers.get_all("Epic-Client-ID") == ("a",)
    assert sent.headers.get_all("Accept") == ("c",)


def test_a_cancelled_request_frees_its_place() -> None:
    class Hanging(Fake):
        async def send(self, request: Request, *, max_bytes: int) -> Answer:
            if request.url.endswith("hang"):
                await anyio.sleep_forever()
            return await super().send(request, max_bytes=max_bytes)

    async def conversation(http: HttpClient) -> None:
        with anyio.move_on_after(0.01):
            await http.get(f"{BASE}/hang")
        assert (await http.get(f"{BASE}/x")).status == 200

    talk(Hanging(), conversation, limits=Limits(concurrency=1))


def test_the_system_clock_moves_wall_time_only() -> None:
    clock = SystemClock()
    before, monotonic = clock.now(), clock.monotonic()
    clock.move(timedelta(days=90))
    assert timedelta(days=89) < clock.now() - before < timedelta(days=91)
    assert clock.monotonic() - monotonic < 60
    assert clock.now().utcoffset() == timedelta()


def test_a_sibling_shares_everything_but_its_pace() -> None:
    async def conversation(http: HttpClient) -> None:
        own = HostLimiters(Limits(requests_per_second=1e6, burst=100), http.clock)
        sibling = http.with_limiter(own)
        for _ in range(50):
            await sibling.get(BASE)
        assert http.clock.monotonic() < 0.1
        assert http.limiter.counters() == {}
        assert len(http.evidence.all) == 50

    talk(Fake(), conversation)
