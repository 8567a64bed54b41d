"""Harm between a real client and the reference EHR, for tests that sync in their own process.

A `Harm` strikes the requests that it is for, so many times; what it does is one small function, so
that harms combine. `Chaos` makes the transport that carries them, and keeps what was asked. `Trial`
syncs one tenant of one instance through it, on a clock that never waits.

    trial = Trial.of(tmp_path, reference, "cut")
    account = trial.sync(Harm(lose_answer(), on=url("Observation"), times=1))
    assert trial.stored() == trial.truth()
"""

from __future__ import annotations

import asyncio
import json
import os
import re
import sqlite3
from collections.abc import Awaitable, Callable
from contextlib import closing
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from time import monotonic
from typing import Any, TypeAlias
from unittest.mock import patch
from urllib.parse import urlsplit

import anyio.lowlevel

from harness.config.ehr import Tls
from harness.config.tenant import load_tenant
from harness.http.clock import Clock
from harness.http.exchange import Headers, Request, Response
from harness.http.transport import Answer, Bounds, NoAnswerError, Transport, WireTransport
from harness.reference.process import Running
from harness.scheduler import jobs
from harness.smart.entropy import system_entropy
from harness.sync.account import Account
from harness.sync.verify.verification import Verification
from harness.sync.world import MakeTransport
from harness.tests.integration import sync_site

ALWAYS = 1_000_000

Which: TypeAlias = Callable[[Request], bool]
"""Which requests a harm is for."""


@dataclass(frozen=True, slots=True)
class Sent:
    """One request at the moment when it would go out.

    Attributes:
        request: what is about to be sent.
        forward: sends it on, to the next harm and at last to the wire; may be called with another
            request, or more than once.
        clock: the test's.
    """

    request: Request
    forward: Callable[[Request], Awaitable[Answer]]
    clock: Clock

    async def on(self) -> Answer:
        """What comes back unharmed."""
        return await self.forward(self.request)

    def answered(self, response: Response) -> Answer:
        """An answer that no server gave."""
        return Answer(response, self.clock.now(), 0.0)


Do: TypeAlias = Callable[[Sent], Awaitable[Answer]]
"""What a harm does: returns an answer, or raises `NoAnswerError`."""


# -- which requests


def every(_request: Request) -> bool:
    """Each one, those for tokens included."""
    return True


def url(*parts: str) -> Which:
    """Those whose URL holds each of these parts, such as `/Observation`, `patient=p1`."""
    return lambda request: all(part in request.url for part in parts)


def without(which: Which, *parts: str) -> Which:
    """Those of `which` whose URL holds none of these parts."""
    return lambda request: which(request) and not any(part in request.url for part in parts)


def method(name: str, *parts: str) -> Which:
    """Those with this method whose URL holds each of these parts."""
    return lambda request: request.method == name and url(*parts)(request)


def search(type_: str) -> Which:
    """First pages of searches of a type: GET with a patient, or by id for Patient."""
    return lambda request: (
        request.method == "GET"
        and urlsplit(request.url).path.endswith(f"/{type_}")
        and not is_next_page(request)
    )


def is_next_page(request: Request) -> bool:
    """Whether it goes to a next link of the reference EHR."""
    return request.method == "GET" and re.search(r"[?&](_page|_getpages)=", request.url) is not None


# -- what is done


def lose_answer(reason: str = "the connection was reset") -> Do:
    """The server processes the request, and its answer is lost."""

    async def do(sent: Sent) -> Answer:
        await sent.on()
        raise NoAnswerError("protocol", reason)

    return do


def no_answer(kind: str = "refused", reason: str = "connection refused") -> Do:
    """The request never reaches the server; kinds are those of `NoAnswerError`."""

    async def do(_sent: Sent) -> Answer:
        raise NoAnswerError(kind, reason)

    return do


def hang(seconds: float, reason: str = "no complete answer in time") -> Do:
    """So much time goes by, then the client's own time-out ends it: silence, or a drip of bytes."""

    async def do(sent: Sent) -> Answer:
        await sent.clock.sleep(seconds)
        raise NoAnswerError("timeout", reason)

    return do


def delay(seconds: float) -> Do:
    """The answer comes, so much later."""

    async def do(sent: Sent) -> Answer:
        await sent.clock.sleep(seconds)
        return await sent.on()

    return do


def answer(
    status: int,
    body: Any = b"",
    content_type: str = "application/fhir+json",
    **headers: str,
) -> Do:
    """An answer in the server's place; `body` is bytes, text, or a value to be sent as JSON.

    Underscores in names of headers stand for hyphens.
    """

    async def do(sent: Sent) -> Answer:
        return sent.answered(made(status, body, content_type, **headers))

    return do


