"""Which profiles a resource is judged by: those that it declares, those asked for, those chosen.

https://hl7.org/fhir/R4/resource.html#Meta.profile, https://hl7.org/fhir/R4/references.html#canonical
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from difflib import get_close_matches
from typing import Any, TypeAlias

from harness.errors import UsageError
from harness.spec.definitions.model import Profile, Type
from harness.validation.findings import Rule
from harness.validation.profiling.nested import unknown_profile
from harness.validation.walking.fields import Walk
from harness.validation.walking.judging import Judging
from harness.validation.walking.once import said_once
from harness.validation.walking.paths import Path
from harness.validation.walking.walks import in_turn, nothing

Chooser: TypeAlias = Callable[[dict[str, Any]], Iterable[str]]
"""Chooses profiles for a resource by what it holds; canonical URLs."""

_CORE = "http://hl7.org/fhir/StructureDefinition/"
_MOST_REMEMBERED = 1000
_LONGEST_REMEMBERED = 300
_MOST_NAMED = 50
_Named: TypeAlias = tuple[str, tuple[str, ...], tuple[str, ...]]
"""A type of resource, the profiles that it declares, and those named otherwise."""
_Applied: TypeAlias = tuple[str, Walk]
"""The URL of a profile, and what is asked of a resource that is judged by it."""


class Selection:
    """Applies profiles.

    Args:
        types: by name.
        profiles: those that are known, by URL.
        walk: what a known profile asks.
        explicit: URLs of profiles that each resource of their type has to meet, whether it stands
            alone or in a Bundle.
        chooser: chooses more, or None.
        every: whether a profile is applied beside one that builds on it and asks the same.

    Raises:
        UsageError: an explicit profile is not known.
    """

    __slots__ = (
        "_chooser", "_declared", "_every", "_explicit", "_plans", "_profiles", "_types", "_walk",
    )  # fmt: skip

    def __init__(
        self,
        types: Mapping[str, Type],
        profiles: Mapping[str, Profile],
        walk: Callable[[str], Walk],
        explicit: Iterable[str],
        chooser: Chooser | None,
        *,
        every: bool = False,
    ) -> None:
        self._types = types
        self._profiles = profiles
        self._walk = walk
        self._chooser = chooser
        self._declared: dict[tuple[str, str], _Applied] = {}
        self._plans: dict[_Named, tuple[Walk, ...]] = {}
        self._every = every
        self._explicit: dict[str, list[str]] = {}
        for canonical in explicit:
            url, kind = self._known(canonical)
            walk(url)
            self._explicit.setdefault(kind, []).append(url)

    def _known(self, canonical: str) -> tuple[str, str]:
        url = canonical.partition("|")[0]
        profile = self._profiles.get(url)
        if profile is None:
            near = get_close_matches(url, self._profiles, 1)
            raise UsageError(
                f"profile {canonical}: not among the definitions",
                hint=f"did you mean {near[0]}?"
                if near
                else "get its package with: harness profiles install NAME#VERSION",
            )
        return url, profile.type

    def walk(self, contained: bool) -> Walk:  # noqa: FBT001 - there are two kinds
        """Judges a resource by its profiles; a contained one by those that it declares alone."""
        others = not contained and bool(self._explicit or self._chooser)

        def judge(node: Any, path: Path, run: Judging) -> None:
            meta, kind = node.get("meta"), node["resourceType"]
            declared = meta.get("profile") if meta.__class__ is dict else None
            named: tuple[str, ...] = ()
            if declared.__class__ is list:
                named = tuple([text for text in declared if text.__class__ is str])
            further = self._further(node, kind, path, run) if others else ()
            if named or further:
                key = (kind, named, further)
                plan = self._plans.get(key)
                for walk in self._plan(key) if plan is None else plan:
                    walk(node, path, run)

        return judge

    def _further(
        self, node: dict[str, Any], kind: str, path: Path, run: Judging
    ) -> tuple[str, ...]:
        """URLs of the profiles that are asked for, and of those that are chosen."""
        asked: list[str] = []
        if self._explicit:
            if path[0] is None and kind not in self._explicit and kind != "Bundle":
                expected = "a resource of type " + " or ".join(sorted(self._explicit))
                run.error(Rule.PROFILE, path, expected, kind)
            asked += self._explicit.get(kind, ())
        if self._chooser is not None:
            asked += self._chooser(node)
        return tuple(asked)

    def _plan(self, named: _Named) -> tuple[Walk, ...]:
        """What is asked of a resource for which these profiles are named, each once."""
        kind, declared, further = named
        applied: dict[str, Walk] = {}
        for text in declared:
            url, walk = self._declared.get((kind, text)) or self._find(kind, text)
            applied.setdefault(url, walk)
        for url in further:
            if url in self._profiles and self._profiles[url].type == kind:
                applied.setdefault(url, self._walk(url))
        implied = set() if self._every else {b for url in applied for b in self._bases(url, kind)}
        plan = tuple(
            walk
            for url, walk in applied.items()
            if url not in implied or walk is not self._walk(url)
        )
        few = len(self._plans) < _MOST_REMEMBERED and len(declared) <= _MOST_NAMED
        if few and all(len(text) <= _LONGEST_REMEMBERED for text in declared):
            self._plans[named] = plan
        return plan

    def _bases(self, url: str, kind: str) -> Iterator[str]:
        """The profiles that a profile builds on, all of whose rules are its own as well."""
        profile = self._profiles.get(url)
        while profile is not None and profile.type == kind:
            yield profile.base
            profile = self._profiles.get(profile.base)

    def _find(self, kind: str, text: str) -> _Applied:
        url, _, version = text.partition("|")
        applied = (url, self._declaration(kind, url, version))
        if len(self._declared) < _MOST_REMEMBERED and len(text) <= _LONGEST_REMEMBERED:
            self._declared[kind, text] = applied
        return applied

    def _declaration(self, kind: str, url: str, version: str) -> Walk:
        """What a declared profile asks, or what there is to say of it instead."""
        profile = self._profiles.get(url)
        if profile is None:
            if url.removeprefix(_CORE) in self._types:
                name = url.removeprefix(_CORE)
                return nothing if name in self._lineage(kind) else _other_type(name, None)
            return _at_declaration(unknown_profile(url, None))
        if profile.type not in self._lineage(kind):
            return _other_type(profile.type, url)
        walk = self._walk(url)
        if version and version != profile.version:
            expected = f"version {profile.version}, by which it is judged"
            return in_turn(_at_declaration(said_once(expected, url, Rule.PROFILE)), walk)
        return walk

    def _lineage(self, kind: str) -> Iterator[str]:
        known = self._types.get(kind)
        while known is not None:
            yield known.name
            known = None if known.base is None else self._types.get(known.base)


def _other_type(name: str, profile: str | None) -> Walk:
    def judge(node: Any, path: Path, run: Judging) -> None:
        run.error(Rule.PROFILE, path, f"a resource of type {name}", node["resourceType"], profile)

    return judge


def _at_declaration(step: Walk) -> Walk:
    def judge(node: Any, path: Path, run: Judging) -> None:
        declared = node["meta"]["profile"]
        step(declared[0] if len(declared) == 1 else declared, ((path, "meta"), "profile"), run)

    return judge
