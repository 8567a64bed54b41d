import json
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from harness.errors import HostileInput
from harness.fhir.client import FhirClient
from harness.fhir.search import Search
from harness.fhir.writes import to_create
from harness.http.exchange import Request
from harness.tests.unit.fhir.fake import BASE, FakeServer, talk

OBSERVATION = {"resourceType": "Observation", "id": "7"}


def asked(url: str, conversation: Callable[[FhirClient], Awaitable[Any]]) -> Request:
    server = FakeServer({url: {}})
    talk(server, conversation)
    assert len(server.asked) == 1
    return server.asked[0]


def test_a_read_is_a_get_with_the_token() -> None:
    request = asked(f"{BASE}/Patient/85", lambda client: client.read("Patient", "85"))
    assert request.method == "GET"
    assert request.headers.get("Accept") == "application/fhir+json"
    assert request.headers.get("Authorization") == "Bearer t0ken"


@pytest.mark.parametrize(
    ("identity", "segment"), [("e.x-1", "e.x-1"), ("../x?y", "..%2Fx%3Fy"), ("a" * 90, "a" * 90)]
)
def test_an_id_stays_one_segment(identity: str, segment: str) -> None:
    asked(f"{BASE}/Patient/{segment}", lambda client: client.read("Patient", identity))


@pytest.mark.parametrize("identity", ["", ".", ".."])
def test_an_id_that_would_leave_its_segment_is_refused(identity: str) -> None:
    with pytest.raises(HostileInput, match="expected an id"):
        talk(FakeServer({}), lambda client: client.read("Patient", identity))


def test_a_search_by_get_keeps_order_and_encodes_what_has_meaning() -> None:
    search = Search.on("Observation", patient="85", _count="2").and_("code", "http://loinc.org|1+1")
    url = f"{BASE}/Observation?patient=85&_count=2&code=http%3A%2F%2Floinc.org%7C1%2B1"
    assert search.url(BASE) == url
    assert asked(url, lambda client: client.search(search)).method == "GET"
    assert str(search) == url.removeprefix(f"{BASE}/")


def test_a_search_is_made_anew_and_its_pages_and_reads_may_come_from_a_cache() -> None:
    search = Search.on("Observation", patient="85")
    request = asked(search.url(BASE), lambda client: client.search(search))
    assert request.headers.get("Cache-Control") == "no-cache"
    page = f"{BASE}?_getpages=1"
    assert asked(page, lambda client: client.page(page)).headers.get("Cache-Control") is None


def test_a_search_by_post_has_its_parameters_in_the_body_only() -> None:
    search = Search("Observation", (("patient", "85"), ("patient", "86")))
    url = f"{BASE}/Observation/_search"
    request = asked(url, lambda client: client.search(search, post=True))
    assert request.body == b"patient=85&patient=86"
    assert request.headers.get("Cache-Control") == "no-cache"
    assert request.headers.get("Content-Type") == "application/x-www-form-urlencoded"
    assert request.headers.get_all("Accept") == ("application/fhir+json",)


def test_a_create_posts_to_the_type() -> None:
    request = asked(
        f"{BASE}/Observation",
        lambda client: client.create(OBSERVATION, if_none_exist="identifier=x"),
    )
    assert (request.method, json.loads(request.body)) == ("POST", OBSERVATION)
    assert request.headers.get("Content-Type") == "application/fhir+json"
    assert request.headers.get("If-None-Exist") == "identifier=x"


def test_an_update_puts_to_the_resource_and_a_delete_names_it() -> None:
    url = f"{BASE}/Observation/7"
    request = asked(url, lambda client: client.update(OBSERVATION, if_match="3"))
    assert (request.method, request.headers.get("If-Match")) == ("PUT", 'W/"3"')
    assert asked(url, lambda client: client.delete("Observation", "7")).method == "DELETE"


