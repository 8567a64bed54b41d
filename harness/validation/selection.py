"""Which profiles a resource is judged by: those that it declares, those asked for, those chosen.

https://hl7.org/fhir/R4/resource.html#Meta.profile, https://hl7.org/fhir/R4/references.html#canonical
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from difflib import get_close_matches
from typing import Any, TypeAlias

from harness.errors import UsageError
from harness.spec.definitions.model import Profile, Type
from harness.validation.fields import Walk
from harness.validation.findings import Rule
from harness.validation.judging import Judging
from harness.validation.nested import unknown_profile
from harness.validation.once import said_once
from harness.validation.paths import Path
from harness.validation.walks import in_turn, nothing

Chooser: TypeAlias = Callable[[dict[str, Any]], Iterable[str]]
"""Chooses profiles for a resource by what it holds; canonical URLs."""

_CORE = "http://hl7.org/fhir/StructureDefinition/"
_MOST_REMEMBERED = 1000
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

    Raises:
        UsageError: an explicit profile is not known.
    """

    __slots__ = ("_chooser", "_declared", "_explicit", "_profiles", "_types", "_walk")

    def __init__(
        self,
        types: Mapping[str, Type],
        profiles: Mapping[str, Profile],
        walk: Callable[[str], Walk],
        explicit: Iterable[str],
        chooser: Chooser | None,
    ) -> None:
        self._types = types
        self._profiles = profiles
        self._walk = walk
        self._chooser = chooser
        self._declared: dict[tuple[str, str], _Applied] = {}
        self._explicit: dict[str, list[_Applied]] = {}
        for canonical in explicit:
            url, kind = self._known(canonical)
            self._explicit.setdefault(kind, []).append((url, walk(url)))

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
            meta = node.get("meta")
            declared = meta.get("profile") if meta.__class__ is dict else None
            kind = node["resourceType"]
            done: set[str] = set()
            if declared.__class__ is list:
                for text in declared:
                    if text.__class__ is str:
                        applied = self._declared.get((kind, text)) or self._find(kind, text)
                        _apply(applied, done, node, path, run)
            if others:
                for applied in self._further(node, kind, path, run):
                    _apply(applied, done, node, path, run)

        return judge

    def _further(
        self, node: dict[str, Any], kind: str, path: Path, run: Judging
    ) -> Iterator[_Applied]:
        if self._explicit:
            if path[0] is None and kind not in self._explicit and kind != "Bundle":
                expected = "a resource of type " + " or ".join(sorted(self._explicit))
                run.error(Rule.PROFILE, path, expected, kind)
            yield from self._explicit.get(kind, ())
        if self._chooser is not None:
            for url in self._chooser(node):
                if url in self._profiles and self._profiles[url].type == kind:
                    yield url, self._walk(url)

    def _find(self, kind: str, text: str) -> _Applied:
        url, _, version = text.partition("|")
        applied = (url, self._declaration(kind, url, version))
        if len(self._declared) < _MOST_REMEMBERED:
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


def _apply(
    applied: _Applied, done: set[str], node: dict[str, Any], path: Path, run: Judging
) -> None:
    url, walk = applied
    if url not in done:
        done.add(url)
        walk(node, path, run)


def _other_type(name: str, profile: str | None) -> Walk:
    def judge(node: Any, path: Path, run: Judging) -> None:
        run.error(Rule.PROFILE, path, f"a resource of type {name}", node["resourceType"], profile)

    return judge


def _at_declaration(step: Walk) -> Walk:
    def judge(node: Any, path: Path, run: Judging) -> None:
        declared = node["meta"]["profile"]
        step(declared[0] if len(declared) == 1 else declared, ((path, "meta"), "profile"), run)

    return judge
