"""What a Reference leads to, as far as that can be known from the resource alone.

https://hl7.org/fhir/R4/references.html#literal: the type stands in a RESTful reference, relative or
absolute; in `Reference.type`; in what is contained; in a Bundle, in the entry of that `fullUrl`.
Anything else may lead anywhere, and is no error.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from harness.spec.definitions.model import Kind, Profile, Type, TypeRef
from harness.validation.findings import Rule
from harness.validation.invariants.scope import target_type
from harness.validation.walking.fields import Walk
from harness.validation.walking.judging import Judging
from harness.validation.walking.paths import Path

_CORE = "http://hl7.org/fhir/StructureDefinition/"


class Targets:
    """Decides types of targets.

    Args:
        types: all types, by name.
        profiles: all profiles, by URL.
    """

    __slots__ = ("_profiles", "_types")

    def __init__(self, types: Mapping[str, Type], profiles: Mapping[str, Profile]) -> None:
        self._types = types
        self._profiles = profiles

    def permitted(self, refs: Iterable[TypeRef]) -> frozenset[str] | None:
        """Names of the resource types that a Reference may lead to; None where to any."""
        urls = [url for ref in refs if ref.code == "Reference" for url in ref.targets]
        names = [self.type_named(url) for url in urls]
        if not names or None in names or "Resource" in names:
            return None
        return frozenset(name for name in names if name is not None)

    def led(self, permitted: frozenset[str], profile: str | None) -> Walk:
        """A step that judges where a Reference leads."""
        expected = "a reference to " + " or ".join(sorted(permitted))

        def judge(value: Any, path: Path, run: Judging) -> None:
            if value.__class__ is not dict:
                return
            text = value.get("reference")
            if text.__class__ is str and text.rpartition("/")[0] in permitted:
                return
            kind = self.type_of(value, run)
            if kind is not None and kind not in permitted:
                actual = text if isinstance(text, str) else f"a reference to {kind}"
                run.error(Rule.TARGET, path, expected, actual, profile)

        return judge

    def type_of(self, reference: Any, run: Judging) -> str | None:
        """The type of resource that a Reference leads to, or None."""
        kind = target_type(reference, run.scope)
        return None if kind is None else self._resource(kind.removeprefix(_CORE))

    def _resource(self, name: str) -> str | None:
        known = self._types.get(name)
        return name if known is not None and known.kind is Kind.RESOURCE else None

    def type_named(self, url: str) -> str | None:
        """The resource type that a canonical URL of a type or profile stands for, or None."""
        name = url.removeprefix(_CORE)
        if self._resource(name):
            return name
        profile = self._profiles.get(url)
        return None if profile is None else profile.type
