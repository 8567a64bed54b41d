"""The client against servers that misbehave, over loopback sockets."""

from __future__ import annotations

import asyncio
import gzip
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path
from typing import Any

import anyio
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from harness.config.ehr import Limits, Tls
from harness.errors import ConfigError, EhrUnreachable, HostileInput
from harness.http.client import HttpClient
from harness.http.clock import SystemClock
from harness.http.evidence import Evidence
from harness.http.exchange import Headers, Request
from harness.http.limiter import HostLimiters
from harness.http.retry import Policy
from harness.http.transport import Bounds

Handler = Callable[["Peer", bytes], Awaitable[None]]
QUICK = Policy(base=0.0)
LIMITS = Limits(requests_per_second=1e6, burst=100)


class Peer:
    """The server's end of a connection."""

    def __init__(self, writer: asyncio.StreamWriter) -> None:
        self._writer = writer

    async def send(self, data: bytes) -> None:
        self._writer.write(data)
        await self._writer.drain()


@asynccontextmanager
async def serving(handler: Handler, tls: ssl.SSLContext | None = None) -> AsyncIterator[str]:
    """A server that hands each connection's first request head to `handler`; gives its base."""
    serving_tasks: set[asyncio.Task[None] | None] = set()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        serving_tasks.add(asyncio.current_task())
        try:
            head = await reader.readuntil(b"\r\n\r\n")
            await handler(Peer(writer), head)
            writer.close()
            await writer.wait_closed()
        except (asyncio.IncompleteReadError, OSError):
            pass
        finally:
            writer.transport.abort()

    server = await asyncio.start_server(serve, "127.0.0.1", 0, ssl=tls)
    port = server.sockets[0].getsockname()[1]
    try:
        yield f"{'https' if tls else 'http'}://127.0.0.1:{port}/r4"
    finally:
        server.close()
        for task in filter(None, serving_tasks):
            task.cancel()
        await asyncio.gather(*filter(None, serving_tasks), return_exceptions=True)


def client(base: str, **changes: Any) -> HttpClient:
    clock = SystemClock()
    options = {"limiter": HostLimiters(LIMITS, clock), "policy": QUICK, **changes}
    return HttpClient(base=base, evidence=Evidence(), clock=clock, **options)


def answer(status: str, body: bytes = b"", **headers: str) -> bytes:
    fields = {"Content-Length": str(len(body)), "Connection": "close"}
    fields |= {name.replace("_", "-"): value for name, value in headers.items()}
    lines = [f"HTTP/1.1 {status}", *(f"{n}: {v}" for n, v in fields.items()), "", ""]
    return "\r\n".join(lines).encode() + body


def always(data: bytes) -> Handler:
    async def handler(stream: Peer, head: bytes) -> None:
        await stream.send(data)

    return handler


def in_turn(*answers: bytes, heads: list[bytes] | None = None) -> Handler:
    left = list(answers)

    async def handler(stream: Peer, head: bytes) -> None:
        if heads is not None:
            heads.append(head)
        await stream.send(left.pop(0))

    return handler


def test_an_exchange_is_what_went_over_the_wire() -> None:
    heads: list[bytes] = []
    reply = answer("200 OK", gzip.compress(b'{"a":1}'), Content_Encoding="gzip", ETag='W/"1"')

    async def main() -> None:
        async with (
            serving(in_turn(reply, heads=heads)) as base,
            client(base, headers={"Epic-Client-ID": "abc"}) as http,
        ):
            exchange = await http.get(f"{base}/Patient/1#x", bearer="t0ken")
            assert exchange.json() == {"a": 1}
            assert exchange.headers.get("etag") == 'W/"1"'
            assert ("ETag", 'W/"1"') in tuple(exchange.headers)
            assert exchange.response.http_version == "HTTP/1.1"
            assert exchange.request.url == f"{base}/Patient/1"
            assert http.evidence.all == (exchange,)
            assert 0 < exchange.seconds < 10

    anyio.run(main)
    head = heads[0].decode()
    assert head.startswith("GET /r4/Patient/1 HTTP/1.1\r\n")
    for line in ("Authorization: Bearer t0ken", "Epic-Client-ID: abc", "Accept-Encoding: gzip"):
        assert head.count(line) == 1


def test_a_refused_request_is_repeated_and_each_attempt_is_evidence() -> None:
    refused = answer("429 Too Many Requests", Retry_After="0.01")

    async def main() -> None:
        async with (
            serving(in_turn(refused, answer("503 Busy"), answer("200 OK", b"{}"))) as base,
            client(base) as http,
        ):
            exchange = await http.get(f"{base}/metadata")
            assert exchange.attempt == 3
            assert [each.status for each in http.evidence.all] == [429, 503, 200]
            counters = next(iter(http.limiter.counters().values()))
            assert (counters.sent, counters.refused) == (3, 1)

    anyio.run(main)


