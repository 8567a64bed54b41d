from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.fhir.bundle import Bundle
from harness.fhir.client import FhirClient
from harness.fhir.paging import Ending, Pages
from harness.fhir.search import Search
from harness.http.exchange import Exchange, Headers, Response
from harness.tests.unit.fhir.fake import BASE, FakeServer, talk

SEARCH = Search.on("Observation", patient="1")
FIRST = f"{BASE}/Observation?patient=1"


def page(*ids: str, following: str | None = None) -> dict[str, Any]:
    links = [{"relation": "self", "url": FIRST}]
    if following is not None:
        links.append({"relation": "next", "url": following})
    entries = [{"resource": {"resourceType": "Observation", "id": each}} for each in ids]
    return {"resourceType": "Bundle", "type": "searchset", "link": links, "entry": entries}


def follow(server: FakeServer, **options: Any) -> tuple[list[Exchange], Pages]:
    async def conversation(client: FhirClient) -> tuple[list[Exchange], Pages]:
        pages = Pages(client, SEARCH, **options)
        return [each async for each in pages], pages

    return talk(server, conversation)


def ids(exchanges: list[Exchange]) -> list[str]:
    return [each["id"] for exchange in exchanges for each in Bundle.of(exchange).matches]


@given(st.lists(st.integers(0, 3), min_size=1, max_size=30))
def test_every_row_of_every_page_arrives_once_and_in_order(sizes: list[int]) -> None:
    rows = [[f"{number}-{row}" for row in range(size)] for number, size in enumerate(sizes)]
    urls = [FIRST, *(f"{BASE}?_getpages={number}" for number in range(1, len(sizes)))]
    answers = {
        url: page(*rows[number], following=urls[number + 1] if number + 1 < len(urls) else None)
        for number, url in enumerate(urls)
    }
    exchanges, pages = follow(FakeServer(answers), max_empty=99)
    assert ids(exchanges) == [row for page_rows in rows for row in page_rows]
    assert pages.ending is Ending.COMPLETE


@pytest.mark.parametrize(
    ("link", "url"),
    [
        (f"{BASE}/Observation?c=a+b%2B&d=e==", f"{BASE}/Observation?c=a+b%2B&d=e=="),
        ("https://EHR.example:443/r4/x?y", "https://EHR.example:443/r4/x?y"),
        ("/r4/Observation?page=2+", f"{BASE}/Observation?page=2+"),
        ("Observation?page=2", f"{BASE}/Observation?page=2"),
        ("?page=2", f"{BASE}/Observation?page=2"),
    ],
)
def test_a_next_link_is_kept_as_it_came(link: str, url: str) -> None:
    server = FakeServer({FIRST: page("1", following=link), url: page("2")})
    exchanges, pages = follow(server)
    assert server.urls == [FIRST, url]
    assert ids(exchanges) == ["1", "2"]
    assert pages.ending is Ending.COMPLETE


@pytest.mark.parametrize(
    "link",
    [
        "https://evil.example/r4?page=2",
        f"https://evil.example/?x={BASE}",
        "https://ehr.example.evil.example/r4",
        "https://ehr.example@evil.example/r4",
        "http://ehr.example/r4?page=2",
        "https://ehr.example:8443/r4",
        "//evil.example/r4",
        "javascript:alert(1)",
        "file:///etc/passwd",
        "https://ehr.example/r4\r\nX: y",
    ],
)
def test_a_next_link_to_elsewhere_is_never_asked(link: str) -> None:
    server = FakeServer({FIRST: page("1", following=link)})
    exchanges, pages = follow(server)
    assert server.urls == [FIRST]
    assert ids(exchanges) == ["1"]
    assert pages.ending is Ending.FOREIGN
    assert "\r" not in pages.detail


def test_a_link_to_a_page_already_seen_is_a_loop() -> None:
    second = f"{BASE}?page=2"
    server = FakeServer({FIRST: page("1", following=second), second: page("2", following=FIRST)})
    exchanges, pages = follow(server)
    assert ids(exchanges) == ["1", "2"]
    assert pages.ending is Ending.LOOP
    assert follow(FakeServer({FIRST: page("1", following=FIRST)}))[1].ending is Ending.LOOP


def test_the_same_rows_under_a_fresh_link_are_a_loop_too() -> None:
    second, third = f"{BASE}?page=2", f"{BASE}?page=3"
    server = FakeServer(
        {
            FIRST: page("1", following=second),
            second: page("1", following=third),
            third: page("1"),
        }
    )
    _, pages = follow(server)
    assert server.urls == [FIRST, second]
    assert pages.ending is Ending.LOOP


def test_an_empty_page_in_the_middle_is_no_end_but_endless_ones_are() -> None:
    urls = [FIRST, *(f"{BASE}?page={number}" for number in range(2, 9))]
    answers = {url: page(following=later) for url, later in pairwise(urls)}
    _, pages = follow(FakeServer(answers), max_empty=3)
    assert pages.ending is Ending.LIMIT
    assert "without an entry" in pages.detail


def test_the_number_of_pages_is_bounded() -> None:
    urls = [FIRST, *(f"{BASE}?page={number}" for number in range(2, 9))]
    answers = {url: page(url, following=later) for url, later in pairwise(urls)}
    exchanges, pages = follow(FakeServer(answers), max_pages=3)
    assert len(exchanges) == 3
    assert pages.ending is Ending.LIMIT


def test_an_error_in_the_middle_is_said_and_kept() -> None:
    second = f"{BASE}?page=2"
    outcome = b'{"resourceType":"OperationOutcome","issue":[{"severity":"fatal","code":"expired"}]}'
    gone = Response(410, Headers(), outcome)
    exchanges, pages = follow(FakeServer({FIRST: page("1", following=second), second: gone}))
    assert [each.status for each in exchanges] == [200, 410]
    assert pages.ending is Ending.STATUS
    assert pages.detail == "410: fatal expired"


@pytest.mark.parametrize("body", [b"<html>", b"[]", b'{"resourceType":"OperationOutcome"}', b""])
def test_a_page_that_is_no_bundle_is_said_and_kept(body: bytes) -> None:
    exchanges, pages = follow(FakeServer({FIRST: Response(200, Headers(), body)}))
    assert len(exchanges) == 1
    assert pages.ending is Ending.UNUSABLE
    assert pages.detail


def test_after_a_first_page_by_post_the_next_is_a_get() -> None:
    url, second = f"{BASE}/Observation/_search", f"{BASE}?page=2"
    server = FakeServer({url: page("1", following=second), second: page("2")})
    _, pages = follow(server, post=True)
    assert [each.method for each in server.asked] == ["POST", "GET"]
    assert pages.ending is Ending.COMPLETE
