"""Answers that do not come, come late, or come as something else."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from harness.reference.process import Running
from harness.sync.model import RunStatus
from harness.tests.chaos.test_paging_links import CONDITIONS, complete, incomplete
from harness.tests.chaos.wire import (
    Harm,
    Trial,
    answer,
    cut_body,
    delay,
    hang,
    is_next_page,
    no_answer,
    outcome,
    search,
    url,
    with_body,
    with_headers,
)

HTML = "<html><body>We will be back soon.</body></html>"


def test_blips_are_asked_again(tmp_path: Path, reference: Running) -> None:
    trial = Trial.small(tmp_path, reference, "wire-blips")
    harms = [
        Harm(answer(status, HTML, "text/html"), on=CONDITIONS, times=1)
        for status in (502, 503, 504)
    ]
    reset = Harm(no_answer("protocol", "reset"), on=is_next_page, times=1)
    slow = Harm(delay(45), on=is_next_page, times=1)
    assert complete(trial, trial.sync(*harms, reset, slow))
    assert [each.struck for each in (*harms, reset, slow)] == [1] * 5


@pytest.mark.parametrize("status", [500, 504])
def test_a_failure_that_stays_costs_a_few_tries_and_one_query(
    tmp_path: Path, reference: Running, status: int
) -> None:
    trial = Trial.small(tmp_path, reference, f"wire-stays-{status}")
    harm = Harm(answer(status, outcome("error", "exception")), on=url(trial.patients[0]))
    account = trial.sync(harm)
    assert account.status is RunStatus.INCOMPLETE
    assert [each.patient for each in account.missing] == [trial.patients[0]]
    assert 1 <= harm.struck <= 8
    assert incomplete(trial, account, f"status {status}")


def test_a_page_of_html_is_asked_for_once_more(tmp_path: Path, reference: Running) -> None:
    trial = Trial.small(tmp_path, reference, "wire-html")
    html = answer(200, HTML, "text/html")
    harms = [Harm(html, on=CONDITIONS, times=1), Harm(cut_body(), on=is_next_page, times=1)]
    assert complete(trial, trial.sync(*harms))


def test_html_for_whatever_is_asked_ends_the_run(tmp_path: Path, reference: Running) -> None:
    trial = Trial.small(
        tmp_path, reference, "wire-maintenance", types=("Patient", "Condition"), patients=6
    )
    patients = search("Patient")
    harm = Harm(
        answer(200, HTML, "text/html"), on=lambda asked: CONDITIONS(asked) or patients(asked)
    )
    account = trial.sync(harm)
    assert account.status is RunStatus.INCOMPLETE
    assert account.reason == "the EHR answers with something that is no FHIR"
    assert account.come_back is not None
    assert len(account.missing) == 12
    assert harm.struck < 20
    assert complete(trial, trial.sync())


@pytest.mark.parametrize("kind", ["text/html", "application/octet-stream", None])
def test_fhir_is_taken_under_any_content_type(
    tmp_path: Path, reference: Running, kind: str | None
) -> None:
    trial = Trial.small(tmp_path, reference, f"wire-type-{len(kind or '')}")
    assert complete(trial, trial.sync(Harm(with_headers(Content_Type=kind), on=CONDITIONS)))


def test_a_page_that_is_not_json_is_a_gap(tmp_path: Path, reference: Running) -> None:
    trial = Trial.small(tmp_path, reference, "wire-json")
    spoil = with_body(lambda body: body.replace(b'"Bundle"', b'"Bundle", "x": {', 1))
    account = trial.sync(Harm(spoil, on=url("/Condition", trial.patients[0])))
    assert [each.patient for each in account.missing] == [trial.patients[0]]
    assert incomplete(trial, account, "expected JSON")


@pytest.mark.parametrize(("name", "member"), [("nan", b'"x": NaN,'), ("utf-8", b'"x": "\xff",')])
def test_of_a_page_with_one_resource_that_is_not_json_the_others_are_kept(
    tmp_path: Path, reference: Running, name: str, member: bytes
) -> None:
    trial = Trial.small(tmp_path, reference, f"wire-spoilt-{name}")

    def spoil(body: bytes) -> bytes:
        at = re.search(rb'"resource"\s*:\s*\{', body)
        assert at is not None
        return body[: at.end()] + member + body[at.end() :]

    whose = url("/Condition", trial.patients[0])
    account = trial.sync(Harm(with_body(spoil), on=whose, times=1))
    assert len(trial.stored()) == len(trial.truth()) - 1
    assert incomplete(trial, account, "1 entries are no resource with a type and an id")


def test_of_repeated_members_the_last_one_counts(tmp_path: Path, reference: Running) -> None:
    trial = Trial.small(tmp_path, reference, "wire-repeated")
    patient = trial.patients[0]
    once = b'"resourceType":"Condition"'
    twice = with_body(
        lambda body: body.replace(once, b'"id":"not-this",' + once).replace(
            b'"resourceType": "Condition"', b'"id": "not-this", "resourceType": "Condition"'
        )
    )
    harm = Harm(twice, on=url("/Condition", patient))
    assert complete(trial, trial.sync(harm))
    bodies = [
        body for (body,) in trial.rows("SELECT body FROM resources WHERE patient = ?", patient)
    ]
    assert any(b"not-this" in body for body in bodies)
    assert all(json.loads(body)["id"] != "not-this" for body in bodies)


@pytest.mark.parametrize(
    ("kind", "reason", "most"),
    [
        ("dns", "the host name is unknown", 3),
        ("tls", "the TLS certificate is not trusted", 3),
        ("refused", "connection refused", 9),
    ],
)
def test_a_host_that_cannot_be_reached_is_left_alone(
    tmp_path: Path, reference: Running, kind: str, reason: str, most: int
) -> None:
    trial = Trial.small(tmp_path, reference, f"wire-away-{kind}", patients=6)
    account = trial.sync(Harm(no_answer(kind, reason)))
    assert account.status is RunStatus.FAILED
    assert reason in (account.reason or "")
    assert len(trial.chaos.asked) <= most
    account = trial.sync()
    assert "did not answer a moment ago" in (account.reason or "")
    assert trial.chaos.asked == []
    trial.clock.skip(120)
    assert complete(trial, trial.sync())


def test_silence_costs_two_tries(tmp_path: Path, reference: Running) -> None:
    trial = Trial.small(tmp_path, reference, "wire-silent")
    harm = Harm(hang(60, "read timed out after 60 s"), on=url("/Condition", trial.patients[0]))
    account = trial.sync(harm)
    assert harm.struck == 2
    assert incomplete(trial, account, "read timed out after 60 s")
