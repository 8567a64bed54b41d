"""Many launches at the same time in one process, over real sockets: none takes what is another's.

All on loopback, and bounded: what takes longer than `BOUND` seconds hangs.
"""

from __future__ import annotations

import asyncio
import re
import secrets as randomness
import socket
from collections.abc import Awaitable, Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from itertools import cycle, islice
from typing import TypeVar

import httpx
import pytest

from harness.config.ehr import EhrFile, LaunchSpec, Limits
from harness.config.load import load_ehr, with_base
from harness.config.secrets import Secrets
from harness.errors import ConfigError
from harness.http.client import HttpClient
from harness.http.clock import SystemClock
from harness.http.evidence import Evidence
from harness.http.limiter import HostLimiters
from harness.http.origin import origin
from harness.reference.process import Running, start
from harness.smart.authorize import AuthorizationRequest
from harness.smart.client_auth import client_id
from harness.smart.discovery import discover
from harness.smart.drivers import Choices, manual
from harness.smart.drivers.fill import Wishes
from harness.smart.drivers.plan import Follow, Task
from harness.smart.drivers.target import LaunchTarget
from harness.smart.drivers.walk import Walk
from harness.smart.launch import Launch, Launcher
from harness.smart.tokens import TokenResponse

Result = TypeVar("Result")
BOUND = 30.0
FAST = Limits(requests_per_second=500, concurrency=8, burst=100)
USERS = ("patient", "other")
LAUNCHES = ("standalone", "standalone-public", "standalone-asymmetric")
BY_FORM = 20
BY_HAND = 4


@pytest.fixture(scope="module")
def redirect_uris() -> tuple[str, ...]:
    """On ports of this machine that are free; all are held until the last one is chosen."""
    with ExitStack() as held:
        ports = []
        for _ in range(BY_HAND):
            one = held.enter_context(socket.socket())
            one.bind(("127.0.0.1", 0))
            ports.append(one.getsockname()[1])
        return tuple(f"http://127.0.0.1:{port}/callback" for port in ports)


@pytest.fixture(scope="module")
def busy(redirect_uris: tuple[str, ...]) -> Iterator[Running]:
    """A reference EHR whose clients have a redirect URI for each listener."""
    with start(patients=6, redirect_uris=redirect_uris) as running:
        yield running


def at(running: Running, use: Callable[[Launcher], Awaitable[Result]]) -> Result:
    """What `use` does with one sender, as it is within a run."""
    ehr = with_base(load_ehr("reference"), running.fhir_base)

    async def go() -> Result:
        clock = SystemClock()
        http = HttpClient(
            base=ehr.fhir_base,
            evidence=Evidence(),
            limiter=HostLimiters(FAST, clock),
            clock=clock,
            moved_from=ehr.moved_from,
        )
        async with asyncio.timeout(BOUND), http:
            found = await discover(http, ehr)
            secrets = Secrets(running.credentials)
            return await use(Launcher(http, ehr, found, secrets, clock, randomness.token_bytes))

    return asyncio.run(go())


def specs(ehr: EhrFile) -> list[LaunchSpec]:
    """Launches by every kind of client in turn, for one patient and then for the other."""
    named = [spec for name in LAUNCHES if (spec := ehr.launch(name)) is not None]
    turns = cycle(replace(spec, login=user) for user in USERS for spec in named)
    return list(islice(turns, BY_FORM))


async def patient_read(launcher: Launcher, token: TokenResponse, patient: str) -> int:
    url = f"{launcher.ehr.fhir_base}/Patient/{patient}"
    return (await launcher.http.get(url, bearer=token.access_token)).status


def token_of(launch: Launch, launcher: Launcher) -> TokenResponse:
    assert launch.response.state_matches
    assert launch.exchange is not None
    return TokenResponse.parse(launch.exchange, launcher.clock.now())


def test_twenty_launches_at_a_time_get_each_their_own(busy: Running) -> None:
    async def use(launcher: Launcher) -> None:
        wanted = specs(launcher.ehr)
        launches = await asyncio.gather(*(launcher.standalone(spec) for spec in wanted))
        tokens = [token_of(launch, launcher) for launch in launches]
        for members in (
            {launch.request.state for launch in launches},
            {launch.response.code for launch in launches},
            {token.access_token for token in tokens},
            {token.refresh_token for token in tokens},
        ):
            assert len(members) == BY_FORM
        assert [token.problems for token in tokens] == [()] * BY_FORM
        patients = [
            {
                token.patient
                for spec, token in zip(wanted, tokens, strict=True)
                if spec.login == user
            }
            for user in USERS
        ]
        (mine,), (theirs,) = patients
        assert mine
        assert theirs
        assert mine != theirs
        own = [mine if spec.login == USERS[0] else theirs for spec in wanted]
        strange = [theirs if each == mine else mine for each in own]
        assert [token.patient for token in tokens] == own
        reads = [patient_read(launcher, *each) for each in zip(tokens, own, strict=True)]
        assert await asyncio.gather(*reads) == [200] * BY_FORM
        reads = [patient_read(launcher, *each) for each in zip(tokens, strange, strict=True)]
        assert 200 not in await asyncio.gather(*reads)

    at(busy, use)


