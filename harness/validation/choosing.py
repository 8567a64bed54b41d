"""Chooses US Core profiles for a resource that declares none, by type, category and code."""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Iterator, Mapping, Sequence
from functools import lru_cache
from typing import Any, TypeVar

from harness.spec.definitions.model import Profile
from harness.validation.chosen import RULES, Rule
from harness.validation.selection import Chooser

_SOME = 2
_MOST_REMEMBERED = 256

K = TypeVar("K", bound=Hashable)


def us_core(profiles: Mapping[str, Profile]) -> Chooser:
    """What chooses among the profiles of one version.

    The choice is by what US Core says that a profile is for, not by what the resource declares;
    a validator that is given it judges a resource by both. Of profiles of which one is derived from
    another, the narrowest is chosen.

    Args:
        profiles: the definitions, by URL.
    """
    rules = [rule for rule in RULES if rule.profile in profiles and rule.unless not in profiles]
    alone = _grouped((rule.type, rule) for rule in rules if rule.member is None)
    by_coding = _grouped(
        ((rule.type, rule.member, rule.system, code), rule)
        for rule in rules
        if rule.member is not None
        for code in rule.codes
    )

    def choose(resource: dict[str, Any]) -> Sequence[str]:
        kind = resource.get("resourceType")
        if not isinstance(kind, str):
            return ()
        codes, categories = _codings(resource.get("code")), _codings(resource.get("category"))
        chosen = [rule for rule in alone.get(kind, ()) if not _excluded(rule, categories)]
        for member, codings in (("category", categories), ("code", codes)):
            for system, code in codings:
                chosen += by_coding.get((kind, member, system, code), ())
        urls = tuple([rule.profile for rule in chosen])
        return urls if len(urls) < _SOME else narrowest(urls)

    @lru_cache(maxsize=_MOST_REMEMBERED)
    def narrowest(urls: tuple[str, ...]) -> tuple[str, ...]:
        derived_from = {above for url in urls for above in _above(url, profiles)}
        return tuple(url for url in dict.fromkeys(urls) if url not in derived_from)

    return choose


def _above(url: str, profiles: Mapping[str, Profile]) -> Iterator[str]:
    """What a profile is derived from: all that those say, it says as well."""
    profile = profiles.get(url)
    while profile is not None and profile.base in profiles:
        yield profile.base
        profile = profiles[profile.base]


def _grouped(pairs: Iterable[tuple[K, Rule]]) -> dict[K, list[Rule]]:
    groups: dict[K, list[Rule]] = {}
    for key, rule in pairs:
        groups.setdefault(key, []).append(rule)
    return groups


def _excluded(rule: Rule, categories: list[tuple[str, str]]) -> bool:
    return any((rule.system, code) in categories for code in rule.codes)


def _codings(concepts: Any) -> list[tuple[str, str]]:
    """System and code of each coding of a CodeableConcept, or of an array of them."""
    found = []
    for concept in concepts if isinstance(concepts, list) else [concepts]:
        codings = concept.get("coding") if isinstance(concept, dict) else None
        for coding in codings if isinstance(codings, list) else ():
            if isinstance(coding, dict):
                system, code = coding.get("system"), coding.get("code")
                if isinstance(system, str) and isinstance(code, str):
                    found.append((system, code))
    return found
