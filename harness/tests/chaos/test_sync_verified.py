"""Whatever happens between two syncs, verification names it, and a full reading heals it."""

from __future__ import annotations

import json
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

from harness.reference.process import Running
from harness.tests.integration.sync_site import Site


def verify(site: Site, tenant: Path, *words: str) -> tuple[int, dict[str, Any]]:
    status, out, err = site.command("sync", "verify", "--tenant", str(tenant), "--json", *words)
    assert out, err
    found: dict[str, Any] = json.loads(out)
    return status, found


def hold(db: sqlite3.Connection, patient: str, id_: str) -> None:
    """Let the store hold a resource that the EHR does not have."""
    db.execute(
        "INSERT INTO resources SELECT type, ?, ?, version, hash, last_updated, body, 0,"
        " first_seen, last_seen, run, seen_in, NULL, NULL"
        " FROM resources WHERE type = 'Observation' LIMIT 1",
        (id_, patient),
    )


def test_what_is_missing_stale_or_extra_is_named_and_nothing_else(
    tmp_path: Path, reference: Running
) -> None:
    site = Site(tmp_path, reference)
    base = str(reference.instance("verified")["fhir_base"])
    tenant = site.backend("verified", base)
    status, _, err = site.command("sync", "verify", "--tenant", str(tenant))
    assert status == 4
    assert "there is no store to verify yet" in err
    assert site.sync(tenant)[0] == 0
    truth = site.truth("verified")
    status, found = verify(site, tenant)
    assert (status, found["result"], found["differences"]) == (0, "equal", [])
    assert sum(each["compared"] for each in found["types"].values()) == len(truth)
    first, second, *_ = sorted(id_ for type_, id_ in truth if type_ == "Observation")
    with closing(sqlite3.connect(site.store(tenant))) as db, db:
        patient = db.execute("SELECT patient FROM resources LIMIT 1").fetchone()[0]
        db.execute("DELETE FROM resources WHERE id = ?", (first,))
        db.execute("UPDATE resources SET version = '0', hash = x'00' WHERE id = ?", (second,))
        hold(db, patient, "never-there")
    status, found = verify(site, tenant)
    assert (status, found["result"]) == (7, "different")
    assert {(each["kind"], each["id"]) for each in found["differences"]} == {
        ("missing", first),
        ("stale", second),
        ("extra", "never-there"),
    }
    status, found = verify(site, tenant, "--mark-deleted")
    assert found["marked_deleted"] == 1
    assert "never-there" not in {id_ for _, id_ in site.stored(tenant)}
    text = tenant.read_text().replace("batch_size", 'strategy = "full_hash"\nbatch_size')
    tenant.write_text(text)
    with closing(sqlite3.connect(site.store(tenant))) as db, db:
        hold(db, patient, "not-there-either")
    status, account = site.sync(tenant)
    assert status == 0
    assert [(each["type"], each["id"]) for each in account["gone"]] == [
        ("Observation", "not-there-either")
    ]
    assert verify(site, tenant)[0] == 0
    assert site.stored(tenant) == truth


def test_a_verification_that_cannot_see_everything_is_not_equal(
    tmp_path: Path, reference: Running
) -> None:
    site = Site(tmp_path, reference)
    good = str(reference.instance("verified-good")["fhir_base"])
    tenant = site.backend("blind", good)
    assert site.sync(tenant)[0] == 0
    broken = reference.instance("verified-broken", faults=["page-two-answers-500"])
    text = tenant.read_text().replace(good, str(broken["fhir_base"]))
    ehr = site.ehr_file(page_size=5, requests_per_second=80, burst=30, concurrency=4)
    tenant.write_text(text.replace('ehr = "reference"', f'ehr = "{ehr}"'))
    status, found = verify(site, tenant)
    assert status == 7
    assert found["missing"]
    assert all("status 500" in each["reason"] for each in found["missing"])
    assert not [each for each in found["differences"] if each["kind"] == "extra"]
