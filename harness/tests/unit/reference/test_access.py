"""What a token may do."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.reference.access import Access, ResourceScope

LATER = datetime(2030, 1, 1, tzinfo=UTC)


def access(*scopes: str, patient: str | None = "p1", lapses: tuple[str, ...] = ()) -> Access:
    return Access("app", scopes, patient, "Patient/p1", LATER, frozenset(lapses))


@pytest.mark.parametrize(
    ("scope", "permissions"),
    [
        ("patient/Observation.read", "rs"),
        ("patient/Observation.write", "cud"),
        ("patient/Observation.*", "cruds"),
        ("patient/*.rs", "rs"),
        ("patient/Observation.r", "r"),
        ("user/Observation.cruds", "cruds"),
        ("system/*.s", "s"),
    ],
)
def test_a_scope_grants_its_permissions_and_no_others(scope: str, permissions: str) -> None:
    token = access(scope)
    granted = {each for each in "cruds" if token.allows("Observation", each)}
    assert granted == set(permissions)


@pytest.mark.parametrize(
    "scope",
    [
        "patient/Observation.sr",
        "patient/Observation.",
        "patient/observation.rs",
        "patient/Observation.rss",
        "patient/Observation.rs?",
        "patient/Observation.read?category=x",
        "patient/Observation.rs?category=a&category=b",
        "encounter/Observation.rs",
        "launch/patient",
        "openid",
        "patient/Observation.rs ",
    ],
)
def test_what_is_no_clinical_scope_grants_nothing(scope: str) -> None:
    assert ResourceScope.parse(scope) is None
    assert not access(scope).allows("Observation", "r")


def test_another_type_is_not_covered() -> None:
    assert not access("patient/Observation.rs").allows("Condition", "r")


def test_a_patient_scope_is_bounded_by_the_patient_in_context() -> None:
    assert access("patient/*.rs").compartment_patient("Observation", "r") == "p1"


def test_a_patient_scope_without_a_patient_grants_nothing() -> None:
    assert not access("patient/*.rs", patient=None).allows("Observation", "r")


def test_user_and_system_scopes_are_not_bounded() -> None:
    for scope in ("user/*.rs", "system/*.rs"):
        token = access("patient/Observation.cruds", scope)
        assert token.compartment_patient("Observation", "r") is None
        assert token.compartment_patient("Observation", "c") == "p1"


def test_a_granular_scope_names_its_constraint() -> None:
    vitals, labs = "http://x|vital-signs", "http://x|laboratory"
    token = access(
        f"patient/Observation.rs?category={vitals}", f"patient/Observation.rs?category={labs}"
    )
    assert token.constraints("Observation", "s") == [{"category": vitals}, {"category": labs}]


def test_a_whole_scope_beside_a_granular_one_lifts_the_constraint() -> None:
    token = access("patient/Observation.rs?category=x", "patient/Observation.r")
    assert token.constraints("Observation", "r") is None
    assert token.constraints("Observation", "s") == [{"category": "x"}]


def test_a_constrained_user_scope_is_not_widened_by_a_patient_scope() -> None:
    token = access("user/Observation.rs?category=x", "patient/Observation.rs")
    assert token.compartment_patient("Observation", "r") is None
    assert token.constraints("Observation", "r") == [{"category": "x"}]


def test_a_lapse_opens_what_it_names_and_nothing_else() -> None:
    token = access("patient/Patient.rs", lapses=("scope-read",))
    assert token.allows("Observation", "r")
    assert not token.allows("Observation", "s")
    token = access("patient/*.rs", lapses=("compartment-search",))
    assert token.compartment_patient("Observation", "s") is None
    assert token.compartment_patient("Observation", "r") == "p1"


def test_a_scope_lapse_keeps_the_compartment() -> None:
    token = access("launch/patient", lapses=("scope-read",))
    assert token.compartment_patient("Observation", "r") == "p1"


def test_the_own_user_is_told_from_others() -> None:
    assert access().reads_own_user("Patient", "p1")
    assert not access().reads_own_user("Patient", "p2")


@given(st.text(max_size=40))
def test_no_text_breaks_the_parser(text: str) -> None:
    scope = ResourceScope.parse(text)
    assert scope is None or scope.permissions


@given(
    st.sampled_from(["patient", "user", "system"]), st.sets(st.sampled_from("cruds"), min_size=1)
)
def test_a_scope_includes_itself_and_its_narrowings(level: str, letters: set[str]) -> None:
    permissions = "".join(each for each in "cruds" if each in letters)
    wide = ResourceScope.parse(f"{level}/*.{permissions}")
    narrow = ResourceScope.parse(f"{level}/Observation.{permissions[0]}?category=x")
    assert wide
    assert narrow
    assert wide.includes(wide)
    assert wide.includes(narrow)
    assert not narrow.includes(wide)
