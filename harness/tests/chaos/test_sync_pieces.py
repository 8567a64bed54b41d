"""A budget of the day below one search's pages, at an EHR that forgets searches in ten minutes."""

from __future__ import annotations

import re
from pathlib import Path

from harness.reference.process import Running
from harness.scheduler import jobs
from harness.smart.entropy import system_entropy
from harness.sync.account import Account
from harness.sync.model import RunStatus
from harness.tests.chaos.wire import Harm, Trial, ask_otherwise, url

DAY = 24 * 3600.0
BUDGET = 12
SIZE = 40


def small(folder: Path, reference: Running, name: str) -> Trial:
    """One patient, whose Observations take about thrice the pages that a day permits."""
    trial = Trial.of(
        folder,
        reference,
        name,
        patients=1,
        strategy="last_updated",
        limits={"page_size": SIZE, "per_day": BUDGET, "concurrency": 1},
    )
    assert len(trial.truth()) > 2 * BUDGET * SIZE, "the test needs a search that takes days"
    return trial


def daily(trial: Trial, most: int, *harms: Harm, meanwhile: bool = False) -> list[Account]:
    """A run each day until one is complete."""
    runs: list[Account] = []
    while not runs or (runs[-1].status is not RunStatus.COMPLETE and len(runs) < most):
        if runs:
            trial.advance(DAY)
        runs.append(trial.sync(*harms))
        if meanwhile and runs[-1].status is not RunStatus.COMPLETE:
            patient = trial.patients[0]
            trial.observe(patient, f"late-{len(runs)}")
            trial.observe(patient, "late-1", note=[{"text": f"day {len(runs)}"}])
    return runs


def test_a_search_larger_than_a_days_budget_is_read_in_pieces(
    tmp_path: Path, reference: Running
) -> None:
    trial = small(tmp_path, reference, "pieces")
    pages = -(-len(trial.truth()) // SIZE)
    runs = daily(trial, 10, meanwhile=True)
    assert runs[-1].status is RunStatus.COMPLETE, runs[-1].lines()
    assert trial.stored() == trial.truth()
    came = sum(each.by_type["Observation"].pages for each in runs if "Observation" in each.by_type)
    assert came <= pages + BUDGET + 2 * len(runs), "the first day's twice, all others about once"
    assert trial.rows('SELECT "full" FROM watermarks') == [(None,)], "that was no whole listing"
    assert trial.rows("SELECT count(*) FROM resources WHERE deleted = 1") == [(0,)]


def test_an_ehr_that_ignores_the_order_loses_nothing_by_it(
    tmp_path: Path, reference: Running
) -> None:
    trial = small(tmp_path, reference, "no-pieces")
    ignored = Harm(ask_otherwise(lambda at: re.sub(r"&_sort=[^&]*", "", at)), on=url("_sort="))
    runs = daily(trial, 4, ignored)
    assert ignored.struck, "it was asked whether it sorts"
    assert runs[-1].status is RunStatus.INCOMPLETE
    assert [each.type for each in runs[-1].missing] == ["Observation"]
    assert not trial.chaos.urls("_sort=_lastUpdated", f"_count={SIZE}")
    file = trial.site.folder / "limited.toml"
    file.write_text(file.read_text().replace(f"per_day = {BUDGET}", "per_day = 500"))
    trial.process = jobs.Site(trial.environment, trial.clock, system_entropy)
    trial.advance(DAY)
    assert trial.sync(ignored).status is RunStatus.COMPLETE
    assert trial.stored() == trial.truth()
