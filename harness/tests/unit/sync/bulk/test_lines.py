from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.sync.bulk.lines import NOBODY, Bad, Kept, Left, deletions, read_line

TYPES = ("Patient", "Observation", "Coverage", "Provenance", "Task", "Practitioner")
OURS = {"p1", "p2"}


def line(type_: str = "Observation", **members: Any) -> bytes:
    return json.dumps({"resourceType": type_, "id": "x"} | members).encode()


def read(data: bytes) -> Kept | Left | Bad:
    return read_line(data, TYPES, OURS)


@pytest.mark.parametrize(
    "data",
    [
        line(subject={"reference": "Patient/p1"}),
        line(subject={"reference": "https://ehr.example/r4/Patient/p1"}),
        line(subject={"reference": "Patient/p1/_history/3"}),
        line("Coverage", beneficiary={"reference": "Patient/p1"}),
        line("Task", **{"for": {"reference": "Patient/p1"}}),
        line("Provenance", target=[{"reference": "Observation/1"}, {"reference": "Patient/p1"}]),
        line("Patient", id="p1"),
    ],
)
def test_a_resource_belongs_to_the_patient_that_it_names(data: bytes) -> None:
    kept = read(data)
    assert isinstance(kept, Kept)
    assert kept.patient == "p1"
    assert kept.received.raw == data, "the bytes are those that the server sent"


@pytest.mark.parametrize(
    "data", [line("Patient", id="p9"), line(subject={"reference": "Patient/p9"})]
)
def test_patients_of_others_are_left(data: bytes) -> None:
    assert isinstance(read(data), Left)


@pytest.mark.parametrize(
    "data",
    [
        line("Practitioner"),
        line(subject={"reference": "Group/p9"}),
        line(subject={"display": "somebody"}),
        line(subject={"reference": 5}),
        line(subject=None),
        line(subject=[]),
    ],
)
def test_what_names_no_patient_belongs_to_nobody(data: bytes) -> None:
    kept = read(data)
    assert isinstance(kept, Kept)
    assert kept.patient == NOBODY


def test_what_was_not_asked_for_is_left() -> None:
    assert read(line("Encounter")) == Left("Encounter", "came although it was not asked for")


@pytest.mark.parametrize(
    "data",
    [
        b"{",
        b"[]",
        b"null",
        b'{"resourceType": "Patient"}',
        b'{"resourceType": "Patient", "id": 5}',
        b'{"resourceType": "Patient", "id": ""}',
        b'{"resourceType": "Patient", "id": NaN}',
        b'{"resourceType": "Patient", "id": "\xff"}',
        b"[" * 100_000,
        b'{"a":' * 100_000,
    ],
)
def test_what_is_no_resource_is_told(data: bytes) -> None:
    assert isinstance(read(data), Bad)


@given(st.binary(max_size=200))
def test_no_line_is_too_odd(data: bytes) -> None:
    assert isinstance(read(data), Kept | Left | Bad)


def test_versions_and_stamps_are_taken_over() -> None:
    meta = {"versionId": "7", "lastUpdated": "2026-05-01T10:00:00+02:00"}
    kept = read(line("Patient", id="p1", meta=meta))
    assert isinstance(kept, Kept)
    assert kept.received.version == "7"
    assert str(kept.received.last_updated) == "2026-05-01 08:00:00+00:00"


def test_deletions_are_read_tolerantly() -> None:
    bundle = {
        "entry": [
            {"request": {"method": "DELETE", "url": "Observation/1"}},
            {"request": {"method": "DELETE", "url": "https://ehr.example/r4/Patient/2"}},
            {"request": {"method": "PUT", "url": "Observation/3"}},
            {"request": {"method": "DELETE", "url": 4}},
            {"request": {"method": "DELETE", "url": "5"}},
            {"request": None},
            "x",
        ]
    }
    assert list(deletions(bundle)) == [("Observation", "1"), ("Patient", "2")]
    assert list(deletions({"entry": None})) == []