def made(
    status: int, body: Any = b"", content_type: str = "application/fhir+json", **headers: str
) -> Response:
    """A response as `answer` gives it."""
    fields = [("Content-Type", content_type)] if content_type else []
    fields += [(name.replace("_", "-"), value) for name, value in headers.items()]
    if isinstance(body, str):
        body = body.encode()
    return Response(
        status,
        Headers(tuple(fields)),
        body if isinstance(body, bytes) else json.dumps(body).encode(),
    )


def alter(change: Callable[[Response], Response]) -> Do:
    """The server's answer, changed on its way."""

    async def do(sent: Sent) -> Answer:
        came = await sent.on()
        return replace(came, response=change(came.response))

    return do


def with_status(status: int) -> Do:
    """The server's answer under another status."""
    return alter(lambda response: replace(response, status=status))


def with_headers(**headers: str | None) -> Do:
    """The server's answer with these headers; None takes one away. Underscores mean hyphens."""

    def change(response: Response) -> Response:
        fields = response.headers
        for given, value in headers.items():
            name = given.replace("_", "-")
            kept = tuple((n, v) for n, v in fields.items if n.lower() != name.lower())
            fields = Headers(kept) if value is None else Headers((*kept, (name, value)))
        return replace(response, headers=fields)

    return alter(change)


def with_body(change: Callable[[bytes], bytes]) -> Do:
    """The server's answer with other bytes."""
    return alter(lambda response: replace(response, body=change(response.body)))


def cut_body(keep: float = 0.5) -> Do:
    """The server's answer without its end, and nothing that tells."""
    return with_body(lambda body: body[: int(len(body) * keep)])


def with_resources(change: Callable[[dict[str, Any]], dict[str, Any] | None]) -> Do:
    """The server's Bundle with every resource changed; None takes the entry away."""

    def changed(bundle: dict[str, Any]) -> None:
        entries = bundle.get("entry", [])
        pairs = [(entry, change(entry["resource"])) for entry in entries]
        bundle["entry"] = [entry | {"resource": made} for entry, made in pairs if made is not None]

    return with_json(changed)


def with_next(change: Callable[[str], str | None]) -> Do:
    """The server's Bundle with another next link, where it has one; None takes it away."""

    def changed(bundle: dict[str, Any]) -> None:
        links = []
        for link in bundle.get("link", []):
            target = change(link["url"]) if link["relation"] == "next" else link["url"]
            links += [link | {"url": target}] if target is not None else []
        bundle["link"] = links

    return with_json(changed)


def outcome(severity: str, code: str, detail: str = "", text: str = "") -> dict[str, Any]:
    """An OperationOutcome with one issue."""
    issue: dict[str, Any] = {"severity": severity, "code": code}
    if detail:
        issue["details"] = {"coding": [{"code": detail}]}
    if text:
        issue["diagnostics"] = text
    return {"resourceType": "OperationOutcome", "issue": [issue]}


def with_outcome(*said: str) -> Do:
    """The server's Bundle with an OperationOutcome among its matches; `said` as for `outcome`."""

    def changed(bundle: dict[str, Any]) -> None:
        entry = {"resource": outcome(*said), "search": {"mode": "outcome"}}
        bundle["entry"] = [*bundle.get("entry", []), entry]

    return with_json(changed)


def with_json(change: Callable[[Any], Any]) -> Do:
    """The server's answer with another value; `change` may also alter in place and return None."""

    def rewritten(body: bytes) -> bytes:
        value = json.loads(body)
        changed = change(value)
        return json.dumps(value if changed is None else changed).encode()

    return with_body(rewritten)


def ask_otherwise(change: Callable[[str], str]) -> Do:
    """The server gets another URL than the one that was asked for."""

    async def do(sent: Sent) -> Answer:
        return await sent.forward(replace(sent.request, url=change(sent.request.url)))

    return do


def then(happening: Callable[[], object]) -> Do:
    """The server's answer; and right after it something happens, such as a write."""

    async def do(sent: Sent) -> Answer:
        came = await sent.on()
        await asyncio.to_thread(happening)
        return came

    return do


# -- the transport


@dataclass(slots=True)
class Harm:
    """What is done to which requests, and how often.

    Attributes:
        do: what is done.
        on: the requests that it is for.
        times: how many of them it strikes.
        after: how many of them it lets through first.
        met: how many of them there were.
    """

    do: Do
    on: Which = every
    times: int = ALWAYS
    after: int = 0
    met: int = 0

    @property
    def struck(self) -> int:
        """How often it struck."""
        return max(0, min(self.met - self.after, self.times))

    def strikes(self, request: Request) -> bool:
        """Whether it strikes this request; to be asked once for each."""
        if not self.on(request):
            return False
        self.met += 1
        return self.after < self.met <= self.after + self.times