@pytest.mark.parametrize(
    ("given", "sent"), [("3", 'W/"3"'), ('"3"', '"3"'), ('W/"3"', 'W/"3"'), ("*", "*")]
)
def test_a_bare_version_goes_out_as_a_weak_etag_and_an_etag_as_it_is(given: str, sent: str) -> None:
    url = f"{BASE}/Observation/7"
    request = asked(url, lambda client: client.delete("Observation", "7", if_match=given))
    assert request.headers.get("If-Match") == sent


def test_an_update_may_go_to_another_id_than_the_resource_says() -> None:
    url = f"{BASE}/Observation/8"
    request = asked(url, lambda client: client.update(OBSERVATION, identity="8"))
    assert json.loads(request.body)["id"] == "7"


def test_a_conditional_update_puts_to_a_search() -> None:
    url = f"{BASE}/Observation?identifier=urn%3Ax%7C1"
    search = Search.on("Observation", identifier="urn:x|1")
    request = asked(url, lambda client: client.update_where(OBSERVATION, search))
    assert request.method == "PUT"


def test_a_patch_sends_operations_in_their_own_media_type() -> None:
    operations = [{"op": "replace", "path": "/status", "value": "amended"}]
    request = asked(
        f"{BASE}/Observation/7",
        lambda client: client.patch("Observation", "7", operations, if_match="3"),
    )
    assert (request.method, json.loads(request.body)) == ("PATCH", operations)
    assert request.headers.get("Content-Type") == "application/json-patch+json"
    assert request.headers.get("Accept") == "application/fhir+json"
    assert request.headers.get("If-Match") == 'W/"3"'


def test_versions_and_histories_are_read_at_three_levels() -> None:
    at = f"{BASE}/Observation/7/_history"
    assert asked(f"{at}/2", lambda client: client.vread("Observation", "7", "2")).method == "GET"
    histories = (
        asked(at, lambda client: client.history("Observation", "7")),
        asked(f"{BASE}/Observation/_history", lambda client: client.history("Observation")),
        asked(f"{BASE}/_history", lambda client: client.history()),
    )
    assert {each.headers.get("Cache-Control") for each in histories} == {"no-cache"}
    with pytest.raises(HostileInput, match="expected an id"):
        talk(FakeServer({}), lambda client: client.vread("Observation", "7", ".."))


@pytest.mark.parametrize(("transaction", "kind"), [(False, "batch"), (True, "transaction")])
def test_a_bundle_is_posted_to_the_base(transaction: bool, kind: str) -> None:  # noqa: FBT001 - a parameter set
    entry = to_create(OBSERVATION, "identifier=x")
    request = asked(BASE, lambda client: client.bundle([entry], transaction=transaction))
    body = json.loads(request.body)
    assert (request.method, body["type"]) == ("POST", kind)
    assert request.headers.get("Cache-Control") == "no-cache"
    assert body["entry"][0]["request"] == {
        "method": "POST",
        "url": "Observation",
        "ifNoneExist": "identifier=x",
    }


def test_bytes_that_are_no_resource_go_out_as_they_are() -> None:
    request = asked(
        f"{BASE}/Observation", lambda client: client.post("Observation", b"{", "text/plain")
    )
    assert (request.method, request.body) == ("POST", b"{")
    assert request.headers.get("Content-Type") == "text/plain"


def test_a_token_may_be_given_as_it_is_or_not_at_all() -> None:
    async def plain(client: FhirClient) -> None:
        await FhirClient(client.http, BASE, "other").read("Patient", "1")
        await FhirClient(client.http, BASE).read("Patient", "1")

    server = FakeServer({f"{BASE}/Patient/1": {}})
    talk(server, plain)
    sent = [each.headers.get("Authorization") for each in server.asked]
    assert sent == ["Bearer other", None]


def test_a_page_of_another_origin_is_refused() -> None:
    with pytest.raises(HostileInput, match="access token"):
        talk(FakeServer({}), lambda client: client.page("https://evil.example/r4?x"))
