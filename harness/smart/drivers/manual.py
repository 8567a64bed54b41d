"""A login, or a launch, in the person's own browser: print the URL, and wait for the redirect.

Where the redirect URI or launch URI is on this machine (`http://localhost:PORT/...`) a listener
takes it, once; elsewhere the person pastes the address that the browser ended at.
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Awaitable, Callable
from functools import partial

from harness.errors import LoginFailed, ProtocolError
from harness.smart.authorize import AuthorizationRequest, AuthorizationResponse
from harness.smart.drivers.listener import Listener, Taken, is_local
from harness.smart.drivers.target import Caught, LaunchTarget, RedirectTarget

PATIENCE = 300.0
"""Seconds that a person has."""


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
            if is_local(request.redirect_uri):
                say(f"Waiting {patience:.0f} s for the redirect to {request.redirect_uri}")
                return await Listener(
                    request.redirect_uri, RedirectTarget(request), partial(_judge, request)
                ).wait()
            return await _pasted(request, say, ask)
    except TimeoutError:
        raise LoginFailed(
            f"no redirect to {request.redirect_uri} came within {patience:.0f} s",
            hint="log in sooner, and check that the redirect URI is the registered one",
        ) from None


async def launched(
    target: LaunchTarget,
    launch_url: str | None,
    *,
    say: Callable[[str], None] = say_on_stderr,
    ask: Callable[[str], Awaitable[str]] = ask_on_stdin,
    patience: float = PATIENCE,
) -> Caught:
    """Have a person start the application inside the EHR, and return what came to its launch URI.

    Args:
        target: the launch URI.
        launch_url: the page of the EHR to open; None where the person has to know.
        say: prints a line.
        ask: prompts for a line, where the launch URI is not on this machine.
        patience: seconds to wait for the person.

    Raises:
        LoginFailed: nothing came in time.
        ConfigError: the port of the launch URI cannot be listened on.
    """
    uri = target.launch_uri
    place = f"this address in your browser:\n\n    {launch_url}\n" if launch_url else "the EHR"
    say(f"Open {place}")
    say(f"Sign in, choose a patient, and start the application with the launch URI {uri}")
    try:
        async with asyncio.timeout(patience):
            if is_local(uri):
                say(f"Waiting {patience:.0f} s for the launch")
                return await Listener(uri, target, _judge_launch).wait()
            return await _pasted_launch(target, say, ask)
    except TimeoutError:
        raise LoginFailed(
            f"no launch at {uri} came within {patience:.0f} s",
            hint="check that launch_uri of the client is the registered one",
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


async def _pasted_launch(
    target: LaunchTarget, say: Callable[[str], None], ask: Callable[[str], Awaitable[str]]
) -> Caught:
    for _ in range(3):
        line = (await ask("Paste the address that the browser ended at:")).strip()
        if target.answered_by(line):
            return Caught(line)
        say(f"expected an address that starts with {target.launch_uri}")
    raise LoginFailed(
        f"no address was pasted that starts with {target.launch_uri}",
        hint="copy it from the browser's address bar, even if the page shows an error",
    )


def _judge(request: AuthorizationRequest, caught: Caught) -> Taken[AuthorizationResponse]:
    """Only an answer with our state counts."""
    response = RedirectTarget(request).read(caught)
    if not response.state_matches:
        return Taken(None, "This answer does not belong to the login under way.")
    done = "The login was refused." if response.error else "The login is done."
    return Taken(response, f"{done} You can close this window.")


def _judge_launch(caught: Caught) -> Taken[Caught]:
    """What lacks `iss` or `launch` is for a check to judge; what lacks both is no launch."""
    names = {name for name, _ in caught.parameters}
    if not names & {"iss", "launch"}:
        return Taken(None, "This is where the EHR starts the application; nothing was started.")
    return Taken(caught, "The launch has arrived. Go on where the harness runs; it names a page.")
