"""Launches out of the reference EHR, over real sockets, as its EHR file describes them."""

from __future__ import annotations

import asyncio
import re
import secrets as randomness
from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import TypeVar
from urllib.parse import urlencode, urlsplit

import pytest

from harness.config.ehr import AuthorizeMethod, LaunchSource, LaunchSpec, Limits
from harness.config.load import load_ehr, with_base
from harness.config.secrets import Secrets
from harness.errors import LoginFailed
from harness.http.client import HttpClient
from harness.http.clock import SystemClock
from harness.http.evidence import Evidence
from harness.http.limiter import HostLimiters
from harness.reference.process import Running
from harness.smart.context import Context
from harness.smart.discovery import discover
from harness.smart.drivers import Choices
from harness.smart.ehr_launch import received
from harness.smart.launch import Launch, Launcher
from harness.smart.openid import fetch, read
from harness.smart.tokens import TokenResponse

Result = TypeVar("Result")
FAST = Limits(requests_per_second=500, concurrency=8, burst=100)


def with_launcher(
    reference: Running, use: Callable[[Launcher, LaunchSpec], Awaitable[Result]]
) -> Result:
    ehr = with_base(load_ehr("reference"), reference.fhir_base)

    async def go() -> Result:
        clock = SystemClock()
        async with HttpClient(
            base=ehr.fhir_base,
            evidence=Evidence(),
            limiter=HostLimiters(FAST, clock),
            clock=clock,
            moved_from=ehr.moved_from,
        ) as http:
            found = await discover(http, ehr)
            secrets = Secrets(reference.credentials)
            launcher = Launcher(http, ehr, found, secrets, clock, randomness.token_bytes)
            spec = ehr.launch("ehr")
            assert spec is not None
            return await use(launcher, spec)

    return asyncio.run(go())


@pytest.mark.parametrize("method", AuthorizeMethod)
def test_a_clinician_launches_for_the_wanted_patient_and_signs_in_once(
    reference: Running, method: AuthorizeMethod
) -> None:
    async def use(launcher: Launcher, spec: LaunchSpec) -> tuple[str, Launch, TokenResponse]:
        first = await launcher.performed(spec)
        assert first.context is not None
        pages = b"".join(exchange.body for exchange in first.context.exchanges)
        wanted = re.findall(rb'name="patient" value="([^"]+)"', pages)[-1].decode()
        again = replace(spec, method=method)
        launch = await launcher.performed(again, Choices(patient=wanted))
        assert launch.exchange is not None
        token = TokenResponse.parse(launch.exchange, launcher.clock.now())
        passwords = [
            step for step in launcher.http.evidence.all if b"password=" in step.request.body
        ]
        assert len(passwords) == 2, "one sign-in for each launch: the session carries over"
        return wanted, launch, token

    wanted, launch, token = with_launcher(reference, use)
    assert token.patient == wanted
    assert launch.context is not None
    assert launch.context.iss == reference.fhir_base
    context = Context.parse(token.raw, "2.0.0")
    assert context.problems == ()
    assert context.need_patient_banner is not None
    assert context.smart_style_url is not None


def test_a_launch_by_url_needs_a_session(reference: Running) -> None:
    async def use(launcher: Launcher, spec: LaunchSpec) -> None:
        by_url = replace(spec, source=LaunchSource.URL)
        login = launcher.login(spec.login)
        await received(launcher.http, launcher.ehr, by_url, login, launcher.secrets)

    with pytest.raises(LoginFailed, match='source = "form"'):
        with_launcher(reference, use)


def test_a_patient_that_the_clinician_does_not_see_is_not_replaced(reference: Running) -> None:
    async def use(launcher: Launcher, spec: LaunchSpec) -> None:
        await launcher.performed(spec, Choices(patient="nobody"))

    with pytest.raises(LoginFailed, match="'nobody' is not among"):
        with_launcher(reference, use)


def test_a_launch_uri_of_the_application_is_never_asked(reference: Running) -> None:
    async def use(launcher: Launcher, spec: LaunchSpec) -> set[str]:
        await launcher.performed(spec)
        return {urlsplit(e.request.url).netloc for e in launcher.http.evidence.all}

    assert with_launcher(reference, use) == {urlsplit(reference.fhir_base).netloc}


@pytest.mark.parametrize("redirect", ["harness.app:/callback", "http://localhost:8765/callback"])
def test_native_redirect_uris_end_a_launch(reference: Running, redirect: str) -> None:
    """RFC 8252 sections 7.1 and 7.3: a scheme of its own, or loopback."""

    async def use(launcher: Launcher, _: LaunchSpec) -> Launch:
        client = launcher.client("harness-public")
        others = [each for each in launcher.ehr.clients if each.name != client.name]
        ehr = replace(launcher.ehr, clients=(*others, replace(client, redirect_uri=redirect)))
        spec = ehr.launch("standalone-public")
        assert spec is not None
        return await replace(launcher, ehr=ehr).performed(spec)

    launch = with_launcher(reference, use)
    assert launch.response.state_matches
    assert launch.exchange is not None
    assert launch.exchange.status == 200
    assert urlencode({"redirect_uri": redirect}) in launch.exchange.request.body.decode()


def test_the_issuer_publishes_its_openid_configuration(reference: Running) -> None:
    async def use(launcher: Launcher, _: LaunchSpec) -> dict[str, str]:
        issuer = launcher.discovery.configuration.issuer
        assert issuer is not None
        return dict(read(await fetch(launcher.http, issuer), issuer).problems)

    assert with_launcher(reference, use) == {}
