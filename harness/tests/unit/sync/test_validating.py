"""What a sync validates of what it pulled, and what it tells of that."""

from __future__ import annotations

import json
import secrets
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from random import Random
from typing import Any, cast

import pytest
from msgspec import structs

from harness.config.secrets import Secret
from harness.config.tenant import Syncing, Tenant, Validate, load_tenant
from harness.errors import UsageError
from harness.reporting.sync_report import write
from harness.scheduler.leases import acquire
from harness.sync import validating
from harness.sync.account import account_of
from harness.sync.model import PageDone, Query, Received, RunStatus
from harness.sync.status import Status
from harness.sync.store.store import Store
from harness.sync.validated import Validated, stored
from harness.sync.validating import LARGEST, Sample, validated
from harness.tests import postgres_server
from harness.tests.unit.sync.conftest import NOON, Bench


def received(number: int, status: str = "final", type_: str = "Observation") -> Received:
    resource = {
        "resourceType": type_,
        "id": f"secret-{number}",
        "status": status,
        "code": {"text": "x"},
    }
    return Received(type_, f"secret-{number}", "1", NOON, json.dumps(resource).encode())


@pytest.fixture(scope="module")
def tenant() -> Tenant:
    return load_tenant("demo-clinic")


def wanting(tenant: Tenant, what: Validate) -> Tenant:
    return replace(tenant, sync=Syncing(what))


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    bench = Bench(tmp_path / "private" / "store.sqlite")
    with bench.store:
        yield bench


def commit(bench: Bench, page: list[Received]) -> int:
    lease = bench.lease()
    bench.runs += 1
    run = bench.store.begin(lease, f"r{bench.runs}", NOON)
    bench.store.commit(lease, run, PageDone(Query("p", "Observation"), tuple(page), NOON))
    return run


def test_a_sample_has_every_type_and_no_more_than_its_size() -> None:
    sample = Sample(Random(1), size=5)
    sample.take([received(n) for n in range(1000)])
    sample.take([received(n, type_="Patient") for n in range(3)])
    assert Counter(type_ for type_, _ in sample) == {"Observation": 5, "Patient": 3}
    assert sample.seen == 1003


def test_a_sample_is_uniform() -> None:
    drawn: Counter[bytes] = Counter()
    resources = [received(n) for n in range(20)]
    for seed in range(600):
        sample = Sample(Random(seed), size=5)
        sample.take(resources)
        drawn.update(raw for _, raw in sample)
    assert all(100 < drawn[each.raw] < 200 for each in resources)


def test_large_resources_are_counted_and_not_remembered() -> None:
    sample = Sample()
    sample.take([structs.replace(received(1), raw=b" " * (LARGEST + 1))])
    assert (sample.seen, list(sample)) == (1, [])


def test_what_the_store_takes_over_reaches_the_sample(bench: Bench) -> None:
    sample = Sample()
    bench.store.on_taken = sample.take
    commit(bench, [received(1), received(2)])
    assert sample.seen == 2


def test_a_sample_is_validated_and_told_without_ids_or_values(bench: Bench, tenant: Tenant) -> None:
    sample = Sample()
    sample.take([received(n, "secret-status" if n < 3 else "final") for n in range(10)])
    found = validated(wanting(tenant, Validate.SAMPLE), bench.store, 1, sample, lambda: None)
    assert found is not None
    assert (found.checked, found.pulled, found.invalid, found.reason) == (10, 10, 3, None)
    assert [(each.path, each.count) for each in found.flaws] == [("Observation.status", 3)]
    assert "secret" not in json.dumps(found.as_json())
    assert stored(json.dumps(found.as_json())) == found


def test_all_of_it_is_validated_on_request(bench: Bench, tenant: Tenant) -> None:
    commit(bench, [received(n, "wrong") for n in range(3)])
    run = commit(bench, [received(n) for n in range(3, 8)] + [received(1, "wrong, still")])
    found = validated(wanting(tenant, Validate.ALL), bench.store, run, Sample(), lambda: None)
    assert found is not None
    assert (found.checked, found.pulled, found.invalid) == (6, 6, 1)


def test_all_of_it_is_validated_in_a_store_on_a_server(postgres: str, tenant: Tenant) -> None:
    psycopg = pytest.importorskip("psycopg")
    assert psycopg
    from harness.sync.store.postgres import PostgresSchema

    place = PostgresSchema(Secret(postgres), f"own-{secrets.token_hex(6)}")
    try:
        with Store(place) as store:
            lease = acquire(store, "t", "sync", by="me:1", now=NOON, holder_is_dead=True)
            run = store.begin(lease, "r1", NOON)
            page = (received(1), received(2, "wrong"))
            store.commit(lease, run, PageDone(Query("p", "Observation"), page, NOON))
            found = validated(wanting(tenant, Validate.ALL), store, run, Sample(), lambda: None)
            assert found is not None
            assert (found.checked, found.invalid, found.reason) == (2, 1, None)
            row = replace(store.runs()[0], ended=NOON, validation=json.dumps(found.as_json()))
            store.finish(lease, row, [])
            assert stored(store.runs()[0].validation) == found
    finally:
        postgres_server.drop(postgres, place.schema)