class Chaos:
    """Makes transports that carry harms; what `World.transport` and `Site.transport` take.

    Args:
        harms: the first is the nearest to the client.
        inner: what carries unharmed requests.

    Attributes:
        asked: every request of the client, in order.
        answers: what the client got, as (request, status); status 0 where nothing came.
    """

    def __init__(self, *harms: Harm, inner: MakeTransport = WireTransport) -> None:
        self.harms = list(harms)
        self.inner = inner
        self.asked: list[Request] = []
        self.answers: list[tuple[Request, int]] = []

    def __call__(self, tls: Tls, bounds: Bounds, clock: Clock) -> Transport:
        return _Wire(self, self.inner(tls, bounds, clock), clock)

    def urls(self, *parts: str) -> list[str]:
        """Path and query of those requests whose URL holds each of these parts, in order."""
        asked = [each.url for each in self.asked if url(*parts)(each)]
        return [urlsplit(each)._replace(scheme="", netloc="").geturl() for each in asked]


class _Wire:
    def __init__(self, chaos: Chaos, inner: Transport, clock: Clock) -> None:
        self._chaos = chaos
        self._inner = inner
        self._clock = clock

    async def send(self, request: Request, *, max_bytes: int) -> Answer:
        chaos = self._chaos
        chaos.asked.append(request)
        try:
            came = await self._through(tuple(chaos.harms), max_bytes, request)
        except BaseException:
            chaos.answers.append((request, 0))
            raise
        chaos.answers.append((request, came.response.status))
        return came

    async def _through(self, harms: tuple[Harm, ...], max_bytes: int, request: Request) -> Answer:
        for number, harm in enumerate(harms):
            if harm.strikes(request):
                forward = partial(self._through, harms[number + 1 :], max_bytes)
                return await harm.do(Sent(request, forward, self._clock))
        return await self._inner.send(request, max_bytes=max_bytes)

    async def aclose(self) -> None:
        await self._inner.aclose()


class Hurried:
    """Real time, in which no wait takes long: what would be slept is skipped.

    Args:
        ahead: how far wall time is ahead of the machine's.
    """

    def __init__(self, ahead: timedelta = timedelta()) -> None:
        self._skipped = 0.0
        self._ahead = ahead
        self.slept: list[float] = []
        """Every sleep asked for, in seconds."""

    def now(self) -> datetime:
        return datetime.now(UTC) + self._ahead + timedelta(seconds=self._skipped)

    def monotonic(self) -> float:
        return monotonic() + self._skipped

    async def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self._skipped += max(0.0, seconds)
        await anyio.lowlevel.checkpoint()

    async def elapse(self, seconds: float) -> None:
        await self.sleep(seconds)

    def skip(self, seconds: float) -> None:
        """Let so much time go by on our side."""
        self._skipped += seconds


# -- a tenant to sync


