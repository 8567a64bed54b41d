"""A launch asks for what the EHR file names, and says what is missing in it."""

from __future__ import annotations

import secrets as randomness
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from harness.config.ehr import AuthSpec, EhrFile, LaunchKind, LaunchSpec, Login, OAuthClient
from harness.config.secrets import Secrets
from harness.errors import ConfigError
from harness.http.clock import ManualClock
from harness.smart.discovery import from_exchanges
from harness.smart.launch import Launcher
from harness.tests.unit.smart.site import AUTHORIZE, BASE, REDIRECT, app_of, client_of

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
    request = launcher(redirect_uri=REDIRECT).request_for(SPEC, launch="handle-1")
    sent = {name: values[0] for name, values in parse_qs(urlsplit(request.url).query).items()}
    assert (sent["client_id"], sent["redirect_uri"], sent["aud"]) == ("app-id", REDIRECT, BASE)
    assert (sent["scope"], sent["launch"]) == ("openid launch/patient", "handle-1")


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
