"""Errors at the speed of a filter: the exact checker looks at what the filter does not accept.

Which profiles apply to a resource, and whether its codes are right by them, hangs on its type, the
profiles that it declares and its codes alone. These are the same in many resources, so what came
of them is remembered, and only the rest of each resource is judged anew.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, Final, TypeAlias

from harness.validation.fast.filters import Definitions, Filter, Filters
from harness.validation.findings import Finding, Severity
from harness.validation.reading.resource import written

MOST_FILTERS: Final = 256
"""Sets of profiles that get a filter; a hostile file could declare any number of sets."""

_MOST_REMEMBERED: Final = 5000
_LONGEST_REMEMBERED: Final = 4000
_PATIENCE: Final = 8
_PASSED_OVER: Final = 256
"""Where the filter refused so many in a row, so many more are not shown to it."""
_SEVERAL: Final = (list, tuple)
_UNKNOWN: Final = object()
_Key: TypeAlias = tuple[str, tuple[str, ...], tuple[str, ...]]

Chooser = Callable[[dict[str, Any]], Iterable[str]]


class Quick:
    """Finds the errors that the exact checker finds, and nothing else.

    Args:
        exact: the exact checker.
        definitions: those that it has.
        profiles: canonical URLs of profiles that it asks of every resource of their types.
        chooser: chooses further profiles for a resource, as that of the exact checker; by nothing
            but its type and codes (`Filters.coded`).
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
        self._coded: dict[Any, tuple[str, ...]] = {}
        self._made: dict[_Key, Filter | None] = {}
        self._remembered: dict[bytes, Any] = {}
        self._refused = self._passing_over = 0

    def check(self, resource: Any, text: bytes | None = None) -> tuple[Finding, ...]:
        """The errors in a resource; never raises.

        Args:
            resource: parsed JSON.
            text: what it was read from, if that is at hand.
        """
        if self._passing_over:
            self._passing_over -= 1
        elif self.accepts(resource, text):
            self._refused = 0
            return ()
        else:
            self._refused += 1
            if self._refused >= _PATIENCE:
                self._passing_over = _PASSED_OVER
        found = self._exact(resource)
        return tuple([each for each in found if each.severity is Severity.ERROR])

    def accepts(self, resource: Any, text: bytes | None = None) -> bool:
        """Whether a filter says that a resource has no error; likewise."""
        if resource.__class__ is not dict:
            return False
        kind, meta = resource.get("resourceType"), resource.get("meta")
        declared = meta.get("profile", ()) if meta.__class__ is dict else ()
        try:
            names = self._coded.get(kind) or self._names(kind)
            key = written((kind, declared, [resource.get(name) for name in names]))
        except TypeError:  # the type is no string, or something in it is no JSON
            return False
        found = self._remembered.get(key, _UNKNOWN)
        if found is _UNKNOWN:
            found = self._first(resource, kind, declared)
            self._remember(key, found)
        return found is not None and found.takes_rest(resource, text)

    def _names(self, kind: Any) -> tuple[str, ...]:
        names = tuple(self._filters.coded(kind))
        if names:  # a type that is known, and not whatever a file may say
            self._coded[kind] = names
        return names

    def _remember(self, key: bytes, found: Filter | None) -> None:
        if len(key) <= _LONGEST_REMEMBERED:
            if len(self._remembered) >= _MOST_REMEMBERED:
                self._remembered.clear()
            self._remembered[key] = found

    def _first(self, resource: dict[str, Any], kind: Any, declared: Any) -> Filter | None:
        """The filter that takes the codes of a resource, if there is one."""
        if declared.__class__ not in _SEVERAL or not all(e.__class__ is str for e in declared):
            return None
        chosen = tuple(self._chooser(resource)) if self._chooser is not None else ()
        key = (kind, tuple(declared), chosen)
        made = self._made[key] if key in self._made else self._make(key, kind, key[1] + chosen)
        return made if made is not None and made.takes_codes(resource) else None

    def _make(self, key: _Key, kind: str, named: Iterable[str]) -> Filter | None:
        if len(self._made) >= MOST_FILTERS:
            return None
        urls = dict.fromkeys(each.partition("|")[0] for each in named)
        urls |= dict.fromkeys(each for each in self._explicit if self._known[each].type == kind)
        asked = not self._explicit or any(self._known[e].type == kind for e in self._explicit)
        known = all(each in self._known for each in urls)
        made = self._filters.of(kind, urls) if asked and known else None
        self._made[key] = made
        return made
