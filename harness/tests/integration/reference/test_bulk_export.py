"""Exports over sockets, from kick-off to end: whose data, as of when, how far they are."""

from __future__ import annotations

from email.utils import parsedate_to_datetime
from typing import Any

import httpx
import pytest

from harness.reference.data.instants import instant
from harness.reference.fhir.resources import RESOURCES
from harness.spec.shapes import misshapen
from harness.tests.integration.reference.bulk_client import (
    ALL,
    GROUP,
    ask,
    export,
    lines,
    location,
    manifest,
    references,
    truth,
)
from harness.tests.integration.reference.fhir_server import Endpoint, FhirServer
from harness.tests.unit.reference.fhir_doubles import weight

Json = dict[str, Any]


@pytest.fixture
def client(endpoint: Endpoint) -> httpx.Client:
    return endpoint.client("system/*.rs")


def wrote(endpoint: Endpoint, patient: int = 0, **changes: Any) -> str:
    """Has somebody else write a weight; its reference."""
    store = endpoint.ehr.store
    resource = weight(store.patient_ids()[patient], **changes)
    return store.put_as_other(resource, endpoint.ehr.clock.now()).reference


def kinds_of(found: Json) -> list[str]:
    return [one["type"] for one in found["output"]]


def test_an_export_of_a_group_holds_the_records_of_its_members(
    client: httpx.Client, endpoint: Endpoint
) -> None:
    found = export(client)
    held = references(client, found)
    assert len(held) == len(set(held))
    assert set(held) == truth(endpoint, *(RESOURCES.keys() - {"Group"}))
    assert misshapen("bulk-manifest", found) == ()
    assert found["error"] == found["deleted"] == []
    assert found["requiresAccessToken"] is True
    assert found["request"] == f"{endpoint.ehr.fhir_base}/{GROUP}"


@pytest.mark.parametrize("path", ["$export", "Patient/$export", ALL])
def test_an_export_of_everybody_holds_everybody(
    client: httpx.Client, endpoint: Endpoint, path: str
) -> None:
    found = export(client, path, _type="Patient,Condition,Device")
    assert set(references(client, found)) == truth(
        endpoint, "Patient", "Condition", "Device", members=6
    )


def test_groups_themselves_are_exported_with_the_system_alone(client: httpx.Client) -> None:
    assert "Group" in kinds_of(export(client, "$export", _type="Group,Organization"))
    assert "Group" not in kinds_of(export(client, "Patient/$export"))


def test_each_file_has_lines_of_its_type_and_as_many_as_the_manifest_says(
    server: FhirServer,
) -> None:
    client = server.endpoint(file_size=50).client()
    found = export(client, _type="Observation,Patient")
    for one in found["output"]:
        held = lines(client, {"output": [one]})
        assert len(held) == one["count"] <= 50
        assert {line["resourceType"] for line in held} == {one["type"]}
    assert len({one["url"] for one in found["output"]}) == len(found["output"]) > 20


def test_an_export_ends_with_a_delete_and_then_is_unknown(client: httpx.Client) -> None:
    where = location(ask(client))
    file = client.get(where).json()["output"][0]["url"]
    assert client.get(file).status_code == 200
    assert client.delete(where).status_code == 202
    for url in (where, file):
        answer = client.get(url)
        assert answer.status_code == 404
        assert answer.json()["resourceType"] == "OperationOutcome"
    assert client.delete(where).status_code == 404


def test_an_export_can_be_cancelled_while_it_is_under_way(server: FhirServer) -> None:
    client = server.endpoint(seconds=600).client()
    where = location(ask(client))
    assert client.get(where).status_code == 202
    assert client.delete(where).status_code == 202
    assert client.get(where).status_code == 404


def test_status_and_files_are_gone_after_they_expire(server: FhirServer) -> None:
    endpoint = server.endpoint(expiry=3600)
    client = endpoint.client()
    where = location(ask(client))
    answer = client.get(where)
    file = answer.json()["output"][0]["url"]
    expires = parsedate_to_datetime(answer.headers["expires"])
    left = (expires - endpoint.ehr.clock.now()).total_seconds()
    assert 3590 < left <= 3600
    endpoint.ehr.clock.advance(3599)
    assert client.get(file).status_code == 200
    endpoint.ehr.clock.advance(2)
    assert client.get(where).status_code == client.get(file).status_code == 404


