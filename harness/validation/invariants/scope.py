"""Where an element stands: the resources around it, and what references lead to.

https://hl7.org/fhir/R4/fhirpath.html#variables and https://hl7.org/fhir/R4/bundle.html#references
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Any

_restful = re.compile(r"(?:(.+)/)?([A-Z][A-Za-z]{2,63})/([A-Za-z0-9\-.]{1,64})(/_history/.+)?")


class Entries:
    """The entries of a Bundle by their full URL; looked through once, when first asked."""

    __slots__ = ("_bundle", "_by_url")

    def __init__(self, bundle: Any) -> None:
        self._bundle = bundle
        self._by_url: dict[str, Any] | None = None

    def find(self, url: str) -> Any:
        """The resource of the entry with that full URL, or None."""
        if self._by_url is None:
            self._by_url = {}
            entries = self._bundle.get("entry") if self._bundle.__class__ is dict else None
            for entry in entries if entries.__class__ is list else ():
                if entry.__class__ is dict and entry.get("fullUrl").__class__ is str:
                    self._by_url.setdefault(entry["fullUrl"], entry.get("resource"))
        return self._by_url.get(url)


@dataclass(frozen=True, slots=True)
class Scope:
    """The surroundings of an element, as parsed JSON.

    Attributes:
        resource: `%resource`: the nearest resource that holds the element; a contained one has its
            own.
        root: `%rootResource`: the resource that contains `resource`, or that itself.
        entries: of the Bundle that `root` came in, or None.
        full_url: of the entry that `root` came in, or None.
        contained: the contained resources of `root` by id, once they were asked for.
    """

    resource: Any
    root: Any
    entries: Entries | None = None
    full_url: str | None = None
    contained: dict[str, Any] = field(default_factory=dict, repr=False, compare=False)

    def inside(self, resource: Any) -> Scope:
        """The scope of the elements of a resource that `root` contains."""
        return Scope(resource, self.root, self.entries, self.full_url, self.contained)


def resolve(reference: Any, scope: Scope) -> Any:
    """What a reference leads to within the resource or its Bundle; None when it is elsewhere.

    Args:
        reference: the string in `Reference.reference`, or a canonical.
        scope: of the element that holds it.
    """
    if reference.__class__ is not str or not reference:
        return None
    if reference[0] == "#":
        return contained(reference[1:], scope) if len(reference) > 1 else scope.root
    if scope.entries is None:
        return None
    found = scope.entries.find(reference)
    if found is not None or "://" in reference or scope.full_url is None:
        return found
    base = _restful.fullmatch(scope.full_url)
    return scope.entries.find(f"{base[1]}/{reference}") if base and base[1] else None


_READ = ""
"""No resource has this id; it says that the others are there."""


def contained(identity: str, scope: Scope) -> Any:
    """The contained resource with that id, or None."""
    if _READ not in scope.contained:
        scope.contained[_READ] = None
        resources = scope.root.get("contained") if scope.root.__class__ is dict else None
        for resource in resources if resources.__class__ is list else ():
            if resource.__class__ is dict and resource.get("id").__class__ is str:
                scope.contained.setdefault(resource["id"], resource)
    return scope.contained.get(identity)


def target_type(reference: Any, scope: Scope) -> str | None:
    """The type of resource that a Reference leads to, or None when it does not tell.

    Args:
        reference: a Reference, as parsed JSON.
        scope: of the element.
    """
    if reference.__class__ is not dict:
        return None
    url = reference.get("reference")
    resource = resolve(url, scope)
    if resource.__class__ is dict and resource.get("resourceType").__class__ is str:
        return str(resource["resourceType"])
    if url.__class__ is str and (parts := _restful.fullmatch(url)):
        return parts[2]
    named = reference.get("type")
    return named if named.__class__ is str else None
