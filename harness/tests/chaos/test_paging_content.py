"""Pages whose rows move: twice, not at all, or counted wrongly."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from harness.reference.process import Running
from harness.sync.model import RunStatus
from harness.tests.chaos.test_paging_links import CONDITIONS, complete
from harness.tests.chaos.wire import (
    Harm,
    Trial,
    is_next_page,
    then,
    url,
    with_json,
    with_resources,
)


def test_rows_that_come_twice_are_stored_once(tmp_path: Path, reference: Running) -> None:
    trial = Trial.small(tmp_path, reference, "rows-twice")
    first: list[Any] = []

    def repeat(bundle: dict[str, Any]) -> None:
        first[:] = first or bundle["entry"][:1]
        bundle["entry"] = [*first, *bundle["entry"], *bundle["entry"][-1:]]

    patient = trial.patients[0]
    harm = Harm(with_json(repeat), on=lambda request: patient in request.url)
    account = trial.sync(harm)
    assert complete(trial, account)
    assert account.by_type["Condition"].new == len(trial.truth())


def test_a_row_that_slips_between_pages_is_read_again(tmp_path: Path, reference: Running) -> None:
    trial = Trial.small(tmp_path, reference, "rows-slip")

    def slip(bundle: dict[str, Any]) -> None:
        del bundle["entry"][0]

    account = trial.sync(Harm(with_json(slip), on=is_next_page, times=1))
    assert complete(trial, account)
    assert len(trial.chaos.urls("/Condition?patient")) == 3, "one of two was asked again"


def uncounted(bundle: dict[str, Any]) -> None:
    bundle.pop("total", None)


def test_a_row_that_slips_where_nobody_counts_is_told_by_what_changed_meanwhile(
    tmp_path: Path, reference: Running
) -> None:
    trial = Trial.small(tmp_path, reference, "rows-slip-uncounted")

    def slip(bundle: dict[str, Any]) -> None:
        del bundle["entry"][0]
        changed = trial.clock.now() + timedelta(seconds=1)
        bundle["entry"][0]["resource"]["meta"]["lastUpdated"] = changed.isoformat()

    account = trial.sync(
        Harm(with_json(uncounted), on=lambda each: CONDITIONS(each) or is_next_page(each)),
        Harm(with_json(slip), on=is_next_page, times=1),
    )
    assert complete(trial, account)
    assert len(trial.chaos.urls("/Condition?patient")) == 3, "one of two was asked again"


def test_rows_that_keep_slipping_are_a_gap(tmp_path: Path, reference: Running) -> None:
    trial = Trial.small(tmp_path, reference, "rows-slipping")
    patient = trial.patients[0]
    lost = sorted(id_ for _, id_ in trial.truth())[:2]
    passes = 0

    def begin(bundle: dict[str, Any]) -> None:
        nonlocal passes
        passes += 1

    def slip(resource: dict[str, Any]) -> dict[str, Any] | None:
        return None if resource["id"] in lost[max(0, passes - 1) :] else resource

    whose = url("/Condition", patient)
    account = trial.sync(
        Harm(with_resources(slip), on=is_next_page),
        Harm(with_json(begin), on=lambda request: whose(request) and not is_next_page(request)),
    )
    assert account.status is RunStatus.INCOMPLETE, account.lines()
    assert "pages keep losing matches" in account.missing[0].reason
    assert complete(trial, trial.sync())


def test_what_changes_while_paging_is_asked_for_again(tmp_path: Path, reference: Running) -> None:
    trial = Trial.small(tmp_path, reference, "rows-change")
    patient = trial.patients[0]
    resource = {
        "resourceType": "Condition",
        "id": "written-meanwhile",
        "code": {"text": "x"},
        "subject": {"reference": f"Patient/{patient}"},
    }
    trial.sync(Harm(then(lambda: trial.write(resource)), on=CONDITIONS, times=1))
    assert complete(trial, trial.sync())


@pytest.mark.parametrize("total", [None, 1, 50])
def test_a_count_is_no_measure_of_what_there_is(
    tmp_path: Path, reference: Running, total: int | None
) -> None:
    trial = Trial.small(tmp_path, reference, f"rows-total-{total or 0}")

    def count(bundle: dict[str, Any]) -> None:
        bundle.pop("total", None)
        if total is not None:
            bundle["total"] = total

    harms = [Harm(with_json(count), on=which) for which in (CONDITIONS, is_next_page)]
    account = trial.sync(*harms)
    assert complete(trial, account)
    counted = "Condition: the EHR counts more matches than it shows" in account.notes
    assert counted == (total == 50)
