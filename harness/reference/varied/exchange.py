"""A request and its answer as variants see them: whole, and easy to make another one of."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any
from urllib.parse import parse_qsl, urlencode

from starlette.types import Message, Scope, Send

from harness.reference.fhir.json import NotJson, dumps, loads

Json = dict[str, Any]
Pairs = tuple[tuple[str, str], ...]

TOKEN = "/oauth/token"
FHIR = "/r4"
METADATA = f"{FHIR}/metadata"
CONFIGURATION = f"{FHIR}/.well-known/smart-configuration"
OPENID = "/.well-known/openid-configuration"
KEYS = "/oauth/jwks"


@dataclass(frozen=True, slots=True)
class Asked:
    """A request; its path is relative to the issuer, its header names are in lower case."""

    method: str
    path: str
    query: Pairs
    headers: Pairs

    @classmethod
    def of(cls, scope: Scope) -> Asked:
        """The request of an ASGI scope."""
        query = parse_qsl(scope["query_string"].decode("latin-1"), keep_blank_values=True)
        headers = ((n.decode("latin-1"), v.decode("latin-1")) for n, v in scope["headers"])
        return cls(scope["method"], scope["path"], tuple(query), tuple(headers))

    def scope(self, original: Scope) -> Scope:
        """An ASGI scope with this request in the place of the original one."""
        return {
            **original,
            "method": self.method,
            "path": self.path,
            "query_string": urlencode(self.query).encode(),
            "headers": [(n.encode("latin-1"), v.encode("latin-1")) for n, v in self.headers],
        }

    def parameter(self, name: str) -> str | None:
        """The first value of a query parameter."""
        return next((value for each, value in self.query if each == name), None)

    def header(self, name: str) -> str | None:
        """The first value of a header."""
        return next((value for each, value in self.headers if each == name), None)

    def without(self, *names: str) -> Asked:
        """The same without some query parameters."""
        return replace(self, query=tuple(each for each in self.query if each[0] not in names))

    def with_header(self, name: str, value: str | None) -> Asked:
        """The same with one header replaced; None removes it."""
        kept = tuple(each for each in self.headers if each[0] != name)
        return replace(self, headers=kept if value is None else (*kept, (name, value)))

    @property
    def resource_type(self) -> str:
        """What stands first below the FHIR base: `Observation`; empty elsewhere."""
        return self._below[0] if self._below else ""

    @property
    def searches(self) -> bool:
        """Whether it is a search of a type, or a page of one."""
        if not self.resource_type[:1].isupper():
            return False
        by = {"GET": [], "HEAD": [], "POST": ["_search"]}
        return self._below[1:] == by.get(self.method, ["nothing"])

    @property
    def instance_level(self) -> bool:
        """Whether it is about one resource by its id."""
        return self.resource_type[:1].isupper() and self._below[1:] not in ([], ["_search"])

    @property
    def _below(self) -> list[str]:
        if not self.path.startswith(f"{FHIR}/"):
            return []
        return self.path.removeprefix(f"{FHIR}/").split("/")


@dataclass(frozen=True, slots=True)
class Answer:
    """A response with its whole body."""

    status: int
    headers: Pairs
    body: bytes = b""

    @classmethod
    def resource(cls, status: int, value: Json) -> Answer:
        """A FHIR resource."""
        return cls(status, (("content-type", "application/fhir+json"),), dumps(value))

    @classmethod
    def outcome(cls, status: int, code: str, diagnostics: str) -> Answer:
        """An OperationOutcome with one issue."""
        issue = {"severity": "error", "code": code, "diagnostics": diagnostics}
        return cls.resource(status, {"resourceType": "OperationOutcome", "issue": [issue]})

    def header(self, name: str) -> str | None:
        """The first value of a header, whose name is in lower case."""
        return next((value for each, value in self.headers if each.lower() == name), None)

    def with_header(self, name: str, value: str | None) -> Answer:
        """The same with one header replaced; None removes it."""
        kept = tuple(each for each in self.headers if each[0].lower() != name.lower())
        return replace(self, headers=kept if value is None else (*kept, (name, value)))

    def json(self) -> Json | None:
        """The JSON object in the body; None where there is none."""
        if "json" not in (self.header("content-type") or ""):
            return None
        try:
            value = loads(self.body.decode("utf-8"))
        except (UnicodeDecodeError, NotJson):
            return None
        return value if isinstance(value, dict) else None

    def with_json(self, value: Json) -> Answer:
        """The same with another JSON object in its body."""
        return replace(self, body=dumps(value))


class Collected:
    """Takes an application's response, to be had as an `Answer`."""

    def __init__(self) -> None:
        self._status = 500
        self._headers: Pairs = ()
        self._body = bytearray()

    async def send(self, message: Message) -> None:
        """Takes one message of the application."""
        if message["type"] == "http.response.start":
            self._status = message["status"]
            headers: Iterable[tuple[bytes, bytes]] = message.get("headers", ())
            self._headers = tuple((n.decode("latin-1"), v.decode("latin-1")) for n, v in headers)
        else:
            self._body += message.get("body", b"")

    @property
    def answer(self) -> Answer:
        """What came, without a length: it may change."""
        return Answer(self._status, self._headers, bytes(self._body)).with_header(
            "content-length", None
        )


async def send_answer(answer: Answer, send: Send, *, length: bool = True) -> None:
    """Sends an answer; without its `length` it goes out in chunks."""
    bare = answer.status in (204, 304)
    if length and not bare:
        answer = answer.with_header("content-length", str(len(answer.body)))
    headers = [(n.encode("latin-1"), v.encode("latin-1")) for n, v in answer.headers]
    await send({"type": "http.response.start", "status": answer.status, "headers": headers})
    half = len(answer.body) // 2
    parts = [answer.body] if length else [answer.body[:half], answer.body[half:]]
    for number, part in enumerate(parts, 1):
        more = number < len(parts)
        await send({"type": "http.response.body", "body": part, "more_body": more})


def entries(bundle: Mapping[str, Any]) -> list[Json]:
    """The entries of a Bundle."""
    found = bundle.get("entry", [])
    return [each for each in found if isinstance(each, dict)]


def is_bundle(value: Json | None) -> bool:
    """Whether it is the result of a search."""
    return value is not None and value.get("type") == "searchset"