def test_nothing_is_validated_where_nothing_came_or_nobody_wants_it(
    bench: Bench, tenant: Tenant
) -> None:
    sample = Sample()
    assert validated(wanting(tenant, Validate.SAMPLE), bench.store, 1, sample, lambda: None) is None
    sample.take([received(1)])
    assert validated(wanting(tenant, Validate.NONE), bench.store, 1, sample, lambda: None) is None
    assert validated(wanting(tenant, Validate.ALL), bench.store, 1, sample, lambda: None) is None


def test_it_ends_when_told_to(bench: Bench, tenant: Tenant) -> None:
    run = commit(bench, [received(n) for n in range(5)])
    answers = iter(["", "", "told by SIGTERM"])
    found = validated(
        wanting(tenant, Validate.ALL), bench.store, run, Sample(), lambda: next(answers)
    )
    assert found is not None
    assert (found.checked, found.pulled, found.reason) == (2, 5, "told to stop")


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (UsageError("no such version"), "no such version"),
        (KeyError("secret-1"), "a defect of the harness: KeyError"),
    ],
)
def test_whatever_goes_wrong_is_a_remark(
    bench: Bench, tenant: Tenant, monkeypatch: pytest.MonkeyPatch, error: Exception, words: str
) -> None:
    def broken(_version: str) -> Any:
        raise error

    monkeypatch.setattr(validating, "checker", broken)
    sample = Sample()
    sample.take([received(1)])
    found = validated(wanting(tenant, Validate.SAMPLE), bench.store, 1, sample, lambda: None)
    assert found is not None
    assert (found.checked, found.pulled, found.reason) == (0, 1, words)


def test_a_sample_takes_no_more_than_its_time(
    bench: Bench, tenant: Tenant, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(validating, "SECONDS", -1.0)
    sample = Sample()
    sample.take([received(1)])
    found = validated(wanting(tenant, Validate.SAMPLE), bench.store, 1, sample, lambda: None)
    assert found is not None
    assert found.checked == 0
    assert "are spent on it" in str(found.reason)


def test_account_status_and_report_tell_what_was_found(
    bench: Bench, tenant: Tenant, tmp_path: Path
) -> None:
    sample = Sample()
    sample.take([received(n, "wrong") for n in range(3)])
    found = validated(wanting(tenant, Validate.SAMPLE), bench.store, 1, sample, lambda: None)
    run = commit(bench, [received(1)])
    row = replace(
        bench.store.runs()[0],
        ended=NOON,
        status=RunStatus.COMPLETE,
        validation=json.dumps(cast("Validated", found).as_json()),
    )
    bench.store.finish(bench.lease(), row, [])
    kept = next(each for each in bench.store.runs() if each.id == run)
    account = account_of(bench.store, kept, "clinic", {"p": "p"}, {})
    assert account.exit_status == 0
    assert any("validated all 3 by US Core 6.1.0: 3 not valid" in each for each in account.lines())
    assert any("3 x Observation.status" in each for each in account.lines())
    assert account.as_json()["validation"]["invalid"] == 3
    told = Status("clinic", runs=(kept,))
    assert any("3 not valid" in each for each in told.lines(NOON))
    assert told.as_json()["runs"][0]["validation"]["flaws"][0]["path"] == "Observation.status"
    folder = write(account, tmp_path / "reports")
    (result,) = (folder / "allure-results").glob("*-result.json")
    steps = {each["name"]: each for each in json.loads(result.read_text())["steps"]}
    assert "Observation.status (binding)" in json.dumps(steps["not valid"])


def test_a_store_of_before_has_nothing_to_tell(tmp_path: Path) -> None:
    with Store(tmp_path / "private" / "store.sqlite") as store:
        assert store.runs() == ()
    assert stored(None) is None


@pytest.mark.parametrize(
    ("found", "words"),
    [
        (
            Validated("6.1.0", 50, 9000, 0),
            "validated 50 of 9,000 by US Core 6.1.0: all of them valid",
        ),
        (Validated("6.1.0", 1, 2, 1, (), "told to stop"), "1 not valid (told to stop)"),
    ],
)
def test_one_line_says_how_many_of_how_many(found: Validated, words: str) -> None:
    assert words in found.lines()[0]
