"""The yardstick as a bare ASGI application: no framework, so that an answer costs next to nothing.

https://asgi.readthedocs.io/en/latest/specs/www.html
"""

from __future__ import annotations

import asyncio
import json
import time
from collections import Counter
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any, Final
from urllib.parse import parse_qs

from harness.benchmarks.yardstick import Settings
from harness.benchmarks.yardstick_limit import MINUTE, Limit
from harness.benchmarks.yardstick_pages import NEWEST, Pages, person

Scope = dict[str, Any]
Receive = Callable[[], Awaitable[dict[str, Any]]]
Send = Callable[[dict[str, Any]], Awaitable[None]]

JSON: Final = b"application/json"
FHIR: Final = b"application/fhir+json"
NDJSON: Final = b"application/fhir+ndjson"


@dataclass(slots=True)
class Answer:
    """What goes back."""

    body: bytes
    status: int = 200
    kind: bytes = FHIR
    headers: list[tuple[bytes, bytes]] = field(default_factory=list)


class Tally:
    """What was asked and answered since the last reset."""

    def __init__(self) -> None:
        self.requests = self.ok = self.refused = self.bytes = 0
        self.at_once = self.most_at_once = 0
        self.connections: set[tuple[str, int]] = set()
        self.ok_by_second: Counter[int] = Counter()
        self.refused_by_second: Counter[int] = Counter()
        self.ok_by_minute: Counter[int] = Counter()
        self._first = self._last = 0.0

    def asked(self, now: float, client: tuple[str, int]) -> None:
        """A request came in."""
        self._first = self._first or now
        self.requests += 1
        self.connections.add(client)
        self.at_once += 1
        self.most_at_once = max(self.most_at_once, self.at_once)

    def answered(self, now: float, answer: Answer, *, refused: bool) -> None:
        """Its answer goes out."""
        self.at_once -= 1
        second = int(now - self._first)
        if refused:
            self.refused += 1
            self.refused_by_second[second] += 1
            return
        self.ok += 1
        self.ok_by_second[second] += 1
        self.ok_by_minute[int(now // MINUTE * MINUTE)] += 1
        self.bytes += len(answer.body)
        self._last = now

    def as_json(self) -> dict[str, Any]:
        """See `Yardstick.stats`."""
        return {
            "requests": self.requests,
            "ok": self.ok,
            "refused": self.refused,
            "bytes": self.bytes,
            "connections": len(self.connections),
            "most_at_once": self.most_at_once,
            "seconds": max(0.0, self._last - self._first),
            "ok_by_second": self.ok_by_second,
            "refused_by_second": self.refused_by_second,
            "ok_by_minute": self.ok_by_minute,
        }


class Server:
    """One yardstick.

    Args:
        settings: what it serves, and how much.
        port: of its socket on loopback, as it stands in links.
    """

    def __init__(self, settings: Settings, port: int) -> None:
        self._settings = settings
        self._root = f"http://127.0.0.1:{port}"
        self._pages = Pages(settings, f"{self._root}/fhir")
        self._pages.warm()
        self._metadata = _dumped(_capability())
        self._smart = _dumped(_configuration(self._root))
        self._polls: dict[str, int] = {}
        self._reset()

    def _reset(self) -> None:
        self._tally = Tally()
        self._limit = Limit(self._settings)

    async def __call__(self, scope: Scope, _receive: Receive, send: Send) -> None:
        """Answer one request; bodies are not looked at."""
        answer = self._aside(scope["method"], scope["path"]) or await self._counted(scope)
        length = str(len(answer.body)).encode()
        headers = [(b"content-type", answer.kind), (b"content-length", length), *answer.headers]
        await send({"type": "http.response.start", "status": answer.status, "headers": headers})
        await send({"type": "http.response.body", "body": answer.body})

    def _aside(self, method: str, path: str) -> Answer | None:
        """What neither counts nor is limited."""
        if path == "/stats":
            return Answer(_dumped(self._tally.as_json()), kind=JSON)
        if path == "/reset":
            self._reset()
            return Answer(b"{}", kind=JSON)
        if path == "/fhir/metadata":
            return Answer(self._metadata)
        if path == "/fhir/.well-known/smart-configuration":
            return Answer(self._smart, kind=JSON)
        if path == "/auth/token" and method == "POST":
            token = {"access_token": "yardstick", "token_type": "bearer", "expires_in": 300}
            return Answer(_dumped({**token, "scope": "system/*.rs"}), kind=JSON)
        return None

    async def _counted(self, scope: Scope) -> Answer:
        now = time.time()
        self._tally.asked(now, tuple(scope["client"] or ("", 0)))
        wait = self._limit.refused(now) if scope["path"].startswith("/fhir/") else None
        if wait is not None:
            answer = self._refusal(wait, now)
        else:
            if self._settings.latency:
                await asyncio.sleep(self._settings.latency)
            answer = self._found(scope)
        self._tally.answered(time.time(), answer, refused=wait is not None)
        return answer

    def _refusal(self, wait: float, now: float) -> Answer:
        return _outcome(429, "throttled", self._limit.retry_after(wait, now))

    def _found(self, scope: Scope) -> Answer:
        path: str = scope["path"]
        query = parse_qs(scope["query_string"].decode("latin-1"))
        try:
            if path.startswith("/bulk/"):
                return self._export_part(scope["method"], path)
            if path.endswith("/$export"):
                return self._export()
            if path == "/fhir/Observation":
                return Answer(self._observations(query))
            if path == "/fhir/Patient":
                return Answer(self._patients(query))
            if path.startswith("/fhir/Patient/"):
                return Answer(person(self._patient(path.removeprefix("/fhir/Patient/"))))
        except (ValueError, IndexError):
            pass
        return _outcome(404, "not-found")

    def _observations(self, query: dict[str, list[str]]) -> bytes:
        page = int(query.get("page", ["0"])[0])
        if _looks_for_newer(query):
            return self._pages.empty("Observation?_lastUpdated=" + query["_lastUpdated"][0])
        named = query.get("patient") or query.get("subject")
        if named is None:
            return self._pages.observations(page)
        return self._pages.of_patient(self._patient(named[0]), page)

    def _patients(self, query: dict[str, list[str]]) -> bytes:
        if _looks_for_newer(query):
            return self._pages.empty("Patient?_lastUpdated=" + query["_lastUpdated"][0])
        if "_id" in query:
            return self._pages.one(self._patient(query["_id"][0]))
        return self._pages.patients(int(query.get("page", ["0"])[0]))

    def _patient(self, named: str) -> int:
        number = int(named.removeprefix("Patient/").removeprefix("p"))
        if not self._pages.has(number):
            raise IndexError(named)
        return number

    def _export(self) -> Answer:
        name = str(len(self._polls) + 1)
        self._polls[name] = self._settings.polls
        place = f"{self._root}/bulk/status/{name}".encode()
        return Answer(b"", 202, headers=[(b"content-location", place)])

    def _export_part(self, method: str, path: str) -> Answer:
        kind, name = path.removeprefix("/bulk/").split("/")
        if kind == "file":
            number = int(name.removesuffix(".ndjson"))
            if not 0 <= number < self._pages.files():
                raise IndexError(name)
            return Answer(self._pages.file(number), kind=NDJSON)
        if name not in self._polls:
            raise IndexError(name)
        if method == "DELETE":
            return Answer(b"", 202)
        if self._polls[name] > 0:
            self._polls[name] -= 1
            said = self._limit.retry_after(1, time.time())
            return Answer(b"", 202, headers=[(b"x-progress", b"under way"), *said])
        return Answer(_dumped(self._manifest()), kind=JSON)

    def _manifest(self) -> dict[str, Any]:
        size, total = self._settings.file_lines, self._settings.resources
        output = [
            {
                "type": "Observation",
                "url": f"{self._root}/bulk/file/{number}.ndjson",
                "count": min(size, total - number * size),
            }
            for number in range(self._pages.files())
        ]
        return {
            "transactionTime": f"{NEWEST}T00:00:00Z",
            "request": f"{self._root}/fhir/$export",
            "requiresAccessToken": False,
            "output": output,
            "error": [],
        }


application = Server
"""Makes the application from settings and a port."""


def _looks_for_newer(query: dict[str, list[str]]) -> bool:
    """Whether a lower bound lies beyond everything; below that all is served."""
    bounds = query.get("_lastUpdated", ()) or query.get("date", ())
    return any(bound[:2] in ("ge", "gt") and bound[2:] >= NEWEST for bound in bounds)


def _outcome(status: int, code: str, headers: list[tuple[bytes, bytes]] | None = None) -> Answer:
    issue = {"severity": "error", "code": code}
    body = _dumped({"resourceType": "OperationOutcome", "issue": [issue]})
    return Answer(body, status, headers=headers or [])


def _dumped(value: Any) -> bytes:
    return json.dumps(value, separators=(",", ":")).encode()


def _capability() -> dict[str, Any]:
    parameters = [
        {"name": "_lastUpdated", "type": "date"},
        {"name": "patient", "type": "reference"},
    ]
    resources = [
        {
            "type": kind,
            "interaction": [{"code": "search-type"}],
            "searchParam": parameters,
        }
        for kind in ("Patient", "Observation")
    ]
    return {
        "resourceType": "CapabilityStatement",
        "status": "active",
        "date": NEWEST,
        "kind": "instance",
        "fhirVersion": "4.0.1",
        "format": ["json"],
        "rest": [{"mode": "server", "resource": resources}],
    }


def _configuration(root: str) -> dict[str, Any]:
    return {
        "token_endpoint": f"{root}/auth/token",
        "token_endpoint_auth_methods_supported": ["client_secret_basic"],
        "grant_types_supported": ["client_credentials"],
        "scopes_supported": ["system/*.rs"],
        "capabilities": ["client-confidential-symmetric", "permission-v2"],
    }
