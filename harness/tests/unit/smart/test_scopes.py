"""Scopes are compared by what they permit."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.smart.scopes import PERMISSIONS, Scope, ScopeSet, Syntax

CATEGORY = "category=http://terminology.hl7.org/CodeSystem/observation-category|"


@pytest.mark.parametrize(
    ("text", "level", "type_", "permissions", "syntax"),
    [
        ("patient/Observation.read", "patient", "Observation", "rs", Syntax.V1),
        ("user/Observation.write", "user", "Observation", "cud", Syntax.V1),
        ("patient/*.*", "patient", "*", "cruds", Syntax.V1),
        ("system/*.rs", "system", "*", "rs", Syntax.V2),
        ("Patient/Observation.Read", "patient", "Observation", "rs", Syntax.V1),
        ("Patient.read", None, "Patient", "r", Syntax.OPERATION),
        ("Observation.search", None, "Observation", "s", Syntax.OPERATION),
        ("patient/Observation.c", "patient", "Observation", "c", Syntax.V2),
    ],
)
def test_a_resource_scope_is_understood_in_every_dialect(
    text: str, level: str | None, type_: str, permissions: str, syntax: Syntax
) -> None:
    scope = Scope.parse(text)
    assert (scope.level, scope.type, scope.permissions, scope.syntax) == (
        level,
        type_,
        frozenset(permissions),
        syntax,
    )


@pytest.mark.parametrize(
    "text",
    [
        "openid",
        "launch/patient",
        "offline_access",
        "epic.scanning.dmsusername",
        "patient/Observation.sr",
        "patient/Observation.rr",
        "patient/Observation.",
        "patient/Observation",
        "tenant/Observation.rs",
        "https://example.org/auth.read",
    ],
)
def test_what_is_no_resource_scope_stays_a_word(text: str) -> None:
    scope = Scope.parse(text)
    assert not scope.is_resource
    assert scope.canonical == text


def test_letters_out_of_order_are_told_apart_from_launch_words() -> None:
    assert ScopeSet.parse("launch/patient patient/Patient.sr").malformed == (
        Scope.parse("patient/Patient.sr"),
    )


def test_split_permissions_add_up() -> None:
    granted = ScopeSet.parse("patient/Observation.r patient/Observation.s")
    assert granted.covers("patient/Observation.rs")
    assert granted.covers("patient/Observation.read")


def test_version_1_answers_a_version_2_request() -> None:
    assert not ScopeSet.parse("patient/*.read").missing(ScopeSet.parse("patient/Observation.rs"))


def test_a_type_does_not_cover_the_wildcard() -> None:
    assert not ScopeSet.parse("patient/Observation.rs").covers("patient/*.rs")


def test_levels_do_not_cover_each_other() -> None:
    assert not ScopeSet.parse("user/Patient.rs").covers("patient/Patient.rs")


def test_a_grant_without_level_covers_the_level_that_was_asked_for() -> None:
    granted = ScopeSet.parse("openid Patient.read Patient.search")
    assert granted.missing(ScopeSet.parse("openid patient/Patient.rs")) == ()
    assert granted.widened(ScopeSet.parse("openid patient/Patient.rs")) == ()


def test_missing_names_only_the_permissions_that_lack() -> None:
    granted = ScopeSet.parse("patient/Observation.rs")
    assert [str(s) for s in granted.missing(ScopeSet.parse("patient/Observation.crus openid"))] == [
        "patient/Observation.cu",
        "openid",
    ]


def test_widened_names_what_nobody_asked_for() -> None:
    granted = ScopeSet.parse("patient/Observation.cruds launch/patient")
    asked = ScopeSet.parse("patient/Observation.rs launch/patient")
    assert [str(s) for s in granted.widened(asked)] == ["patient/Observation.cud"]


def test_a_granular_grant_covers_the_same_and_narrower_but_not_wider() -> None:
    granted = ScopeSet.parse(f"patient/Observation.rs?{CATEGORY}laboratory")
    assert granted.covers(f"patient/Observation.rs?{CATEGORY}laboratory&status=final")
    assert not granted.covers("patient/Observation.rs")
    assert not granted.covers(f"patient/Observation.rs?{CATEGORY}vital-signs")
    assert ScopeSet.parse("patient/Observation.rs").covers(
        f"patient/Observation.rs?{CATEGORY}laboratory"
    )


def test_alternatives_of_a_granular_grant_may_shrink() -> None:
    granted = ScopeSet.parse("patient/Observation.rs?category=laboratory,vital-signs")
    assert granted.covers("patient/Observation.rs?category=laboratory")
    assert not granted.covers("patient/Observation.rs?category=laboratory,survey")


def test_granular_scopes_allow_partly() -> None:
    granted = ScopeSet.parse("patient/Observation.rs?category=laboratory")
    assert granted.allows("patient", "Observation", "s", partly=True)
    assert not granted.allows("patient", "Observation", "s")
    assert not granted.allows("patient", "Observation", "c", partly=True)


def test_declining_takes_out_what_is_covered() -> None:
    scopes = ScopeSet.parse("openid patient/Patient.rs patient/Observation.rs")
    assert str(scopes.without(["patient/Observation.cruds"])) == "openid patient/Patient.rs"


def test_repetitions_count_once() -> None:
    assert len(ScopeSet.parse("openid  openid\nfhirUser")) == 2


levels = st.sampled_from(["patient", "user", "system"])
types = st.sampled_from(["*", "Patient", "Observation", "Condition"])
letters = st.sets(st.sampled_from(PERMISSIONS), min_size=1).map(
    lambda chosen: "".join(p for p in PERMISSIONS if p in chosen)
)
verbs = st.one_of(letters, st.sampled_from(["read", "write", "*"]))
queries = st.sampled_from(["", "", "?category=laboratory", "?category=laboratory,survey"])
resource_scopes = st.builds("{}/{}.{}{}".format, levels, types, verbs, queries)
words = st.sampled_from(["openid", "fhirUser", "launch", "launch/patient", "offline_access"])
scope_sets = st.lists(st.one_of(resource_scopes, words), max_size=8).map(ScopeSet.parse)


@given(scope_sets)
def test_every_set_covers_itself(scopes: ScopeSet) -> None:
    assert scopes.missing(scopes) == ()
    assert scopes.widened(scopes) == ()


@given(scope_sets, scope_sets)
def test_nothing_lacks_exactly_when_everything_is_covered(
    granted: ScopeSet, asked: ScopeSet
) -> None:
    assert (granted.missing(asked) == ()) == all(granted.covers(scope) for scope in asked)


@given(scope_sets, scope_sets)
def test_granting_what_lacks_closes_the_gap(granted: ScopeSet, asked: ScopeSet) -> None:
    more = ScopeSet((*granted.scopes, *granted.missing(asked)))
    assert more.missing(asked) == ()


@given(resource_scopes)
def test_the_canonical_form_permits_the_same(text: str) -> None:
    scope = Scope.parse(text)
    again = Scope.parse(scope.canonical)
    assert (again.level, again.type, again.permissions, again.conditions) == (
        scope.level,
        scope.type,
        scope.permissions,
        scope.conditions,
    )


@given(st.text(max_size=60))
def test_no_text_breaks_the_parser(text: str) -> None:
    ScopeSet.parse(text)
    Scope.parse(text)
