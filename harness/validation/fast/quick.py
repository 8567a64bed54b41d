"""Errors at the speed of a filter: the exact checker looks at what the filter does not accept."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, Final

from harness.validation.fast.filters import Accept, Definitions, Filters
from harness.validation.findings import Finding, Severity

MOST_FILTERS: Final = 256
"""Sets of profiles that get a filter; a hostile file could declare any number of sets."""

Chooser = Callable[[dict[str, Any]], Iterable[str]]


class Quick:
    """Finds the errors that the exact checker finds, and nothing else.

    Args:
        exact: the exact checker.
        definitions: those that it has.
        profiles: canonical URLs of profiles that it asks of every resource of their types.
        chooser: chooses further profiles for a resource, as that of the exact checker.
    """

    def __init__(
        self,
        exact: Callable[[Any], tuple[Finding, ...]],
        definitions: Definitions,
        profiles: Iterable[str] = (),
        chooser: Chooser | None = None,
    ) -> None:
        self._exact = exact
        self._known = definitions.profiles
        self._explicit = tuple(each.partition("|")[0] for each in profiles)
        self._chooser = chooser
        self._filters = Filters(definitions)
        self._made: dict[tuple[str, ...], Accept | None] = {}

    def check(self, resource: Any) -> tuple[Finding, ...]:
        """The errors in a resource; never raises."""
        accept = self._filter(resource) if resource.__class__ is dict else None
        if accept is not None and accept(resource):
            return ()
        found = self._exact(resource)
        return tuple([each for each in found if each.severity is Severity.ERROR])

    def _filter(self, resource: dict[str, Any]) -> Accept | None:
        """The filter of the profiles that this resource is judged by."""
        kind, meta = resource.get("resourceType"), resource.get("meta")
        declared = meta.get("profile", ()) if meta.__class__ is dict else ()
        if kind.__class__ is not str or declared.__class__ not in (list, tuple):
            return None
        chosen = self._chooser(resource) if self._chooser is not None else ()
        try:
            key = (kind, *declared, "", *chosen)
            made = self._made.get(key, self)
        except TypeError:  # what is declared is no string
            return None
        if made is not self:
            return made  # type: ignore[return-value]  # `self` stands for what is not made yet
        return self._make(key, kind, (*declared, *chosen))

    def _make(self, key: tuple[str, ...], kind: str, named: Iterable[str]) -> Accept | None:
        if len(self._made) >= MOST_FILTERS:
            return None
        urls = dict.fromkeys(each.partition("|")[0] for each in named if each.__class__ is str)
        urls |= dict.fromkeys(each for each in self._explicit if self._known[each].type == kind)
        asked = not self._explicit or any(self._known[e].type == kind for e in self._explicit)
        known = all(each in self._known for each in urls)
        accept = self._filters.of(kind, urls) if asked and known else None
        self._made[key] = accept
        return accept
