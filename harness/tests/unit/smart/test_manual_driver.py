"""A person's browser is waited for, and only our own answer is taken."""

from __future__ import annotations

import asyncio
import socket
from contextlib import suppress
from urllib.parse import urlencode, urlsplit

import pytest

from harness.config.ehr import AuthSpec, DriverKind, EhrFile, Login
from harness.config.secrets import Secrets
from harness.errors import ConfigError, LoginFailed
from harness.smart.authorize import AuthorizationRequest, AuthorizationResponse
from harness.smart.drivers import Choices
from harness.smart.drivers import authorize as by_driver
from harness.smart.drivers.manual import authorize
from harness.tests.unit.smart.site import app_of, authorization_request, client_of


@pytest.fixture
def redirect_uri() -> str:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return f"http://127.0.0.1:{free.getsockname()[1]}/callback"


async def visit(uri: str, target: str, method: str = "GET", body: str = "") -> str:
    parts = urlsplit(uri)
    reader, writer = await asyncio.open_connection(parts.hostname, parts.port)
    head = f"{method} {target} HTTP/1.1\r\nHost: x\r\nContent-Length: {len(body)}\r\n\r\n"
    writer.write(head.encode() + body.encode())
    answer = (await reader.read()).decode()
    writer.close()
    await writer.wait_closed()
    return answer.split("\r\n", 1)[0]


def with_visits(
    request: AuthorizationRequest, *visits: tuple[str, ...]
) -> tuple[AuthorizationResponse, list[str]]:
    async def go() -> tuple[AuthorizationResponse, list[str]]:
        ready = asyncio.Event()
        waiting = asyncio.create_task(authorize(request, say=lambda _: ready.set(), patience=20))
        await ready.wait()
        answers = []
        for each in visits:
            for _ in range(100):
                try:
                    answers.append(await visit(request.redirect_uri, *each))
                    break
                except ConnectionError:
                    await asyncio.sleep(0)
        return await waiting, answers

    return asyncio.run(go())


def test_only_the_right_path_with_our_state_is_taken(redirect_uri: str) -> None:
    request = authorization_request(redirect_uri=redirect_uri)
    right = urlencode({"code": "c-1", "state": request.state})
    response, answers = with_visits(
        request,
        ("/favicon.ico",),
        ("/callback?code=c-0&state=theirs",),
        ("nonsense",),
        (f"/callback?{right}",),
    )
    assert [answer.split(" ", 1)[1] for answer in answers] == [
        "404 Not Found",
        "400 Bad Request",
        "404 Not Found",
        "200 OK",
    ]
    assert (response.code, response.state_matches) == ("c-1", True)


def test_visitors_that_speak_no_http_do_no_harm(redirect_uri: str) -> None:
    request = authorization_request(redirect_uri=redirect_uri)

    async def go() -> AuthorizationResponse:
        ready = asyncio.Event()
        waiting = asyncio.create_task(authorize(request, say=lambda _: ready.set(), patience=20))
        await ready.wait()
        parts = urlsplit(redirect_uri)
        for sent in (b"", b"\x16\x03\x01\r\n\r\n", b"GET\r\n\r\n", b"x" * 70_000):
            for _ in range(100):
                try:
                    reader, writer = await asyncio.open_connection(parts.hostname, parts.port)
                    break
                except ConnectionError:
                    await asyncio.sleep(0)
            with suppress(ConnectionError):
                writer.write(sent)
                writer.write_eof()
                await reader.read()
            writer.close()
            with suppress(ConnectionError):
                await writer.wait_closed()
        await visit(redirect_uri, f"/callback?error=access_denied&state={request.state}")
        return await waiting

    assert asyncio.run(go()).error == "access_denied"


def test_a_posted_answer_is_taken_too(redirect_uri: str) -> None:
    request = authorization_request(redirect_uri=redirect_uri)
    body = urlencode({"code": "c-2", "state": request.state})
    response, _ = with_visits(request, ("/callback", "POST", body))
    assert response.code == "c-2"


def test_the_login_names_the_manual_driver(
    redirect_uri: str, capsys: pytest.CaptureFixture[str]
) -> None:
    request = authorization_request(redirect_uri=redirect_uri)

    async def go() -> AuthorizationResponse:
        async with client_of(app_of()) as http:
            ehr = EhrFile("e", "E", "https://ehr.example.org/fhir", AuthSpec())
            login = Login("p", DriverKind.MANUAL)
            choose = Choices(patient="p1")
            waiting = asyncio.create_task(
                by_driver(http, request, login, Secrets({}), ehr, choices=choose)
            )
            while not waiting.done():
                with suppress(ConnectionError):
                    await visit(redirect_uri, f"/callback?code=c-4&state={request.state}")
            return (await waiting).response

    assert asyncio.run(go()).code == "c-4"
    assert request.url in capsys.readouterr().err


def test_a_person_who_does_not_come_is_not_waited_for_for_ever(redirect_uri: str) -> None:
    request = authorization_request(redirect_uri=redirect_uri)
    with pytest.raises(LoginFailed, match="came within 0 s"):
        asyncio.run(authorize(request, say=lambda _: None, patience=0.01))


def test_a_port_in_use_is_named() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        uri = f"http://127.0.0.1:{taken.getsockname()[1]}/callback"
        with pytest.raises(ConfigError, match="cannot listen on"):
            asyncio.run(
                authorize(authorization_request(redirect_uri=uri), say=lambda _: None, patience=5)
            )


def test_elsewhere_the_address_is_pasted() -> None:
    request = authorization_request()
    said: list[str] = []
    lines = iter(["https://wrong.example.org/", f"{request.redirect_uri}?code=c-3&state=x"])

    async def ask(_: str) -> str:
        return next(lines)

    response = asyncio.run(authorize(request, say=said.append, ask=ask))
    assert response.code == "c-3"
    assert not response.state_matches
    assert request.url in said[0]
    assert "expected a redirect to" in said[1]


def test_three_wrong_addresses_are_enough() -> None:
    async def ask(_: str) -> str:
        return ""

    with pytest.raises(LoginFailed, match="no address was pasted"):
        asyncio.run(authorize(authorization_request(), say=lambda _: None, ask=ask))
