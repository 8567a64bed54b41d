"""A login in the person's own browser: print the URL, and wait for the redirect.

Where the redirect URI is on this machine (`http://localhost:PORT/...`) a listener takes it, once;
elsewhere the person pastes the address that the browser ended at.
"""

from __future__ import annotations

import asyncio
import ipaddress
import sys
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass, field
from urllib.parse import parse_qsl, urlsplit, urlunsplit

from harness.errors import ConfigError, LoginFailed, ProtocolError
from harness.smart.authorize import AuthorizationRequest, AuthorizationResponse

PATIENCE = 300.0
"""Seconds that a person has."""

MAX_HEAD = 64 * 1024
MAX_BODY = 64 * 1024
_PAGE = "text/plain; charset=utf-8"


def say_on_stderr(line: str) -> None:
    """Print for the person, apart from what a script reads."""
    sys.stderr.write(f"{line}\n")
    sys.stderr.flush()


async def ask_on_stdin(prompt: str) -> str:
    """Ask the person for one line."""
    say_on_stderr(prompt)
    line: str = await asyncio.to_thread(sys.stdin.readline)
    return line.strip()


async def authorize(
    request: AuthorizationRequest,
    *,
    say: Callable[[str], None] = say_on_stderr,
    ask: Callable[[str], Awaitable[str]] = ask_on_stdin,
    patience: float = PATIENCE,
) -> AuthorizationResponse:
    """Have a person log in, and return what came to the redirect URI.

    Args:
        request: the authorization request; sent by GET, as a person's browser does.
        say: prints a line.
        ask: prompts for a line, where the redirect URI is not on this machine.
        patience: seconds to wait for the person.

    Raises:
        LoginFailed: nothing came in time, or nothing that belongs to this request.
        ConfigError: the port of the redirect URI cannot be listened on.
    """
    say(f"Open this address in your browser, and log in:\n\n    {request.url}\n")
    try:
        async with asyncio.timeout(patience):
            if _is_local(request.redirect_uri):
                say(f"Waiting {patience:.0f} s for the redirect to {request.redirect_uri}")
                return await _Listener(request).wait()
            return await _pasted(request, say, ask)
    except TimeoutError:
        raise LoginFailed(
            f"no redirect to {request.redirect_uri} came within {patience:.0f} s",
            hint="log in sooner, and check that the redirect URI is the registered one",
        ) from None


async def _pasted(
    request: AuthorizationRequest,
    say: Callable[[str], None],
    ask: Callable[[str], Awaitable[str]],
) -> AuthorizationResponse:
    for _ in range(3):
        line = await ask("Paste the address that the browser ended at:")
        try:
            return AuthorizationResponse.parse(line.strip(), request)
        except (ProtocolError, ValueError) as error:
            say(str(error))
    raise LoginFailed(
        f"no address was pasted that starts with {request.redirect_uri}",
        hint="copy it from the browser's address bar, even if the page shows an error",
    )


@dataclass(slots=True)
class _Listener:
    """Takes one answer with our state; anything else gets a refusal, and it waits on."""

    request: AuthorizationRequest
    answer: asyncio.Future[AuthorizationResponse] = field(init=False)

    async def wait(self) -> AuthorizationResponse:
        self.answer = asyncio.get_running_loop().create_future()
        parts = urlsplit(self.request.redirect_uri)
        host = parts.hostname or ""
        try:
            server = await asyncio.start_server(self._serve, host, parts.port or 80, limit=MAX_HEAD)
        except OSError as error:
            raise ConfigError(
                f"cannot listen on {parts.netloc} for the redirect: {error.strerror}",
                hint="free the port, or register another loopback redirect URI",
            ) from None
        try:
            return await self.answer
        finally:
            server.close()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        taken: AuthorizationResponse | None = None
        try:
            async with asyncio.timeout(10):
                status, text, taken = await self._answer(reader)
                body = f"{text}\n".encode()
                head = (
                    f"HTTP/1.1 {status}\r\nContent-Type: {_PAGE}\r\nContent-Length: {len(body)}\r\n"
                    "Cache-Control: no-store\r\nReferrer-Policy: no-referrer\r\n"
                    "Connection: close\r\n\r\n"
                )
                writer.write(head.encode() + body)
                await writer.drain()
        except (TimeoutError, OSError, ValueError, EOFError, asyncio.LimitOverrunError):
            pass  # a visitor that speaks no HTTP is no answer
        finally:
            writer.close()
            with suppress(OSError):
                await writer.wait_closed()
        # Only now: whoever waits may end the loop, and the person should have seen the page.
        if taken is not None and not self.answer.done():
            self.answer.set_result(taken)

    async def _answer(
        self, reader: asyncio.StreamReader
    ) -> tuple[str, str, AuthorizationResponse | None]:
        head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
        first, _, rest = head.partition("\r\n")
        method, target, _ = first.split(" ", 2)
        parts = urlsplit(self.request.redirect_uri)
        there = urlsplit(target)
        url = urlunsplit((parts.scheme, parts.netloc, there.path, there.query, ""))
        if not self.request.answered_by(url):
            return "404 Not Found", "Nothing is here.", None
        if method == "POST":
            fields = parse_qsl((await _body(reader, rest)).decode(), keep_blank_values=True)
            response = AuthorizationResponse.from_form(fields, self.request)
        else:
            response = AuthorizationResponse.parse(url, self.request)
        if not response.state_matches:
            refusal = "This answer does not belong to the login under way."
            return "400 Bad Request", refusal, None
        done = "The login was refused." if response.error else "The login is done."
        return "200 OK", f"{done} You can close this window.", response


async def _body(reader: asyncio.StreamReader, head: str) -> bytes:
    for line in head.split("\r\n"):
        name, _, value = line.partition(":")
        if name.strip().lower() == "content-length":
            return await reader.readexactly(min(int(value), MAX_BODY))
    return b""


def _is_local(redirect_uri: str) -> bool:
    """Whether a plain HTTP listener on this machine would get the redirect."""
    parts = urlsplit(redirect_uri)
    if parts.scheme != "http":
        return False
    try:
        return ipaddress.ip_address(parts.hostname or "").is_loopback
    except ValueError:
        return parts.hostname == "localhost"