def test_the_last_refusal_is_the_answer_when_it_asks_for_too_long() -> None:
    async def main() -> None:
        refused = answer("429 Too Many Requests", Retry_After="18000")
        async with serving(always(refused)) as base, client(base) as http:
            assert (await http.get(f"{base}/metadata")).status == 429
            assert len(http.evidence.all) == 1

    anyio.run(main)


def test_a_write_is_sent_once_unless_it_was_refused() -> None:
    async def main() -> None:
        async with serving(always(answer("503 Busy"))) as base, client(base) as http:
            assert (await http.post_json(f"{base}/Observation", {})).status == 503
            assert len(http.evidence.all) == 1
        refused = answer("429 Too Many Requests", Retry_After="0")
        created = answer("201 Created")
        async with serving(in_turn(refused, created)) as base, client(base) as http:
            assert (await http.post_json(f"{base}/Observation", {})).status == 201

    anyio.run(main)


def test_a_search_by_post_may_be_repeated_when_asked() -> None:
    async def main() -> None:
        async with (
            serving(in_turn(answer("502 Bad Gateway"), answer("200 OK", b"{}"))) as base,
            client(base) as http,
        ):
            fields = [("patient", "1"), ("patient", "2")]
            url = f"{base}/Observation/_search"
            found = await http.post_form(url, fields, repeatable=True)
            assert found.status == 200
            assert found.request.body == b"patient=1&patient=2"

    anyio.run(main)


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"", "disconnected"),
        (b"SSH-2.0-OpenSSH_9.6\r\n", "did not speak HTTP"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nshort", "broke"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: abc\r\n\r\n", "did not speak HTTP"),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nab", "broke"),
        (answer("200 OK", b"not gzip", Content_Encoding="gzip"), "does not decompress"),
        (answer("200 OK", b"x", Content_Encoding="br"), "Content-Encoding 'br'"),
        (b"HTTP/1.1 200 OK\r\nX: " + b"y" * 300_000 + b"\r\n\r\n", "did not speak HTTP"),
    ],
)
def test_an_answer_that_is_none_is_one_clear_line(data: bytes, reason: str) -> None:
    async def main() -> None:
        async with serving(always(data)) as base, client(base) as http:
            with pytest.raises(EhrUnreachable, match=reason) as caught:
                await http.get(f"{base}/metadata")
            assert "\n" not in str(caught.value)
            assert "GET 127.0.0.1:" in str(caught.value)
            assert {each.attempt for each in http.evidence.steps} == {1, 2, 3}

    anyio.run(main)


def test_a_connection_that_breaks_once_does_no_harm() -> None:
    async def main() -> None:
        async with (
            serving(in_turn(b"", answer("200 OK", b"{}"))) as base,
            client(base) as http,
        ):
            exchange = await http.get(f"{base}/metadata")
            assert (exchange.status, exchange.attempt, exchange.number) == (200, 2, 1)

    anyio.run(main)


def test_bodies_are_bounded_after_decompression() -> None:
    bomb = answer("200 OK", gzip.compress(bytes(30_000_000)), Content_Encoding="gzip")

    async def main() -> None:
        async with serving(always(bomb)) as base, client(base) as http:
            with pytest.raises(HostileInput, match="at most 1000000 bytes"):
                await http.get(f"{base}/metadata", max_bytes=1_000_000)
            assert [each.attempt for each in http.evidence.steps] == [1]

    anyio.run(main)


def test_a_server_that_drips_is_given_up() -> None:
    async def drip(stream: Peer, head: bytes) -> None:
        await stream.send(b"HTTP/1.1 200 OK\r\nContent-Length: 99999\r\n\r\n")
        while True:
            await stream.send(b" ")
            await anyio.sleep(0.01)

    async def main() -> None:
        bounds = Bounds(read=5.0, total=0.15)
        async with serving(drip) as base, client(base, bounds=bounds) as http:
            with pytest.raises(EhrUnreachable, match=r"no complete answer within 0\.15 s"):
                await http.get(f"{base}/metadata", retry=False)

    anyio.run(main)


