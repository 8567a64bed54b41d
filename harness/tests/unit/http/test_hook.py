"""What an EHR sends of its own accord: kept, bounded, and told again in a replay."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Any
from urllib.parse import urlsplit

import anyio
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.errors import ConfigError
from harness.http import hook as hooking
from harness.http.clock import SystemClock
from harness.http.evidence import Evidence, current_act
from harness.http.exchange import Exchange
from harness.http.hook import Hook, Hooks
from harness.http.redaction import Redactor

LISTEN = "127.0.0.1:0"
JSON = b'{"resourceType":"Observation","id":"1"}'


def listening(
    visit: Callable[[Hook], Awaitable[Any]], *, hooks: Hooks | None = None, url: str | None = None
) -> tuple[Any, Hook]:
    """What a visit comes to, and the listener afterwards."""

    async def main() -> tuple[Any, Hook]:
        current_act.set("push")
        made = hooks or Hooks(Evidence(), SystemClock())
        async with made.open(LISTEN, url) as hook:
            return await visit(hook), hook

    return anyio.run(main)


async def said(hook: Hook, raw: bytes) -> bytes:
    """What the listener answers to bytes."""
    port = urlsplit(hook.base).port
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(raw)
    writer.write_eof()
    answer = await reader.read()
    writer.close()
    return answer.partition(b"\r\n")[0]


def asked(path: str, body: bytes = b"", *more: str, method: str = "PUT") -> bytes:
    lines = [f"{method} {path} HTTP/1.1", "Host: x", *more]
    if "Transfer-Encoding: chunked" not in more:
        lines.append(f"Content-Length: {len(body)}")
    return "\r\n".join([*lines, "", ""]).encode() + body


def test_a_notification_is_kept_as_an_exchange_of_its_act() -> None:
    evidence = Evidence()

    async def visit(hook: Hook) -> bytes:
        endpoint = hook.endpoint("payload", "secret", (503, 204))
        path = f"{urlsplit(endpoint.url).path}/Observation/1"
        first = await said(hook, asked(path, JSON, "Authorization: Bearer s"))
        await hook.gather(lambda: len(hook.at(endpoint)) == 1, 5)
        return first + await said(hook, asked(path, JSON))

    hooks = Hooks(evidence, SystemClock())
    answers, hook = listening(visit, hooks=hooks)
    assert answers == b"HTTP/1.1 503 HTTP/1.1 204 "
    assert [each.status for each in hook.arrived] == [503, 204]
    first = hook.arrived[0]
    assert isinstance(first, Exchange)
    assert first.arrived
    assert (first.act, first.request.body) == ("push", JSON)
    assert first.request.headers.get("authorization") == "Bearer s"
    assert evidence.of("push") == tuple(hook.arrived)


def test_what_names_no_endpoint_is_counted_and_not_kept() -> None:
    async def visit(hook: Hook) -> list[bytes]:
        hook.endpoint("payload", "secret")
        paths = ["/", "/payload", "/payload/secre", "/payload/secret2", "/payload/../payload/x"]
        return [await said(hook, asked(path, JSON)) for path in paths]

    answers, hook = listening(visit)
    assert {each.split()[1] for each in answers} == {b"404"}
    assert (hook.strays, hook.arrived) == (5, [])


@pytest.mark.parametrize(
    "more", [("Transfer-Encoding: chunked",), ("Expect: 100-continue",), ("X-Long: " + "a" * 9000,)]
)
def test_bodies_come_in_every_form_of_http(more: tuple[str, ...]) -> None:
    chunked = b"%x\r\n%s\r\n0\r\n\r\n" % (len(JSON), JSON)
    body = chunked if "chunked" in more[0] else JSON

    async def visit(hook: Hook) -> None:
        await said(hook, asked(urlsplit(hook.endpoint("a", "b").url).path, body, *more))

    _, hook = listening(visit)
    assert [each.request.body for each in hook.arrived] == [JSON]


def test_too_long_and_too_many_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hooking, "MAX_BODY", 10)
    monkeypatch.setattr(hooking, "MOST_KEPT", 1)

    async def visit(hook: Hook) -> list[bytes]:
        path = urlsplit(hook.endpoint("a", "b").url).path
        sent = [asked(path, b"x" * 11), asked(path, b"x"), asked(path, b"x")]
        return [await said(hook, each) for each in sent]

    answers, hook = listening(visit)
    assert [each.split()[1] for each in answers] == [b"413", b"204", b"503"]
    assert len(hook.arrived) == 1


@settings(max_examples=25, deadline=None)
@given(
    st.one_of(
        st.binary(max_size=300),
        st.sampled_from(
            [
                b"GET / HTTP/1.1\r\nHost: x\r\nA: " + b"a" * 99999,
                b"GET //[ HTTP/1.1\r\nHost: x\r\n\r\n",
            ]
        ),
    )
)
def test_whatever_comes_leaves_the_listener_well(raw: bytes) -> None:
    async def visit(hook: Hook) -> bytes:
        path = urlsplit(hook.endpoint("a", "b").url).path
        with suppress(ConnectionError):  # refused in the middle of what was sent
            await said(hook, raw)
        return await said(hook, asked(path, JSON))

    answer, hook = listening(visit)
    assert answer.split()[1] == b"204"
    assert len(hook.arrived) == 1


def test_who_waits_gives_up_in_time() -> None:
    async def visit(hook: Hook) -> None:
        with anyio.fail_after(5):
            await hook.gather(lambda: False, 0.01)

    assert listening(visit)[1].arrived == []


def test_a_replay_is_told_the_same_at_the_same_points() -> None:
    hooks, redactor = Hooks(Evidence(), SystemClock()), Redactor()
    redactor.learn("secret-of-the-run-0123456789", "drawn")

    async def live(hook: Hook) -> list[int]:
        endpoint = hook.endpoint("a", "secret-of-the-run-0123456789")
        counts = []
        for _ in range(2):
            await said(hook, asked(urlsplit(endpoint.url).path, JSON))
            await said(hook, asked("/elsewhere"))
            await hook.gather(lambda: True, 5)
            counts.append(len(hook.at(endpoint)))
        return counts

    async def again(hook: Hook) -> list[int]:
        label = redactor.learn("secret-of-the-run-0123456789", "drawn")
        endpoint, counts = hook.endpoint("a", label), []
        for _ in range(2):
            await hook.gather(lambda: False, 3600)
            counts.append(len(hook.at(endpoint)))
        return counts

    counts, hook = listening(live, hooks=hooks)
    noted = hooks.noted(redactor)
    assert "secret-of-the-run" not in str(noted)
    evidence = Evidence()
    replayed, second = listening(again, hooks=Hooks(evidence, SystemClock(), noted))
    assert counts == replayed == [1, 2]
    assert (hook.strays, second.strays) == (2, 2)
    assert [each.started_at for each in second.arrived] == [e.started_at for e in hook.arrived]
    assert all(each.arrived for each in evidence.all)


def test_a_tunnel_may_take_off_the_path_of_its_url_or_not() -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]

    async def main() -> list[str]:
        hooks = Hooks(Evidence(), SystemClock())
        async with hooks.open(f"127.0.0.1:{port}", "https://tunnel.example/run/") as hook:
            endpoint = hook.endpoint("a", "b")
            assert endpoint.url == "https://tunnel.example/run/a/b"
            inside = Hook(f"http://127.0.0.1:{port}", "push", hooks)
            for path in ("/run/a/b/Observation/1", "/a/b", "/run/b"):
                await said(inside, asked(path))
            assert hook.strays == 1
            return [each.request.url for each in hook.at(endpoint)]

    below = "https://tunnel.example/run/a/b"
    assert anyio.run(main) == [f"{below}/Observation/1", below]


def test_a_port_that_is_taken_is_named() -> None:
    async def visit(hook: Hook) -> None:
        taken = f"127.0.0.1:{urlsplit(hook.base).port}"
        with pytest.raises(ConfigError, match=f"cannot listen on {taken}"):
            async with Hooks(Evidence(), SystemClock()).open(taken, None):
                pass

    listening(visit)
