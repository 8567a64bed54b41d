"""Several processes live on one grant of a server with single-use refresh tokens, and keep it.

The reference EHR ends the whole grant when a refresh token is used twice.
"""

from __future__ import annotations

import asyncio
import multiprocessing
import os
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import pytest

from harness.config.ehr import ClientAuth, Limits, OAuthClient, SecretRef, Tls
from harness.config.secrets import Secret, Secrets
from harness.errors import GrantLost
from harness.http.client import HttpClient
from harness.http.clock import Clock, SystemClock
from harness.http.evidence import Evidence
from harness.http.exchange import Request
from harness.http.limiter import HostLimiters
from harness.http.transport import Answer, Bounds, Transport, WireTransport
from harness.reference.process import Running
from harness.smart.entropy import system_entropy
from harness.smart.identity import Identity
from harness.smart.session import TokenSession
from harness.smart.vault import Entry, Vault, new_key
from harness.tests.reference_process import App

PROCESSES = 6
TASKS = 3
ENTRY = Entry("tenant:north", "harness-symmetric", "patient")
SCOPE = "launch/patient openid offline_access patient/Patient.rs"
SPAWN = multiprocessing.get_context("spawn")


@dataclass(frozen=True)
class Shared:
    """What all processes know."""

    path: Path
    key: str
    base: str
    secret: str
    patient: str

    def vault(self) -> Vault:
        return Vault(self.path, Secret(self.key))

    def client(self, clock: Clock, transport: Transport | None = None) -> HttpClient:
        limits = Limits(requests_per_second=1000, burst=100, concurrency=8)
        limiters = HostLimiters(limits, clock)
        return HttpClient(
            base=self.base,
            evidence=Evidence(),
            limiter=limiters,
            clock=clock,
            transport=transport or WireTransport(Tls(), Bounds(), clock),
        )

    def session(self, http: HttpClient, clock: Clock) -> TokenSession:
        secrets = Secrets({"SECRET": self.secret})
        client = OAuthClient(
            "app", "harness-symmetric", ClientAuth.SECRET_BASIC, secret=SecretRef("env", "SECRET")
        )
        endpoint = f"{self.base.removesuffix('/r4')}/oauth/token"
        identity = Identity(http, client, secrets, endpoint, clock, system_entropy)
        return TokenSession(identity, self.vault(), ENTRY, shared=True)


async def use(shared: Shared, clock: SystemClock) -> list[int]:
    """What each task gets that reads the patient, with a new token where the first is refused."""
    async with shared.client(clock) as http:
        session = shared.session(http, clock)

        async def one() -> int:
            url = f"{shared.base}/Patient/{shared.patient}"
            token = await session.access_token()
            exchange = await http.get(url, bearer=token)
            if exchange.status == 401:
                exchange = await http.get(url, bearer=await session.renew(token))
            return exchange.status

        return list(await asyncio.gather(*(one() for _ in range(TASKS))))


def work(shared: Shared, line: Connection) -> None:
    """A process: uses the grant whenever it is told to, its clock moved by so many seconds."""
    while (moved := line.recv()) is not None:
        try:
            line.send(asyncio.run(use(shared, SystemClock(timedelta(seconds=moved)))))
        except Exception as error:  # noqa: BLE001 - the test shows it
            line.send([repr(error)])


@contextmanager
def workers(shared: Shared) -> Iterator[list[Connection]]:
    """So many processes that wait for a word."""
    lines, processes = [], []
    for _ in range(PROCESSES):
        ours, theirs = SPAWN.Pipe()
        process = SPAWN.Process(target=work, args=(shared, theirs))
        process.start()
        lines.append(ours)
        processes.append(process)
    try:
        yield lines
    finally:
        for line, process in zip(lines, processes, strict=True):
            line.send(None)
            process.join(30)


@pytest.fixture
def app(reference: Running) -> Iterator[App]:
    name = f"processes-{os.urandom(4).hex()}"
    base = str(reference.instance(name)["fhir_base"])
    app = App(base, reference.credentials, "harness-symmetric")
    app.control = lambda method, path, body=None: reference.control(
        method, f"/instances/{name}{path}", body
    )
    yield app
    app.close()


