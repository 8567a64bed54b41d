"""Bodies that go elsewhere than into memory, over loopback sockets, from servers that mean harm."""

from __future__ import annotations

import asyncio
import gzip
import tracemalloc
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest

from harness.config.ehr import Limits
from harness.errors import EhrUnreachable, HostileInput
from harness.http.client import HttpClient
from harness.http.clock import ManualClock, SystemClock
from harness.http.evidence import Evidence
from harness.http.exchange import Exchange, Headers, Request, Response
from harness.http.limiter import HostLimiters
from harness.http.retry import Policy
from harness.http.transport import Answer, Bounds
from harness.tests.integration.hostile import (
    Asked,
    Hostile,
    answers,
    bomb,
    breaks_off,
    closes,
    drips,
    endless,
    hostile,
    says,
)

MIB = 1024 * 1024
LIMITS = Limits(requests_per_second=1e6, burst=100)
BOUNDS = Bounds()


class Taker:
    """Keeps sizes alone, so that what is kept is not what takes memory."""

    def __init__(self) -> None:
        self.heads: list[int] = []
        self.size = 0
        self.longest = 0

    def receive(self, head: Response) -> Callable[[bytes], None] | None:
        self.heads.append(head.status)
        return self.take if head.status == 200 else None

    def take(self, piece: bytes) -> None:
        self.size += len(piece)
        self.longest = max(self.longest, len(piece))


def client(base: str, bounds: Bounds = BOUNDS) -> HttpClient:
    clock = SystemClock()
    return HttpClient(
        base=base,
        evidence=Evidence(),
        limiter=HostLimiters(LIMITS, clock),
        clock=clock,
        bounds=bounds,
        policy=Policy(base=0.0),
    )


def streamed(
    server: Hostile, taker: Taker, *, max_bytes: int = 64 * MIB, bounds: Bounds = BOUNDS
) -> tuple[Exchange | Exception, Evidence]:
    """What became of one stream, and its evidence."""

    async def run() -> tuple[Exchange | Exception, Evidence]:
        async with client(server.base, bounds) as http:
            request = Request("GET", f"{server.url}/file", Headers((("Accept", "*/*"),)))
            try:
                exchange = await http.stream(request, taker.receive, max_bytes=max_bytes)
            except (EhrUnreachable, HostileInput) as error:
                return error, http.evidence
            return exchange, http.evidence

    return asyncio.run(run())


def test_a_body_goes_to_the_taker_and_not_into_the_evidence() -> None:
    taker = Taker()
    with hostile({"/file": answers(b"x" * 300_000)}) as server:
        exchange, evidence = streamed(server, taker)
    assert isinstance(exchange, Exchange)
    assert (exchange.status, exchange.body, taker.size) == (200, b"", 300_000)
    assert [each.body for each in evidence.all] == [b""]


def test_a_compressed_body_is_decoded_in_small_pieces() -> None:
    taker, body = Taker(), gzip.compress(b" " * (20 * MIB)) + gzip.compress(b"more")
    with hostile({"/file": answers(body, "x/y", 200, "Content-Encoding: gzip")}) as server:
        exchange, _ = streamed(server, taker)
    assert isinstance(exchange, Exchange)
    assert taker.size == 20 * MIB + 4
    assert taker.longest <= 256 * 1024


def test_an_error_keeps_its_body_in_the_exchange() -> None:
    taker = Taker()
    with hostile({"/file": says({"resourceType": "OperationOutcome"}, status=404)}) as server:
        exchange, _ = streamed(server, taker)
    assert isinstance(exchange, Exchange)
    assert exchange.json_object() == {"resourceType": "OperationOutcome"}
    assert (taker.heads, taker.size) == ([404], 0)


def test_a_gzip_bomb_is_stopped_at_the_cap_with_memory_flat() -> None:
    taker = Taker()
    tracemalloc.start()
    with hostile({"/file": bomb(1 << 28)}) as server:
        tracemalloc.reset_peak()
        before = tracemalloc.get_traced_memory()[0]
        error, _ = streamed(server, taker, max_bytes=8 * MIB)
        peak = tracemalloc.get_traced_memory()[1] - before
    tracemalloc.stop()
    assert isinstance(error, HostileInput)
    assert taker.size <= 8 * MIB
    assert peak < 4 * MIB


