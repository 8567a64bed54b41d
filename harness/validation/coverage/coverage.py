"""Which parts that have to be supported were present over a set of resources.

https://hl7.org/fhir/us/core/must-support.html. A part counts as present when one resource has it:
what an EHR never sends in any of its resources is what a person has to look at. Of what a Reference
leads to, the type alone is known, so that it counts for each target profile of that type.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping

from harness.spec.definitions.model import Profile
from harness.validation.coverage.supporting import supported


class Coverage:
    """What a validator has met so far; hand it to the validator that judges the resources."""

    __slots__ = ("_seen",)

    def __init__(self) -> None:
        self._seen: Counter[tuple[str, str]] = Counter()

    def add(self, seen: Iterable[tuple[str, str]]) -> None:
        """Takes in what one resource had: the URL of a profile, and the name of a part of it."""
        self._seen.update(seen)

    def seen(self, profile: Profile) -> Mapping[str, int]:
        """How many resources had each part of a profile that has to be supported.

        How many were judged by it stands at the name of its type.
        """
        names = (profile.root.name, *supported(profile).parts)
        return {name: self._seen[profile.url, name] for name in names}

    def missing(self, profiles: Mapping[str, Profile]) -> dict[str, tuple[str, ...]]:
        """The parts that no resource had, by the URL of each profile that judged a resource.

        Args:
            profiles: the definitions that the validator had, by URL.
        """
        by_profile: dict[str, set[str]] = {}
        for url, part in self._seen:
            by_profile.setdefault(url, set()).add(part)
        return {
            url: supported(profiles[url]).missing(frozenset(parts))
            for url, parts in sorted(by_profile.items())
            if profiles[url].type != "Extension" and supported(profiles[url]).parts
        }
