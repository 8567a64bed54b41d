"""Fixed and pattern values, each as a test that is made once.

https://hl7.org/fhir/R4/elementdefinition-definitions.html#ElementDefinition.fixed_x_
https://hl7.org/fhir/R4/elementdefinition-definitions.html#ElementDefinition.pattern_x_
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeAlias

Test: TypeAlias = Callable[[Any], bool]


def equal_to(fixed: Any) -> Test:
    """Whether a value is `fixed`, member by member and in the same order."""
    if isinstance(fixed, dict):
        return _members({name: equal_to(value) for name, value in fixed.items()}, exactly=True)
    if isinstance(fixed, list):
        tests = [equal_to(item) for item in fixed]
        return lambda value: (
            value.__class__ is list
            and len(value) == len(tests)
            and all(test(item) for test, item in zip(tests, value, strict=True))
        )
    return _same(fixed)


def containing(pattern: Any) -> Test:
    """Whether a value has all of `pattern`; of an array each item of the pattern somewhere."""
    if isinstance(pattern, dict):
        return _members({n: containing(v) for n, v in pattern.items()}, exactly=False)
    if isinstance(pattern, list):
        tests = [containing(item) for item in pattern]
        if len(tests) == 1:
            return _any_item(tests[0])
        return lambda value: (
            value.__class__ is list and all(any(map(test, value)) for test in tests)
        )
    return _same(pattern)


def _members(tests: dict[str, Test], *, exactly: bool) -> Test:
    pairs = tuple(tests.items())

    def test(value: Any) -> bool:
        if value.__class__ is not dict or (exactly and len(value) != len(pairs)):
            return False
        for name, member in pairs:  # noqa: SIM110 - a generator costs more than its few turns
            if name not in value or not member(value[name]):
                return False
        return True

    return test


def _any_item(wanted: Test) -> Test:
    def test(values: Any) -> bool:
        if values.__class__ is list:
            for value in values:
                if wanted(value):
                    return True
        return False

    return test


def _same(other: Any) -> Test:
    if isinstance(other, str):
        return lambda value: bool(value == other)
    # True == 1 in Python, and in JSON they have nothing in common.
    truth = isinstance(other, bool)
    return lambda value: isinstance(value, bool) is truth and bool(value == other)
