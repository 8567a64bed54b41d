"""A store on a server: the same syncs, and what becomes of one whose server goes away."""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from harness.config.secrets import Secret
from harness.errors import ExitStatus
from harness.http.transport import Answer
from harness.reference.process import Running
from harness.sync.model import RunStatus
from harness.sync.store.database import StoreLost
from harness.tests import postgres_server
from harness.tests.chaos.wire import Do, Harm, Sent, Trial, search

psycopg = pytest.importorskip("psycopg")
from harness.sync.store.postgres import PostgresSchema  # noqa: E402 - only where psycopg is


class Served(Trial):
    """A trial whose store is on a server of PostgreSQL."""

    place: PostgresSchema

    def asked(self, statement: str) -> list[tuple[Any, ...]]:
        with closing(self.place.connect()) as db:
            return [tuple(row) for row in db.execute(statement).fetchall()]

    def stored(self) -> dict[tuple[str, str], str]:
        rows = self.asked("SELECT type, id, version FROM resources WHERE deleted = 0")
        return {(type_, id_): version for type_, id_, version in rows}


@pytest.fixture
def trial(tmp_path: Path, reference: Running, postgres: str) -> Iterator[Served]:
    name = f"served-{secrets.token_hex(4)}"
    made = Served.of(tmp_path, reference, name, tenant='store = "env:STORE_OF_TENANT"')
    assert isinstance(made, Served)
    made.environment["STORE_OF_TENANT"] = f"{postgres}?application_name={name}"
    made.place = PostgresSchema(Secret(postgres), name)
    yield made
    postgres_server.drop(postgres, made.place.schema)


def cut(url: str, name: str) -> Do:
    """The server of the store ends every connection of the tenant, then the EHR's answer comes."""

    async def do(sent: Sent) -> Answer:
        with psycopg.connect(url, autocommit=True) as connection:
            connection.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                " WHERE application_name = %s",
                (name,),
            )
        return await sent.on()

    return do


def test_a_sync_to_a_server_holds_what_the_ehr_has_and_follows_it(trial: Served) -> None:
    assert trial.sync().status is RunStatus.COMPLETE
    assert trial.stored() == trial.truth()
    trial.observe(trial.patients[0], "later")
    assert trial.sync().status is RunStatus.COMPLETE
    assert ("Observation", "later") in trial.stored()
    assert trial.verify().exit_status == ExitStatus.OK


def test_a_server_that_goes_away_ends_the_run_in_a_line_and_the_next_completes_it(
    trial: Served, postgres: str
) -> None:
    harm = Harm(cut(postgres, trial.instance), on=search("Observation"), times=1, after=1)
    with pytest.raises(StoreLost) as caught:
        trial.sync(harm)
    assert harm.struck == 1
    assert caught.value.status == ExitStatus.INCOMPLETE
    said = str(caught.value)
    assert "the store stopped working" in said
    assert "what was committed stays; the next run goes on there" in said
    assert "\n" not in said
    assert trial.environment["STORE_OF_TENANT"] not in said
    assert trial.stored() != trial.truth()
    assert trial.sync().status is RunStatus.COMPLETE
    assert trial.stored() == trial.truth()
    assert [status for (status,) in trial.asked("SELECT status FROM runs ORDER BY id")] == [
        RunStatus.CUT_OFF,
        RunStatus.COMPLETE,
    ]
