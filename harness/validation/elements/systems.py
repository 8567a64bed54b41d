"""Codes against their code systems, as advice.

https://hl7.org/fhir/R4/datatypes.html#Coding
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from harness.spec.definitions.model import CodeSystem
from harness.validation.values.terminology import unlisted
from harness.validation.walking.fields import Walk
from harness.validation.walking.judging import Judging
from harness.validation.walking.paths import Path

_MOST_REMEMBERED = 2000
_ANY: frozenset[str] = frozenset()


def listed(code_systems: Mapping[str, CodeSystem]) -> Walk:
    """A step over Codings that advises against codes which their system is not known to have."""
    codes: dict[str, frozenset[str]] = {}

    def look_up(system: str) -> frozenset[str]:
        found = code_systems.get(system)
        known = _ANY if found is None else found.codes
        if len(codes) < _MOST_REMEMBERED:
            codes[system] = known
        return known

    def step(node: Any, path: Path, run: Judging) -> None:
        system, code = node.get("system"), node.get("code")
        if system.__class__ is not str or code.__class__ is not str:
            return
        known = codes.get(system)
        if known is None:
            known = look_up(system)
        if known and code not in known and (advice := unlisted(code_systems, node)) is not None:
            at = (path, "code")
            run.add(advice.severity, advice.rule, at, advice.expected, advice.actual)

    return step
