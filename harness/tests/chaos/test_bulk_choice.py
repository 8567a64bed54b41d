"""An export that no file asks for: chosen where it pays, given up where the EHR does not serve."""

from __future__ import annotations

from pathlib import Path

import pytest

from harness.reference.process import Running
from harness.sync.bulk import choice
from harness.sync.model import RunStatus
from harness.tests.chaos.bulk import KICKOFF, jobs, listed, trial
from harness.tests.chaos.wire import Harm, Trial, answer

OPEN = ""
"""No strategy in any file."""


@pytest.fixture(autouse=True)
def _few_searches_are_worth_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(choice, "WORTH", 4)


def complete(of: Trial, *harms: Harm) -> int:
    """One run that ends with what the server has; how many exports it asked for."""
    account = of.sync(*harms)
    assert account.status is RunStatus.COMPLETE, account.lines()
    assert of.stored() == of.truth()
    assert jobs(of) == []
    return len(of.chaos.urls("/$export"))


def test_an_export_is_chosen_where_it_saves_many_searches(
    tmp_path: Path, reference: Running
) -> None:
    of = trial(tmp_path, reference, "choice-bulk", strategy=OPEN)
    assert complete(of) == 1
    of.observe(of.patients[0], "written-since")
    assert complete(of) == 1
    assert "written-since" in {id_ for _, id_ in of.stored()}


def test_a_refused_export_is_made_up_for_by_searches_and_not_asked_for_again(
    tmp_path: Path, reference: Running
) -> None:
    of = trial(tmp_path, reference, "choice-refused", strategy=OPEN)
    assert complete(of, Harm(answer(403), on=KICKOFF)) == 1
    of.observe(of.patients[0], "written-since")
    assert complete(of) == 0
    assert "written-since" in {id_ for _, id_ in of.stored()}


def test_an_export_that_is_not_declared_is_not_asked_for(
    tmp_path: Path, reference: Running
) -> None:
    of = trial(tmp_path, reference, "choice-undeclared", strategy=OPEN)
    assert complete(of, Harm(answer(404), on=lambda each: each.url.endswith("/metadata"))) == 0


def test_patients_that_are_listed_are_searched_for(tmp_path: Path, reference: Running) -> None:
    of = trial(tmp_path, reference, "choice-listed", strategy=OPEN)
    text = of.path.read_text()
    head, _, rest = text.partition("[patients]\n")
    of.path.write_text(
        f"{head}[patients]\n{listed(*of.patients)}\n[schedule]" + rest.partition("[schedule]")[2]
    )
    assert complete(of) == 0