def test_twenty_refreshes_at_a_time_rotate_each_their_own(busy: Running) -> None:
    async def use(launcher: Launcher) -> None:
        wanted = specs(launcher.ehr)
        launches = await asyncio.gather(*(launcher.standalone(spec) for spec in wanted))
        first = [token_of(launch, launcher) for launch in launches]
        clients = [launcher.identity(launcher.client(spec.client)) for spec in wanted]
        answers = await asyncio.gather(
            *(
                client.refresh(token.refresh_token)
                for client, token in zip(clients, first, strict=True)
                if token.refresh_token is not None
            )
        )
        second = [TokenResponse.parse(answer, launcher.clock.now()) for answer in answers]
        assert [token.patient for token in second] == [token.patient for token in first]
        assert len({token.access_token for token in (*first, *second)}) == 2 * BY_FORM

    at(busy, use)


@dataclass
class Person:
    """Opens the page that the harness names, signs in, and ends up where the EHR sends them."""

    launcher: Launcher
    request: AuthorizationRequest
    lines: asyncio.Queue[str] = field(default_factory=asyncio.Queue)

    async def signed_in(self) -> str:
        """Where the browser was sent to, at the listener; it has not been there yet."""
        named = None
        while named is None:
            named = re.search(r"^ +(http://\S+)$", await self.lines.get(), re.MULTILINE)
        login = self.launcher.login("patient")
        assert login.password is not None
        task = Task(
            LaunchTarget(self.request.redirect_uri),
            Wishes(Choices(), ()),
            self.launcher.secrets.text(str(login.username)),
            self.launcher.secrets.resolve(login.password),
        )
        origins = frozenset({origin(named[1])})
        return (await Walk(self.launcher.http, task, origins).run(Follow(named[1]))).url


def by_hand(launcher: Launcher, redirect_uri: str) -> AuthorizationRequest:
    spec = launcher.ehr.launch("standalone-public")
    assert spec is not None
    client = launcher.client(spec.client)
    return AuthorizationRequest.build(
        launcher.discovery.endpoint("authorization_endpoint"),
        client_id=client_id(client, launcher.secrets),
        redirect_uri=redirect_uri,
        scopes=spec.scopes,
        aud=launcher.ehr.fhir_base,
        entropy=launcher.entropy,
    )


def test_several_listeners_wait_each_for_their_own_person(
    busy: Running, redirect_uris: tuple[str, ...]
) -> None:
    """Beside them launches go on by form; an answer at another's listener ends nobody's wait."""

    async def use(launcher: Launcher) -> None:
        people = [Person(launcher, by_hand(launcher, uri)) for uri in redirect_uris]
        waiting = [
            asyncio.create_task(manual.authorize(each.request, say=each.lines.put_nowait))
            for each in people
        ]
        forms = asyncio.gather(*(launcher.standalone(spec) for spec in specs(launcher.ehr)))
        ends = await asyncio.gather(*(each.signed_in() for each in people))
        async with httpx.AsyncClient(trust_env=False) as browser:
            for mine, theirs in zip(ends, (*ends[1:], ends[0]), strict=True):
                elsewhere = httpx.URL(theirs, port=httpx.URL(mine).port)
                assert (await browser.get(elsewhere)).status_code == 400
            assert not any(each.done() for each in waiting)
            pages = await asyncio.gather(*(browser.get(end) for end in ends))
        assert [page.status_code for page in pages] == [200] * BY_HAND
        answers = await asyncio.gather(*waiting)
        assert all(answer.state_matches for answer in answers)
        assert len({answer.code for answer in answers}) == BY_HAND
        client = launcher.client("harness-public")
        exchanges = await asyncio.gather(
            *(
                launcher.exchange(client, person.request, answer.require_code())
                for person, answer in zip(people, answers, strict=True)
            )
        )
        assert [exchange.status for exchange in exchanges] == [200] * BY_HAND
        assert {launch.exchange.status for launch in await forms if launch.exchange} == {200}

    at(busy, use)


def test_a_second_login_on_one_port_is_told_so_and_the_first_goes_on(
    busy: Running, redirect_uris: tuple[str, ...]
) -> None:
    async def use(launcher: Launcher) -> None:
        first, second = (Person(launcher, by_hand(launcher, redirect_uris[0])) for _ in range(2))
        waiting = asyncio.create_task(manual.authorize(first.request, say=first.lines.put_nowait))
        end = await first.signed_in()
        with pytest.raises(ConfigError, match="free the port"):
            await manual.authorize(second.request, say=second.lines.put_nowait)
        async with httpx.AsyncClient(trust_env=False) as browser:
            assert (await browser.get(end)).status_code == 200
        assert (await waiting).state_matches

    at(busy, use)
