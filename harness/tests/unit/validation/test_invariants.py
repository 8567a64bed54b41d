from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from time import perf_counter
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.spec.definitions import load, shipped
from harness.tests.unit.validation.generated import contexts
from harness.tests.unit.validation.pairs import Placed, definitions, general, resources, us_core
from harness.validation.invariants import TRANSLATIONS, Entries, Scope, translated

PAIRS = [
    pair
    for module in (general, us_core, resources, definitions)
    for table in vars(module).values()
    if isinstance(table, Mapping)
    for pair in table.items()
    if isinstance(pair[1], tuple)
]
NEVER_FAIL = {
    "txt-1": "judged as the primitive type xhtml",
    "txt-2": "judged as the primitive type xhtml",
    "eld-11": "select() always gives something",
    "provenance-1": "on onBehalfOf itself (3.1.1, 4.0.0), where it cannot be missing",
}


def stated() -> Mapping[tuple[str, str], set[str]]:
    """Expressions by key and place."""
    found: dict[tuple[str, str], set[str]] = defaultdict(set)
    for name, version in shipped():
        for context in contexts(load(name, version)):
            found[context.constraint.key, context.path].add(context.constraint.expression)
    return found


STATED = stated()


def expressions(key: str) -> set[str]:
    invariant, place = key.split()[:2]
    return STATED.get((invariant, place), set())


def holds(expression: str, node: Any) -> bool:
    placed = node if isinstance(node, Placed) else Placed(node, node)
    entries = [{"fullUrl": url, "resource": each} for url, each in placed.entries]
    scope = Scope(placed.resource, placed.resource, Entries({"entry": entries}))
    test = translated(expression)
    assert test is not None
    return test(placed.node, scope)


@pytest.mark.parametrize(("key", "pair"), PAIRS, ids=[key for key, _ in PAIRS])
def test_a_node_that_meets_it_passes_and_another_does_not(key: str, pair: tuple[Any, Any]) -> None:
    right, wrong = pair
    assert expressions(key), "stated nowhere"
    for expression in expressions(key):
        assert holds(expression, right)
        assert not holds(expression, wrong)


def test_every_expression_of_the_shipped_definitions_is_translated() -> None:
    missing = {each for where in STATED.values() for each in where} - set(TRANSLATIONS)
    assert not missing


def test_nothing_is_translated_that_no_definition_states() -> None:
    assert set(TRANSLATIONS) <= {each for where in STATED.values() for each in where}


def test_every_translation_has_a_pair_unless_it_never_fails() -> None:
    paired = {each for key, _ in PAIRS for each in expressions(key)}
    keys = {each: key for (key, _), where in STATED.items() for each in where}
    assert {keys[each] for each in set(TRANSLATIONS) - paired} <= set(NEVER_FAIL)


@pytest.mark.parametrize("version", ["3.1.1", "4.0.0"])
def test_the_categories_of_conditions_are_those_of_the_value_set(version: str) -> None:
    url = "http://hl7.org/fhir/us/core/ValueSet/us-core-condition-category"
    value_set = load("hl7.fhir.us.core", version).value_sets[url]
    (expression,) = expressions("us-core-1 Condition")
    for system, codes in value_set.codes.items():
        for code in codes or ():
            assert holds(expression, {"category": [{"coding": [{"system": system, "code": code}]}]})


def test_an_unknown_expression_has_no_translation() -> None:
    assert translated("true") is None


json_values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.just(5000).map(lambda digits: 10**digits)
    | st.floats(allow_nan=False)
    | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                sorted(
                    {
                        *("contained", "id", "reference", "value", "system", "code", "coding"),
                        *("entry", "fullUrl", "resource", "meta", "type", "status", "category"),
                        *("low", "high", "start", "end", "item", "answer", "linkId", "url"),
                        *("extension", "valueCoding", "valueQuantity", "who", "member", "path"),
                        *("snapshot", "differential", "element", "identifier", "min", "max"),
                        *("component", "name", "concept", "when", "offset", "text", "document"),
                        *("onBehalfOf", "uniqueId", "preferred", "version", "resourceType"),
                    }
                )
            ),
            inner,
            max_size=6,
        )
    ),
    max_leaves=12,
)


@given(json_values, json_values)
def test_no_json_makes_an_invariant_raise(node: Any, resource: Any) -> None:
    scope = Scope(resource, resource, Entries(resource), "http://example.org/Patient/1")
    for test in TRANSLATIONS.values():
        assert test(node, scope) in (True, False)


def test_hostile_resources_cost_no_more_than_their_length() -> None:
    many = 20_000
    contained = [{"resourceType": "Patient", "id": f"a{number}"} for number in range(many)]
    references = [{"reference": f"#a{number}"} for number in range(many)]
    deep: Any = {"linkId": "1"}
    for number in range(many):
        deep = {"linkId": f"b{number}", "item": [deep]}
    resource = {"resourceType": "List", "contained": contained, "entry": references, "item": [deep]}
    scope = Scope(resource, resource)
    started = perf_counter()
    for test in TRANSLATIONS.values():
        test(resource, scope)
    local = [translated(each) for each in expressions("ref-1 Reference")]
    nameless: Any = {"contained": [{}] * many}
    for found, at in ((True, scope), (False, Scope(nameless, nameless))):
        assert all(test(each, at) is found for test in local if test for each in references)
    assert perf_counter() - started < 10
