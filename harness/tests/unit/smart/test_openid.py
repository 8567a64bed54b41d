"""The issuer's openid-configuration is read whatever it holds, and its departures are named."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from starlette.requests import Request as Asked
from starlette.responses import JSONResponse
from starlette.responses import Response as Answered
from starlette.routing import Route, Router

from harness.http.exchange import Exchange
from harness.smart.openid import OpenIdConfiguration, fetch, openid_configuration_url, read
from harness.tests.unit.smart.site import client_of
from harness.tests.unit.smart.test_tokens import exchange

ISSUER = "https://ehr.example.org/auth"
GOOD = {
    "issuer": ISSUER,
    "authorization_endpoint": f"{ISSUER}/authorize",
    "token_endpoint": f"{ISSUER}/token",
    "jwks_uri": f"{ISSUER}/jwks",
    "response_types_supported": ["code"],
    "subject_types_supported": ["public"],
    "id_token_signing_alg_values_supported": ["RS256", "ES384"],
}


def test_a_configuration_as_it_has_to_be_has_no_problems() -> None:
    found = read(exchange(GOOD), ISSUER)
    assert found.problems == {}
    assert found.jwks_uri == f"{ISSUER}/jwks"
    assert found.id_token_signing_alg_values_supported == ("RS256", "ES384")
    assert found.raw == GOOD


@pytest.mark.parametrize(
    ("change", "member"),
    [
        ({"issuer": f"{ISSUER}/"}, "issuer"),
        ({"issuer": 7}, "issuer"),
        ({"jwks_uri": None}, "jwks_uri"),
        ({"authorization_endpoint": ""}, "authorization_endpoint"),
        ({"token_endpoint": []}, "token_endpoint"),
        ({"subject_types_supported": []}, "subject_types_supported"),
        ({"response_types_supported": "code"}, "response_types_supported"),
        (
            {"id_token_signing_alg_values_supported": ["HS256"]},
            "id_token_signing_alg_values_supported",
        ),
    ],
)
def test_each_member_has_its_own_problem(change: dict[str, Any], member: str) -> None:
    problems = read(exchange(GOOD | change), ISSUER).problems
    assert list(problems) == [member]
    assert problems[member].startswith(f"{member}: expected ")


@pytest.mark.parametrize("member", ["issuer", "jwks_uri", "subject_types_supported"])
def test_a_member_that_is_missing_is_named(member: str) -> None:
    rest = {name: value for name, value in GOOD.items() if name != member}
    assert list(read(exchange(rest), ISSUER).problems) == [member]


@pytest.mark.parametrize("answer", [exchange(b"<html>"), exchange([]), exchange(GOOD, 404)])
def test_what_is_no_document_has_one_problem(answer: Exchange) -> None:
    found = read(answer, ISSUER)
    assert list(found.problems) == ["document"]
    assert found == OpenIdConfiguration(problems=found.problems)


def test_it_is_asked_for_below_the_path_of_the_issuer() -> None:
    async def serve(_: Asked) -> Answered:
        return JSONResponse(GOOD)

    async def go() -> Exchange:
        path = "/auth/.well-known/openid-configuration"
        async with client_of(Router([Route(path, serve)])) as http:
            return await fetch(http, f"{ISSUER}/")

    assert read(asyncio.run(go()), ISSUER).problems == {}
    assert openid_configuration_url("https://a.example").startswith("https://a.example/.well-known")


@given(
    st.dictionaries(
        st.sampled_from([*GOOD, "x"]),
        st.none() | st.integers() | st.text() | st.lists(st.none() | st.text()),
    )
)
def test_no_document_breaks_the_reader(body: dict[str, Any]) -> None:
    found = read(exchange(body), ISSUER)
    assert all(member in GOOD for member in found.problems)
