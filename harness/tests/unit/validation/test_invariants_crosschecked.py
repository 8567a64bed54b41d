"""Translations against an independent FHIRPath engine, on nodes drawn at random.

What fhirpathpy says counts where it says true or false; of nothing ("empty") no rule follows. What
it cannot do, and where a translation follows the sentence rather than the expression, is listed.
"""

from __future__ import annotations

from collections.abc import Mapping
from copy import deepcopy
from typing import Any

import pytest

from harness.spec.definitions import load, shipped
from harness.tests.unit.validation.generated import Context, Draw, contexts
from harness.validation.invariants import TRANSLATIONS, Scope

fhirpathpy = pytest.importorskip("fhirpathpy", reason="the other engine is not installed")

DRAWS = 25

NOT_IN_THE_OTHER_ENGINE = {
    "ctm-1": "resolve() is not implemented",
    "provenance-1": "resolve() is not implemented",
    "txt-1": "htmlChecks() is not implemented",
    "txt-2": "htmlChecks() is not implemented",
    "dom-3": "`as` takes no collection",
    "tim-9": "`in` takes no collection",
    "rng-2": "quantities are not compared",
    "pd-1": "`or` takes booleans only",
    "us-core-13": "`or` takes booleans only",
    "app-4": "a path that starts with its type is not followed from a node",
    "sdcqr-2": "choice types are not followed below repeat()",
}
BY_THEIR_SENTENCE = {
    "con-3": "a concept is never equal to a string",
    "ref-1": "`#` leads to the container",
    "eld-19": "the whole path is to match",
    "eld-20": "the whole path is to match",
    "adf-0": "the whole name is to match",
    "tst-12": "only a request is spoken of",
    "us-core-1": "memberOf() is not implemented; NDC is wanted, not unwanted",
    "us-core-5": "NDC is wanted, not unwanted",
    "us-core-3": "the value is the context itself",
    "us-core-4": "the value is the context itself; one system of several suffices",
    "vs-1": "it speaks of a dateTime only",
}


def stated() -> Mapping[str, tuple[Context, Draw]]:
    """A context and draws for each expression that the shipped definitions state."""
    found: dict[str, tuple[Context, Draw]] = {}
    for name, version in shipped():
        definitions = load(name, version)
        for context in contexts(definitions):
            expression = context.constraint.expression
            if expression not in found:
                found[expression] = (context, Draw(expression, definitions.types, seed=1))
    return found


STATED = stated()
LEFT_OUT = NOT_IN_THE_OTHER_ENGINE | BY_THEIR_SENTENCE
CHECKED = [
    pytest.param(*each, id=f"{each[0].constraint.key} {each[0].path}")
    for each in STATED.values()
    if each[0].constraint.key not in LEFT_OUT
]


def other_engine(context: Context) -> Any:
    from fhirpathpy.engine.nodes import ResourceNode
    from fhirpathpy.models import models
    from fhirpathpy.parser import parse

    def has_value(nodes: list[Any]) -> list[bool]:
        plain = [getattr(node, "data", node) for node in nodes]
        return [len(plain) == 1 and not isinstance(plain[0], dict | list)]

    parsed = parse(context.constraint.expression)
    options = {
        "traceFn": lambda *_: None,
        "userInvocationTable": {"hasValue": {"fn": has_value, "arity": {0: []}}},
    }

    def answer(node: Any) -> bool | None:
        typed = ResourceNode.create_node(deepcopy(node), context.path)
        variables = {"resource": node, "rootResource": node}
        result = fhirpathpy.apply_parsed_path(typed, parsed, variables, models["r4"], options)
        if not result:
            return None
        return result[0] if len(result) == 1 and isinstance(result[0], bool) else True

    return answer


@pytest.mark.parametrize(("context", "draw"), CHECKED)
def test_both_engines_say_the_same(context: Context, draw: Draw) -> None:
    holds = TRANSLATIONS[context.constraint.expression]
    answer = other_engine(context)
    for _ in range(DRAWS):
        node = draw.node(context.element, context.kind)
        expected = answer(node)
        if expected is not None:
            assert holds(node, Scope(node, node)) is expected, node


def test_nothing_is_left_out_that_is_not_stated() -> None:
    assert set(LEFT_OUT) <= {context.constraint.key for context, _ in STATED.values()} | {"txt-2"}