@pytest.fixture
def shared(app: App, tmp_path: Path) -> Shared:
    token = app.launch("patient", SCOPE)
    found = Shared(
        tmp_path / "vault" / "vault.sqlite",
        new_key(),
        app.fhir_base,
        app.credentials["REFERENCE_CLIENT_SECRET"],
        token["patient"],
    )
    now = SystemClock().now()
    found.vault().put(ENTRY, token["refresh_token"], now=now, scope=token["scope"])
    return found


def token_requests(app: App) -> dict[int, int]:
    """How often the token endpoint answered with which status."""
    rows: list[dict[str, Any]] = app.control("GET", "/requests")["requests"]
    return {row["status"]: row["count"] for row in rows if row["route"].endswith("token")}


def test_six_processes_refresh_as_often_as_one_would(app: App, shared: Shared) -> None:
    """At the first use, after expiry, after a revocation of the access token; else never."""
    good, moved = [200] * TASKS, 0.0

    def together() -> list[list[int]]:
        for line in lines:
            line.send(moved)
        return [line.recv() for line in lines]

    with workers(shared) as lines:
        assert token_requests(app) == {200: 1}, "the login"
        for refreshes in (2, 2):
            assert together() == [good] * PROCESSES
            assert token_requests(app) == {200: refreshes}
        for refreshes in (3, 4):
            moved += 4000
            app.control("POST", "/clock", {"advance_seconds": 4000})
            assert together() == [good] * PROCESSES
            assert token_requests(app) == {200: refreshes}
        stored = shared.vault().get(ENTRY)
        assert stored is not None
        assert stored.access is not None
        secret = (app.client_id, shared.secret)
        token = {"token": stored.access.token.reveal()}
        app.machine.post(f"{app.issuer}/oauth/revoke", data=token, auth=secret)
        assert together() == [good] * PROCESSES
        assert token_requests(app) == {200: 5}, "and no invalid_grant"


class Hanging:
    """A transport that never comes back from the token endpoint, before or after it was asked."""

    def __init__(self, inner: Transport, line: Connection, *, asks: bool) -> None:
        self.inner = inner
        self.line = line
        self.asks = asks

    async def send(self, request: Request, *, max_bytes: int) -> Answer:
        if self.asks:
            await self.inner.send(request, max_bytes=max_bytes)
        self.line.send("hangs")
        await asyncio.Event().wait()
        raise AssertionError

    async def aclose(self) -> None:
        await self.inner.aclose()


def hang(shared: Shared, line: Connection, asks: bool) -> None:  # noqa: FBT001 - a process's argument
    async def go() -> None:
        clock = SystemClock()
        wire = Hanging(WireTransport(Tls(), Bounds(), clock), line, asks=asks)
        async with shared.client(clock, wire) as http:
            await shared.session(http, clock).access_token()

    asyncio.run(go())


def killed_while_refreshing(shared: Shared, *, asks: bool) -> None:
    ours, theirs = SPAWN.Pipe()
    process = SPAWN.Process(target=hang, args=(shared, theirs, asks))
    process.start()
    assert ours.recv() == "hangs"
    assert not shared.vault().lock(ENTRY, "another", 60), "its grant is leased"
    os.kill(process.pid or 0, signal.SIGKILL)
    ours.close()
    # Not waited for: the kernel frees what a process held even before it is reaped.


def test_who_is_killed_before_asking_holds_nobody_up(app: App, shared: Shared) -> None:
    killed_while_refreshing(shared, asks=False)
    began = time.monotonic()
    assert asyncio.run(use(shared, SystemClock())) == [200] * TASKS
    assert time.monotonic() - began < 10, "no lease had to run out"
    assert token_requests(app) == {200: 2}


def test_who_is_killed_before_the_answer_is_told_of_when_the_grant_is_lost(shared: Shared) -> None:
    killed_while_refreshing(shared, asks=True)
    began = time.monotonic()
    with pytest.raises(GrantLost, match="the answer to an earlier refresh was lost"):
        asyncio.run(use(shared, SystemClock()))
    assert time.monotonic() - began < 10
