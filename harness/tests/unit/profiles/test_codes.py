"""Sets of codes of which not all may be known, held against the sets that they may stand for."""

from __future__ import annotations

from itertools import product

from hypothesis import given
from hypothesis import strategies as st

from harness.profiles.codes import Codes, Known, difference, intersection, union

SYSTEMS = ("a", "b")
CODES = frozenset({"1", "2"})
WHOLE = frozenset({*CODES, "3"})
"""All codes of a system, one of which no definition names."""

Truth = dict[str, frozenset[str]]


@st.composite
def pictures(draw: st.DrawFn) -> tuple[Known, Truth]:
    """What is known of a set, and a set of which that is true."""
    truth: Truth = {}
    codes: dict[str, Codes] = {}
    partly = set()
    anywhere = draw(st.booleans())
    for system in SYSTEMS:
        kind = draw(st.sampled_from(["none", "all", "some", "partly"]))
        known = draw(st.frozensets(st.sampled_from(sorted(CODES))))
        hidden = draw(st.frozensets(st.sampled_from(sorted(WHOLE))))
        if kind == "all":
            codes[system], truth[system] = None, WHOLE
            continue
        if kind == "partly":
            partly.add(system)
        there = known if kind in ("some", "partly") else frozenset()
        if there:
            codes[system] = there
        truth[system] = there | (hidden if anywhere or kind == "partly" else frozenset())
    return Known(codes, frozenset(partly), anywhere), truth


def is_true(known: Known, truth: Truth) -> bool:
    """Whether nothing that is said to be certain is otherwise."""
    for system, code in product(SYSTEMS, WHOLE):
        listed = known.codes.get(system, frozenset())
        inside = listed is None or code in listed
        if inside and code not in truth[system]:
            return False
        if not inside and not known.may_reach(system) and code in truth[system]:
            return False
    return True


@given(pictures(), pictures())
def test_a_union_is_true_of_what_is_in_either(
    one: tuple[Known, Truth], other: tuple[Known, Truth]
) -> None:
    both = {system: one[1][system] | other[1][system] for system in SYSTEMS}
    assert is_true(union([one[0], other[0]]), both)


@given(pictures(), pictures())
def test_an_intersection_is_true_of_what_is_in_both(
    one: tuple[Known, Truth], other: tuple[Known, Truth]
) -> None:
    both = {system: one[1][system] & other[1][system] for system in SYSTEMS}
    assert is_true(intersection(one[0], other[0]), both)


@given(pictures(), pictures())
def test_a_difference_is_true_of_what_is_in_the_first_alone(
    one: tuple[Known, Truth], other: tuple[Known, Truth]
) -> None:
    left = {system: one[1][system] - other[1][system] for system in SYSTEMS}
    assert is_true(difference(one[0], other[0]), left)


def test_what_is_known_whole_stays_known() -> None:
    some = Known({"a": frozenset("12")})
    assert union([some, Known({"a": frozenset("3")})]).codes == {"a": frozenset("123")}
    assert intersection(some, Known({"a": None})) == some
    assert difference(some, Known({"a": frozenset("1")})) == Known({"a": frozenset("2")})
    assert difference(some, Known({"a": None})) == Known()
    assert difference(Known({"a": None}), Known({"a": frozenset("1")})).partly == {"a"}
