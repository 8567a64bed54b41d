"""A small FHIR server in memory: versions, `_lastUpdated`, paging sessions, and scripted refusals.

It is a transport, so that the whole client above it is the real one, and its time is the test's.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime
from email.utils import format_datetime
from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit

from harness.http.clock import Clock
from harness.http.exchange import Headers, Request, Response
from harness.http.transport import Answer

BASE = "https://ehr.example/fhir"

Script = Callable[[Request], object]
"""Answers with a Response, raises an exception that it returns, or lets the server answer."""

Resource = dict[str, Any]


class FakeEhr:
    """One FHIR server. `script` may answer a request before the server does."""

    def __init__(self, clock: Clock, page_size: int = 2) -> None:
        self.clock = clock
        self.page_size = page_size
        self.current: dict[tuple[str, str], Resource] = {}
        self.script: Script = lambda _request: None
        self.ignores_last_updated = False
        self.unlisted: set[str] = set()
        """Ids that can be read and that no search shows."""
        self.needs_category = False
        """Whether a search for Observation without a category is refused."""
        self.order: Callable[[list[Resource], str], list[Resource] | None] = lambda rows, _by: rows
        """What `_sort` does to matches; None refuses it."""
        self.asked: list[str] = []
        """Path and query of every request, in order."""
        self.bearers: list[str | None] = []
        self._sessions: dict[str, list[bytes]] = {}
        self._owners: dict[str, str] = {}

    def put(self, type_: str, id_: str, patient: str, at: datetime, **members: Any) -> Resource:
        """Create or update a resource; its version counts up."""
        before = self.current.get((type_, id_))
        version = int(before["meta"]["versionId"]) + 1 if before else 1
        stamp = at.astimezone(UTC).isoformat().replace("+00:00", "Z")
        resource = {
            "resourceType": type_,
            "id": id_,
            "meta": {"versionId": str(version), "lastUpdated": stamp},
            **members,
        }
        if type_ != "Patient":
            resource["subject"] = {"reference": f"Patient/{patient}"}
        self.current[type_, id_] = resource
        return resource

    def forget_sessions(self) -> None:
        """As a server does after some minutes."""
        self._sessions.clear()

    def owner_of(self, further: str) -> str:
        """Whose search a further page belongs to, by its URL."""
        session = dict(parse_qsl(further.partition("?")[2]))["_getpages"]
        return self._owners[session]

    def truth(self) -> dict[tuple[str, str], bytes]:
        """What a store should hold."""
        return {key: encoded(value) for key, value in self.current.items()}

    async def send(self, request: Request, *, max_bytes: int) -> Answer:
        parts = urlsplit(request.url)
        self.asked.append(f"{parts.path}?{parts.query}" if parts.query else parts.path)
        self.bearers.append(request.headers.get("Authorization"))
        scripted = self.script(request)
        if isinstance(scripted, BaseException):
            raise scripted
        if isinstance(scripted, Response):
            return Answer(scripted, self.clock.now(), 0.0)
        response = self._answer(parts.path, dict(parse_qsl(parts.query)))
        return Answer(response, self.clock.now(), 0.0)

    async def aclose(self) -> None:
        pass

    def response(self, status: int, value: object, **headers: str) -> Response:
        """A JSON answer with this server's Date."""
        date = format_datetime(self.clock.now().replace(microsecond=0), usegmt=True)
        fields = {"Date": date, "Content-Type": "application/fhir+json", **headers}
        named = tuple((name.replace("_", "-"), field) for name, field in fields.items())
        return Response(status, Headers(named), encoded(value))

    def outcome(self, status: int, code: str, **headers: str) -> Response:
        return self.response(status, outcome("error", code), **headers)

    def _answer(self, path: str, query: dict[str, str]) -> Response:
        if session := query.get("_getpages"):
            if session not in self._sessions:
                return self.outcome(410, "not-found")
            return self._page(session, int(query["at"]))
        *_, kind, identity = path.split("/")
        if (kind, identity) in self.current:
            return self.response(200, self.current[kind, identity])
        if kind in {"Patient", "Observation"}:
            return self.outcome(404, "not-found")
        if "Observation" in path and self.needs_category and "category" not in query:
            needed = outcome("error", "required")
            needed["issue"][0]["diagnostics"] = "One of category or code must be given."
            return self.response(400, needed)
        if self.ignores_last_updated:
            query.pop("_lastUpdated", None)
        found = [
            each
            for (type_, _), each in sorted(self.current.items())
            if path.endswith(f"/{type_}")
            and each["id"] not in self.unlisted
            and _matches(each, query)
        ]
        return self._first_page(found, query)

    def _first_page(self, found: list[Resource], query: dict[str, str]) -> Response:
        by = query.get("_sort")
        ordered = found if by is None else self.order(found, by)
        if ordered is None:
            return self.outcome(400, "invalid")
        session = f"s{len(self.asked)}"
        self._sessions[session] = [encoded(each) for each in ordered]
        self._owners[session] = query.get("patient") or query.get("_id", "")
        return self._page(session, 0)

    def _page(self, session: str, at: int) -> Response:
        rows = self._sessions[session]
        links = []
        if at + self.page_size < len(rows):
            query = urlencode({"_getpages": session, "at": at + self.page_size})
            links.append({"relation": "next", "url": f"{BASE}?{query}"})
        entries = [{"resource": json.loads(row)} for row in rows[at : at + self.page_size]]
        return self.response(200, bundle(entries, links))


def by_last_updated(rows: list[Resource], by: str) -> list[Resource]:
    """`_sort=_lastUpdated` as it should be."""
    return sorted(rows, key=lambda row: row["meta"]["lastUpdated"], reverse=by.startswith("-"))


def bundle(entries: list[Any], links: list[Any] | None = None) -> Resource:
    return {
        "resourceType": "Bundle",
        "type": "searchset",
        "link": links or [],
        "entry": entries,
    }


def outcome(severity: str, code: str, detail: str | None = None) -> Resource:
    issue: Resource = {"severity": severity, "code": code}
    if detail:
        issue["details"] = {"coding": [{"code": detail}]}
    return {"resourceType": "OperationOutcome", "issue": [issue]}


def encoded(value: object) -> bytes:
    return json.dumps(value).encode()


def _matches(resource: Resource, query: dict[str, str]) -> bool:
    if "_id" in query and resource["id"] != query["_id"]:
        return False
    subject = resource.get("subject", {}).get("reference")
    if "patient" in query and subject != f"Patient/{query['patient']}":
        return False
    if "category" in query and resource.get("category") != query["category"]:
        return False
    day = query.get("date", "ge0001-01-01")
    assert day.startswith("ge"), day
    if resource.get("effectiveDateTime", "9999") < day[2:]:
        return False
    bound = query.get("_lastUpdated", "ge0001-01-01T00:00:00Z")
    stamp = datetime.fromisoformat(
        resource.get("meta", {}).get("lastUpdated", "9999-01-01T00:00:00Z")
    )
    asked = datetime.fromisoformat(bound[2:])
    return stamp > asked if bound.startswith("gt") else stamp >= asked
