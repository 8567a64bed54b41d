"""Cookies go where a browser would send them, and nowhere else."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.smart.drivers.cookies import CookieJar

NOW = datetime(2026, 3, 1, tzinfo=UTC)
HOME = "https://login.ehr.example/auth/start"


def jar_with(*lines: str, url: str = HOME) -> CookieJar:
    jar = CookieJar()
    jar.store(url, lines, NOW)
    return jar


@pytest.mark.parametrize(
    ("line", "url", "sent"),
    [
        ("a=1", "https://login.ehr.example/auth/next", True),
        ("a=1", "https://login.ehr.example/other", False),
        ("a=1; Path=/", "https://login.ehr.example/other", True),
        ("a=1; Path=/au", "https://login.ehr.example/auth", False),
        ("a=1; Path=/", "https://ehr.example/", False),
        ("a=1; Path=/", "https://sub.login.ehr.example/", False),
        ("a=1; Path=/; Domain=ehr.example", "https://api.ehr.example/", True),
        ("a=1; Path=/; Domain=.ehr.example", "https://ehr.example/", True),
        ("a=1; Path=/; Domain=evil.example", "https://evil.example/", False),
        ("a=1; Path=/; Domain=example", "https://other.example/", False),
        ("a=1; Path=/; Secure", "http://login.ehr.example/", False),
        ("a=1; Path=/; Secure", "https://login.ehr.example/", True),
        ("__Host-a=1; Path=/auth; Secure", "https://login.ehr.example/auth/x", False),
        ("__Secure-a=1; Path=/", "https://login.ehr.example/", False),
        ("a=1; Path=/; Max-Age=0", "https://login.ehr.example/", False),
        ("a=1; Path=/; Expires=Wed, 01 Jan 2020 00:00:00 GMT", "https://login.ehr.example/", False),
        ("a=1; Path=/; Expires=Wed, 01 Jan 2031 00:00:00 GMT", "https://login.ehr.example/", True),
        ("a=1; Path=/; Expires=soon", "https://login.ehr.example/", True),
        ("=1; Path=/", "https://login.ehr.example/", False),
        ("a=1\x01; Path=/", "https://login.ehr.example/", False),
    ],
)
def test_a_cookie_goes_where_it_belongs(line: str, url: str, sent: bool) -> None:  # noqa: FBT001
    assert (jar_with(line).header(url, NOW) is not None) == sent


def test_a_cookie_ends_with_its_time() -> None:
    jar = jar_with("a=1; Max-Age=60")
    assert jar.header(HOME, NOW + timedelta(seconds=59)) == "a=1"
    assert jar.header(HOME, NOW + timedelta(seconds=60)) is None


def test_longer_paths_come_first_and_a_second_value_replaces_the_first() -> None:
    jar = jar_with("a=1; Path=/", "b=2; Path=/auth/start", "a=3; Path=/")
    assert jar.header(HOME, NOW) == "b=2; a=3"


def test_a_past_expiry_deletes() -> None:
    jar = jar_with("a=1", "a=; Max-Age=-1")
    assert len(jar) == 0


def test_secure_cookies_work_on_loopback() -> None:
    url = "http://127.0.0.1:8080/auth/start"
    assert jar_with("a=1; Secure", url=url).header(url, NOW) == "a=1"


def test_a_server_cannot_fill_the_jar() -> None:
    assert len(jar_with(*(f"c{n}=1" for n in range(1000)))) == 100


@given(st.lists(st.text(max_size=200), max_size=5))
def test_no_field_breaks_the_jar(lines: list[str]) -> None:
    header = jar_with(*lines).header(HOME, NOW)
    assert header is None or header.isprintable()
