"""Ten thousand patients: a start like that of twenty, and each of them is served alike."""

from __future__ import annotations

import time
from collections.abc import Iterator

import pytest

from harness.reference.process import ReferenceFailed, Running, start
from harness.tests.reference_process import App

SCOPES = "launch/patient patient/*.rs"


@pytest.fixture(scope="module")
def crowd() -> Iterator[Running]:
    before = time.monotonic()
    with start(patients=10_000) as running:
        assert time.monotonic() - before < 20  # a second on an idle machine; tests share theirs
        yield running


def test_the_last_patient_is_served_like_the_first(crowd: Running) -> None:
    app = App(crowd.fhir_base, crowd.credentials)
    answer = app.launch("other", SCOPES)
    patient = answer["patient"]
    assert patient.startswith("p10000-")
    bundle = app.get("Observation?_count=50", answer["access_token"]).json()
    assert bundle["total"] > 50
    assert {one["resource"]["subject"]["reference"] for one in bundle["entry"]} == {
        f"Patient/{patient}"
    }
    app.close()


def test_the_truth_of_all_of_them_at_once_is_refused(crowd: Running) -> None:
    with pytest.raises(ReferenceFailed, match=r"400 .*name a patient"):
        crowd.control("GET", "/instances/default/resources/Observation")
