"""Profiles as walks over JSON, each compiled when the first resource is judged by it.

https://hl7.org/fhir/R4/profiling.html
"""

from __future__ import annotations

from harness.spec.definitions.model import TypeRef
from harness.validation.profiling.discriminators import Discriminators
from harness.validation.profiling.narrowing import Narrowing
from harness.validation.profiling.nested import nested, unknown_profile
from harness.validation.sources import Sources
from harness.validation.walking.fields import Walk


class Profiles:
    """Profiles, compiled.

    Args:
        sources: what they are compiled from.
    """

    __slots__ = ("_by", "_sources", "_walks")

    def __init__(self, sources: Sources) -> None:
        self._sources = sources
        self._by = Discriminators(sources.profiles, sources.value_sets, sources.targets)
        self._walks: dict[str, Walk] = {}

    def walk(self, url: str) -> Walk:
        """What a profile asks of an object of its type.

        Raises:
            KeyError: there is no such profile.
        """
        made = self._walks.get(url)
        if made is None:
            profile = self._sources.profiles[url]
            made = Narrowing(self._sources, self._by, self.of, profile).walk()
            self._walks[url] = made
        return made

    def of(self, ref: TypeRef, profile: str | None) -> tuple[Walk, ...]:
        """What the profiles of a type reference ask of its values."""
        known = self._sources.profiles
        if ref.code == "Extension":
            # An extension is judged by the definition that its url names, wherever it stands.
            return tuple(unknown_profile(u, profile) for u in ref.profiles if u not in known)
        return nested(ref, known, self.walk, profile) if ref.profiles else ()
