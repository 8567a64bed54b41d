"""Exported files: compressed, in parts, for whom, and behind signed links at another origin."""

from __future__ import annotations

import gzip
import json
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlsplit

import httpx
import pytest

from harness.tests.integration.reference.bulk_client import ask, export, location
from harness.tests.integration.reference.conftest import NewApp, NewInstance
from harness.tests.integration.reference.fhir_server import Endpoint, FhirServer
from harness.tests.reference_process import Running

NDJSON = "application/fhir+ndjson"


@pytest.fixture(scope="module")
def endpoint(server: FhirServer) -> Endpoint:
    return server.endpoint()


@pytest.fixture(scope="module")
def client(endpoint: Endpoint) -> httpx.Client:
    return endpoint.client()


@pytest.fixture(scope="module")
def file(client: httpx.Client) -> str:
    """The URL of a file of several blocks."""
    (only,) = export(client, _type="Observation")["output"]
    return str(only["url"])


def whole(client: httpx.Client, file: str) -> bytes:
    return client.get(file, headers={"Accept-Encoding": "identity"}).content


def test_a_file_is_compressed_for_who_takes_that(client: httpx.Client, file: str) -> None:
    with client.stream("GET", file, headers={"Accept-Encoding": "gzip"}) as answer:
        assert answer.headers["content-encoding"] == "gzip"
        packed = b"".join(answer.iter_raw())
    plain = client.get(file, headers={"Accept-Encoding": "identity"})
    assert "content-encoding" not in plain.headers
    assert int(plain.headers["content-length"]) == len(plain.content) > 10 * len(packed)
    assert gzip.decompress(packed) == plain.content


@pytest.mark.parametrize(
    ("asked", "start", "stop"),
    [
        ("bytes=0-99", 0, 100),
        ("bytes=300000-", 300_000, None),
        ("bytes=262000-524400", 262_000, 524_401),
        ("bytes=-17", -17, None),
        ("bytes=5-5", 5, 6),
        ("bytes=10-99999999", 10, None),
    ],
)
def test_a_part_of_a_file_can_be_asked_for(
    client: httpx.Client, file: str, asked: str, start: int, stop: int | None
) -> None:
    content = whole(client, file)
    answer = client.get(file, headers={"Range": asked})
    assert answer.status_code == 206
    assert "content-encoding" not in answer.headers
    assert answer.content == content[start:stop]
    first = start if start >= 0 else len(content) + start
    last = first + len(answer.content) - 1
    assert answer.headers["content-range"] == f"bytes {first}-{last}/{len(content)}"


@pytest.mark.parametrize("asked", ["bytes=99999999-", "bytes=-0"])
def test_a_part_that_does_not_exist_is_refused(client: httpx.Client, file: str, asked: str) -> None:
    answer = client.get(file, headers={"Range": asked})
    assert answer.status_code == 416
    assert answer.headers["content-range"] == f"bytes */{len(whole(client, file))}"


@pytest.mark.parametrize("asked", ["bytes=", "bytes=-", "lines=1-2", "bytes=0-1,5-6", "bytes=9-3"])
def test_a_range_that_is_none_is_passed_over(client: httpx.Client, file: str, asked: str) -> None:
    answer = client.get(file, headers={"Range": asked})
    assert answer.status_code == 200
    assert answer.content == whole(client, file)


def test_a_part_belongs_to_the_file_that_was_begun(client: httpx.Client, file: str) -> None:
    tag = client.head(file).headers["etag"]
    known = client.get(file, headers={"Range": "bytes=5-", "If-Range": tag})
    other = client.get(file, headers={"Range": "bytes=5-", "If-Range": '"other"'})
    assert [known.status_code, other.status_code] == [206, 200]


def test_a_server_may_know_nothing_of_parts(server: FhirServer) -> None:
    client = server.endpoint(ranges=False).client()
    url = export(client, _type="Patient")["output"][0]["url"]
    answer = client.get(url, headers={"Range": "bytes=5-"})
    assert answer.status_code == 200
    assert answer.headers["accept-ranges"] == "none"
    assert answer.content == whole(client, url)


@pytest.mark.parametrize("accept", [NDJSON, "*/*", "text/html, application/ndjson;q=0.5"])
def test_a_file_is_sent_to_who_takes_ndjson(client: httpx.Client, file: str, accept: str) -> None:
    answer = client.head(file, headers={"Accept": accept})
    assert answer.status_code == 200
    assert answer.headers["content-type"] == NDJSON
    assert not answer.content


