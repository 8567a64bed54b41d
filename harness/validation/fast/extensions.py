"""Extensions in a filter: which profile one has is told by its `url`, and where it may stand.

An extension that no definition here knows may hold anything that is valid. Of those that FHIR
itself defines only the most frequent are looked at; the others are left to the exact checker.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final

from harness.spec.definitions.model import Kind, Profile, Type, TypeRef
from harness.validation.fast.combining import both
from harness.validation.fast.primitives import PRIMITIVES, REFUSED, Schema

if TYPE_CHECKING:
    from harness.validation.fast.types import Types

_CORE: Final = "http://hl7.org/fhir/StructureDefinition/"
_FREQUENT: Final = frozenset(
    f"{_CORE}{name}"
    for name in (
        *("data-absent-reason", "condition-assertedDate", "geolocation", "ordinalValue"),
        *("individual-genderIdentity", "individual-pronouns", "patient-genderIdentity"),
        *("patient-birthPlace", "patient-mothersMaidenName"),
    )
)
_ANYWHERE: Final = frozenset({"Element", "Resource"})
_VALUES: Final = frozenset(
    {
        *("valueString", "valueCode", "valueCoding", "valueCodeableConcept", "valueBoolean"),
        *("valueDate", "valueDateTime", "valueInstant", "valueUri", "valueUrl", "valueDecimal"),
        *("valueQuantity", "valuePeriod", "valueReference", "valueIdentifier", "valueMarkdown"),
        *("valueAddress", "valueId", "valueCanonical"),
    }
)
"""Of the fifty that there are."""
_ABSOLUTE: Final[Schema] = {"pattern": ":"}


class Known:
    """What has a definition.

    Args:
        types: by name.
        profiles: by URL.
    """

    def __init__(self, types: Mapping[str, Type], profiles: Mapping[str, Profile]) -> None:
        self._types = types
        self._profiles = profiles
        urls = [url for url in profiles if not url.startswith(_CORE)]
        self._extensions = {
            url: profiles[url]
            for url in (*urls, *_FREQUENT)
            if url in profiles and profiles[url].type == "Extension"
        }

    def profile(self, url: str) -> Profile | None:
        """The profile with that URL."""
        return self._profiles.get(url)

    def resource_of(self, url: str) -> str | None:
        """The resource type that the URL of a type or profile stands for, or None."""
        name = url.removeprefix(_CORE)
        kind = self._types.get(name)
        if kind is not None and kind.kind is Kind.RESOURCE:
            return name
        profile = self._profiles.get(url)
        return None if profile is None else profile.type

    def on(self, standing: frozenset[str]) -> dict[str, Profile]:
        """The extensions that may stand on something, in the words of extension contexts."""
        return {
            url: profile
            for url, profile in self._extensions.items()
            if not profile.context or not _ANYWHERE.union(standing).isdisjoint(profile.context)
        }

    @property
    def urls(self) -> list[str]:
        """Of everything that has a profile."""
        return sorted(self._profiles)


def _inner(profile: Profile) -> Schema:
    """Asks that a relative URL in an extension is one that its definition has."""
    array = profile.root.children.get("extension")
    slices = array.slicing.slices.values() if array and array.slicing else ()
    parts = [one.children["url"].fixed for one in slices if "url" in one.children]
    url = {"anyOf": [{"enum": parts}, _ABSOLUTE]} if parts else _ABSOLUTE
    return {"properties": {"extension": {"items": {"properties": {"url": url}}}}}


def extension(types: Types, known: Known, standing: frozenset[str]) -> Schema:
    """The schema of an extension on something."""
    here = known.on(standing)
    kind = types.kind("Extension")
    if kind is None:
        return REFUSED
    value = kind.root.children["value[x]"]
    values = {
        name: types.element(kind, "Extension", value, ref)
        for name, ref in types.keys(value)
        if name in _VALUES
    }
    nested = types.element(kind, "Extension", kind.root.children["extension"], TypeRef("Extension"))
    foreign: Schema = {"not": types.defined("known-profiles", lambda: {"enum": known.urls})}
    if "Extension" not in standing:  # where it is, the one around it says which may be relative
        foreign = both(foreign, _ABSOLUTE)
    base: dict[str, Any] = {
        "type": "object",
        "properties": {
            "url": both(PRIMITIVES["uri"], {"anyOf": [{"enum": sorted(here)}, foreign]}),
            "extension": {"type": "array", "items": nested, "minItems": 1},
            **{name: each for name, each in values.items() if each is not REFUSED},
        },
        "additionalProperties": False,
        "required": ["url"],
        "minProperties": 2,
        "maxProperties": 2,
    }
    conditions = [
        {
            "if": {"properties": {"url": {"const": url}}},
            "then": both(types.narrowed(profile), _inner(profile)),
        }
        for url, profile in here.items()
    ]
    return base | ({"allOf": conditions} if conditions else {})
