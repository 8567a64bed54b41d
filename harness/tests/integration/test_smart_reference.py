"""Launches, refreshes and backend tokens against the reference EHR, over real sockets."""

from __future__ import annotations

import asyncio
import secrets as randomness
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any, TypeVar

import pytest

from harness.config.ehr import (
    AuthSpec,
    ClientAuth,
    EhrFile,
    Grant,
    LaunchKind,
    LaunchSpec,
    Limits,
    Login,
    OAuthClient,
    SecretRef,
)
from harness.config.secrets import Secret, Secrets
from harness.errors import GrantLost, LoginFailed
from harness.http.client import HttpClient
from harness.http.clock import SystemClock
from harness.http.evidence import Evidence
from harness.http.limiter import HostLimiters
from harness.reference.process import Running
from harness.smart import grants
from harness.smart.client_auth import authenticate
from harness.smart.discovery import Source, discover
from harness.smart.drivers import Choices, authorize
from harness.smart.id_token import IdToken, verify
from harness.smart.launch import Launch, Launcher
from harness.smart.scopes import ScopeSet
from harness.smart.session import TokenSession
from harness.smart.tokens import TokenResponse
from harness.smart.vault import Entry, Vault, new_key

Result = TypeVar("Result")
REDIRECT = "http://127.0.0.1:8765/callback"
SCOPES = (
    "openid",
    "fhirUser",
    "launch/patient",
    "offline_access",
    "patient/Patient.rs",
    "patient/Observation.rs",
)
JWT = ClientAuth.PRIVATE_KEY_JWT
CLIENTS = (
    OAuthClient("public", "harness-public", redirect_uri=REDIRECT),
    OAuthClient(
        "basic",
        "harness-symmetric",
        ClientAuth.SECRET_BASIC,
        redirect_uri=REDIRECT,
        secret=SecretRef("env", "REFERENCE_CLIENT_SECRET"),
    ),
    OAuthClient(
        "post",
        "harness-symmetric",
        ClientAuth.SECRET_POST,
        redirect_uri=REDIRECT,
        secret=SecretRef("env", "REFERENCE_CLIENT_SECRET"),
    ),
    OAuthClient(
        "rsa",
        "harness-asymmetric",
        JWT,
        redirect_uri=REDIRECT,
        key=SecretRef("env", "REFERENCE_PRIVATE_KEY"),
    ),
    OAuthClient(
        "ec",
        "harness-asymmetric",
        JWT,
        redirect_uri=REDIRECT,
        key=SecretRef("env", "REFERENCE_EC_PRIVATE_KEY"),
    ),
    OAuthClient(
        "backend",
        "harness-backend",
        JWT,
        (Grant.CLIENT_CREDENTIALS,),
        key=SecretRef("env", "REFERENCE_PRIVATE_KEY"),
        scopes=("system/*.rs",),
    ),
    OAuthClient(
        "backend-secret",
        "harness-backend-secret",
        ClientAuth.SECRET_BASIC,
        (Grant.CLIENT_CREDENTIALS,),
        scopes=("system/*.rs",),
        secret=SecretRef("env", "REFERENCE_BACKEND_SECRET"),
    ),
)


def login(name: str, password: str | None = None, patient: str | None = None) -> Login:
    env = password or f"REFERENCE_{name.upper()}_PASSWORD"
    return Login(name, username=name, password=SecretRef("env", env), patient=patient)


def with_launcher(
    reference: Running,
    use: Callable[[Launcher], Awaitable[Result]],
    *logins: Login,
    scopes: tuple[str, ...] = SCOPES,
) -> Result:
    launches = tuple(
        LaunchSpec(
            client.name, LaunchKind.STANDALONE, client.name, (logins or (DEFAULT,))[0].name, scopes
        )
        for client in CLIENTS
    )
    ehr = EhrFile(
        "reference",
        "Reference",
        reference.fhir_base,
        AuthSpec(),
        clients=CLIENTS,
        logins=logins or (DEFAULT,),
        launches=launches,
    )

    async def go() -> Result:
        clock = SystemClock()
        http = HttpClient(
            base=ehr.fhir_base,
            evidence=Evidence(),
            limiter=HostLimiters(FAST, clock),
            clock=clock,
        )
        async with http:
            found = await discover(http, ehr)
            secrets = Secrets(reference.credentials)
            return await use(Launcher(http, ehr, found, secrets, clock, randomness.token_bytes))

    return asyncio.run(go())


