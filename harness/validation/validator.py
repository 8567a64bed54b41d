"""Judges resources against FHIR R4 and the profiles that apply to them, in one walk.

https://hl7.org/fhir/R4/validation.html
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from harness.spec.definitions.library import Definitions
from harness.validation.coverage.coverage import Coverage
from harness.validation.elements.targets import Targets
from harness.validation.findings import Finding, Rule
from harness.validation.profiling.profiles import Profiles
from harness.validation.selecting.selection import Chooser, Selection
from harness.validation.sources import Sources
from harness.validation.types.structure import Structure
from harness.validation.walking.judging import Judging
from harness.validation.walking.paths import Path


class Validator:
    """Judges resources; definitions are compiled as far as the resources need them.

    One thread at a time may use it. What cannot be known offline is said of the first value that
    it concerns, and not again.

    Args:
        definitions: FHIR R4 and the profiles that may be declared.
        profiles: canonical URLs of profiles that resources of their types have to meet whether
            they declare them or not.
        chooser: chooses further profiles for a resource by what it holds, or None.
        coverage: notes which parts that have to be supported are present, or None.

    Raises:
        UsageError: one of `profiles` is not among the definitions.
    """

    __slots__ = ("_coverage", "_resources")

    def __init__(
        self,
        definitions: Definitions,
        *,
        profiles: Iterable[str] = (),
        chooser: Chooser | None = None,
        coverage: Coverage | None = None,
    ) -> None:
        types, known = definitions.types, definitions.profiles
        targets = Targets(types, known)
        sources = Sources(
            types,
            known,
            definitions.value_sets,
            definitions.code_systems,
            targets,
            recorded=coverage is not None,
        )
        compiled = Profiles(sources)
        # A part that has to be supported counts for each profile by itself.
        every = coverage is not None
        selection = Selection(types, known, compiled.walk, profiles, chooser, every=every)
        self._resources = Structure(sources, compiled, selection.walk).resources
        self._coverage = coverage

    def check(self, resource: object, at: str = "") -> tuple[Finding, ...]:
        """All findings about one resource, in the order in which the walk meets them.

        Args:
            resource: parsed JSON: dicts with string keys, lists, strings, numbers, booleans, None.
            at: where it stands, for paths, such as `Bundle.entry[3].resource`; its type otherwise.

        It never raises, and its time is bounded by the size of the resource.
        """
        run = Judging()
        path: Path = (None, at or _name(resource))
        try:
            self._resources.judge(resource, path, run)
        except RecursionError:
            run.error(Rule.JSON, path, "JSON that is not nested this deep", resource)
        if self._coverage is not None:
            self._coverage.add(run.seen)
        return run.concluded(path) if run.findings else ()


def _name(resource: Any) -> str:
    kind = resource.get("resourceType") if isinstance(resource, dict) else None
    return kind if isinstance(kind, str) and kind else "Resource"
