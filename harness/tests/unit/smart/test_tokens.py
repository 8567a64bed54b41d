"""Token responses are read tolerantly, and what is wrong with them is kept."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.errors import OAuthError, ProtocolError
from harness.http.exchange import Exchange, Headers, Request, Response
from harness.smart.tokens import TokenResponse, oauth_error

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
GOOD = {"access_token": "at-1", "token_type": "bearer", "expires_in": 3600, "scope": "openid"}


def exchange(body: Any, status: int = 200, content_type: str = "application/json") -> Exchange:
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    response = Response(status, Headers((("Content-Type", content_type),)), content)
    return Exchange(1, "act", Request("POST", "https://ehr.example.org/token"), response, NOW, 0.1)


def parse(body: Any, status: int = 200) -> TokenResponse:
    return TokenResponse.parse(exchange(body, status), NOW)


def test_a_good_response_has_no_problems() -> None:
    token = parse(GOOD | {"patient": "p1", "need_patient_banner": True, "fhirContext": []})
    assert token.problems == ()
    assert (token.patient, token.need_patient_banner) == ("p1", True)
    assert token.expires_at == NOW + timedelta(hours=1)
    assert token.scope is not None
    assert token.scope.covers("openid")


@pytest.mark.parametrize(
    ("value", "seconds", "is_problem"),
    [
        (570, 570, False),
        ("570", 570, True),
        (570.5, 570.5, True),
        (None, None, True),
        (-1, None, True),
        (0, None, True),
        (True, None, True),
        ("soon", None, True),
        ("nan", None, True),
        ("1e999", None, True),
        (10**400, None, True),
        ([], None, True),
    ],
)
def test_the_life_of_a_token_is_read_from_what_servers_send(
    value: Any,
    seconds: float | None,
    is_problem: bool,  # noqa: FBT001 - a column of the table
) -> None:
    token = parse(GOOD | {"expires_in": value})
    assert token.expires_in == seconds
    assert (token.expires_at is None) == (seconds is None)
    assert any("expires_in" in problem for problem in token.problems) == is_problem


def test_a_missing_scope_is_unknown_and_a_problem() -> None:
    body = {name: value for name, value in GOOD.items() if name != "scope"}
    assert parse(body).scope is None
    assert parse(body).problems == ("scope: expected a string that is not empty, got nothing",)


def test_an_id_sent_as_a_number_is_still_an_id() -> None:
    token = parse(GOOD | {"patient": 12724066})
    assert token.patient == "12724066"
    assert token.problems == ("patient: expected a string that is not empty, got a number",)


@pytest.mark.parametrize(
    ("member", "value"),
    [
        ("token_type", "mac"),
        ("need_patient_banner", "true"),
        ("fhirContext", {}),
        ("refresh_token", 7),
        ("smart_style_url", []),
    ],
)
def test_members_of_the_wrong_kind_are_problems_and_not_crashes(member: str, value: Any) -> None:
    assert [p.split(":")[0] for p in parse(GOOD | {member: value}).problems] == [member]


def test_a_status_that_is_not_200_is_a_problem() -> None:
    assert parse(GOOD, 201).problems == ("status: expected 200, got 201",)


def test_a_refusal_is_an_oauth_error_whatever_its_status() -> None:
    for status in (200, 400, 401, 403):
        with pytest.raises(OAuthError) as refused:
            parse({"error": "invalid_grant", "error_description": "gone\x1b[0m"}, status)
        assert refused.value.error == "invalid_grant"
        assert refused.value.http_status == status
        assert "\x1b" not in str(refused.value)


def test_a_refusal_without_words_is_named_by_its_status() -> None:
    with pytest.raises(OAuthError, match="status 400"):
        parse({}, 400)


@pytest.mark.parametrize(
    "body", [b"<html>", b"", b"[]", b"{}", b'{"access_token": ""}', b'{"access_token": 7}']
)
def test_what_is_no_token_response_is_named(body: bytes) -> None:
    with pytest.raises(ProtocolError, match="POST /token"):
        parse(body)


def test_tokens_do_not_show() -> None:
    token = parse(GOOD | {"refresh_token": "rt-1", "id_token": "it-1", "patient": "p-9"})
    for hidden in ("at-1", "rt-1", "it-1", "p-9"):
        assert hidden not in repr(token)


def test_an_oauth_error_is_found_only_where_there_is_one() -> None:
    found = oauth_error(exchange({"error": "invalid_scope"}, 400))
    assert found is not None
    assert found.error == "invalid_scope"
    assert oauth_error(exchange(b"<html>", 500)) is None
    assert oauth_error(exchange({"error": {}}, 400)) is None


json_values = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.floats(allow_nan=False), st.text()),
    lambda children: st.one_of(
        st.lists(children, max_size=3), st.dictionaries(st.text(), children, max_size=3)
    ),
    max_leaves=6,
)
members = st.sampled_from(
    ["access_token", "token_type", "expires_in", "scope", "patient", "fhirContext", "error"]
)


@given(st.dictionaries(members, json_values), st.sampled_from([200, 400]))
def test_no_object_breaks_the_reader(body: dict[str, Any], status: int) -> None:
    try:
        token = parse(body, status)
    except ProtocolError:
        return
    assert token.access_token.strip()