def test_silence_is_a_read_time_out_and_a_write_is_not_repeated() -> None:
    async def silent(stream: Peer, head: bytes) -> None:
        await anyio.sleep_forever()

    async def main() -> None:
        async with serving(silent) as base, client(base, bounds=Bounds(read=0.05)) as http:
            with pytest.raises(EhrUnreachable, match=r"read timed out after 0\.05 s"):
                await http.put_json(f"{base}/Observation/1", {})
            assert len(http.evidence.steps) == 1

    anyio.run(main)


def test_redirects_are_not_followed_and_cookies_not_kept() -> None:
    heads: list[bytes] = []
    redirect = answer("302 Found", Location="http://127.0.0.1:1/x", Set_Cookie="sid=1")

    async def main() -> None:
        handler = in_turn(redirect, answer("200 OK"), heads=heads)
        async with serving(handler) as base, client(base) as http:
            assert (await http.get(f"{base}/a")).status == 302
            await http.get(f"{base}/b")

    anyio.run(main)
    assert b"cookie" not in heads[1].lower()


def test_a_token_and_own_headers_never_go_to_another_origin() -> None:
    heads: list[bytes] = []
    other = always(answer("200 OK"))

    async def main() -> None:
        async with (
            serving(other) as base,
            serving(in_turn(answer("200 OK"), heads=heads)) as elsewhere,
            client(
                base,
                headers={"Epic-Client-ID": "abc"},
                extra_origins=frozenset({elsewhere}),
            ) as http,
        ):
            with pytest.raises(HostileInput, match="access token goes to"):
                await http.get(f"{elsewhere}/Patient/1", bearer="t0ken")
            assert heads == []
            await http.get(f"{elsewhere}/jwks")

    anyio.run(main)
    assert b"Epic-Client-ID" not in heads[0]
    assert b"Authorization" not in heads[0]


def test_a_header_cannot_smuggle_another() -> None:
    async def main() -> None:
        async with client("http://127.0.0.1:9/r4") as http:
            headers = Headers((("Accept", "a\r\nX: b"),))
            with pytest.raises(HostileInput, match="line break"):
                await http.send(Request("GET", "http://127.0.0.1:9/r4", headers))

    anyio.run(main)


def test_the_environment_is_not_trusted(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:1")

    async def main() -> None:
        async with serving(always(answer("200 OK"))) as base, client(base) as http:
            assert (await http.get(base)).status == 200

    anyio.run(main)


def test_a_refused_connection_is_told_apart() -> None:
    async def main() -> None:
        async with client("http://127.0.0.1:1/r4") as http:
            with pytest.raises(EhrUnreachable, match="connection refused"):
                await http.get("http://127.0.0.1:1/r4/metadata")
            assert len(http.evidence.steps) == 3

    anyio.run(main)


def self_signed(folder: Path, host: str = "127.0.0.1") -> tuple[ssl.SSLContext, Path]:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "test")])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ip_address(host))]), False)  # noqa: FBT003 - its own signature
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), True)  # noqa: FBT003 - its own signature
        .sign(key, hashes.SHA256())
    )
    pem, key_pem = folder / "cert.pem", folder / "key.pem"
    pem.write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    key_pem.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
    )
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(pem, key_pem)
    return context, pem


def test_an_untrusted_certificate_is_refused_until_its_issuer_is_named(tmp_path: Path) -> None:
    context, pem = self_signed(tmp_path)

    async def main() -> None:
        async with serving(always(answer("200 OK", b"{}")), context) as base:
            async with client(base) as http:
                with pytest.raises(EhrUnreachable, match=r"self-signed.*tls\.ca_file"):
                    await http.get(f"{base}/metadata")
                assert len(http.evidence.steps) == 1
            async with client(base, tls=Tls(ca_file=pem)) as http:
                assert (await http.get(f"{base}/metadata")).status == 200

    anyio.run(main)


def test_a_certificate_for_another_host_is_refused(tmp_path: Path) -> None:
    context, pem = self_signed(tmp_path, host="127.0.0.2")

    async def main() -> None:
        async with (
            serving(always(answer("200 OK")), context) as base,
            client(base, tls=Tls(ca_file=pem)) as http,
        ):
            with pytest.raises(EhrUnreachable, match="not trusted: IP address mismatch"):
                await http.get(f"{base}/metadata")

    anyio.run(main)


def test_a_certificate_file_that_is_none_is_a_matter_of_the_ehr_file(tmp_path: Path) -> None:
    (tmp_path / "x.pem").write_text("nothing")
    tls = Tls(ca_file=tmp_path / "x.pem")
    for broken in (tls, replace(tls, ca_file=tmp_path / "absent.pem")):
        with pytest.raises(ConfigError, match=r"tls\.ca_file"):
            client("https://ehr.example/r4", tls=broken)
