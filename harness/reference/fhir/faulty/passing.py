"""What a request is to a gateway that has faults: what it may look at, and what it may change."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Final

from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Message

from harness.reference.access import Access
from harness.reference.fhir.context import Context
from harness.reference.fhir.json import loads
from harness.reference.fhir.stored import Stored

Json = dict[str, Any]

HIDDEN: Final = "urn:reference-ehr:hidden"
"""The system of marks that faults put on resources."""

REFUSED_FROM: Final = 400


@dataclass(slots=True)
class Passing:
    """One request on its way to its handler.

    Args:
        context: of the interface.
        kind: the resource type of the route.
        request: as it came.
        headers: lower-case names; may be changed.
        raw: the body; may be changed.
        access: what the token may do; may be changed.
    """

    context: Context
    kind: str
    request: Request
    headers: dict[str, str]
    raw: bytes
    access: Access
    found: Stored | None = field(init=False)

    def __post_init__(self) -> None:
        id_ = self.request.path_params.get("id")
        self.found = self.context.store.current(self.kind, id_) if id_ else None

    @property
    def method(self) -> str:
        """In capitals; a search by POST counts as GET."""
        searches = self.request.url.path.endswith("/_search")
        return "GET" if searches else self.request.method

    @property
    def version(self) -> str | None:
        """The version that the URL names."""
        return self.request.path_params.get("vid")

    def resource(self, read: Callable[[str], Any] = loads) -> Json | None:
        """The body as an object; None where it is none."""
        try:
            value = read(self.raw.decode())
        except ValueError:
            return None
        return value if isinstance(value, dict) else None

    def sent_on(self) -> Request:
        """The request as the handler gets it; never compressed, so that answers can be altered."""
        kept = {name: value for name, value in self.headers.items() if name != "accept-encoding"}
        headers = [(name.encode(), value.encode("latin-1")) for name, value in kept.items()]
        state = {**self.request.scope.get("state", {}), "access": self.access}

        async def receive() -> Message:
            return {"type": "http.request", "body": self.raw, "more_body": False}

        return Request({**self.request.scope, "headers": headers, "state": state}, receive)

    @property
    def stale(self) -> bool:
        """Whether If-Match names another version than the current one."""
        given = self.headers.get("if-match", "*").removeprefix("W/").strip('"')
        return self.found is not None and given not in {self.found.version_id, "*"}

    def overwrite(self, stored: Stored, meta: Mapping[str, Any]) -> None:
        """Changes meta of what is stored, without a new version."""
        changed = {**stored.resource, "meta": {**stored.resource["meta"], **meta}}
        self.context.store.overwrite_last(replace(stored, parsed=changed, raw=None))

    def just_stored(self, response: Response) -> Stored | None:
        """What a write has stored just now."""
        if self.method not in {"POST", "PUT"} or response.status_code >= REFUSED_FROM:
            return None
        if self.found is not None:
            return self.context.store.current(self.kind, self.found.id)
        parts = response.headers.get("location", "").split("/")
        named = parts[parts.index(self.kind) + 1] if self.kind in parts else ""
        return self.context.store.current(self.kind, named)


Before = Callable[[Passing], Response | None]
"""Alters a request; a response that it returns is the answer."""

After = Callable[[Passing, Response], Response]
"""Alters a response."""
