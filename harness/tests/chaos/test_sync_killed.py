"""`kill -9` at any moment: nothing is lost, nothing counts twice, and one page is asked for again.

Twenty kills here, two hundred with `HARNESS_SOAK=1` (`tox -e soak`).
"""

from __future__ import annotations

import os
import random
import secrets
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import closing, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from harness.config.secrets import Secret
from harness.reference.process import Running
from harness.sync.model import RunStatus
from harness.sync.store.database import Place
from harness.sync.store.sqlite import SqliteFile
from harness.tests import postgres_server
from harness.tests.integration.sync_site import Site

SOAK = os.environ.get("HARNESS_SOAK") == "1"
KILLS = {"sqlite": 200 if SOAK else 20, "postgres": 60 if SOAK else 5}
PATIENTS = 3
SEARCHES = ("/Patient", "/Observation")
MOST_PAGES = 12
LONGEST = 20.0


@dataclass
class Victim:
    """A tenant whose syncs are killed, and where its store is."""

    site: Site
    tenant: Path
    place: Place
    instance: str
    patients: list[str]

    def asked(self, statement: str) -> list[Any]:
        """What the store answers."""
        with closing(self.place.connect()) as db:
            return [tuple(row) for row in db.execute(statement).fetchall()]

    def pages(self) -> int:
        """How many pages the store has had committed; 0 while it is being made."""
        if not self.place.exists():
            return 0
        return int(self.asked("SELECT coalesce(sum(pages), 0) FROM counts")[0][0])

    def served(self) -> int:
        """How many pages of searches the EHR has answered."""
        told = self.site.running.control("GET", f"/instances/{self.instance}/requests")
        return sum(
            each["count"]
            for each in told["requests"]
            if (each["method"], each["status"]) == ("GET", 200)
            and each["route"] in ("/Patient", "/Observation")
        )

    def truth(self) -> dict[tuple[str, str], str]:
        """Version by (type, id) of all that the tenant has to hold."""
        found: dict[tuple[str, str], str] = {}
        for patient in self.patients:
            found |= self.site.truth(self.instance, patient)
        return found

    def change(self, number: int) -> None:
        """Another application writes: one new Observation, and one changed again."""
        for id_ in (f"chaos-{number}", "chaos-often"):
            whose = self.patients[0 if id_ == "chaos-often" else number % PATIENTS]
            resource = {
                "resourceType": "Observation",
                "id": id_,
                "status": "final",
                "code": {"text": f"change {number}"},
                "subject": {"reference": f"Patient/{whose}"},
            }
            self.site.running.control("POST", f"/instances/{self.instance}/resources", resource)

    def await_pages(self, process: subprocess.Popen[bytes], chance: random.Random) -> None:
        """Until a random number of further pages, and a random moment more."""
        target = self.pages() + chance.randrange(MOST_PAGES)
        linger(process, chance.uniform(0.0, 1.0))
        deadline = time.monotonic() + LONGEST
        while process.poll() is None and self.pages() < target and time.monotonic() < deadline:
            linger(process, chance.uniform(0.001, 0.05))


def linger(process: subprocess.Popen[bytes], seconds: float) -> None:
    with suppress(subprocess.TimeoutExpired):
        process.wait(timeout=seconds)


@pytest.fixture(params=["sqlite", "postgres"])
def victim(
    request: pytest.FixtureRequest,
    tmp_path: Path,
    reference: Running,
    monkeypatch: pytest.MonkeyPatch,
) -> Iterator[Victim]:
    site, name = Site(tmp_path, reference), f"killed-{request.param}-{secrets.token_hex(3)}"
    ehr = site.ehr_file(page_size=5, requests_per_second=60, burst=1, concurrency=1)
    base = str(reference.instance(name)["fhir_base"])
    patients = sorted(id_ for type_, id_ in site.truth(name) if type_ == "Patient")[-PATIENTS:]
    listed = f'discover = "listed"\nids = {patients}'.replace("'", '"')
    tenant = site.backend(name, base, ehr=ehr, batch_size=2, patients=listed)
    # No probe: then each search of the EHR is a page of the pull.
    tenant.write_text(f'strategy = "last_updated"\n{tenant.read_text()}')
    if request.param == "sqlite":
        yield Victim(site, tenant, SqliteFile(site.store(tenant)), name, patients)
        return
    url = request.getfixturevalue("postgres")
    from harness.sync.store.postgres import PostgresSchema

    tenant.write_text(f'store = "env:STORE_OF_TENANT"\n{tenant.read_text()}')
    monkeypatch.setenv("STORE_OF_TENANT", url)
    place = PostgresSchema(Secret(url), name)
    yield Victim(site, tenant, place, name, patients)
    postgres_server.drop(url, place.schema)


def test_kills_lose_nothing_and_repeat_one_page_each(
    victim: Victim, request: pytest.FixtureRequest
) -> None:
    site, kills = victim.site, KILLS[request.node.callspec.params["victim"]]
    chance, in_flight = random.Random(20), []
    for number in range(kills):
        before = victim.served() - victim.pages()
        process = site.start(*site.sync_words(victim.tenant))
        victim.await_pages(process, chance)
        victim.change(number)
        linger(process, chance.uniform(0.0, 0.1))
        process.kill()
        _, said = process.communicate()
        assert process.returncode in (0, -signal.SIGKILL), said.decode()
        in_flight.append(victim.served() - victim.pages() - before)
    status, account = site.sync(victim.tenant)
    assert (status, account["missing"]) == (0, [])
    assert set(in_flight) <= {0, 1}, "a kill costs no more than the page that was on its way"
    assert victim.served() - victim.pages() == sum(in_flight), "and the last run repeats none"
    truth = victim.truth()
    stored = victim.asked("SELECT type, id, version FROM resources WHERE deleted = 0")
    assert {(type_, id_): version for type_, id_, version in stored} == truth
    ((new, changed),) = victim.asked("SELECT sum(new), sum(changed) FROM counts")
    assert new == len(truth), "each resource is new once, over all runs"
    assert [(changed,)] == victim.asked("SELECT count(*) FROM versions"), "one version left behind"
    ((cut_off,),) = victim.asked(
        "SELECT count(DISTINCT runs.id) FROM runs JOIN counts ON counts.run = runs.id"
        f" WHERE status = '{RunStatus.CUT_OFF}'"
    )
    assert cut_off >= kills // 7, "the kills struck while pages were being committed"
    if isinstance(victim.place, SqliteFile):
        assert victim.asked("PRAGMA integrity_check") == [("ok",)]
        assert victim.asked("PRAGMA foreign_key_check") == []
    print(f"{kills} kills, {cut_off} of them amid pages, {sum(in_flight)} pages asked for again")  # noqa: T201 - figures of a soak
