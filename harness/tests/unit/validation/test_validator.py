from __future__ import annotations

import sys
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from harness.tests.unit.validation.judged import US_CORE, declaring, observation, us_core
from harness.validation.findings import Severity
from harness.validation.validator import Validator

VALIDATOR = Validator(us_core())
PRESSURE = f"{US_CORE}us-core-blood-pressure"

scalars = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8)
names = st.sampled_from(
    [
        *("resourceType", "id", "meta", "profile", "extension", "url", "contained", "reference"),
        *("code", "coding", "system", "value", "valueQuantity", "_status", "status", "component"),
        *("entry", "resource", "fullUrl", "category", "subject", "effectiveDateTime", "name"),
    ]
)
kinds = st.sampled_from(
    ["Observation", "Patient", "Bundle", "Parameters", "Questionnaire", PRESSURE]
)
anything = st.recursive(
    scalars | kinds,
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(names | st.text(max_size=4), inner, max_size=5)
    ),
    max_leaves=25,
)
shaped = st.builds(
    lambda kind, members: {**members, "resourceType": kind},
    kinds,
    st.dictionaries(names, anything, max_size=6),
)
bounded = settings(
    max_examples=100, deadline=None, suppress_health_check=[HealthCheck.too_slow], database=None
)


@bounded
@given(anything | shaped)
def test_whatever_json_comes_it_is_judged(value: object) -> None:
    for finding in VALIDATOR.check(value):
        assert finding.path.isprintable()
        assert finding.actual.isprintable()


@bounded
@given(names, anything)
def test_a_member_of_any_shape_is_judged_beside_right_ones(name: str, value: Any) -> None:
    VALIDATOR.check(declaring({**observation(), name: value}, PRESSURE))


@bounded
@given(anything)
def test_what_is_judged_is_not_changed(value: Any) -> None:
    resource = {"resourceType": "Bundle", "entry": value}
    before = repr(resource)
    VALIDATOR.check(resource)
    assert repr(resource) == before


def test_json_nested_deeper_than_python_can_follow_is_an_error() -> None:
    inner: Any = "x"
    for _ in range(sys.getrecursionlimit() * 2):
        inner = {"resource": inner, "resourceType": "Parameters", "parameter": [{"name": inner}]}
        inner = {"item": [inner], "resourceType": "Questionnaire"}
    found = VALIDATOR.check({"resourceType": "Bundle", "entry": [{"resource": inner}]})
    assert any(finding.severity is Severity.ERROR for finding in found)


def test_a_number_that_python_refuses_to_write_is_told() -> None:
    found = VALIDATOR.check({"resourceType": "Basic", "code": 10**5000})
    assert "a number of more than 40 digits" in [finding.actual for finding in found]


def test_control_characters_of_an_ehr_reach_nobody() -> None:
    resource = observation(**{"\x1b[31mstatus\n": "a"})
    resource["status"] = "\x1b[2J"
    for finding in VALIDATOR.check(resource):
        assert "\x1b" not in finding.path + finding.actual


def test_many_items_take_time_in_proportion() -> None:
    component = {
        "code": {"coding": [{"system": "http://loinc.org", "code": "8480-6"}]},
        "valueString": "x",
    }
    resource = declaring(observation(component=[component] * 20_000), PRESSURE)
    assert VALIDATOR.check(resource)
