"""What ends at an EHR: deleted, entered in error, merged, or reachable by reference alone."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from harness.reference.process import Running
from harness.sync.model import RunStatus
from harness.tests.chaos.test_paging_links import complete
from harness.tests.chaos.test_search_answers import condition
from harness.tests.chaos.wire import (
    Harm,
    Trial,
    answer,
    outcome,
    search,
    url,
    with_resources,
)


def delete(trial: Trial, type_: str, id_: str) -> None:
    trial.site.running.control("DELETE", f"/instances/{trial.instance}/resources/{type_}/{id_}")


def test_a_deletion_is_found_in_the_history_of_its_type(tmp_path: Path, reference: Running) -> None:
    trial = Trial.small(tmp_path, reference, "ends-deleted")
    assert complete(trial, trial.sync())
    id_ = min(id_ for _, id_ in trial.truth())
    trial.advance(60)
    delete(trial, "Condition", id_)
    account = trial.sync()
    assert [(each.id, each.reason) for each in account.gone] == [
        (id_, "its history has a deletion, and a read answers 410")
    ]
    assert complete(trial, account)
    assert trial.rows("SELECT deleted FROM resources WHERE id = ?", id_) == [(1,)]
    assert trial.sync().gone == ()


def test_without_a_history_a_deletion_waits_for_a_full_reading(
    tmp_path: Path, reference: Running
) -> None:
    ehr = "[sync]\nfull_every_days = 2"
    trial = Trial.small(tmp_path, reference, "ends-unseen", ehr=ehr)
    refuse = answer(403, outcome("error", "forbidden"))
    trial.sync(Harm(refuse, on=url("_history")))
    id_ = min(id_ for _, id_ in trial.truth())
    delete(trial, "Condition", id_)
    assert trial.sync(Harm(refuse, on=url("_history"))).gone == ()
    trial.advance(3 * 86400)
    account = trial.sync(Harm(refuse, on=url("_history")))
    assert [each.reason for each in account.gone] == [
        "a full listing does not have it, and a read answers 410"
    ]
    assert complete(trial, account)


def test_entered_in_error_is_a_version_like_any_other(tmp_path: Path, reference: Running) -> None:
    trial = Trial.small(tmp_path, reference, "ends-in-error")
    condition(trial, "wrong", trial.patients[0])
    assert complete(trial, trial.sync())
    error = {"coding": [{"code": "entered-in-error"}]}
    trial.advance(60)
    condition(trial, "wrong", trial.patients[0], verificationStatus=error)
    account = trial.sync()
    assert complete(trial, account)
    assert account.by_type["Condition"].changed == 1
    kept = trial.rows("SELECT deleted, body FROM resources WHERE id = 'wrong'")[0]
    assert (kept[0], b"entered-in-error" in kept[1]) == (0, True)


def test_who_was_merged_is_followed_to_the_one_who_is_left(
    tmp_path: Path, reference: Running
) -> None:
    trial = Trial.small(tmp_path, reference, "ends-moved", types=("Patient", "Condition"))
    gone, left = trial.patients[0], trial.patients[4]
    there = f"{trial.site.running.ready['fhir_base']}/Patient/{left}"
    moved = answer(301, outcome("error", "not-found", "4107"), Location=there)
    account = trial.sync(Harm(moved, on=url(gone)))
    assert account.status is RunStatus.COMPLETE, account.lines()
    assert f"    {gone} was replaced by {left}" in account.lines()
    held = {patient for (patient,) in trial.rows("SELECT DISTINCT patient FROM resources")}
    assert held == {trial.patients[1], left}
    again = trial.sync()
    assert again.merged == ()
    assert trial.stored().items() >= trial.truth().items(), "the merge was taken back"


def test_a_link_to_the_one_who_is_left_is_followed(tmp_path: Path, reference: Running) -> None:
    trial = Trial.small(tmp_path, reference, "ends-replaced", types=("Patient", "Condition"))
    gone, left = trial.patients[0], trial.patients[4]

    def replaced(resource: dict[str, Any]) -> dict[str, Any]:
        link = {"type": "replaced-by", "other": {"reference": f"Patient/{left}"}}
        return resource | ({"link": [link]} if resource["id"] == gone else {})

    account = trial.sync(Harm(with_resources(replaced), on=search("Patient")))
    assert account.status is RunStatus.COMPLETE
    assert [(each.patient, each.reason) for each in account.merged] == [
        (gone, f"was replaced by {left}")
    ]
    assert ("Patient", left) in trial.stored()
    assert account.patients == 3


def test_what_no_search_shows_is_read_by_its_references(tmp_path: Path, reference: Running) -> None:
    trial = Trial.of(
        tmp_path,
        reference,
        "ends-chased",
        types=("DiagnosticReport",),
        strategy="last_updated",
        ehr='[sync]\nchase = ["DiagnosticReport.result", "Observation.hasMember"]',
    )
    mine, other = trial.patients[0], trial.patients[3]
    trial.observe(mine, "member")
    trial.observe(mine, "panel", hasMember=[{"reference": "Observation/member"}])
    trial.observe(other, "foreign")
    results = [{"reference": f"Observation/{id_}"} for id_ in ("panel", "foreign", "nowhere")]
    report = {
        "resourceType": "DiagnosticReport",
        "id": "report",
        "status": "final",
        "code": {"text": "chaos"},
        "subject": {"reference": f"Patient/{mine}"},
        "result": results,
    }
    trial.write(report)
    account = trial.sync()
    assert account.status is RunStatus.COMPLETE, account.lines()
    chased = {id_ for type_, id_ in trial.stored() if type_ == "Observation"}
    assert chased >= {"panel", "member"}
    assert not {"foreign", "nowhere"} & chased
    assert account.by_type["Observation"].new == len(chased)
    assert (
        account.notes.items()
        >= {
            "Observation: is referred to and not there": 1,
            "Observation: is referred to and belongs to another patient": 1,
        }.items()
    )
    trial.advance(3600)
    trial.sync()
    read = [each.rpartition("/")[2] for each in trial.chaos.urls("/Observation/")]
    assert not {"panel", "member"} & set(read), "nothing changed, so nothing is read again"
    trial.observe(mine, "panel", note=[{"text": "corrected"}])
    trial.write(report | {"status": "amended"})
    trial.sync()
    assert trial.stored()["Observation", "panel"] == "2"


def test_a_reference_that_cannot_be_read_keeps_its_query_open(
    tmp_path: Path, reference: Running
) -> None:
    trial = Trial.of(
        tmp_path,
        reference,
        "ends-unread",
        types=("DiagnosticReport",),
        strategy="last_updated",
        patients=1,
        ehr='[sync]\nchase = ["DiagnosticReport.result"]',
    )
    refuse = Harm(answer(500), on=url("/Observation/"), times=1)
    account = trial.sync(refuse)
    assert account.status is RunStatus.INCOMPLETE
    assert [each.reason for each in account.missing] == [
        "an Observation that is referred to: status 500"
    ]
    account = trial.sync()
    assert account.status is RunStatus.COMPLETE
