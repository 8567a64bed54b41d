"""The chaos transport itself: harms strike what they are for, and the store tells."""

from __future__ import annotations

from pathlib import Path

from harness.reference.process import Running
from harness.sync.model import RunStatus
from harness.tests.chaos.wire import (
    Harm,
    Trial,
    answer,
    hang,
    lose_answer,
    no_answer,
    search,
    url,
    with_status,
)


def test_a_sync_through_harms_ends_with_the_truth(tmp_path: Path, reference: Running) -> None:
    trial = Trial.of(tmp_path, reference, "wire", types=("Patient", "Observation"))
    harms = [
        Harm(lose_answer(), on=search("Observation"), times=1),
        Harm(no_answer(), on=search("Observation"), times=1),
        Harm(hang(60), on=search("Patient"), times=1),
        Harm(answer(502, "<html>bad gateway</html>", "text/html"), times=1, after=3),
    ]
    account = trial.sync(*harms)
    assert account.status is RunStatus.COMPLETE, account.lines()
    assert [each.struck for each in harms] == [1, 1, 1, 1]
    assert trial.stored() == trial.truth()
    assert len(trial.patients) > account.patients == 2


def test_what_harm_leaves_is_named_and_fetched_by_the_next_run(
    tmp_path: Path, reference: Running
) -> None:
    trial = Trial.of(tmp_path, reference, "wire-left", strategy="last_updated")
    refused = trial.patients[0]
    account = trial.sync(Harm(with_status(403), on=url("Observation", refused)))
    assert account.status is RunStatus.INCOMPLETE
    assert [(each.patient, each.type) for each in account.missing] == [(refused, "Observation")]
    assert trial.sync().status is RunStatus.COMPLETE
    assert trial.stored() == trial.truth()
