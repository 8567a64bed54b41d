from datetime import UTC, datetime, timedelta, timezone
from time import process_time
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.spec.definitions import load
from harness.validation.invariants import Entries, Scope
from harness.validation.invariants.moments import after
from harness.validation.invariants.scope import resolve, target_type
from harness.validation.validator import Validator

GROUP = {"resourceType": "Group", "id": "g"}
PATIENT = {"resourceType": "Patient", "id": "1"}
OWNER: dict[str, Any] = {"resourceType": "List", "contained": [GROUP, GROUP | {"actual": True}]}
BUNDLE = {
    "entry": [
        {"fullUrl": "http://example.org/r4/Patient/1", "resource": PATIENT},
        {"fullUrl": "urn:uuid:2", "resource": GROUP},
        {"fullUrl": 5},
        "x",
    ]
}
SCOPE = Scope(OWNER, OWNER, Entries(BUNDLE), "http://example.org/r4/List/9")


@pytest.mark.parametrize(
    ("reference", "resource"),
    [
        ("#g", GROUP),
        ("#", OWNER),
        ("#other", None),
        ("urn:uuid:2", GROUP),
        ("http://example.org/r4/Patient/1", PATIENT),
        ("Patient/1", PATIENT),
        ("Patient/2", None),
        ("http://elsewhere.org/Patient/1", None),
        ("", None),
        (None, None),
        (5, None),
    ],
)
def test_references_lead_to_what_is_at_hand(reference: Any, resource: Any) -> None:
    assert resolve(reference, SCOPE) is resource


def test_without_a_full_url_that_is_restful_a_relative_reference_leads_nowhere() -> None:
    assert resolve("Patient/1", Scope(OWNER, OWNER, Entries(BUNDLE), "urn:uuid:9")) is None
    assert resolve("Patient/1", Scope(OWNER, OWNER)) is None


def test_what_is_contained_is_found_from_within_another_contained_resource() -> None:
    inner = SCOPE.inside(GROUP)
    assert inner.resource is GROUP
    assert resolve("#g", inner) is GROUP
    assert resolve("#", inner) is OWNER


@pytest.mark.parametrize(
    ("reference", "kind"),
    [
        ({"reference": "#g"}, "Group"),
        ({"reference": "urn:uuid:2"}, "Group"),
        ({"reference": "Practitioner/1"}, "Practitioner"),
        ({"reference": "http://elsewhere.org/fhir/Device/1/_history/2"}, "Device"),
        ({"identifier": {"value": "1"}, "type": "Device"}, "Device"),
        ({"reference": "http://loinc.org"}, None),
        ({"display": "someone"}, None),
        ("Practitioner/1", None),
        (None, None),
    ],
)
def test_a_reference_tells_the_type_of_its_target(reference: Any, kind: str | None) -> None:
    assert target_type(reference, SCOPE) == kind


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ("2024-02", "2024-01-31"),
        ("2024", "2023-12-31T23:59:59Z"),
        ("2024-01-01T10:00:00Z", "2024-01-01T10:30:00+01:00"),
        ("2024-01-01T10:00:00.5Z", "2024-01-01T10:00:00.45Z"),
        ("2024-01-01T10:00:00.000001Z", "2024-01-01T10:00:00Z"),
    ],
)
def test_a_moment_that_is_certainly_later_is_after(first: str, second: str) -> None:
    assert after(first, second)
    assert not after(second, first)


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ("2024-01-31", "2024-01"),
        ("2024-01-31T23:00:00Z", "2024-01-31"),
        ("2024-01-01T10:00:00Z", "2024-01-01T11:00:00+01:00"),
        ("2016-12-31T23:59:60Z", "2016-12-31T23:59:59Z"),
        ("2024-01-01T10:00:00.50Z", "2024-01-01T10:00:00.5Z"),
        ("0001-01-01T00:00:00+14:00", "0001-01-01T00:00:00-14:00"),
        ("2024-13-45T99:00:00Z", "2024-01-01T10:00:00Z"),
        ("2024-01-01T10:00:00", "2024-01-01T10:00:00Z"),
        (None, "2024"),
        (5, 4),
    ],
)
def test_what_may_be_the_same_moment_is_not_after(first: Any, second: Any) -> None:
    assert not after(first, second)


moments = st.datetimes(datetime(1900, 1, 1), datetime(2100, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001 - hypothesis adds the zone
zones = st.integers(-14 * 60, 14 * 60).map(lambda minutes: timezone(timedelta(minutes=minutes)))


@given(moments, moments, zones, zones)
def test_the_order_of_moments_is_that_of_time(
    first: datetime, second: datetime, here: timezone, there: timezone
) -> None:
    texts = first.astimezone(here).isoformat(), second.astimezone(there).isoformat()
    assert after(*texts) == (first > second)


def test_contained_resources_that_refer_to_each_other_cost_no_more_than_their_number() -> None:
    many = 5_000
    contained = [
        {"resourceType": "Basic", "id": f"a{number}", "subject": {"reference": f"#a{number}"}}
        for number in range(many)
    ]
    validator = Validator(load("hl7.fhir.r4.core", "4.0.1"))
    started = process_time()
    validator.check({"resourceType": "Basic", "code": {"text": "a"}, "contained": contained})
    assert process_time() - started < 2
