from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.errors import HostileInput
from harness.http.origin import check_url, host_of, is_private, origin, relocated

PUBLIC = "https://ehr.example/r4"


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("HTTPS://EHR.Example:443/r4?x=1", "https://ehr.example"),
        ("http://ehr.example:80", "http://ehr.example"),
        ("https://ehr.example.:8443/", "https://ehr.example:8443"),
        ("http://[::1]:8080/x", "http://[::1]:8080"),
    ],
)
def test_an_origin_is_scheme_host_and_port(url: str, expected: Any) -> None:
    assert origin(url) == expected
    assert host_of(url) == expected.split("//")[1]


@pytest.mark.parametrize(
    "url",
    [
        "",
        "/r4/Patient",
        "ftp://ehr.example/",
        "javascript:alert(1)",
        "file:///etc/passwd",
        "https://",
        "https://user:secretword@ehr.example/",
        "https://@ehr.example/",
        "https://ehr.example\\@evil.example/",
        "https://ehr.example/\r\nHost: evil",
        "https://ehr.example:99999/",
        "https://[::1/",
    ],
)
def test_anything_but_a_plain_http_url_is_refused(url: str) -> None:
    with pytest.raises(HostileInput) as caught:
        origin(url)
    assert "secretword" not in str(caught.value)
    assert "\r" not in str(caught.value)


@pytest.mark.parametrize(
    "host",
    [
        "localhost",
        "ehr.localhost",
        "127.0.0.1",
        "127.1",
        "2130706433",
        "0x7f000001",
        "0.0.0.0",
        "10.1.2.3",
        "192.168.0.1",
        "169.254.169.254",
        "[::1]",
        "[fe80::1]",
        "[::ffff:10.0.0.1]",
        "[fd00::1]",
        "metadata.google.internal",
    ],
)
def test_a_public_ehr_may_not_point_to_a_private_host(host: str) -> None:
    assert is_private(host)
    with pytest.raises(HostileInput, match="extra_origins"):
        check_url(f"https://{host}/token", PUBLIC)


@pytest.mark.parametrize(
    "host", ["ehr.example", "8.8.8.8", "localhost.ehr.example", "[2606:4700::1]"]
)
def test_public_hosts_are_public(host: str) -> None:
    assert not is_private(host)


def test_a_private_ehr_may_point_to_itself_and_its_neighbours() -> None:
    base = "http://127.0.0.1:8000/r4"
    assert check_url("http://127.0.0.1:9000/token", base) == "http://127.0.0.1:9000"
    assert check_url("https://ehr.example/token", base) == "https://ehr.example"


def test_the_ehr_file_may_permit_more() -> None:
    allowed = frozenset({"http://10.0.0.1"})
    assert check_url("http://10.0.0.1/token", PUBLIC, allowed) == "http://10.0.0.1"


def test_https_is_not_left_for_plain_http() -> None:
    with pytest.raises(HostileInput, match="plain http"):
        check_url("http://auth.ehr.example/token", PUBLIC)


@given(st.text(max_size=60))
def test_any_text_is_an_origin_or_refused(text: str) -> None:
    for url in (text, f"https://{text}/", f"https://ehr.example/{text}"):
        with suppress(HostileInput):
            assert origin(url).startswith(("http://", "https://"))


@pytest.mark.parametrize(
    ("url", "asked"),
    [
        (f"{PUBLIC}/Patient/1", "http://127.0.0.1:9/fhir/Patient/1"),
        (f"{PUBLIC}?_getpages=1", "http://127.0.0.1:9/fhir?_getpages=1"),
        (PUBLIC, "http://127.0.0.1:9/fhir"),
        (f"{PUBLIC}-other/Patient/1", f"{PUBLIC}-other/Patient/1"),
        ("https://ehr.example/oauth/token", "https://ehr.example/oauth/token"),
        ("http://127.0.0.1:9/fhir/Patient/1", "http://127.0.0.1:9/fhir/Patient/1"),
    ],
)
def test_what_lies_below_a_replaced_base_is_asked_below_the_new_one(url: str, asked: str) -> None:
    assert relocated(url, PUBLIC, "http://127.0.0.1:9/fhir/") == asked


def test_nothing_moves_where_no_base_was_replaced() -> None:
    assert relocated(f"{PUBLIC}/Patient/1", None, "http://127.0.0.1:9") == f"{PUBLIC}/Patient/1"
