"""Endpoints are found wherever EHRs put them, and nothing hostile is taken."""

from __future__ import annotations

import asyncio
import json
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from starlette.requests import Request as Asked
from starlette.responses import JSONResponse
from starlette.responses import Response as Answered

from harness.config.ehr import AuthSpec, EhrFile
from harness.errors import ConfigError, ProtocolError
from harness.http.exchange import Exchange, Headers, Request, Response
from harness.smart.configuration import OAUTH_URIS
from harness.smart.discovery import Source, discover, from_exchanges, well_known_urls
from harness.tests.unit.smart.site import app_of, client_of

BASE = "https://ehr.example.org/fhir/r4"
GOOD = {
    "issuer": BASE,
    "authorization_endpoint": "https://login.example.org/authorize",
    "token_endpoint": "https://login.example.org/token",
    "capabilities": ["launch-standalone", "permission-v2"],
    "scopes_supported": ["openid"],
}


def ehr(base: str = BASE, **auth: Any) -> EhrFile:
    return EhrFile("test", "Test", base, AuthSpec(**auth))


def exchange(body: Any, status: int = 200, path: str = "/x") -> Exchange:
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    request = Request("GET", f"https://ehr.example.org{path}")
    return Exchange(1, "a", request, Response(status, Headers(), content), datetime.now(UTC), 0.0)


def metadata(*extensions: tuple[str, str]) -> dict[str, Any]:
    parts = [{"url": name, "valueUri": uri} for name, uri in extensions]
    security = {"extension": [{"url": OAUTH_URIS, "extension": parts}]}
    return {"resourceType": "CapabilityStatement", "rest": [{"security": security}]}


def test_the_base_is_asked_first() -> None:
    found = from_exchanges(ehr(), exchange(GOOD))
    assert found.endpoint("token_endpoint") == "https://login.example.org/token"
    assert found.sources["token_endpoint"] is Source.BASE
    assert found.claims("permission-v2")
    assert found.problems == ()


def test_the_ehr_file_wins() -> None:
    found = from_exchanges(ehr(token_endpoint="https://own.example.org/t"), exchange(GOOD))
    assert found.endpoint("token_endpoint") == "https://own.example.org/t"
    assert found.sources["token_endpoint"] is Source.EHR_FILE
    assert found.sources["authorization_endpoint"] is Source.BASE


def test_the_host_root_stands_in() -> None:
    found = from_exchanges(ehr(), exchange({}, 404), exchange(GOOD))
    assert found.sources["token_endpoint"] is Source.ROOT
    assert found.configuration.raw == GOOD
    assert found.problems == ("GET /x: expected 200, got 404",)


def test_the_capability_statement_comes_last() -> None:
    old = metadata(("authorize", "https://a.example.org"), ("token", "https://t.example.org"))
    found = from_exchanges(ehr(), exchange(b"<html>"), None, exchange(old))
    assert found.endpoint("authorization_endpoint") == "https://a.example.org"
    assert found.sources["token_endpoint"] is Source.METADATA


def test_a_malformed_extension_before_a_good_one_does_no_harm() -> None:
    twice = metadata(("token", "http://["), ("token", "https://t.example.org"))
    found = from_exchanges(ehr(), None, None, exchange(twice))
    assert found.endpoint("token_endpoint") == "https://t.example.org"
    assert len(found.problems) == 1


def test_relative_endpoints_are_made_absolute_and_remembered() -> None:
    found = from_exchanges(ehr(), exchange(GOOD | {"token_endpoint": "oauth/token"}))
    assert found.endpoint("token_endpoint") == f"{BASE}/oauth/token"
    assert found.relative == {"token_endpoint"}


