from __future__ import annotations

import json
import stat
from pathlib import Path
from typing import Any

import pytest

from harness.reference.process import Running
from harness.smart.vault import new_key
from harness.tests.integration.sync_site import Site


@pytest.fixture
def site(tmp_path: Path, reference: Running) -> Site:
    return Site(tmp_path, reference)


def instance(site: Site, name: str, **what: Any) -> str:
    return str(site.running.instance(name, **what)["fhir_base"])


def add(site: Site, name: str, patient: str, id_: str, status: str = "final") -> None:
    resource = {
        "resourceType": "Observation",
        "id": id_,
        "status": status,
        "code": {"text": "x"},
        "subject": {"reference": f"Patient/{patient}"},
    }
    site.running.control("POST", f"/instances/{name}/resources", resource)


def test_a_backend_client_syncs_every_patient_it_may_see(site: Site) -> None:
    tenant = site.backend("clinic-1", instance(site, "sync-1"))
    status, account = site.sync(tenant)
    assert (status, account["status"], account["missing"]) == (0, "complete", [])
    assert account["patients"] == 6
    assert site.stored(tenant) == site.truth("sync-1")
    assert stat.S_IMODE(site.store(tenant).stat().st_mode) == 0o600


def test_a_second_run_fetches_only_what_is_new(site: Site) -> None:
    tenant = site.backend("clinic-2", instance(site, "sync-2"))
    _, first = site.sync(tenant)
    patient = next(id_ for type_, id_ in site.stored(tenant) if type_ == "Patient")
    add(site, "sync-2", patient, "added")
    status, second = site.sync(tenant)
    assert status == 0
    assert second["types"]["Observation"]["new"] == 1
    assert second["types"]["Observation"]["changed"] == 0
    pages = sum(counts["pages"] for counts in second["types"].values())
    assert pages <= sum(counts["pages"] for counts in first["types"].values())
    assert site.stored(tenant) == site.truth("sync-2")


def test_a_patient_signs_in_once_and_the_grant_is_refreshed_from_then_on(site: Site) -> None:
    tenant = site.person("person-1", instance(site, "sync-3"))
    status, account = site.sync(tenant)
    assert (status, account["patients"]) == (0, 1)
    patient = next(id_ for type_, id_ in site.stored(tenant) if type_ == "Patient")
    add(site, "sync-3", patient, "added")
    assert site.sync(tenant)[0] == 0
    stored, truth = site.stored(tenant), site.truth("sync-3", patient)
    assert {k: v for k, v in truth.items() if k[0] == "Observation"} == {
        k: v for k, v in stored.items() if k[0] == "Observation"
    }
    requests = site.running.control("GET", "/instances/sync-3/requests")["requests"]
    assert sum(each["count"] for each in requests if each["route"].endswith("/oauth/login")) <= 1


def test_login_keeps_a_refresh_token_for_later_syncs(site: Site) -> None:
    tenant = site.person("person-2", instance(site, "sync-4"))
    status, out, err = site.command("login", "--tenant", str(tenant))
    assert (status, err) == (0, "")
    assert "refresh token is in the vault" in out
    assert site.sync(tenant)[0] == 0


def test_a_vault_key_of_another_vault_is_for_the_caller_to_mend(site: Site) -> None:
    tenant = site.person("person-4", instance(site, "sync-10"))
    assert site.sync(tenant)[0] == 0
    right, site.vault_key = site.vault_key, new_key()
    status, out, err = site.command("sync", "run", "--tenant", str(tenant))
    assert (status, out) == (4, "")
    assert len(err.splitlines()) == 1
    assert "vault" in err
    site.vault_key = right
    assert site.sync(tenant)[0] == 0


def test_a_limit_is_kept_and_nothing_is_lost(site: Site) -> None:
    tenant = site.backend("clinic-3", instance(site, "sync-5", rate=40, burst=5))
    status, account = site.sync(tenant)
    assert (status, account["missing"]) == (0, [])
    assert site.stored(tenant) == site.truth("sync-5")


def test_a_report_holds_results_and_no_secrets(site: Site) -> None:
    tenant = site.person("person-3", instance(site, "sync-6"))
    _, account = site.sync(tenant)
    folder = Path(account["report"])
    assert folder.parent == site.reports / "tenants" / "person-3"
    assert (folder.parent / "latest").resolve() == folder
    assert json.loads((folder / "summary.json").read_text())["status"] == "complete"
    results = list((folder / "allure-results").glob("*-result.json"))
    assert len(results) == 1
    result = json.loads(results[0].read_text())
    assert result["status"] == "passed"
    assert [step["name"] for step in result["steps"]] == ["Observation", "Patient", "requests"]
    everything = b"".join(path.read_bytes() for path in folder.rglob("*") if path.is_file())
    for secret in [*site.running.credentials.values(), site.vault_key]:
        assert secret.encode() not in everything


def test_status_tells_how_far_a_tenant_is_synced(site: Site) -> None:
    tenant = site.backend("clinic-4", instance(site, "sync-7"))
    assert site.command("sync", "status", "--tenant", str(tenant))[1] == "clinic-4: never synced\n"
    site.sync(tenant)
    status, out, _ = site.command("sync", "status", "--tenant", str(tenant), "--json")
    told = json.loads(out)[0]
    assert (status, told["resumable_queries"]) == (0, 0)
    assert told["types"]["Patient"]["resources"] == 6
    assert told["runs"][0]["status"] == "complete"


def test_one_tenant_that_fails_delays_no_other(site: Site) -> None:
    good = site.backend("good", instance(site, "sync-8"))
    site.backend("unreachable", "http://127.0.0.1:9/r4")
    site.backend(
        "unknown-patient",
        instance(site, "sync-9"),
        patients='discover = "listed"\nids = ["nobody"]',
    )
    (site.tenants / "broken.toml").write_text("title = 1\n")
    words = ["scheduler", "--once", f"--tenants={site.tenants}", f"--reports={site.reports}"]
    status, out, err = site.command(*words)
    assert (status, err) == (1, "")
    assert "sync of good: complete" in out
    assert "sync of unreachable: failed" in out
    assert "sync of broken: " in out
    assert site.stored(good) == site.truth("sync-8")
    assert (site.reports / "tenants" / "good" / "latest").exists()
    assert (site.reports / "tenants" / "unreachable" / "latest").exists()
    again = site.command(*words)[1]
    assert "good" not in again, "it is not due for another hour"


def test_what_comes_is_validated_and_told(site: Site) -> None:
    tenant = site.backend("clinic-6", instance(site, "sync-11"))
    _, account = site.sync(tenant)
    sample = account["validation"]
    assert 0 < sample["checked"] <= sample["pulled"]
    assert (sample["invalid"], sample["reason"]) == (0, None)
    with tenant.open("a") as file:
        file.write('\n[sync]\nvalidate = "all"\n')
    patient = next(id_ for type_, id_ in site.stored(tenant) if type_ == "Patient")
    add(site, "sync-11", patient, "bad", status="done")
    status, account = site.sync(tenant)
    found = account["validation"]
    assert (status, found["checked"], found["invalid"]) == (0, found["pulled"], 1)
    assert [each["path"] for each in found["flaws"]] == ["Observation.status"]
    _, out, _ = site.command("sync", "status", "--tenant", str(tenant))
    assert "1 not valid" in out