def test_what_is_written_after_the_kick_off_is_not_in_the_export(server: FhirServer) -> None:
    endpoint = server.endpoint(seconds=60)
    client, store = endpoint.client(), endpoint.ehr.store
    before, changed = wrote(endpoint), wrote(endpoint)
    answer = ask(client, _type="Observation")
    wrote(endpoint, id=changed.partition("/")[2], status="amended")
    after = wrote(endpoint)
    patient = store.patient_ids()[0]
    old = next(one for one in store.all("Observation", patient) if one.id.startswith(patient))
    store.delete("Observation", old.id, endpoint.ehr.clock.now())
    endpoint.ehr.clock.advance(60)
    found = manifest(client, answer)
    held = {f"Observation/{one['id']}": one for one in lines(client, found)}
    assert {before, changed, old.reference} <= held.keys()
    assert held[changed]["status"] == "final"
    assert after not in held
    assert all(one["meta"]["lastUpdated"] <= found["transactionTime"] for one in held.values())


def test_the_next_export_since_the_transaction_time_has_the_rest_and_nothing_twice(
    client: httpx.Client, endpoint: Endpoint
) -> None:
    first = export(client, _type="Observation")
    written = {wrote(endpoint) for _ in range(3)}
    second = export(client, _type="Observation", _since=first["transactionTime"])
    assert set(references(client, second)) == written
    third = export(client, _type="Observation", _since=second["transactionTime"])
    assert third["output"] == third["deleted"] == []


def test_since_looks_into_the_synthetic_data_too(client: httpx.Client, endpoint: Endpoint) -> None:
    store = endpoint.ehr.store
    mine = [one for one in store.all("Condition") if one.patient in store.patient_ids()[:3]]
    moments = sorted(one.last_updated for one in mine)
    since = moments[len(moments) // 2]
    found = export(client, _type="Condition", _since=instant(since))
    assert set(references(client, found)) == {
        one.reference for one in mine if one.last_updated > since
    }
    assert 0 < len(references(client, found)) < len(mine)


def test_deletions_since_then_are_told_in_bundles(client: httpx.Client, endpoint: Endpoint) -> None:
    reference, earlier = wrote(endpoint), wrote(endpoint)
    store, now = endpoint.ehr.store, endpoint.ehr.clock.now
    store.delete("Observation", earlier.partition("/")[2], now())
    first = export(client, _type="Observation")
    store.delete("Observation", reference.partition("/")[2], now())
    other = wrote(endpoint, patient=5)
    store.delete("Observation", other.partition("/")[2], now())
    second = export(client, _type="Observation", _since=first["transactionTime"])
    assert second["output"] == first["deleted"] == []
    assert [one["type"] for one in second["deleted"]] == ["Bundle"]
    (bundle,) = lines(client, second, "deleted")
    assert bundle["type"] == "transaction"
    assert [one["request"] for one in bundle["entry"]] == [{"method": "DELETE", "url": reference}]


@pytest.mark.parametrize("backfill", [True, False])
def test_who_joined_a_group_since_then_comes_with_everything_or_not(
    server: FhirServer, *, backfill: bool
) -> None:
    endpoint = server.endpoint(backfill=backfill)
    client, store = endpoint.client(), endpoint.ehr.store
    first = export(client, _type="Condition")
    newcomer = store.patient_ids()[4]
    group = dict(store.all("Group")[1].resource)
    group["member"] = [*group["member"], {"entity": {"reference": f"Patient/{newcomer}"}}]
    store.put_as_other(group, endpoint.ehr.clock.now())
    second = export(client, _type="Condition", _since=first["transactionTime"])
    theirs = {one.reference for one in store.all("Condition", newcomer)}
    assert set(references(client, second)) == (theirs if backfill else set())
    assert theirs <= set(references(client, export(client, _type="Condition")))


def test_attachments_are_named_by_absolute_urls(client: httpx.Client) -> None:
    found = lines(client, export(client, _type="DocumentReference"))
    urls = [
        content["attachment"]["url"]
        for one in found
        for content in one["content"]
        if "url" in content["attachment"]
    ]
    assert urls
    assert {client.get(url).status_code for url in urls} == {200}
    assert all(url.startswith("http") for url in urls)
