"""A FHIR server in memory: answers by URL, and remembers what it was asked."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, TypeVar

import anyio

from harness.config.ehr import Limits
from harness.fhir.client import FhirClient
from harness.http.client import HttpClient
from harness.http.clock import ManualClock
from harness.http.evidence import Evidence
from harness.http.exchange import Headers, Request, Response
from harness.http.limiter import HostLimiters
from harness.http.transport import Answer

BASE = "https://ehr.example/r4"
Result = TypeVar("Result")


class FakeServer:
    """Answers each URL with JSON, or with whatever response it is given."""

    def __init__(self, answers: Mapping[str, Any]) -> None:
        self.answers = answers
        self.asked: list[Request] = []
        self.clock = ManualClock()

    async def send(self, request: Request, *, max_bytes: int) -> Answer:
        assert max_bytes
        self.asked.append(request)
        found = self.answers[request.url]
        if not isinstance(found, Response):
            headers = Headers((("Content-Type", "application/fhir+json"),))
            found = Response(200, headers, json.dumps(found).encode())
        return Answer(found, self.clock.now(), 0.0)

    async def aclose(self) -> None:
        pass

    @property
    def urls(self) -> list[str]:
        return [each.url for each in self.asked]


async def token() -> str:
    return "t0ken"


def talk(server: FakeServer, conversation: Callable[[FhirClient], Awaitable[Result]]) -> Result:
    async def main() -> Result:
        limiter = HostLimiters(Limits(), server.clock)
        async with HttpClient(
            base=BASE, evidence=Evidence(), limiter=limiter, clock=server.clock, transport=server
        ) as http:
            return await conversation(FhirClient(http, f"{BASE}/", token))

    return anyio.run(main)
