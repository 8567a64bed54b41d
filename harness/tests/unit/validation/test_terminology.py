from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.spec.definitions import load, shipped
from harness.spec.definitions.model import Binding, CodeSystem, Strength, ValueSet
from harness.validation.findings import Rule, Severity
from harness.validation.values.codes import plausible
from harness.validation.values.terminology import Judgement, judge, member, unlisted

MALE_FEMALE = {"urn:g": frozenset({"male", "female"})}
AND_MORE = {"urn:g": frozenset({"male", "female", "x"})}
GENDER = ValueSet("http://example.org/gender", MALE_FEMALE, complete=True)
PARTLY = ValueSet("http://example.org/partly", {"urn:g": frozenset({"male"})}, complete=False)
LOINC = ValueSet("http://example.org/loinc", {"http://loinc.org": None}, complete=True)
MEDIA = ValueSet("http://example.org/media", {"urn:ietf:bcp:13": None}, complete=True)
MAXIMUM = ValueSet("http://example.org/max", AND_MORE, complete=True)


def judged(
    value: Any,
    kind: str = "CodeableConcept",
    strength: Strength = Strength.REQUIRED,
    value_set: ValueSet | None = GENDER,
    maximum: ValueSet | None = None,
) -> Judgement | None:
    binding = Binding(strength, GENDER.url, maximum.url if maximum else None)
    check = judge(binding, value_set, maximum, kind)
    assert check is not None
    return check(value)


def concept(*codes: str | None, system: str | None = "urn:g", **more: Any) -> dict[str, Any]:
    coding = [{"system": system, "code": code} for code in codes]
    return {"coding": coding, **more}


def test_an_enumerated_set_knows_its_members_and_all_others() -> None:
    assert member(GENDER, "urn:g", "male") is True
    assert member(GENDER, "urn:g", "x") is False
    assert member(GENDER, "urn:other", "male") is False
    assert member(GENDER, None, "male") is True
    assert member(GENDER, None, "x") is False


def test_a_set_that_is_partly_known_knows_only_its_members() -> None:
    assert member(PARTLY, "urn:g", "male") is True
    assert member(PARTLY, "urn:g", "x") is None
    assert member(PARTLY, None, "x") is None
    assert member(None, "urn:g", "male") is None


def test_a_set_whose_systems_are_known_has_no_code_of_another() -> None:
    some = ValueSet("urn:some", {}, complete=False, systems=frozenset({"http://loinc.org"}))
    assert member(some, "http://loinc.org", "8480-6") is None
    assert member(some, "http://loinc.org", "8480-7") is False
    assert member(some, "urn:g", "male") is False
    assert member(some, None, "8480-6") is None


def test_of_a_whole_system_the_shape_tells_what_is_no_code_of_it() -> None:
    assert member(LOINC, "http://loinc.org", "8480-6") is None
    assert member(LOINC, "http://loinc.org", "8480-7") is False
    assert member(LOINC, "urn:g", "male") is False
    assert member(MEDIA, None, "text/plain") is True
    assert member(MEDIA, None, "pdf") is False


def test_a_code_outside_a_required_set_is_an_error() -> None:
    found = judged("x", "code")
    assert found is not None
    assert (found.severity, found.rule, found.actual) == (Severity.ERROR, Rule.BINDING, '"x"')
    assert GENDER.url in found.expected
    assert judged("male", "code") is None


@pytest.mark.parametrize("kind", ["Coding", "Quantity"])
def test_a_coding_needs_its_system_and_code(kind: str) -> None:
    assert judged({"system": "urn:g", "code": "male"}, kind) is None
    for wrong in ({"code": "male"}, {"system": "urn:g"}, {"system": "urn:x", "code": "male"}):
        found = judged(wrong, kind)
        assert found is not None
        assert found.severity is Severity.ERROR


def test_extensions_may_stand_for_a_code() -> None:
    assert judged({"system": "urn:g", "_code": {"extension": []}}, "Coding") is None


def test_one_coding_in_the_set_suffices() -> None:
    assert judged(concept("x", "male")) is None
    found = judged(concept("x", "y"))
    assert found is not None
    assert found.actual == '"urn:g|x", "urn:g|y"'


