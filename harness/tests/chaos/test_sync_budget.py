"""A budget of the day holds across processes: the store is completed when there is a new one."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

from harness.reference.process import Running
from harness.tests.integration.sync_site import Site


def test_a_spent_budget_is_named_and_counted_on_by_the_next_process(
    tmp_path: Path, reference: Running
) -> None:
    site = Site(tmp_path, reference)
    base = str(reference.instance("budget")["fhir_base"])
    ehr = site.ehr_file(requests_per_second=80, burst=30, concurrency=4, per_day=9)
    tenant = site.backend("budget", base, ehr=ehr)
    status, account = site.sync(tenant)
    assert (status, account["requests"]) == (7, 9)
    assert "the day's budget of 9 (limits.per_day) is spent" in account["reason"]
    assert account["come_back"]
    assert account["missing"]
    _, again = site.sync(tenant)
    assert again["requests"] == 0, "the budget is that of the day, not of the process"
    with closing(sqlite3.connect(site.store(tenant))) as db:
        host, spent = db.execute("SELECT host, spent FROM spent").fetchone()
    assert (host in base, spent) == (True, 9.0)
    site.ehr_file(requests_per_second=80, burst=30, concurrency=4, per_day=100000)
    assert site.sync(tenant)[0] == 0
    assert site.stored(tenant) == site.truth("budget")