@pytest.mark.parametrize(
    "url",
    [
        "javascript:alert(1)",
        "file:///etc/passwd",
        "http://127.0.0.1/token",
        "https://169.254.169.254/token",
        "https://user:pass@login.example.org/token",
        "//10.0.0.1/token",
        "https://",
        "http://[",
    ],
)
def test_a_hostile_endpoint_is_refused_and_named(url: str) -> None:
    found = from_exchanges(ehr(), exchange(GOOD | {"token_endpoint": url}))
    assert found.configuration.token_endpoint is None
    assert any("token_endpoint" in problem for problem in found.problems)
    with pytest.raises(ProtocolError, match="no token_endpoint was found"):
        found.endpoint("token_endpoint")


def test_a_loopback_ehr_may_name_loopback_endpoints() -> None:
    local = GOOD | {"token_endpoint": "http://127.0.0.1:81/token"}
    found = from_exchanges(ehr("http://127.0.0.1:80/fhir"), exchange(local))
    assert found.endpoint("token_endpoint") == "http://127.0.0.1:81/token"


def test_members_of_the_wrong_kind_are_problems() -> None:
    wrong = GOOD | {"issuer": 7, "capabilities": "all", "scopes_supported": ["openid", 1, "openid"]}
    found = from_exchanges(ehr(), exchange(wrong))
    assert found.configuration.issuer is None
    assert found.configuration.capabilities == ()
    assert found.configuration.scopes_supported == ("openid",)
    assert len(found.problems) == 3


def test_a_wrong_endpoint_in_the_ehr_file_is_a_configuration_error() -> None:
    with pytest.raises(ConfigError, match=r"auth\.token_endpoint"):
        from_exchanges(ehr(token_endpoint="login.example.org/token"), None)


def test_only_as_much_is_asked_as_needed() -> None:
    asked: list[str] = []

    async def answer(request: Asked) -> Answered:
        asked.append(request.url.path)
        good = request.url.path == "/.well-known/smart-configuration"
        return JSONResponse(GOOD if good else {}, 200 if good else 404)

    names = ("fhir__r4__.well-known__smart-configuration", ".well-known__smart-configuration")
    app = app_of(**dict.fromkeys((*names, "fhir__r4__metadata"), answer))

    async def go() -> Source:
        async with client_of(app, base=BASE) as http:
            return (await discover(http, ehr())).sources["token_endpoint"]

    assert asyncio.run(go()) is Source.ROOT
    assert [f"https://ehr.example.org{path}" for path in asked] == list(well_known_urls(BASE))


def test_the_capability_statement_is_asked_when_nothing_else_helps() -> None:
    old = metadata(("authorize", "https://a.example.org"), ("token", "https://t.example.org"))

    async def capability(_: Asked) -> Answered:
        return JSONResponse(old, media_type="application/fhir+json")

    async def go() -> Source:
        async with client_of(app_of(fhir__r4__metadata=capability), base=BASE) as http:
            found = await discover(http, ehr())
            assert found.root_wk is not None
            assert found.metadata is not None
            return found.sources["authorization_endpoint"]

    assert asyncio.run(go()) is Source.METADATA


def test_a_base_at_the_root_has_no_second_place() -> None:
    assert well_known_urls("https://ehr.example.org/")[1] is None


documents = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.text(max_size=20)),
    lambda inner: st.one_of(
        st.lists(inner, max_size=3),
        st.dictionaries(
            st.sampled_from([*GOOD, "rest", "security", "extension", "url", "valueUri"]),
            inner,
            max_size=4,
        ),
    ),
    max_leaves=12,
)


@given(documents, documents)
def test_no_document_breaks_discovery(well_known: Any, capability: Any) -> None:
    from_exchanges(ehr(), exchange(well_known), exchange(well_known), exchange(capability))


@given(st.text(alphabet="htps:/[]@.?#%a1\\\t ", max_size=24))
def test_no_address_breaks_discovery(url: str) -> None:
    found = from_exchanges(ehr(), exchange(GOOD | {"token_endpoint": url}))
    endpoint = found.configuration.token_endpoint
    assert endpoint is None or endpoint.startswith(("http://", "https://"))