def test_text_alone_is_enough_unless_a_code_is_required() -> None:
    assert judged({"text": "a man"}, strength=Strength.EXTENSIBLE) is None
    assert judged({"coding": [{"display": "m"}]}, strength=Strength.EXTENSIBLE) is None
    found = judged({"text": "a man"})
    assert found is not None
    assert found.severity is Severity.ERROR


def test_another_code_of_an_extensible_set_is_advice() -> None:
    found = judged(concept("x"), strength=Strength.EXTENSIBLE)
    assert found is not None
    assert (found.severity, found.rule) == (Severity.WARNING, Rule.BINDING)


def test_an_extensible_set_may_not_be_left_beyond_its_maximum() -> None:
    inside = judged(concept("x"), strength=Strength.EXTENSIBLE, maximum=MAXIMUM)
    assert inside is not None
    assert inside.severity is Severity.WARNING
    outside = judged(concept("y"), strength=Strength.EXTENSIBLE, maximum=MAXIMUM)
    assert outside is not None
    assert (outside.severity, MAXIMUM.url in outside.expected) == (Severity.ERROR, True)


def test_the_maximum_binds_where_the_set_itself_is_only_preferred() -> None:
    found = judged(concept("y"), strength=Strength.PREFERRED, maximum=MAXIMUM)
    assert found is not None
    assert found.severity is Severity.ERROR


def test_what_a_person_is_shown_is_short_and_printable() -> None:
    for kind, value in (
        ("code", "a\u0000" * 1000),
        ("CodeableConcept", concept(*["a\u0000" * 1000] * 20)),
        ("Coding", {"system": "\u001b[0m" * 1000, "code": "a"}),
    ):
        found = judged(value, kind)
        assert found is not None
        assert found.actual.isprintable()
        assert len(found.actual) < 600


def test_preferred_and_example_sets_ask_for_nothing() -> None:
    for strength in (Strength.PREFERRED, Strength.EXAMPLE):
        assert judge(Binding(strength, GENDER.url), GENDER, None, "code") is None


def test_what_is_not_known_is_said_as_such_with_one_object() -> None:
    binding = Binding(Strength.REQUIRED, PARTLY.url)
    check = judge(binding, PARTLY, None, "CodeableConcept")
    assert check is not None
    found = check(concept("x"))
    assert found is not None
    assert (found.severity, found.rule) == (Severity.INFORMATION, Rule.NOT_CHECKED)
    assert check(concept("y")) is found


def test_a_known_error_is_told_before_what_is_not_known() -> None:
    found = judged(concept("y"), strength=Strength.EXTENSIBLE, value_set=None, maximum=MAXIMUM)
    assert found is not None
    assert found.severity is Severity.ERROR


SYSTEMS = {"urn:g": CodeSystem("urn:g", frozenset({"male", "female"}))}


def test_a_code_that_its_system_is_not_known_to_have_is_advice() -> None:
    found = unlisted(SYSTEMS, {"system": "urn:g", "code": "x"})
    assert found is not None
    assert (found.severity, found.rule) == (Severity.WARNING, Rule.BINDING)
    assert "urn:g" in found.expected


@pytest.mark.parametrize(
    "coding",
    [
        {"system": "urn:g", "code": "male"},
        {"system": "urn:g"},
        {"system": "urn:other", "code": "x"},
        {"system": "urn:g", "code": "x", "version": "2030"},
        {"system": ["urn:g"], "code": "x"},
        {"system": "urn:g", "code": 1},
        "x",
        None,
    ],
    ids=str,
)
def test_of_other_codings_nothing_is_advised(coding: Any) -> None:
    assert unlisted(SYSTEMS, coding) is None