DEFAULT = login("patient")
FAST = Limits(requests_per_second=500, concurrency=8, burst=100)


def launched(reference: Running, client: str, *logins: Login, **how: Any) -> tuple[Launch, Any]:
    async def use(launcher: Launcher) -> tuple[Launch, TokenResponse]:
        spec = launcher.ehr.launch(client)
        assert spec is not None
        launch = await launcher.standalone(spec, **how)
        assert launch.exchange is not None
        return launch, TokenResponse.parse(launch.exchange, launcher.clock.now())

    return with_launcher(reference, use, *logins)


def test_discovery_finds_every_endpoint_under_the_base(reference: Running) -> None:
    async def use(launcher: Launcher) -> Any:
        return launcher.discovery

    found = with_launcher(reference, use)
    assert set(found.sources.values()) == {Source.BASE}
    assert found.problems == ()
    assert found.relative == frozenset()
    assert found.endpoint("introspection_endpoint")


@pytest.mark.parametrize("client", ["public", "basic", "post", "rsa", "ec"])
def test_a_standalone_launch_ends_with_a_token(reference: Running, client: str) -> None:
    launch, token = launched(reference, client)
    assert launch.response.state_matches
    assert token.problems == ()
    assert token.patient
    assert token.refresh_token
    assert token.scope.missing(launch_scopes()) == ()
    assert token.scope.widened(launch_scopes()) == ()


def launch_scopes() -> ScopeSet:
    return ScopeSet.parse(SCOPES)


def test_the_wanted_patient_is_chosen(reference: Running) -> None:
    _, first = launched(reference, "public", login("family"))
    wanted = f"{first.patient}"
    picked = {launched(reference, "public", login("clinician", patient=wanted))[1].patient}
    assert picked == {wanted}


def test_declined_scopes_are_not_granted(reference: Running) -> None:
    choices = Choices(decline=frozenset({"patient/Observation.rs"}))
    _, token = launched(reference, "public", choices=choices)
    assert not token.scope.allows("patient", "Observation", "r")
    assert token.scope.allows("patient", "Patient", "r")


def test_denying_everything_is_a_refusal_that_comes_back(reference: Running) -> None:
    async def use(launcher: Launcher) -> Launch:
        spec = launcher.ehr.launch("public")
        assert spec is not None
        return await launcher.standalone(spec, Choices(deny=True))

    launch = with_launcher(reference, use)
    assert launch.response.error == "access_denied"
    assert launch.response.state_matches
    assert launch.exchange is None


def test_a_wrong_password_is_named(reference: Running) -> None:
    with pytest.raises(LoginFailed, match="not accepted"):
        launched(reference, "public", login("patient", "REFERENCE_OTHER_PASSWORD"))


def test_an_authorization_request_may_be_posted(reference: Running) -> None:
    async def use(launcher: Launcher) -> bool:
        spec = launcher.ehr.launch("public")
        assert spec is not None
        request = launcher.request_for(spec, post=True)
        arrival = await authorize(launcher.http, request, DEFAULT, launcher.secrets, launcher.ehr)
        return arrival.response.code is not None and arrival.offered_choice

    assert with_launcher(reference, use)


def test_the_id_token_verifies_with_the_published_keys(reference: Running) -> None:
    async def use(launcher: Launcher) -> Any:
        spec = launcher.ehr.launch("public")
        assert spec is not None
        launch = await launcher.standalone(spec)
        assert launch.exchange is not None
        token = TokenResponse.parse(launch.exchange, launcher.clock.now())
        jwks = await launcher.http.get(launcher.discovery.endpoint("jwks_uri"))
        assert token.id_token is not None
        return verify(
            IdToken.parse(token.id_token),
            jwks.json(),
            issuer=str(launcher.discovery.configuration.issuer),
            client_id="harness-public",
            nonce=launch.request.nonce,
            now=launcher.clock.now(),
        )

    assert with_launcher(reference, use) == ()


