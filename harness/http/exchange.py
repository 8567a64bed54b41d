"""An exchange: one HTTP request with its response and timing; the unit of evidence.

Raw bytes live here, in memory only. Whatever leaves memory goes through `harness.http.redaction`;
`repr` shows method, path and status and nothing else.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from typing import Any
from urllib.parse import urlsplit

from harness.errors import ProtocolError


@dataclass(frozen=True, slots=True)
class Headers:
    """Header fields in the order sent; names compare case-insensitively, duplicates are kept."""

    items: tuple[tuple[str, str], ...] = ()

    def get(self, name: str, default: str | None = None) -> str | None:
        """The first value of `name`."""
        wanted = name.lower()
        for each, value in self.items:
            if each.lower() == wanted:
                return value
        return default

    def get_all(self, name: str) -> tuple[str, ...]:
        """Every value of `name`, in order."""
        wanted = name.lower()
        return tuple([value for each, value in self.items if each.lower() == wanted])

    def __contains__(self, name: object) -> bool:
        return isinstance(name, str) and self.get(name) is not None

    def __iter__(self) -> Iterator[tuple[str, str]]:
        return iter(self.items)

    def with_(self, name: str, value: str) -> Headers:
        """A copy in which `name` has exactly this value."""
        replaced = name.lower()
        kept = [each for each in self.items if each[0].lower() != replaced]
        return Headers((*kept, (name, value)))


@dataclass(frozen=True, slots=True, repr=False)
class Request:
    """What was sent. `url` is absolute; `body` is empty where there is none.

    With `old_tls` nothing newer than TLS 1.1 is offered, to see whether that is accepted.
    """

    method: str
    url: str
    headers: Headers = Headers()
    body: bytes = b""
    old_tls: bool = False

    def __repr__(self) -> str:
        return f"<{self.method} {urlsplit(self.url).path}>"


@dataclass(frozen=True, slots=True, repr=False)
class Response:
    """What came back; `body` is decoded from its content coding, in full, bounded by the client."""

    status: int
    headers: Headers = Headers()
    body: bytes = b""
    http_version: str = "HTTP/1.1"

    def __repr__(self) -> str:
        return f"<{self.status}, {len(self.body)} bytes>"


@dataclass(frozen=True, repr=False)
class Exchange:
    """One request with its response.

    Attributes:
        number: position in the run, from 1.
        act: name of the act that caused it.
        request: what was sent.
        response: what came back.
        started_at: harness clock, UTC.
        seconds: from the first byte sent to the last byte read.
        attempt: 1 for the first try; retries are exchanges of their own.
        arrived: the EHR asked, and we answered.
    """

    number: int
    act: str
    request: Request
    response: Response
    started_at: datetime
    seconds: float
    attempt: int = 1
    arrived: bool = False

    def __repr__(self) -> str:
        return f"<Exchange {self.where} -> {self.status}>"

    @property
    def where(self) -> str:
        """Method and path, as messages name the request; never the query, it may hold secrets."""
        return f"{self.request.method} {urlsplit(self.request.url).path}"

    @property
    def status(self) -> int:
        """The status code of the response."""
        return self.response.status

    @property
    def headers(self) -> Headers:
        """The header fields of the response."""
        return self.response.headers

    @property
    def body(self) -> bytes:
        """The body of the response."""
        return self.response.body

    @property
    def media_type(self) -> str | None:
        """The media type of the response without parameters, in lower case."""
        value = self.headers.get("Content-Type")
        return value.split(";", 1)[0].strip().lower() if value else None

    @cached_property
    def _parsed(self) -> Any:
        return parse_json(self.body, self.where)

    def json(self) -> Any:
        """The body as JSON.

        Raises:
            ProtocolError: the body is not UTF-8 JSON, or nested beyond `MAX_DEPTH`.
        """
        return self._parsed

    def json_object(self) -> dict[str, Any]:
        """The body as a JSON object.

        Raises:
            ProtocolError: the body is not JSON, or not an object.
        """
        value = self.json()
        if not isinstance(value, dict):
            raise ProtocolError(f"{self.where}: expected a JSON object, got {kind_of(value)}")
        return value


MAX_DEPTH = 100


def parse_json(body: bytes, where: str) -> Any:
    """Parse UTF-8 JSON strictly: no NaN, no nesting beyond `MAX_DEPTH`.

    Raises:
        ProtocolError: with what came instead, shortened and without control characters.
    """
    try:
        value = json.loads(body.decode("utf-8-sig"), parse_constant=_refuse_constant)
    except RecursionError:
        raise ProtocolError(f"{where}: JSON nested deeper than {MAX_DEPTH} levels") from None
    except ValueError as error:
        raise ProtocolError(f"{where}: expected JSON, got {_describe(body)}: {error}") from None
    if nests_deeper(body, MAX_DEPTH):
        raise ProtocolError(f"{where}: JSON nested deeper than {MAX_DEPTH} levels")
    return value


def kind_of(value: object) -> str:
    """The JSON kind of a parsed value, as messages name it."""
    kinds = {dict: "an object", list: "an array", str: "a string", bool: "a boolean"}
    if value is None:
        return "null"
    return kinds.get(type(value), "a number")


def _refuse_constant(name: str) -> None:
    raise ValueError(f"{name} is not JSON")


def _describe(body: bytes) -> str:
    if not body.strip():
        return "an empty body"
    if body.lstrip()[:1] == b"<":
        return "HTML or XML"
    return f"{len(body)} bytes that are not JSON"


_STRING = re.compile(rb'"(?:[^"\\]|\\.)*"', re.DOTALL)
_NOT_A_BRACKET = bytes(sorted(set(range(256)) - set(b"{}[]")))
_ONE_KIND = bytes.maketrans(b"{}", b"[]")


def nests_deeper(body: bytes, limit: int) -> bool:
    """Whether valid JSON nests deeper; on bytes: walking the values costs ten times more."""
    if body.count(b"{") + body.count(b"[") <= limit:
        return False
    brackets = _STRING.sub(b"", body).translate(_ONE_KIND, _NOT_A_BRACKET)
    for _ in range(limit):
        if not brackets:
            return False
        # One pass removes the innermost level, and no more: of one kind, none opens up behind it.
        brackets = brackets.replace(b"[]", b"")
    return bool(brackets)
