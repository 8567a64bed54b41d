"""Resources: by `resourceType`, alone, in a Bundle or contained, each with its profiles.

https://hl7.org/fhir/R4/resource.html, https://hl7.org/fhir/R4/references.html#contained
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from harness.spec.definitions.model import Kind, Type
from harness.validation.findings import Rule
from harness.validation.invariants import Entries, Scope
from harness.validation.walking.fields import AN_OBJECT, Walk
from harness.validation.walking.judging import DEEPEST, Judging
from harness.validation.walking.paths import Path


class Resources:
    """Walks over resources.

    Args:
        of_type: the walk over objects of a type.
        types: by name.
        profiled: judges a resource by the profiles that apply to it, told whether it is a
            contained one.
    """

    __slots__ = ("_alone", "_concrete", "_of_type", "_profiled", "_types")

    def __init__(
        self,
        of_type: Callable[[str], Walk],
        types: Mapping[str, Type],
        profiled: Callable[[bool], Walk],
    ) -> None:
        self._of_type = of_type
        self._types = types
        self._profiled = profiled
        self._alone = profiled(False)  # noqa: FBT003 - not contained
        self._concrete: dict[str, Walk] = {}

    def judge(self, node: Any, path: Path, run: Judging) -> None:
        """Judge the outermost resource."""
        if not isinstance(node, dict):
            run.error(Rule.TYPE, path, f"{AN_OBJECT} with a resourceType", node)
            return
        run.top, run.scope = path, Scope(node, node)
        self._one(node, path, run, self._alone)

    def walk(self, contained: bool) -> Walk:  # noqa: FBT001 - there are two kinds
        """The walk over resources that stand in another one."""
        profiled = self._profiled(contained)

        def judge(node: Any, path: Path, run: Judging) -> None:
            if run.depth >= DEEPEST:
                run.error(Rule.JSON, path, f"at most {DEEPEST} levels of recursion", node)
                return
            scope, top = run.scope, run.top
            run.top = path
            if contained:
                run.scope = scope.inside(node)
            else:
                run.scope = Scope(node, node, run.entries, run.entry_url)
            run.depth += 1
            self._one(node, path, run, profiled)
            run.depth -= 1
            run.scope, run.top = scope, top

        return judge

    def _one(self, node: dict[str, Any], path: Path, run: Judging, profiled: Walk) -> None:
        kind = node.get("resourceType")
        walk = self._concrete.get(kind) if kind.__class__ is str else None
        if walk is None:
            walk = self._of(kind)
            if walk is None:
                expected = "the name of a resource type of FHIR R4"
                run.error(Rule.TYPE, (path, "resourceType"), expected, kind)
                return
        if kind == "Bundle":
            outer = run.entries
            run.entries = Entries(node)
            walk(node, path, run)
            run.entries = outer
        else:
            walk(node, path, run)
        profiled(node, path, run)

    def _of(self, kind: Any) -> Walk | None:
        known = self._types.get(kind) if isinstance(kind, str) else None
        if known is None or known.abstract or known.kind is not Kind.RESOURCE:
            return None
        walk = self._concrete[known.name] = self._of_type(known.name)
        return walk