PLAUSIBLE = {
    "urn:ietf:bcp:13": ["text/plain", "application/hl7-v3+xml", 'text/a; charset="utf-8"'],
    "urn:ietf:bcp:47": ["en", "en-US", "es-419", "zh-Hant-TW", "x-klingon", "i-klingon", "mn-Cyrl"],
}
POSSIBLE = {
    "urn:ietf:bcp:47": ["nld", "ast"],
    "http://loinc.org": ["8480-6", "LA6576-8", "85354-9", "55284-4"],
    "http://snomed.info/sct": ["38341003", "119981000146107", "363698007:363698007=1"],
    "http://unitsofmeasure.org": [
        *(
            "mm[Hg]",
            "/min",
            "{beats}/min",
            "10*3/uL",
            "mmol/L",
            "kg/m2",
            "%",
            "1",
            "Cel",
            "[lb_av]",
        ),
        *("[in_i]", "m/s2", "10^-3", "mL/min/{1.73_m2}", "(8.h)", "/(8.h)", "[in_i'H2O]", "m.s-1"),
        *("ug/kg/(24.h)", "g{creat}", "[pH]", "[arb'U]/mL", "10*-6"),
        *("{clock time}", "g/kg/(8.h){shift}"),
    ],
    "http://www.nlm.nih.gov/research/umls/rxnorm": ["1049221"],
}
IMPOSSIBLE = {
    "urn:ietf:bcp:13": ["pdf", "text/", "/plain", "text plain", "a/b/c", "text/plain;"],
    "urn:ietf:bcp:47": ["English", "en_US", "zz", "e", "en-", "en-US-", "12"],
    "http://loinc.org": ["8480-7", "8480", "abc", "LX1-1"],
    "http://snomed.info/sct": ["38341004", "1", "abc", "0383410032"],
    "http://unitsofmeasure.org": [
        "°C",
        "mm Hg",
        "(a",
        "a)",
        "a//b",
        "",
        "{a",
        "a..b",
        "[in",
        "a/",
        "()",
    ],
    "http://www.nlm.nih.gov/research/umls/rxnorm": ["N0000000"],
}


def pairs(table: dict[str, list[str]]) -> list[tuple[str, str]]:
    return [(system, code) for system, codes in table.items() for code in codes]


@pytest.mark.parametrize(("system", "code"), pairs(PLAUSIBLE))
def test_some_shapes_decide(system: str, code: str) -> None:
    assert plausible(system, code) is True


@pytest.mark.parametrize(("system", "code"), pairs(POSSIBLE))
def test_a_code_of_the_right_shape_may_be_one(system: str, code: str) -> None:
    assert plausible(system, code) is None


@pytest.mark.parametrize(("system", "code"), pairs(IMPOSSIBLE))
def test_a_code_of_another_shape_is_none(system: str, code: str) -> None:
    assert plausible(system, code) is False


def test_every_code_that_hl7_lists_has_the_shape_of_its_system() -> None:
    listed = {
        (system, code)
        for name, version in shipped()
        for value_set in load(name, version).value_sets.values()
        for system, codes in value_set.codes.items()
        for code in codes or ()
    }
    assert len(listed) > 1000
    assert not [each for each in listed if plausible(*each) is False]


def test_of_an_unknown_system_nothing_is_known() -> None:
    assert plausible("urn:unknown", "anything") is None


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["coding", "code", "system", "_code", "text"]), inner, max_size=4
        )
    ),
    max_leaves=8,
)


@given(json_values)
def test_no_value_makes_a_judge_raise(value: Any) -> None:
    for kind in ("code", "Coding", "CodeableConcept", "Quantity", "uri", "string"):
        for strength in (Strength.REQUIRED, Strength.EXTENSIBLE):
            for value_set in (GENDER, LOINC, None):
                judged(value, kind, strength, value_set, MAXIMUM)


@given(st.text(), st.sampled_from(sorted({**PLAUSIBLE, **POSSIBLE})))
def test_no_text_makes_a_shape_raise(text: str, system: str) -> None:
    assert plausible(system, text) in (True, False, None)


@pytest.mark.parametrize("system", sorted(IMPOSSIBLE))
def test_a_hostile_code_costs_no_more_than_its_length(system: str) -> None:
    for text in ("(" * 10**6, "a-" * 500_000, "1" * 10**6, "a/" * 500_000, '";a="\\' * 200_000):
        assert plausible(system, text) in (False, None)