def test_a_file_is_not_sent_to_who_takes_json_alone(client: httpx.Client, file: str) -> None:
    assert client.get(file, headers={"Accept": "application/fhir+json"}).status_code == 406


def test_a_file_needs_the_scopes_of_its_type(endpoint: Endpoint, file: str) -> None:
    assert endpoint.client("system/Observation.rs").get(file).status_code == 200
    assert endpoint.client("system/Patient.rs").get(file).status_code == 403


def test_there_are_no_files_while_the_export_is_under_way(server: FhirServer) -> None:
    client = server.endpoint(seconds=60).client()
    where = location(ask(client, _type="Patient"))
    file = where.replace("$bulk-status", "$bulk-files") + "/Patient-1.ndjson"
    assert client.get(file).status_code == 404


@pytest.fixture
def presigned(new_instance: NewInstance) -> dict[str, Any]:
    return new_instance(bulk={"presigned": True, "link_seconds": 60})


@pytest.fixture
def backend(presigned: dict[str, Any], new_app: NewApp) -> httpx.Client:
    app = new_app("harness-backend", presigned["fhir_base"])
    token = app.backend("system/*.rs").json()["access_token"]
    app.machine.headers["Authorization"] = f"Bearer {token}"
    app.machine.base_url = presigned["fhir_base"]
    return app.machine


@pytest.fixture
def links(backend: httpx.Client) -> list[str]:
    found = export(backend, "Patient/$export", _type="Patient,Goal")
    assert found["requiresAccessToken"] is False
    return [one["url"] for one in found["output"]]


@pytest.fixture
def stranger() -> Iterator[httpx.Client]:
    with httpx.Client(trust_env=False, verify=False) as client:
        yield client


def test_a_signed_link_opens_a_file_at_another_origin_without_a_token(
    reference: Running, links: list[str], stranger: httpx.Client
) -> None:
    for link in links:
        assert urlsplit(link).netloc != urlsplit(reference.fhir_base).netloc
        assert link.startswith(str(reference.ready["storage"]))
        answer = stranger.get(link)
        assert answer.status_code == 200
        assert answer.headers["content-type"] == NDJSON
        assert all(json.loads(line)["id"] for line in answer.text.splitlines())
        part = stranger.get(link, headers={"Range": "bytes=3-9"})
        assert (part.status_code, part.content) == (206, answer.content[3:10])


def test_a_signed_link_refuses_a_request_with_a_token(
    links: list[str], backend: httpx.Client
) -> None:
    answer = backend.get(links[0])
    assert answer.status_code == 400
    assert "<Code>InvalidArgument</Code>" in answer.text


def test_a_link_that_was_altered_or_guessed_opens_nothing(
    links: list[str], stranger: httpx.Client
) -> None:
    patient, goal = links
    altered = [
        patient.replace("Patient-1", "Goal-1"),
        goal.replace("expires=", "expires=9"),
        goal.partition("?")[0],
        goal[:-1],
        goal + "0",
        goal.replace("expires=", "expires=x"),
    ]
    assert {stranger.get(one).status_code for one in altered} <= {403}
    assert stranger.get(goal.replace("/test-", "/other-")).status_code == 404
    assert stranger.post(goal).status_code == 405


def test_a_link_expires_and_the_status_gives_a_new_one(
    reference: Running,
    presigned: dict[str, Any],
    backend: httpx.Client,
    stranger: httpx.Client,
) -> None:
    where = location(ask(backend, "Patient/$export", _type="Patient"))
    (first,) = backend.get(where).json()["output"]
    reference.advance(61, presigned["name"])
    assert stranger.get(first["url"]).status_code == 403
    (second,) = backend.get(where).json()["output"]
    assert stranger.get(second["url"]).status_code == 200


def test_a_link_is_dead_once_the_export_is_deleted(
    backend: httpx.Client, stranger: httpx.Client
) -> None:
    where = location(ask(backend, "Patient/$export", _type="Patient"))
    (only,) = backend.get(where).json()["output"]
    assert stranger.get(only["url"]).status_code == 200
    assert backend.delete(where).status_code == 202
    assert stranger.get(only["url"]).status_code == 404


def test_signed_links_are_counted_by_their_instance(
    reference: Running, presigned: dict[str, Any], links: list[str], stranger: httpx.Client
) -> None:
    stranger.get(links[0])
    counted = reference.control("GET", f"/instances/{presigned['name']}/requests")["requests"]
    assert {"method": "GET", "route": "(storage)", "status": 200, "count": 1} in counted
