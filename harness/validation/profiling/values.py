"""What a profile asks of a value as a whole.

https://hl7.org/fhir/R4/elementdefinition.html
"""

from __future__ import annotations

from typing import Any

from harness.spec.definitions.model import Element
from harness.validation.findings import Rule
from harness.validation.profiling.comparing import Test, containing, equal_to
from harness.validation.telling import told, worded, worded_like
from harness.validation.walking.fields import Walk
from harness.validation.walking.judging import Judging
from harness.validation.walking.paths import Path


def compared(element: Element, profile: str) -> list[Walk]:
    """Steps that judge values by the fixed and the pattern value of an element, if it has them."""
    walks = []
    if element.fixed is not None:
        walks.append(_meeting(equal_to(element.fixed), Rule.FIXED, element.fixed, profile))
    if element.pattern is not None:
        walks.append(_meeting(containing(element.pattern), Rule.PATTERN, element.pattern, profile))
    return walks


def _meeting(test: Test, rule: Rule, wanted: Any, profile: str) -> Walk:
    expected = worded(wanted)

    def judge(value: Any, path: Path, run: Judging) -> None:
        if not test(value):
            actual = worded_like(value, wanted) if isinstance(wanted, dict) else told(value)
            run.add_error(rule, path, expected, actual, profile)

    return judge


def resource_types(permitted: frozenset[str], profile: str) -> list[Walk]:
    """A step that judges which type of resource a value is, or none where it may be any."""
    if "Resource" in permitted or "DomainResource" in permitted:
        return []
    expected = "a resource of type " + " or ".join(sorted(permitted))

    def judge(value: Any, path: Path, run: Judging) -> None:
        kind = value.get("resourceType") if isinstance(value, dict) else None
        if not isinstance(kind, str) or kind not in permitted:
            run.error(Rule.PROFILE, path, expected, kind, profile)

    return [judge]
