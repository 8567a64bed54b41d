"""Who may introspect, what counts as an id_token, and which code is surely nobody's."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import anyio
import pytest

from harness.checks.acts.identity import key_set, parsed
from harness.checks.acts.introspection import introspected
from harness.checks.acts.token_errors import no_code
from harness.config.ehr import AuthSpec, ClientAuth, EhrFile, Limits, OAuthClient, SecretRef
from harness.config.secrets import Secrets
from harness.errors import NotConfigured
from harness.http.client import HttpClient
from harness.http.clock import ManualClock
from harness.http.evidence import Evidence
from harness.http.exchange import Exchange, Headers, Request, Response
from harness.http.limiter import HostLimiters
from harness.http.transport import Answer
from harness.smart.id_token import Part

BASE = "https://ehr.example/r4"
ENDPOINTS = SimpleNamespace(
    introspection_endpoint="https://ehr.example/introspect",
    token_endpoint="https://ehr.example/token",
)
PUBLIC = OAuthClient(name="app", id="app", auth=ClientAuth.NONE)
SECRET = SecretRef("env", "APP")
CONFIDENTIAL = OAuthClient(name="app", id="app", auth=ClientAuth.SECRET_BASIC, secret=SECRET)
Status = Callable[[str], int]


class Endpoint:
    """Answers with the status that it has for the Authorization header."""

    def __init__(self, status: Status) -> None:
        self.clock = ManualClock()
        self.seen: list[str] = []
        self._status = status

    async def send(self, request: Request, *, max_bytes: int) -> Answer:
        self.seen.append((request.headers.get("Authorization") or "").partition(" ")[0])
        body = json.dumps({"active": True}).encode()
        status = self._status(self.seen[-1])
        return Answer(Response(status, Headers(()), body), self.clock.now(), 0.0)

    async def aclose(self) -> None:
        pass


def ask(client: OAuthClient, endpoint: Endpoint, named: OAuthClient | None = None) -> Exchange:
    async def main() -> Exchange:
        limiter = HostLimiters(Limits(), endpoint.clock)
        async with HttpClient(
            base=BASE,
            evidence=Evidence(),
            limiter=limiter,
            clock=endpoint.clock,
            transport=endpoint,
        ) as http:
            secrets = Secrets({"APP": "not-a-real-one"})
            auth = AuthSpec(introspects=named.name if named else None)
            clients = (client, named) if named else (client,)
            run: Any = SimpleNamespace(
                ehr=EhrFile("tiny", "Tiny", BASE, auth, clients=clients),
                http=http,
                secrets=secrets,
                clock=endpoint.clock,
                entropy=None,
            )
            plan = SimpleNamespace(client=client)
            launch: Any = SimpleNamespace(
                authorization=SimpleNamespace(plan=plan), token=SimpleNamespace(access_token="t")
            )
            discovery: Any = SimpleNamespace(configuration=ENDPOINTS)
            return await introspected(run, discovery, launch, "t0ken")

    return anyio.run(main)


def test_a_confidential_client_asks_as_itself() -> None:
    endpoint = Endpoint(lambda _: 200)
    assert ask(CONFIDENTIAL, endpoint).status == 200
    assert endpoint.seen == ["Basic"]


def test_a_client_that_may_not_asks_with_its_token() -> None:
    endpoint = Endpoint(lambda scheme: 200 if scheme == "Bearer" else 401)
    assert ask(CONFIDENTIAL, endpoint).status == 200
    assert endpoint.seen == ["Basic", "Bearer"]


def test_a_public_client_asks_with_its_token_alone() -> None:
    endpoint = Endpoint(lambda _: 200)
    ask(PUBLIC, endpoint)
    assert endpoint.seen == ["Bearer"]


def test_a_client_that_the_file_names_asks_for_the_others() -> None:
    endpoint = Endpoint(lambda _: 200)
    ask(PUBLIC, endpoint, named=replace(CONFIDENTIAL, name="api"))
    assert endpoint.seen == ["Basic"]


@pytest.mark.parametrize("client", [PUBLIC, CONFIDENTIAL])
def test_whoever_may_not_introspect_at_all_judges_nobody(client: OAuthClient) -> None:
    with pytest.raises(NotConfigured, match="may not introspect"):
        ask(client, Endpoint(lambda _: 403))


def test_what_is_no_jwt_is_a_finding_and_carries_nothing() -> None:
    token, findings = parsed("garbage")
    assert token.claims == {}
    assert [each.part for each in findings] == [Part.SIGNATURE]


@pytest.mark.parametrize(
    ("status", "body", "expected"),
    [(200, b'{"keys": []}', {"keys": []}), (200, b"<html>", None), (404, b"{}", None)],
)
def test_a_key_set_is_json_that_was_served(status: int, body: bytes, expected: object) -> None:
    request = Request("GET", f"{BASE}/jwks", Headers(()))
    response = Response(status, Headers((("Content-Type", "application/json"),)), body)
    exchange = Exchange(1, "jwks", request, response, ManualClock().now(), 0.0, 1)
    assert key_set(exchange) == expected


def test_a_code_that_is_nobodys_has_letters_and_digits_only() -> None:
    def drawn() -> Iterator[bytes]:
        yield b"\xff" * 32

    numbers = drawn()
    run: Any = SimpleNamespace(entropy=lambda size: next(numbers)[:size])
    assert no_code(run).isalnum()
