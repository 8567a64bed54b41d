"""An EHR need not honour `_lastUpdated`: the store equals the truth all the same."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from harness.reference.process import Running
from harness.tests.integration.sync_site import Site

CATEGORY = "http://terminology.hl7.org/CodeSystem/observation-category"


def learnt(site: Site, tenant: Path) -> dict[str, str]:
    with closing(sqlite3.connect(site.store(tenant))) as db:
        rows = db.execute("SELECT type, value FROM learnt WHERE what = 'last_updated'").fetchall()
    return dict(rows)


def observe(site: Site, instance: str, patient: str, id_: str, day: str) -> None:
    resource = {
        "resourceType": "Observation",
        "id": id_,
        "status": "final",
        "code": {"text": "x"},
        "subject": {"reference": f"Patient/{patient}"},
        "effectiveDateTime": day,
        "category": [{"coding": [{"system": CATEGORY, "code": "vital-signs"}]}],
    }
    site.running.control("POST", f"/instances/{instance}/resources", resource)


@pytest.mark.parametrize(
    ("name", "what", "honoured"),
    [
        ("plain", {}, "honoured"),
        ("ignored", {"faults": ["search-ignores-last-updated"]}, "not honoured"),
        ("lacking", {"variants": ["last-updated-not-supported"]}, "not honoured"),
        ("needing", {"variants": ["observation-search-needs-category-or-code"]}, "honoured"),
    ],
)
def test_what_the_ehr_does_decides_how_changes_are_found(
    tmp_path: Path, reference: Running, name: str, what: dict[str, Any], honoured: str
) -> None:
    site, instance = Site(tmp_path, reference), f"strategy-{name}"
    base = str(reference.instance(instance, **what)["fhir_base"])
    tenant = site.backend(name, base)
    assert site.sync(tenant)[0] == 0
    patients = sorted(id_ for type_, id_ in site.truth(instance) if type_ == "Patient")
    observe(site, instance, patients[0], "later", "2026-11-01")
    status, account = site.sync(tenant)
    assert (status, account["missing"]) == (0, [])
    assert set(learnt(site, tenant).values()) == {honoured}
    assert site.stored(tenant) == site.truth(instance)
