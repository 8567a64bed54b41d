from __future__ import annotations

import json
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from harness.errors import ExitStatus, UsageError
from harness.reporting import sync_report
from harness.sync.account import Account, Missing, account_of
from harness.sync.model import Counts, Gap, Query, RunStatus, Traffic
from harness.sync.telling import span
from harness.tests.unit.sync.conftest import NOON, Bench

DONE = Account(
    "clinic",
    "20260301T120000Z-abc",
    NOON,
    NOON + timedelta(seconds=10),
    RunStatus.COMPLETE,
    patients=2,
    by_type={"Observation": Counts(new=3, unchanged=1, pages=2)},
    by_patient={"patient-1": Counts(new=3, unchanged=1, pages=2)},
    traffic=Traffic(20, 1, 4.0, 5.0),
)
CUT = replace(
    DONE,
    status=RunStatus.INCOMPLETE,
    reason="the EHR asks to wait 600 s",
    come_back=NOON + timedelta(seconds=600),
    missing=tuple(Missing(f"patient-{n}", "Observation", "lab", "status 403") for n in range(3)),
    notes={"Observation: warning (4119)": 2},
)


@pytest.mark.parametrize(
    ("status", "exit_status"),
    [
        (RunStatus.COMPLETE, ExitStatus.OK),
        (RunStatus.INCOMPLETE, ExitStatus.INCOMPLETE),
        (RunStatus.FAILED, ExitStatus.NOT_CONFORMANT),
    ],
)
def test_the_exit_status_follows_how_it_ended(status: RunStatus, exit_status: ExitStatus) -> None:
    assert replace(DONE, status=status).exit_status is exit_status


def test_a_person_reads_what_came_what_it_cost_and_what_is_missing() -> None:
    assert CUT.lines() == [
        "sync of clinic: incomplete, because the EHR asks to wait 600 s",
        "  come back at 2026-03-01 12:10:00 UTC",
        "               new  changed  unchanged  deleted  pages  missing",
        "  Observation    3        0          1        0      2        3",
        "  2 patients, 20 requests in 10.0 s (2.0/s of 5.0 permitted), 1 refused, 4.0 s waited",
        "  missing, and asked for again by the next run:",
        "    Observation lab of 3 patients: status 403",
        "  the EHR remarks:",
        "    Observation: warning (4119) (2 times)",
    ]


def test_long_lists_of_what_is_missing_are_cut() -> None:
    many = tuple(Missing("p", f"Type{n}", "", "status 403") for n in range(15))
    lines = replace(CUT, missing=many).lines()
    assert "    and 5 more, see --json" in lines


@pytest.mark.parametrize(
    ("seconds", "told"),
    [(0.04, "0.0 s"), (200, "3 min 20 s"), (7380, "2 h 3 min"), (180000, "2 d 2 h")],
)
def test_spans_are_told_in_two_units(seconds: float, told: str) -> None:
    assert span(seconds) == told


def test_a_script_reads_the_same() -> None:
    told = json.loads(json.dumps(CUT.as_json()))
    assert told["come_back"] == "2026-03-01T12:10:00+00:00"
    assert told["types"]["Observation"]["new"] == 3
    assert (told["achieved_per_second"], told["permitted_per_second"]) == (2.0, 5.0)
    assert len(told["missing"]) == 3


def test_patients_bear_pseudonyms_that_are_stable_and_no_id_shows(bench: Bench) -> None:
    bench.patients = ("Jane-Doe-1970",)
    bench.ehr.put("Patient", "Jane-Doe-1970", "Jane-Doe-1970", NOON)
    outcome = bench.sync()
    row = replace(bench.store.runs()[0], ended=NOON, status=RunStatus.INCOMPLETE)
    gap = Gap(Query("Jane-Doe-1970", "Observation"), "GET /x/Jane-Doe-1970: refused")
    bench.store.finish(bench.lease(), row, [*outcome.gaps, gap])
    names = {each: bench.store.pseudonym(each) for each in bench.patients}
    account = account_of(bench.store, row, "t", names, {})
    text = json.dumps(account.as_json()) + "\n".join(account.lines())
    assert "Jane" not in text
    assert account.missing[0].patient == bench.store.pseudonym("Jane-Doe-1970")
    assert account_of(bench.store, row, "t", {}, {}).by_patient == account.by_patient


def test_a_report_says_what_failed_by_type(tmp_path: Path) -> None:
    folder = sync_report.write(CUT, tmp_path)
    assert folder == tmp_path / "tenants" / "clinic" / CUT.run
    assert (folder.parent / "latest").resolve() == folder
    result = json.loads(next((folder / "allure-results").glob("*-result.json")).read_text())
    assert result["status"] == "failed"
    assert "the EHR asks to wait 600 s" in result["statusDetails"]["message"]
    steps = {step["name"]: step for step in result["steps"]}
    assert steps["Observation"]["status"] == "failed"
    assert {"name": "new", "value": "3"} in steps["Observation"]["parameters"]
    assert {"name": "refusals", "value": "1"} in steps["requests"]["parameters"]
    remark = {"name": "Observation: warning (4119)", "value": "2"}
    assert steps["the EHR remarks"]["parameters"] == [remark]
    assert "patients who ended" not in steps
    assert "    sync of clinic: incomplete" in result["description"]
    source = result["attachments"][0]["source"]
    assert "sync of clinic" in (folder / "allure-results" / source).read_text()
    assert json.loads((folder / "summary.json").read_text())["run"] == CUT.run


def test_results_of_one_tenant_share_their_history(tmp_path: Path) -> None:
    first = sync_report.write(DONE, tmp_path)
    second = sync_report.write(replace(DONE, run="another", status=RunStatus.FAILED), tmp_path)
    results = [
        json.loads(next((each / "allure-results").glob("*-result.json")).read_text())
        for each in (first, second)
    ]
    assert results[0]["historyId"] == results[1]["historyId"]
    assert [each["status"] for each in results] == ["passed", "broken"]
    with pytest.raises(UsageError):
        sync_report.write(DONE, tmp_path)