def test_an_endless_body_is_stopped_at_the_cap() -> None:
    taker = Taker()
    with hostile({"/file": endless}) as server:
        error, evidence = streamed(server, taker, max_bytes=3 * MIB)
    assert isinstance(error, HostileInput)
    assert taker.size <= 3 * MIB
    assert len(evidence.steps) == 1


def test_an_endless_error_is_stopped_far_below_the_cap_of_files() -> None:
    def endless_error(connection: object, asked: object) -> None:
        connection.sendall(b"HTTP/1.1 500 X\r\nConnection: close\r\n\r\n")  # type: ignore[attr-defined]
        while True:
            connection.sendall(b"x" * 65536)  # type: ignore[attr-defined]

    with hostile({"/file": endless_error}) as server:
        error, _ = streamed(server, Taker(), max_bytes=1 << 40)
    assert isinstance(error, HostileInput)


def test_a_body_that_drips_is_given_up() -> None:
    taker = Taker()
    with hostile({"/file": drips}) as server:
        error, evidence = streamed(server, taker, bounds=Bounds(total=0.4))
    assert isinstance(error, EhrUnreachable)
    assert "no complete answer" in str(error)
    assert len(evidence.steps) == 1, "what broke off is not asked for again from its start"


@pytest.mark.parametrize(("behaviour", "came"), [(breaks_off, 15), (closes, 0)])
def test_what_came_before_a_break_stays_with_the_taker(behaviour: object, came: int) -> None:
    taker = Taker()
    with hostile({"/file": behaviour}) as server:  # type: ignore[dict-item]
        error, evidence = streamed(server, taker)
    assert isinstance(error, EhrUnreachable)
    assert taker.size == came
    assert len(evidence.steps) == 1


def test_a_refusal_for_load_is_repeated_and_holds_the_host_back() -> None:
    taker, asked = Taker(), []

    def busy(connection: object, _asked: object) -> None:
        asked.append(1)
        status = b"429" if len(asked) < 3 else b"200"
        connection.sendall(  # type: ignore[attr-defined]
            b"HTTP/1.1 " + status + b" X\r\nContent-Length: 4\r\nConnection: close\r\n\r\nbody"
        )

    with hostile({"/file": busy}) as server:
        exchange, evidence = streamed(server, taker)
    assert isinstance(exchange, Exchange)
    assert [each.status for each in evidence.all] == [429, 429, 200]
    assert taker.size == 4


def test_a_token_never_goes_to_another_origin() -> None:
    async def run(base: str, url: str) -> None:
        async with client(base) as http:
            await http.stream(Request("GET", url), Taker().receive, bearer="secret", max_bytes=9)

    with hostile() as ours, hostile() as other:
        with pytest.raises(HostileInput, match="an access token goes to"):
            asyncio.run(run(ours.base, f"{other.url}/file"))
        assert other.asked == []


class Whole:
    """A transport that cannot stream, as a recording."""

    def __init__(self, body: bytes) -> None:
        self.body = body

    async def send(self, request: Request, *, max_bytes: int) -> Answer:
        return Answer(Response(200, Headers(), self.body), datetime.now(UTC), 0.0)

    async def aclose(self) -> None:
        pass


def test_a_transport_that_cannot_stream_gives_the_body_whole() -> None:
    clock = ManualClock(datetime(2026, 1, 1, tzinfo=UTC) + timedelta())
    http = HttpClient(
        base="https://ehr.example/r4",
        evidence=Evidence(),
        limiter=HostLimiters(LIMITS, clock),
        clock=clock,
        transport=Whole(b"12345"),
    )
    taker = Taker()
    request = Request("GET", "https://ehr.example/file")
    exchange = asyncio.run(http.stream(request, taker.receive, max_bytes=9))
    assert (exchange.body, taker.size) == (b"", 5)


def test_whoever_asks_for_no_coding_gets_none() -> None:
    async def run(server: Hostile) -> None:
        async with client(server.base) as http:
            fields = Headers((("Accept-Encoding", "identity"),))
            request = Request("GET", f"{server.url}/file", fields)
            await http.stream(request, Taker().receive, max_bytes=99)

    codings = []

    def echo(connection: object, asked: Asked) -> None:
        codings.append(asked.headers["Accept-Encoding"])
        answers(b"x")(connection, asked)  # type: ignore[arg-type]

    with hostile({"/file": echo}) as server:
        asyncio.run(run(server))
        streamed(server, Taker())
    assert codings == ["identity", "gzip"]
