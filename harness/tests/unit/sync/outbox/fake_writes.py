"""A FHIR server in memory that takes Observations, and whose answers get lost as a test says.

It is a transport, so that the whole client above it is the real one, and its time is the test's.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from harness.http.clock import Clock
from harness.http.exchange import Headers, Request, Response
from harness.http.transport import Answer, NoAnswerError

BASE = "https://ehr.example/fhir"


class Crash(BaseException):
    """The process dies here."""


@dataclass
class FakeWrites:
    """One FHIR server.

    Attributes:
        conditional: whether it honours If-None-Exist, and says so.
        identifiers: whether it searches by identifier.
        contents: whether it searches by code and date.
        keeps: whether it keeps identifiers.
        versions: whether it keeps versions and heeds If-Match.
        events: what happens to the next writes, in order; none left: they go well.
        dead: whether the client's process has died, and so sends nothing any more.
        asked: method and path of every request.
    """

    clock: Clock
    conditional: bool = True
    identifiers: bool = True
    contents: bool = True
    keeps: bool = True
    versions: bool = True
    stated: bool = True
    resources: dict[str, dict[str, Any]] = field(default_factory=dict)
    history: dict[tuple[str, str], dict[str, Any]] = field(default_factory=dict)
    events: list[str] = field(default_factory=list)
    script: Callable[[Request], Response | None] = lambda _request: None
    dead: bool = False
    asked: list[str] = field(default_factory=list)
    sent: list[Request] = field(default_factory=list)

    async def send(self, request: Request, *, max_bytes: int) -> Answer:
        path = urlsplit(request.url).path.removeprefix("/fhir")
        if self.dead:
            raise Crash
        self.asked.append(f"{request.method} {path}")
        self.sent.append(request)
        scripted = self.script(request)
        if scripted is not None:
            return self._answer(scripted)
        is_write = request.method in ("POST", "PUT")
        event = self.events.pop(0) if is_write and self.events else "well"
        return self._answer(self._through(event, request, path))

    async def aclose(self) -> None:
        """Nothing to close."""

    def copies(self) -> Counter[str]:
        """How many resources there are of each identifier."""
        return Counter(
            each["value"]
            for resource in self.resources.values()
            for each in resource.get("identifier", [])
        )

    def _answer(self, response: Response) -> Answer:
        return Answer(response, self.clock.now(), 0.001)

    def _through(self, event: str, request: Request, path: str) -> Response:
        self.dead = event.startswith("crash")
        if event == "crash-before":
            raise Crash
        before = {
            "unreached": NoAnswerError("refused", "connection refused"),
            "lost-before": NoAnswerError("timeout", "no answer"),
        }.get(event)
        if before is not None:
            raise before
        refused = {
            "429": told(429, "throttled"),
            "503": told(503, "transient", Retry_After="1"),
            "500-before": told(500, "exception"),
            "400": told(400, "invalid"),
        }.get(event)
        if refused is not None:
            return refused
        response = self._processed(request, path)
        if event == "crash-after":
            raise Crash
        if event == "lost-after":
            raise NoAnswerError("protocol", "the connection was reset")
        if event == "500-after":
            return told(500, "exception")
        if event == "bare":
            return Response(response.status, Headers(), b"")
        return response

    def _processed(self, request: Request, path: str) -> Response:
        parts = [each for each in path.split("/") if each]
        if parts == ["metadata"]:
            return made(200, self._statement())
        if not parts:
            return self._batch(request)
        if request.body:
            return self._one(request, parts[-1])
        if len(parts) == 1:
            return self._search(dict(parse_qsl(urlsplit(request.url).query)))
        if len(parts) == 4:
            return _found(self.history.get((parts[1], parts[3])))
        return _found(self.resources.get(parts[1]), tagged=self.versions)

    def _one(self, request: Request, last: str) -> Response:
        resource = json.loads(request.body)
        if request.method == "POST":
            return self._create(resource, request.headers.get("If-None-Exist"))
        return self._update(last, resource, request.headers.get("If-Match"))

    def _statement(self) -> dict[str, Any]:
        if not self.stated:
            return {"resourceType": "CapabilityStatement"}
        search = [{"name": "identifier"}] if self.identifiers else []
        of = {"type": "Observation", "conditionalCreate": self.conditional, "searchParam": search}
        rest = [{"mode": "server", "resource": [of]}]
        return {"resourceType": "CapabilityStatement", "rest": rest}

    def _batch(self, request: Request) -> Response:
        entries = []
        for entry in json.loads(request.body)["entry"]:
            event = self.events.pop(0) if self.events else "well"
            status = {"429": 429, "400": 400, "409": 409}.get(event)
            if status is not None:
                outcome = json.loads(told(status, "refused").body)
                entries.append({"response": {"status": str(status), "outcome": outcome}})
                continue
            done = self._create(entry["resource"], entry["request"].get("ifNoneExist"))
            location = done.headers.get("Location")
            entries.append({"response": {"status": f"{done.status} Done", "location": location}})
        bundle = {"resourceType": "Bundle", "type": "batch-response", "entry": entries}
        return made(200, bundle)

    def _create(self, resource: dict[str, Any], condition: str | None) -> Response:
        if condition and self.conditional:
            wanted = dict(parse_qsl(condition))["identifier"]
            found = [e for e in self.resources.values() if _has(e, wanted)]
            if found:
                return _written(found[0], 200)
        kept = dict(resource) if self.keeps else _without(resource, "identifier")
        id_ = f"o{len(self.resources) + 1}"
        return _written(self.put(kept | {"id": id_}), 201)

    def put(self, resource: dict[str, Any]) -> dict[str, Any]:
        """Store a version."""
        before = self.resources.get(resource["id"])
        version = str(int(before["meta"]["versionId"]) + 1) if before else "1"
        meta = {"versionId": version, "lastUpdated": self.clock.now().isoformat()}
        kept = resource | {"meta": meta}
        self.resources[resource["id"]] = kept
        self.history[resource["id"], version] = kept
        return kept

    def _update(self, id_: str, resource: dict[str, Any], if_match: str | None) -> Response:
        current = self.resources.get(id_)
        if current is None:
            return told(404, "not-found")
        if if_match and self.versions and _tag(current) != if_match.removeprefix("W/"):
            return told(412, "conflict")
        return _written(self.put(resource), 200)

    def _search(self, query: Mapping[str, str]) -> Response:
        allowed = self.identifiers if "identifier" in query else self.contents
        if not allowed:
            return told(400, "not-supported")
        found = [
            each
            for each in self.resources.values()
            if each["subject"]["reference"] == f"Patient/{query['patient']}"
            and ("identifier" not in query or _has(each, query["identifier"]))
        ]
        entries = [{"resource": each, "search": {"mode": "match"}} for each in found]
        return made(200, {"resourceType": "Bundle", "type": "searchset", "entry": entries})


def made(status: int, value: Any, **headers: str) -> Response:
    fields = [("Content-Type", "application/fhir+json")]
    fields += [(name.replace("_", "-"), each) for name, each in headers.items()]
    return Response(status, Headers(tuple(fields)), json.dumps(value).encode())


def told(status: int, code: str, text: str = "", **headers: str) -> Response:
    """An OperationOutcome."""
    issue = {"severity": "error", "code": code, "details": {"text": text or f"it is {code}"}}
    return made(status, {"resourceType": "OperationOutcome", "issue": [issue]}, **headers)


def _written(resource: Mapping[str, Any], status: int) -> Response:
    version = resource["meta"]["versionId"]
    location = f"{BASE}/Observation/{resource['id']}/_history/{version}"
    return made(status, resource, Location=location, ETag=f'W/"{version}"')


def _found(resource: Mapping[str, Any] | None, *, tagged: bool = False) -> Response:
    if resource is None:
        return told(404, "not-found")
    return made(200, resource, **({"ETag": f"W/{_tag(resource)}"} if tagged else {}))


def _tag(resource: Mapping[str, Any]) -> str:
    return f'"{resource["meta"]["versionId"]}"'


def _has(resource: Mapping[str, Any], token: str) -> bool:
    listed = resource.get("identifier", [])
    return token in {f"{each['system']}|{each['value']}" for each in listed}


def _without(resource: Mapping[str, Any], name: str) -> dict[str, Any]:
    return {key: value for key, value in resource.items() if key != name}