@dataclass
class Trial:
    """One tenant of one instance of the reference EHR, synced in this process.

    Attributes:
        site: folders, files and the truth.
        instance: name of the instance.
        path: the tenant file.
        clock: of the client; the server's own is moved by `advance`.
        chaos: what the last sync went through.
    """

    site: sync_site.Site
    instance: str
    path: Path
    clock: Hurried = field(default_factory=Hurried)
    chaos: Chaos = field(default_factory=Chaos)
    runs: int = 0

    def __post_init__(self) -> None:
        self.environment = self.site.environment()
        self.process = jobs.Site(self.environment, self.clock, system_entropy)

    @classmethod
    def of(  # noqa: PLR0913 - each is one choice of a test
        cls,
        folder: Path,
        reference: Running,
        name: str,
        *,
        types: tuple[str, ...] = ("Observation",),
        patients: int | None = 2,
        ehr: str = "",
        limits: dict[str, float] | None = None,
        tenant: str = "",
        strategy: str | None = None,
        **what: Any,
    ) -> Trial:
        """A fresh instance and a tenant of it with a backend client.

        Args:
            folder: for files and the store.
            reference: the server.
            name: of the instance and the tenant.
            types: what is synced.
            patients: how many of the instance's patients; None for all that it shows.
            ehr: further lines of the EHR file, such as a table `[sync]`.
            limits: the EHR file's limits, where not as shipped.
            tenant: further lines at the top of the tenant file.
            strategy: of the sync; None lets it ask what the EHR honours first.
            what: of the instance: `faults`, `variants`, `rate`, ...
        """
        site = sync_site.Site(folder, reference)
        base = str(reference.instance(name, **what)["fhir_base"])
        described = site.ehr_file(**{"requests_per_second": 500, "concurrency": 4} | (limits or {}))
        file = site.folder / "limited.toml"
        file.write_text(f"{file.read_text()}\n{ehr}\n")
        known = _patients(reference, name)
        whom = (
            'discover = "search"'
            if patients is None
            else f'discover = "listed"\nids = {json.dumps(known[:patients])}'
        )
        path = site.backend(name, base, ehr=described, types=json.dumps(types), patients=whom)
        named = f'strategy = "{strategy}"\n' if strategy else ""
        path.write_text(f"{named}{tenant}\n{path.read_text()}")
        return cls(site, name, path)

    def through(self, base: str) -> None:
        """Lead the tenant to another address of its EHR, such as that of a proxy."""
        lines = self.path.read_text().splitlines()
        moved = [
            f'fhir_base = "{base}"' if each.startswith("fhir_base") else each for each in lines
        ]
        self.path.write_text("\n".join(moved) + "\n")

    @property
    def base(self) -> str:
        """The FHIR base in the tenant file."""
        found = re.search(r'^fhir_base = "(.+)"$', self.path.read_text(), re.MULTILINE)
        assert found is not None
        return found[1]

    @classmethod
    def small(cls, folder: Path, reference: Running, name: str, **choices: Any) -> Trial:
        """Two patients with eight Conditions each, in pages of three, by `_lastUpdated`."""
        limits = {"page_size": 3} | choices.pop("limits", {})
        given = {"types": ("Condition",), "strategy": "last_updated"} | choices
        return cls.of(folder, reference, name, limits=limits, **given)

    @property
    def patients(self) -> list[str]:
        """Every patient of the instance, sorted."""
        return _patients(self.site.running, self.instance)

    def sync(self, *harms: Harm) -> Account:
        """One run through these harms."""
        return asyncio.run(self.synced(*harms))

    async def synced(self, *harms: Harm) -> Account:
        """One run through these harms, inside a running event loop."""
        self.runs += 1
        self._through(harms)
        with patch.dict(os.environ, self.environment):
            return await jobs.sync(load_tenant(str(self.path)), self.process, f"run-{self.runs}")

    def verify(self, *harms: Harm) -> Verification:
        """One verification through these harms."""
        self._through(harms)
        with patch.dict(os.environ, self.environment):
            return asyncio.run(jobs.verify(load_tenant(str(self.path)), self.process))

    def _through(self, harms: tuple[Harm, ...]) -> None:
        self.chaos = Chaos(*harms)
        self.process.transport = self.chaos

    def advance(self, seconds: float) -> None:
        """Let time go by on both sides."""
        self.site.running.advance(seconds, self.instance)
        self.clock.skip(seconds)

    def write(self, resource: dict[str, Any]) -> None:
        """Create or update a resource as another application would."""
        self.site.running.control("POST", f"/instances/{self.instance}/resources", resource)

    def observe(self, patient: str, id_: str, **members: Any) -> None:
        """Write an Observation."""
        resource = {
            "resourceType": "Observation",
            "id": id_,
            "status": "final",
            "code": {"text": "chaos"},
            "subject": {"reference": f"Patient/{patient}"},
        }
        self.write(resource | members)

    def stored(self) -> dict[tuple[str, str], str]:
        """Version by (type, id) of what the store holds."""
        return self.site.stored(self.path)

    def truth(self) -> dict[tuple[str, str], str]:
        """The same of what the server has, for the tenant's types and patients."""
        with patch.dict(os.environ, self.environment):
            tenant = load_tenant(str(self.path))
        whose = set(tenant.patients.ids or self.patients)
        return {
            (type_, each["id"]): each["version"]
            for type_ in tenant.resources
            for each in self._resources(type_)
            if (each["id"] if type_ == "Patient" else each["patient"]) in whose
        }

    def rows(self, statement: str, *values: Any) -> list[tuple[Any, ...]]:
        """What the store answers to a statement."""
        with closing(sqlite3.connect(self.site.store(self.path))) as db:
            return db.execute(statement, values).fetchall()

    def _resources(self, type_: str) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = self.site.running.control(
            "GET", f"/instances/{self.instance}/resources/{type_}"
        )
        return found


def _patients(running: Running, instance: str) -> list[str]:
    found = running.control("GET", f"/instances/{instance}/resources/Patient")
    return sorted(each["id"] for each in found)
