"""A client whose clock is wrong proves itself by the server's."""

from __future__ import annotations

import asyncio
import json
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest
from joserfc.jwk import ECKey
from joserfc.util import urlsafe_b64decode
from starlette.requests import Request as Asked
from starlette.responses import JSONResponse
from starlette.responses import Response as Answered

from harness.config.ehr import ClientAuth, OAuthClient, SecretRef
from harness.config.secrets import Secrets
from harness.http.clock import ManualClock
from harness.smart.entropy import system_entropy
from harness.smart.identity import Identity
from harness.tests.unit.smart.site import app_of, client_of, fields_of

TOKEN = "https://ehr.example.org/token"


class Server:
    """A token endpoint whose clock is `ahead` of the client's, and that checks assertions by it."""

    def __init__(self, clock: ManualClock, ahead: float, *, date: bool = True) -> None:
        self.clock = clock
        self.ahead = timedelta(seconds=ahead)
        self.date = date
        self.jtis: list[str] = []

    async def token(self, asked: Asked) -> Answered:
        sent = await fields_of(asked)
        now = self.clock.now() + self.ahead
        part = sent["client_assertion"].split(".")[1]
        claims = json.loads(urlsafe_b64decode(part.encode()))
        self.jtis.append(claims["jti"])
        issued, ends = (datetime.fromtimestamp(claims[name], UTC) for name in ("iat", "exp"))
        good = issued <= now < ends <= now + timedelta(minutes=5)
        headers = {"Date": format_datetime(now, usegmt=True)} if self.date else {}
        if not good:
            return JSONResponse({"error": "invalid_client"}, 401, headers)
        return JSONResponse({"access_token": "at"}, headers=headers)


def statuses(server_ahead: float, *, date: bool = True, times: int = 2) -> tuple[list[int], Server]:
    clock = ManualClock()
    server = Server(clock, server_ahead, date=date)
    key = json.dumps(ECKey.generate_key("P-384", {"kid": "k"}, private=True).as_dict(private=True))
    client = OAuthClient(
        "app", "app-id", ClientAuth.PRIVATE_KEY_JWT, key=SecretRef("env", "KEY"), alg="ES384"
    )

    async def go() -> list[int]:
        async with client_of(app_of(token=server.token), clock) as http:
            secrets = Secrets({"KEY": key})
            identity = Identity(http, client, secrets, TOKEN, clock, system_entropy)
            ask = identity.client_credentials
            return [(await ask(["system/*.rs"])).status for _ in range(times)]

    return asyncio.run(go()), server


@pytest.mark.parametrize("ahead", [-3600, -70, -6, 300, 86400])
def test_a_refused_assertion_is_signed_again_by_the_servers_clock(ahead: float) -> None:
    found, server = statuses(ahead)
    assert found == [200, 200]
    assert len(server.jtis) == len(set(server.jtis)) == 3, "the second one needs no refusal"


@pytest.mark.parametrize("ahead", [-4, 0, 200])
def test_small_differences_need_nothing(ahead: float) -> None:
    found, server = statuses(ahead)
    assert (found, len(server.jtis)) == ([200, 200], 2)


def test_without_a_date_a_refusal_stays_a_refusal() -> None:
    found, server = statuses(3600, date=False)
    assert (found, len(server.jtis)) == ([401, 401], 2)


def test_a_refusal_for_another_reason_is_not_repeated() -> None:
    clock = ManualClock()
    asked = []

    async def refuse(request: Asked) -> Answered:
        asked.append(request)
        headers = {"Date": format_datetime(clock.now(), usegmt=True)}
        return JSONResponse({"error": "invalid_client"}, 401, headers)

    key = json.dumps(ECKey.generate_key("P-384", {"kid": "k"}, private=True).as_dict(private=True))
    client = OAuthClient("app", "id", ClientAuth.PRIVATE_KEY_JWT, key=SecretRef("env", "KEY"))

    async def go() -> int:
        async with client_of(app_of(token=refuse), clock) as http:
            secrets = Secrets({"KEY": key})
            identity = Identity(http, client, secrets, TOKEN, clock, system_entropy)
            return (await identity.refresh("rt")).status

    assert asyncio.run(go()) == 401
    assert len(asked) == 1
