from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.errors import ProtocolError
from harness.http.exchange import MAX_DEPTH, Exchange, Headers, Request, Response, kind_of


def answered(body: bytes, *headers: tuple[str, str]) -> Exchange:
    request = Request("GET", "https://ehr.example/r4/x?secret=hush")
    response = Response(200, Headers(headers), body)
    return Exchange(1, "act", request, response, datetime(2026, 5, 1, tzinfo=UTC), 0.1)


def test_header_names_compare_without_case_and_duplicates_are_kept() -> None:
    headers = Headers((("Set-Cookie", "a"), ("set-cookie", "b"), ("ETag", "1")))
    assert headers.get("SET-COOKIE") == "a"
    assert headers.get_all("Set-Cookie") == ("a", "b")
    assert "etag" in headers
    assert 1 not in headers
    assert headers.get("absent", "x") == "x"
    assert headers.with_("set-cookie", "c").get_all("Set-Cookie") == ("c",)


def test_no_repr_shows_more_than_method_path_and_status() -> None:
    exchange = answered(b"{}", ("Content-Type", "Application/FHIR+json; charset=utf-8"))
    assert repr(exchange) == "<Exchange GET /r4/x -> 200>"
    assert repr(exchange.request) == "<GET /r4/x>"
    assert repr(exchange.response) == "<200, 2 bytes>"
    assert exchange.media_type == "application/fhir+json"
    assert answered(b"").media_type is None


def test_a_body_is_parsed_once() -> None:
    exchange = answered(b'\xef\xbb\xbf{"a": [1]}')
    assert exchange.json() is exchange.json()
    assert exchange.json_object() == {"a": [1]}


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (b"", "got an empty body"),
        (b" \n<html>", "got HTML or XML"),
        (b'{"a": NaN}', "NaN is not JSON"),
        (b"\xff\xfe{}", "4 bytes that are not JSON"),
        (b"[" * 100_000, "deeper than 100"),
        (b"[" * (MAX_DEPTH + 1) + b"]" * (MAX_DEPTH + 1), "deeper than 100"),
        (b'{"a":' * 101 + b"1" + b"}" * 101, "deeper than 100"),
        (b'[{"]":' * 51 + b"1" + b"}]" * 51, "deeper than 100"),
    ],
)
def test_what_is_no_usable_json_is_said(body: bytes, message: str) -> None:
    with pytest.raises(ProtocolError, match=message) as caught:
        answered(body).json()
    assert "GET /r4/x:" in str(caught.value)
    assert "hush" not in str(caught.value)


def test_the_deepest_json_that_is_allowed_is_read() -> None:
    answered(b"[" * MAX_DEPTH + b"]" * MAX_DEPTH).json()
    answered(b'[{"[":' * 50 + rb'"\"[[[["' + b"}]" * 50).json()


@pytest.mark.parametrize(
    ("body", "kind"),
    [(b"[]", "an array"), (b'"x"', "a string"), (b"true", "a boolean"), (b"1.5", "a number")],
)
def test_json_that_is_no_object_is_named(body: bytes, kind: str) -> None:
    with pytest.raises(ProtocolError, match=f"expected a JSON object, got {kind}"):
        answered(body).json_object()
    assert kind_of(None) == "null"


@given(st.binary(max_size=100) | st.text(max_size=50).map(str.encode))
def test_any_body_is_json_or_a_protocol_error(body: bytes) -> None:
    try:
        value: Any = answered(body).json()
    except ProtocolError:
        return
    assert kind_of(value)
