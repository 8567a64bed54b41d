"""The status of an export: how long it takes, who may ask, how its manifest is cut."""

from __future__ import annotations

from email.utils import parsedate_to_datetime

import httpx
import pytest

from harness.reference.fhir.resources import RESOURCES
from harness.tests.integration.reference.bulk_client import ask, location, references, truth
from harness.tests.integration.reference.fhir_server import FhirServer


def test_an_export_takes_as_many_polls_as_it_is_told_to(server: FhirServer) -> None:
    client = server.endpoint(polls=3).client()
    where = location(ask(client))
    answers = [client.get(where) for _ in range(4)]
    assert [one.status_code for one in answers] == [202, 202, 202, 200]
    told = [one.headers["x-progress"] for one in answers[:3]]
    assert told == ["25% complete", "50% complete", "75% complete"]
    assert {one.headers["retry-after"] for one in answers[:3]} == {"1"}
    assert not answers[0].content
    assert answers[3].headers["content-type"].startswith("application/json")


def test_an_export_takes_as_long_as_it_is_told_to_by_its_own_clock(server: FhirServer) -> None:
    endpoint = server.endpoint(seconds=100)
    client = endpoint.client()
    where = location(ask(client))
    endpoint.ehr.clock.advance(40)
    answer = client.get(where)
    assert answer.status_code == 202
    assert answer.headers["x-progress"] == "40% complete"
    assert answer.headers["retry-after"] == "60"
    endpoint.ehr.clock.advance(60)
    assert client.get(where).status_code == 200


@pytest.mark.parametrize("kind", ["date", "none"])
def test_when_to_come_back_is_said_otherwise_too(server: FhirServer, kind: str) -> None:
    client = server.endpoint(seconds=100, retry_after=kind).client()
    answer = client.get(location(ask(client)))
    assert answer.status_code == 202
    if kind == "none":
        assert "retry-after" not in answer.headers
    else:
        later, now = (parsedate_to_datetime(answer.headers[n]) for n in ("retry-after", "date"))
        assert 99 <= (later - now).total_seconds() <= 103


def test_who_polls_too_fast_is_refused_and_loses_nothing(server: FhirServer) -> None:
    endpoint = server.endpoint(poll_seconds=10, polls=1)
    client = endpoint.client()
    where = location(ask(client))
    assert client.get(where).status_code == 202
    hasty = client.get(where)
    assert hasty.status_code == 429
    assert hasty.headers["retry-after"] == "10"
    assert hasty.json()["issue"][0]["code"] == "throttled"
    endpoint.ehr.clock.advance(10)
    assert client.get(where).status_code == 200


def test_the_manifest_is_the_same_each_time(server: FhirServer) -> None:
    client = server.endpoint().client()
    where = location(ask(client))
    assert client.get(where).json() == client.get(where).json()


def test_another_client_learns_nothing_of_an_export(server: FhirServer) -> None:
    endpoint = server.endpoint()
    mine, other = endpoint.client(), endpoint.client(client_id="other")
    where = location(ask(mine))
    file = mine.get(where).json()["output"][0]["url"]
    answers = [other.get(where), other.delete(where), other.get(file)]
    assert [one.status_code for one in answers] == [404, 404, 404]
    assert mine.get(file).status_code == 200


def test_one_export_at_a_time_until_it_is_deleted(server: FhirServer) -> None:
    endpoint = server.endpoint(one_at_a_time=True)
    client = endpoint.client()
    where = location(ask(client, _type="Patient"))
    assert client.get(where).status_code == 200
    refused = ask(client, _type="Patient")
    assert refused.status_code == 429
    assert refused.headers["retry-after"] == "60"
    assert ask(endpoint.client(client_id="other"), _type="Patient").status_code == 202
    client.delete(where)
    assert ask(client, _type="Patient").status_code == 202


def test_a_manifest_comes_in_pages_where_it_is_told_to(server: FhirServer) -> None:
    endpoint = server.endpoint(page_size=4)
    client = endpoint.client()
    where: str | None = location(ask(client))
    found: list[str] = []
    while where:
        page = client.get(where).json()
        assert len(page["output"]) <= 4
        found += references(client, page)
        where = next((one["url"] for one in page.get("link", [])), None)
    assert len(found) == len(set(found))
    assert set(found) == truth(endpoint, *(RESOURCES.keys() - {"Group"}))


def test_a_page_that_does_not_exist_is_refused(server: FhirServer) -> None:
    client = server.endpoint(page_size=4).client()
    where = location(ask(client, _type="Patient"))
    assert [client.get(f"{where}?page={one}").status_code for one in ("2", "0", "x")] == [
        404,
        400,
        400,
    ]


def test_no_more_exports_are_kept_than_an_instance_bears(
    server: FhirServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("harness.reference.bulk.kickoff.MOST_JOBS", 2)
    client = server.endpoint().client()
    codes = [ask(client, _type="Patient").status_code for _ in range(3)]
    assert codes == [202, 202, 429]


def test_nobody_polls_without_a_token_of_the_level_system(server: FhirServer) -> None:
    endpoint = server.endpoint()
    patient = endpoint.ehr.store.patient_ids()[0]
    tokens: list[httpx.Client] = [
        endpoint.client("patient/*.rs", patient=patient),
        endpoint.client("user/*.rs"),
    ]
    assert [ask(one).status_code for one in tokens] == [403, 403]