@pytest.mark.parametrize("client", ["backend", "backend-secret"])
def test_a_backend_client_gets_a_token_of_its_own(reference: Running, client: str) -> None:
    async def use(launcher: Launcher) -> TokenResponse:
        exchange = await launcher.backend_token(launcher.client(client))
        return TokenResponse.parse(exchange, launcher.clock.now())

    token = with_launcher(reference, use)
    assert token.scope is not None
    assert token.scope.allows("system", "Observation", "s")
    assert token.refresh_token is None


@pytest.mark.parametrize("client", ["public", "basic", "rsa"])
def test_a_session_lives_on_rotating_refresh_tokens(
    reference: Running, tmp_path: Path, client: str
) -> None:
    vault, entry = Vault(tmp_path / "vault.sqlite", Secret(new_key())), Entry("t", client, "p")

    async def use(launcher: Launcher) -> tuple[set[str], int]:
        spec = launcher.ehr.launch(client)
        assert spec is not None
        launch = await launcher.standalone(spec)
        assert launch.exchange is not None
        now = launcher.clock.now()
        token = TokenResponse.parse(launch.exchange, now)
        assert token.refresh_token is not None
        vault.put(entry, token.refresh_token, now=now, scope=str(token.scope))
        session = TokenSession(launcher.identity(launcher.client(client)), vault, entry)
        seen = {token.access_token}
        for _ in range(3):
            current = await session.access_token()
            seen |= {current, *await asyncio.gather(*(session.renew(current) for _ in range(4)))}
        assert session.vanished == ()
        for each in seen:
            patient = f"{launcher.ehr.fhir_base}/Patient/{token.patient}"
            assert (await launcher.http.get(patient, bearer=each)).status in (200, 401)
        stored = vault.get(entry)
        assert stored is not None
        assert stored.refresh_token.reveal() != token.refresh_token
        last = await launcher.http.get(patient, bearer=await session.access_token())
        return seen, last.status

    seen, status = with_launcher(reference, use)
    assert status == 200
    assert len(seen) == 5


def test_a_replayed_refresh_token_is_a_lost_grant(reference: Running, tmp_path: Path) -> None:
    vault, entry = Vault(tmp_path / "vault.sqlite", Secret(new_key())), Entry("t", "c", "p")

    async def use(launcher: Launcher) -> None:
        spec = launcher.ehr.launch("public")
        assert spec is not None
        launch = await launcher.standalone(spec)
        assert launch.exchange is not None
        now = launcher.clock.now()
        first = TokenResponse.parse(launch.exchange, now).refresh_token
        assert first is not None
        session = TokenSession(launcher.identity(launcher.client("public")), vault, entry)
        vault.put(entry, first, now=now)
        await session.access_token()
        vault.put(entry, first, now=now)
        await session.renew(await session.access_token())

    with pytest.raises(GrantLost, match="harness login"):
        with_launcher(reference, use)


def test_introspection_and_revocation_are_single_requests(reference: Running) -> None:
    async def use(launcher: Launcher) -> list[Any]:
        spec = launcher.ehr.launch("basic")
        assert spec is not None
        launch = await launcher.standalone(spec)
        assert launch.exchange is not None
        token = TokenResponse.parse(launch.exchange, launcher.clock.now()).access_token
        client = launcher.client("basic")

        def proof(endpoint: str) -> Any:
            now = launcher.clock.now()
            return authenticate(client, launcher.secrets, endpoint, now, launcher.entropy)

        ask = launcher.discovery.endpoint("introspection_endpoint")
        give_back = launcher.discovery.configuration.revocation_endpoint
        before = await grants.introspect(launcher.http, ask, proof(ask), token=token)
        assert give_back is not None
        revoked = await grants.revoke(launcher.http, give_back, proof(give_back), token=token)
        after = await grants.introspect(launcher.http, ask, proof(ask), token=token)
        return [before.json()["active"], revoked.status, after.json()["active"]]

    assert with_launcher(reference, use) == [True, 200, False]
