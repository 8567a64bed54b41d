"""Searches that are answered with less, with more, with other things, or with a word alone."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from harness.reference.process import Running
from harness.sync.model import RunStatus
from harness.tests.chaos.test_paging_links import CONDITIONS, complete, incomplete
from harness.tests.chaos.wire import (
    Harm,
    Trial,
    answer,
    ask_otherwise,
    is_next_page,
    outcome,
    search,
    url,
    with_json,
    with_outcome,
    with_resources,
)

BOTH = (CONDITIONS, is_next_page)


def test_a_word_that_some_may_be_withheld_is_told_and_stops_nothing(
    tmp_path: Path, reference: Running
) -> None:
    trial = Trial.small(tmp_path, reference, "search-withheld")
    account = trial.sync(Harm(with_outcome("warning", "suppressed", "4119"), on=CONDITIONS))
    assert complete(trial, account)
    assert account.notes == {"Condition: warning suppressed (4119)": 2}
    assert any("warning suppressed (4119)" in line for line in account.lines())


@pytest.mark.parametrize(
    "said", [("fatal", "too-costly", "4127"), ("warning", "incomplete"), ("error", "timeout")]
)
def test_a_word_that_matches_are_missing_is_a_gap(
    tmp_path: Path, reference: Running, said: tuple[str, ...]
) -> None:
    trial = Trial.small(tmp_path, reference, f"search-lacking-{said[1]}")

    def cut(bundle: dict[str, Any]) -> None:
        del bundle["entry"][1:]
        bundle["entry"].append({"resource": outcome(*said), "search": {"mode": "outcome"}})

    account = trial.sync(Harm(with_json(cut), on=CONDITIONS))
    assert incomplete(trial, account, f"the EHR left matches out: {said[0]} {said[1]}")


def test_a_word_in_the_place_of_matches_is_judged_by_what_it_says(
    tmp_path: Path, reference: Running
) -> None:
    trial = Trial.small(tmp_path, reference, "search-word")
    account = trial.sync(Harm(answer(200, outcome("error", "exception")), on=CONDITIONS))
    assert incomplete(trial, account, "status 200: error exception")
    for_nobody = Trial.small(tmp_path / "none", reference, "search-none")
    none = answer(200, outcome("warning", "not-found", "4101"))
    account = for_nobody.sync(Harm(none, on=CONDITIONS))
    assert account.status is RunStatus.COMPLETE
    assert account.notes == {"Condition: warning not-found (4101)": 2}


def test_a_category_that_the_ehr_does_not_know_is_asked_for_once(
    tmp_path: Path, reference: Running
) -> None:
    trial = Trial.of(
        tmp_path,
        reference,
        "search-category",
        patients=1,
        limits={"page_size": 500},
        strategy="last_updated",
        ehr='[sync.needs]\nObservation = "category"',
    )
    unknown = outcome("error", "invalid", "59111", "an invalid value was given")
    harm = Harm(answer(400, unknown), on=url("therapy"))
    account = trial.sync(harm)
    assert complete(trial, account)
    assert "Observation: the EHR does not know the category therapy" in account.notes
    again = Harm(answer(400, unknown), on=url("therapy"))
    assert complete(trial, trial.sync(again))
    assert again.met == 0


def test_a_bound_that_is_ignored_all_at_once_is_noticed(tmp_path: Path, reference: Running) -> None:
    trial = Trial.small(tmp_path, reference, "search-ignored", strategy=None)
    assert complete(trial, trial.sync())
    learnt = "SELECT value FROM learnt WHERE type = 'Condition' AND what = 'last_updated'"
    assert trial.rows(learnt) == [("honoured",)]
    trial.advance(3 * 86400)
    ignore = ask_otherwise(lambda each: each.replace("_lastUpdated", "_unknown"))
    account = trial.sync(Harm(ignore))
    assert complete(trial, account)
    assert account.notes["Condition: was asked for what is new, and older ones came"] == 2 * 3
    assert trial.rows(learnt) == [("not honoured",)]


def test_resources_without_stamps_are_found_by_the_next_run(
    tmp_path: Path, reference: Running
) -> None:
    trial = Trial.small(tmp_path, reference, "search-unstamped")

    def unstamped(resource: dict[str, Any]) -> dict[str, Any]:
        resource["meta"].pop("lastUpdated")
        return resource

    harms = [Harm(with_resources(unstamped), on=which) for which in BOTH]
    assert complete(trial, trial.sync(*harms))
    trial.advance(3600)
    condition(trial, "later", trial.patients[0])
    harms = [Harm(with_resources(unstamped), on=which) for which in BOTH]
    assert complete(trial, trial.sync(*harms))


def condition(trial: Trial, id_: str, patient: str, **members: Any) -> None:
    resource = {
        "resourceType": "Condition",
        "id": id_,
        "code": {"text": "chaos"},
        "subject": {"reference": f"Patient/{patient}"},
    }
    trial.write(resource | members)


def test_one_patient_behind_glass_stops_no_other(tmp_path: Path, reference: Running) -> None:
    trial = Trial.small(tmp_path, reference, "search-glass")
    closed = answer(403, outcome("error", "suppressed", "4131"))
    account = trial.sync(Harm(closed, on=url("/Condition", trial.patients[0])))
    assert account.status is RunStatus.INCOMPLETE
    assert [(each.patient, each.reason) for each in account.missing] == [
        (trial.patients[0], "status 403: error suppressed (4131)")
    ]
    assert complete(trial, trial.sync())


def test_a_type_that_fails_for_everyone_stops_no_other(tmp_path: Path, reference: Running) -> None:
    types = ("Condition", "DiagnosticReport", "Patient")
    trial = Trial.small(tmp_path, reference, "search-type", types=types)
    account = trial.sync(Harm(answer(400, outcome("error", "invalid")), on=CONDITIONS))
    assert {each.type for each in account.missing} == {"Condition"}
    assert {type_ for type_, _ in trial.stored()} == {"DiagnosticReport", "Patient"}
    assert complete(trial, trial.sync())


def test_what_is_included_with_every_page_is_stored_once(
    tmp_path: Path, reference: Running
) -> None:
    trial = Trial.small(tmp_path, reference, "search-included")
    doctor = {"resourceType": "Practitioner", "id": "dr-1", "meta": {"versionId": "1"}}

    def include(bundle: dict[str, Any]) -> None:
        bundle["entry"].append({"resource": doctor, "search": {"mode": "include"}})

    account = trial.sync(*(Harm(with_json(include), on=which) for which in BOTH))
    assert account.status is RunStatus.COMPLETE
    held = {each: version for each, version in trial.stored().items() if each[0] == "Condition"}
    assert held == trial.truth()
    assert set(trial.stored()) - set(held) == {("Practitioner", "dr-1")}


def test_what_is_invalid_is_kept_as_it_came(tmp_path: Path, reference: Running) -> None:
    trial = Trial.small(tmp_path, reference, "search-invalid")
    odd = {"id": "x" * 80, "note": [None, {"text": None}], "unheardOf": 1.50}

    def spoil(bundle: dict[str, Any]) -> None:
        bundle["entry"][0]["resource"] |= odd

    patient = trial.patients[0]
    account = trial.sync(Harm(with_json(spoil), on=url("/Condition", patient), times=1))
    assert account.status is RunStatus.COMPLETE
    body = trial.rows("SELECT body FROM resources WHERE id = ?", "x" * 80)[0][0]
    assert json.loads(body).items() >= odd.items()
    assert account.notes == {"Condition: breaks the rules of FHIR for ids or null": 1}


def test_entries_that_are_no_resource_are_counted_as_missing(
    tmp_path: Path, reference: Running
) -> None:
    trial = Trial.small(tmp_path, reference, "search-unusable")

    def spoil(bundle: dict[str, Any]) -> None:
        bundle["entry"][0]["resource"].pop("id")

    account = trial.sync(Harm(with_json(spoil), on=CONDITIONS))
    assert len(trial.stored()) == len(trial.truth()) - 2, "later pages are read all the same"
    assert incomplete(trial, account, "1 entries are no resource with a type and an id")


def test_what_belongs_to_another_patient_is_not_stored(tmp_path: Path, reference: Running) -> None:
    trial = Trial.small(tmp_path, reference, "search-foreign")
    mine, other = trial.patients[0], trial.patients[3]
    swap = ask_otherwise(lambda each: each.replace(mine, other))
    account = trial.sync(Harm(swap, on=url("/Condition", mine)))
    assert incomplete(trial, account, "belong to another patient; they were not stored")


def test_the_search_for_patients_is_not_believed_when_it_was_cut(
    tmp_path: Path, reference: Running
) -> None:
    trial = Trial.small(tmp_path, reference, "search-patients", patients=None)
    cut = with_outcome("fatal", "too-costly", "4127")
    account = trial.sync(Harm(cut, on=search("Patient")))
    assert account.status is RunStatus.FAILED
    assert "left matches out: fatal too-costly (4127)" in (account.reason or "")
    assert urlsplit(trial.chaos.asked[-1].url).path.endswith("/Patient")
    assert complete(trial, trial.sync())
