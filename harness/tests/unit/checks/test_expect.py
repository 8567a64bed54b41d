"""Expectations: what they accept, and what they say of a miss."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.checks.expect import Expectation, expect, watching
from harness.errors import NotConformant
from harness.http.exchange import Exchange, Headers, Request, Response


def exchange(body: Any = None, status: int = 200, **headers: str) -> Exchange:
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    fields = Headers(tuple((name.replace("_", "-"), value) for name, value in headers.items()))
    request = Request("POST", "https://ehr.example/token?code=secret")
    response = Response(status, fields, content)
    return Exchange(3, "act", request, response, datetime(2026, 1, 1, tzinfo=UTC), 0.1)


def miss(chain: Callable[[Expectation], object], subject: Exchange) -> NotConformant:
    with pytest.raises(NotConformant) as caught:
        chain(expect(subject))
    return caught.value


def test_a_chain_accepts_what_is_as_asked() -> None:
    answer = exchange(
        {"a": {"b": [1, "two"]}, "t": True, "n": 1.5},
        Content_Type="application/fhir+json; charset=utf-8",
        Vary="Accept, Authorization",
    )
    chain = expect(answer).status(200, 201).status_between(200, 299)
    chain.media_type("application/json", "application/fhir+json")
    chain.header("vary", contains="authorization").header("Vary", matches="^Accept")
    chain.no_header("ETag").json().json_object()
    chain.member("a.b", list).member("a.b.1", str, equals="two").member("a.b", contains="two")
    chain.member("t", bool, equals=True).member("n", float).no_member("a.c")
    chain.member("a.b.0", int, one_of=(1, 2))


@pytest.mark.parametrize(
    ("chain", "expected", "actual"),
    [
        (lambda e: e.status(200, 201), "status 200 or 201", "status 400 (invalid_grant)"),
        (lambda e: e.status_between(200, 299), "status 200 to 299", "status 400 (invalid_grant)"),
        (lambda e: e.media_type("application/json"), "media type application/json", "text/html"),
        (lambda e: e.header("ETag"), "header ETag", "absent"),
        (lambda e: e.member("a.z", str), "member a.z of type a string", "absent"),
        (lambda e: e.member("n", int), "member n to be an integer", "True"),
        (lambda e: e.member("n", equals=1), "member n to be 1", "True"),
        (lambda e: e.member("l", items=str), "each item a string", "[1, 2]"),
        (lambda e: e.member("l", contains=3), "member l to contain 3", "[1, 2]"),
        (lambda e: e.member("l", matches="x"), "member l to match x", "[1, 2]"),
        (lambda e: e.no_member("n"), "no member n", "True"),
        (lambda e: e.refused_by_oauth(401), "status 401", "status 400 (invalid_grant)"),
    ],
)
def test_a_miss_says_what_was_expected_what_came_and_where(
    chain: Any, expected: Any, actual: str
) -> None:
    answer = exchange(
        {"error": "invalid_grant", "n": True, "l": [1, 2]}, status=400, Content_Type="text/html"
    )
    caught = miss(chain, answer)
    assert expected in caught.expected
    assert caught.actual == actual
    # Never the query: it may hold a code.
    assert caught.where == "POST /token"


def test_a_body_that_is_no_json_is_a_miss_and_no_defect() -> None:
    caught = miss(lambda e: e.member("x"), exchange(b"<html>"))
    assert (caught.expected, caught.actual.startswith("expected JSON, got HTML")) == (
        "a JSON body",
        True,
    )
    assert miss(lambda e: e.json_object(), exchange([1])).actual == "an array"


def test_free_text_of_an_error_is_never_quoted() -> None:
    outcome = {
        "resourceType": "OperationOutcome",
        "issue": [{"code": "not-found", "diagnostics": "Mrs Recognisable"}],
    }
    assert miss(lambda e: e.status(200), exchange(outcome, 404)).actual == "status 404 (not-found)"
    hostile = {"error": "<b>Mrs Recognisable</b>"}
    assert miss(lambda e: e.status(200), exchange(hostile, 400)).actual == "status 400"


def test_with_real_data_values_are_described_and_not_quoted() -> None:
    answer = exchange({"name": "Recognisable", "names": ["Recognisable"]})
    with watching(values=False) as watch:
        assert miss(lambda e: e.member("name", equals="x"), answer).actual == "a string"
        assert miss(lambda e: e.member("names", contains="x"), answer).actual == "an array"
    assert watch.exchanges == [answer, answer]


def test_a_long_value_is_shortened() -> None:
    assert len(miss(lambda e: e.no_member("x"), exchange({"x": "y" * 9999})).actual) < 200


def test_the_value_of_an_act_is_a_subject_as_well() -> None:
    class Grant:
        exchange = exchange({})

    with watching(values=True) as watch:
        expect(Grant()).that(1, expected="x", actual="y")
        with pytest.raises(NotConformant) as caught:
            expect(object()).that(0, expected="x", actual="y")
    assert caught.value.where is None
    assert watch.exchanges == [Grant.exchange]
    with pytest.raises(TypeError):
        expect(object()).status(200)


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(),
        lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    ),
    st.text(),
)
def test_any_json_and_any_path_end_in_a_verdict(value: Any, path: str) -> None:
    chain = expect(exchange(value))
    found = _holds(lambda: chain.member(path))
    absent = _holds(lambda: chain.no_member(path))
    # Of anything but an object both are misses; of an object exactly one is.
    assert (found, absent) in (
        {(True, False), (False, True)} if isinstance(value, dict) else {(False, False)}
    )


def _holds(ask: Callable[[], object]) -> bool:
    try:
        ask()
    except NotConformant:
        return False
    return True
