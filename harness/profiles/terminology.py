"""ValueSets and CodeSystems as the codes that are known without a terminology server.

https://hl7.org/fhir/R4/valueset.html#compositions

What a package enumerates is taken. What it takes from a code system that it does not carry, such as
SNOMED CT or LOINC, stays unknown: nothing is expanded, and no expansion is read.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from harness.profiles.codes import UNKNOWN, Known, difference, intersection, union
from harness.profiles.elements import unversioned
from harness.profiles.tolerance import MALFORMED, shown, usable
from harness.profiles.typed import checked
from harness.spec.definitions.model import CodeSystem, ValueSet


def code_systems_of(
    resources: Iterable[Mapping[str, Any]], problems: list[str]
) -> dict[str, CodeSystem]:
    """Those of these CodeSystems that are complete, by URL."""
    whole = [each for each in resources if each.get("content") == "complete" and "concept" in each]
    return usable(whole, lambda each: (each["url"], checked(_code_system(each))), problems)


@dataclass(slots=True)
class Terminology:
    """Works value sets out.

    Attributes:
        value_sets: ValueSet resources by canonical URL.
        system: the code system of a URL, where it is known whole.
        elsewhere: value sets that are known already, such as those of FHIR R4.
        at_most: how many codes of a system a list may have to be taken; else they stay unknown.
        problems: gets a line for each value set that cannot be used.
    """

    value_sets: Mapping[str, Mapping[str, Any]]
    system: Callable[[str], CodeSystem | None]
    elsewhere: Callable[[str], Known | None] = field(default=lambda _: None)
    at_most: Mapping[str, int] = field(default_factory=dict)
    problems: list[str] = field(default_factory=list)
    _done: dict[str, Known] = field(default_factory=dict)

    def of(self, url: str) -> Known:
        """The codes of a value set by its canonical URL."""
        if url not in self._done:
            self._done[url] = UNKNOWN  # what includes itself is not known
            said = self.value_sets.get(url)
            self._done[url] = self._composed(said) if said else self.elsewhere(url) or UNKNOWN
        return self._done[url]

    def _composed(self, said: Mapping[str, Any]) -> Known:
        compose = said.get("compose")
        if not compose:
            return UNKNOWN
        try:
            included = union(self._part(each) for each in compose.get("include", ()))
            excluded = union(self._part(each) for each in compose.get("exclude", ()))
            checked(value_set_of("", included))
        except MALFORMED as error:
            self.problems.append(f"{shown(said)}: cannot be used: {type(error).__name__}")
            return UNKNOWN
        return difference(included, excluded)

    def _part(self, said: Mapping[str, Any]) -> Known:
        """One include or exclude: what is in its system and in every value set that it names."""
        parts = [self.of(unversioned(url)) for url in said.get("valueSet", ())]
        if "system" in said:
            parts.append(self._of_system(said))
        if not parts:
            return UNKNOWN
        whole = parts[0]
        for each in parts[1:]:
            whole = intersection(whole, each)
        return whole

    def _of_system(self, said: Mapping[str, Any]) -> Known:
        url = said["system"]
        if said.get("concept"):
            codes = frozenset(each["code"] for each in said["concept"])
            few = len(codes) <= self.at_most.get(url, len(codes))
            return Known({url: codes}) if few else Known(partly=frozenset({url}))
        system = self.system(url)
        if not said.get("filter"):
            return Known({url: system.codes if system else None})
        left = [_filtered(system, each) for each in said["filter"]] if system else [None]
        if any(each is None for each in left):
            return Known(partly=frozenset({url}))
        return Known({url: frozenset.intersection(*(each for each in left if each is not None))})


def value_set_of(url: str, known: Known) -> ValueSet:
    """A value set in the form of the tables."""
    complete = not known.anywhere and not known.partly
    systems = None
    if not complete and not known.anywhere:
        systems = frozenset(known.codes) | known.partly
    return ValueSet(url, known.codes, complete, systems)


def known_of(value_set: ValueSet) -> Known:
    """What a value set of the tables says, for others that are made of it."""
    if value_set.complete:
        return Known(value_set.codes)
    if value_set.systems is None:
        return Known(value_set.codes, anywhere=True)
    whole = {system for system, known in value_set.codes.items() if known is None}
    return Known(value_set.codes, value_set.systems - whole)


def _code_system(said: Mapping[str, Any]) -> CodeSystem:
    """A hierarchy is told by nesting, or by properties of its codes."""
    above: dict[str, set[str]] = {}
    waiting: list[tuple[Mapping[str, Any], set[str]]] = [(each, set()) for each in said["concept"]]
    while waiting:
        concept, parents = waiting.pop()
        code = concept["code"]
        above.setdefault(code, set()).update(parents)
        for each in concept.get("property", ()):
            if each["code"] in ("parent", "subsumedBy") and "valueCode" in each:
                above[code].add(each["valueCode"])
            elif each["code"] == "child" and "valueCode" in each:
                above.setdefault(each["valueCode"], set()).add(code)
        waiting += [(each, {code}) for each in concept.get("concept", ())]
    return CodeSystem(
        said["url"],
        frozenset(above),
        {code: tuple(sorted(each)) for code, each in above.items() if each},
    )


def _filtered(system: CodeSystem, said: Mapping[str, Any]) -> frozenset[str] | None:
    """The codes that a filter leaves; None where it is of a kind that is not known here.

    https://hl7.org/fhir/R4/valueset-filter-operator.html
    """
    top = str(said["value"])
    if said["property"] not in ("concept", "code") or top not in system.codes:
        return None
    below = _below(system, top)
    return {
        "is-a": below | {top},
        "descendent-of": below,
        "is-not-a": system.codes - below - {top},
        "=": frozenset({top}),
    }.get(said["op"])


def _below(system: CodeSystem, top: str) -> frozenset[str]:
    """The codes that are kinds of `top`, not itself."""
    under: dict[str, list[str]] = {}
    for code, above in system.above.items():
        for each in above:
            under.setdefault(each, []).append(code)
    found: set[str] = set()
    grown = [top]
    while grown:
        fresh = [each for each in under.get(grown.pop(), ()) if each not in found]
        found.update(fresh)
        grown += fresh
    return frozenset(found - {top})
