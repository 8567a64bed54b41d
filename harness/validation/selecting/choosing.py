"""Chooses US Core profiles for a resource that declares none, by type, category and code."""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Iterator, Mapping, Sequence
from functools import lru_cache
from typing import Any, TypeVar

from harness.spec.definitions.model import Profile
from harness.validation.selecting.chosen import RULES, Rule
from harness.validation.selecting.selection import Chooser

_MEMBERS = ("category", "code")
_SOME = 2
_MOST_REMEMBERED = 256

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")


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
    by_member = {
        kind: tuple(
            (
                member,
                _grouped(((rule.system, code), rule.profile) for rule in of for code in rule.codes),
            )
            for member in _MEMBERS
            if (of := [rule for rule in given if rule.member == member])
        )
        for kind, given in _grouped((rule.type, rule) for rule in rules).items()
    }

    def choose(resource: dict[str, Any]) -> Sequence[str]:
        kind = resource.get("resourceType")
        if kind.__class__ is not str:
            return ()
        urls = [each.profile for each in alone.get(kind, ()) if not _excluded(each, resource)]
        for member, by_coding in by_member.get(kind, ()):
            for coding in _codings(resource.get(member)):
                urls += by_coding.get(coding, ())
        return urls if len(urls) < _SOME else narrowest(tuple(urls))

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


def _grouped(pairs: Iterable[tuple[K, V]]) -> dict[K, list[V]]:
    groups: dict[K, list[V]] = {}
    for key, value in pairs:
        groups.setdefault(key, []).append(value)
    return groups


def _excluded(rule: Rule, resource: dict[str, Any]) -> bool:
    if not rule.codes:
        return False
    categories = _codings(resource.get("category"))
    return any((rule.system, code) in categories for code in rule.codes)


def _codings(concepts: Any) -> list[tuple[str, str]]:
    """System and code of each coding of a CodeableConcept, or of an array of them."""
    found = []
    for concept in concepts if concepts.__class__ is list else (concepts,):
        codings = concept.get("coding") if concept.__class__ is dict else None
        for coding in codings if codings.__class__ is list else ():
            if coding.__class__ is dict:
                system, code = coding.get("system"), coding.get("code")
                if system.__class__ is str and code.__class__ is str:
                    found.append((system, code))
    return found
