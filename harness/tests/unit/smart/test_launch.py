"""A launch asks for what the EHR file names, and says what is missing in it."""

from __future__ import annotations

import secrets as randomness
from dataclasses import replace
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from harness.config.ehr import (
    AuthorizeMethod,
    AuthSpec,
    EhrFile,
    LaunchKind,
    LaunchSpec,
    Login,
    OAuthClient,
)
from harness.config.secrets import Secrets
from harness.errors import ConfigError
from harness.http.clock import ManualClock
from harness.smart.discovery import from_exchanges
from harness.smart.ehr_launch import LaunchContext
from harness.smart.launch import Launcher
from harness.tests.unit.smart.site import AUTHORIZE, BASE, REDIRECT, app_of, client_of

CONTEXT = LaunchContext(
    "https://ehr.example.org/fhir/", "handle-1", "https://app.example.org/launch"
)
SPEC = LaunchSpec("p", LaunchKind.STANDALONE, "app", "camila", ("openid", "launch/patient"))


def launcher(**client: Any) -> Launcher:
    clock = ManualClock()
    auth = AuthSpec(authorization_endpoint=AUTHORIZE)
    clients = (OAuthClient("app", "app-id", **client),)
    ehr = EhrFile("e", "E", BASE, auth, clients=clients, logins=(Login("camila"),))
    found = from_exchanges(ehr, None)
    http = client_of(app_of(), clock)
    return Launcher(http, ehr, found, Secrets({}), clock, randomness.token_bytes)


def test_the_request_carries_what_the_ehr_file_says() -> None:
    request = launcher(redirect_uri=REDIRECT).request_for(SPEC)
    sent = {name: values[0] for name, values in parse_qs(urlsplit(request.url).query).items()}
    assert (sent["client_id"], sent["redirect_uri"], sent["aud"]) == ("app-id", REDIRECT, BASE)
    assert sent["scope"] == "openid launch/patient"
    assert "launch" not in sent
    assert not request.post


def test_the_request_of_an_ehr_launch_sends_back_what_the_ehr_sent() -> None:
    request = launcher(redirect_uri=REDIRECT).request_for(SPEC, context=CONTEXT)
    sent = dict(request.parameters)
    assert (sent["launch"], sent["aud"]) == ("handle-1", "https://ehr.example.org/fhir/")
    assert sent["scope"] == "launch openid launch/patient"


def test_a_launch_may_ask_to_be_authorized_by_post() -> None:
    by_post = replace(SPEC, method=AuthorizeMethod.POST)
    assert launcher(redirect_uri=REDIRECT).request_for(by_post).post
    assert not launcher(redirect_uri=REDIRECT).request_for(by_post, post=False).post


def test_other_scopes_may_be_asked_for() -> None:
    request = launcher(redirect_uri=REDIRECT).request_for(SPEC, scopes=("openid",))
    assert dict(request.parameters)["scope"] == "openid"


def test_a_client_without_redirect_uri_cannot_launch() -> None:
    with pytest.raises(ConfigError, match="'app' has no redirect_uri"):
        launcher().request_for(SPEC)


def test_unknown_names_are_answered_with_the_known_ones() -> None:
    with pytest.raises(ConfigError, match="there are: app"):
        launcher().client("other")
    with pytest.raises(ConfigError, match="there are: camila"):
        launcher().login("other")
