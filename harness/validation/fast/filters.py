"""Accept filters: compiled schemas that take what is certainly without an error.

A filter that does not accept has said nothing: the exact checker decides then. So a filter may be
narrower than FHIR wherever that is simpler, and never wider. The engine is jsonschema-rs, which is
optional; this is the one importer.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from types import MappingProxyType
from typing import Any, Protocol, TypeAlias

from harness.spec.definitions.model import Profile, Type, ValueSet
from harness.validation.fast.coded import MEMBER, members
from harness.validation.fast.combining import both
from harness.validation.fast.constraints import KEYWORD, Invariants, outer
from harness.validation.fast.extensions import Known
from harness.validation.fast.narrowing import Narrowing
from harness.validation.fast.primitives import INTEGER, Schema
from harness.validation.fast.types import EXTENSION, Types
from harness.validation.invariants import Scope
from harness.validation.reading.resource import is_plain, written
from harness.validation.values import narrative
from harness.validation.values.primitives import CHECKS

try:
    import jsonschema_rs
except ImportError:  # the extra is not installed
    jsonschema_rs = None  # type: ignore[assignment]

Holds: TypeAlias = Callable[[Any, Scope], bool]


_CORE = "http://hl7.org/fhir/StructureDefinition/"
_CODED = frozenset({"code", "CodeableConcept", "Coding"})
_NEVER = frozenset({"Bundle", "Parameters"})
"""Resources that hold others: those are judged one by one by the exact checker."""


class Definitions(Protocol):
    """What filters are compiled from."""

    @property
    def types(self) -> Mapping[str, Type]:
        """By name."""

    @property
    def profiles(self) -> Mapping[str, Profile]:
        """By URL."""

    @property
    def value_sets(self) -> Mapping[str, ValueSet]:
        """By URL."""


def available() -> bool:
    """Whether the engine is installed."""
    return jsonschema_rs is not None


class Filters:
    """Filters of some definitions.

    Args:
        definitions: read as far as the filters need them.
    """

    def __init__(self, definitions: Definitions) -> None:
        self._definitions = definitions
        self._known = Known(definitions.types, definitions.profiles)

    def of(self, kind: str, profiles: Iterable[str] = ()) -> Filter | None:
        """The filter of a resource type and some of its profiles, or None where there is none.

        Args:
            kind: name of the resource type.
            profiles: canonical URLs of profiles, all of which have to be met.

        A resource that declares a profile that is not among them is not accepted.
        """
        chosen = [self._definitions.profiles.get(url) for url in profiles]
        if (
            jsonschema_rs is None
            or kind in _NEVER
            or any(p is None or p.type != kind for p in chosen)
        ):
            return None
        known = [each for each in chosen if each is not None]
        schema = self.schema(kind, known)
        if schema is None:
            return None
        repeating, rest = _parted(schema, self.coded(kind))
        invariants = self._invariants(kind, known)[1]
        return Filter(self._engine(repeating), self._engine(rest), invariants)

    def coded(self, kind: str) -> Mapping[str, str]:
        """The elements of a resource type that hold codes, with the JSON type of their values."""
        known = self._definitions.types.get(kind)
        children = known.root.children.values() if known is not None else ()
        return {
            each.name: "array" if each.array else "string" if code == "code" else "object"
            for each in children
            for code in [ref.code for ref in each.types]
            if code in _CODED and len(each.types) == 1
        }

    def _engine(self, schema: Schema) -> Callable[[Any], bool]:
        validator = jsonschema_rs.Draft202012Validator(
            schema,
            formats={"fhir-xhtml": _is_narrative},
            validate_formats=True,
            keywords={
                KEYWORD: Invariants,
                MEMBER: members(self._definitions.value_sets),
                INTEGER: _Integer,
            },
            pattern_options=jsonschema_rs.RegexOptions(),
        )
        is_valid: Callable[[Any], bool] = validator.is_valid
        return is_valid

    def _invariants(
        self, kind: str, profiles: Iterable[Profile]
    ) -> tuple[Schema, tuple[Holds, ...]]:
        own = self._definitions.types.get(kind)
        holders: list[Type | Profile] = [*([] if own is None else [own]), *profiles]
        return outer([one for each in holders for one in each.root.constraints])

    def _narrowest(self, profiles: Sequence[Profile]) -> list[Profile]:
        """Those that say everything: what a profile is derived from is included in it."""
        implied: set[str] = set()
        for each in profiles:
            base = self._definitions.profiles.get(each.base)
            while base is not None and base.url not in implied:
                implied.add(base.url)
                base = self._definitions.profiles.get(base.base)
        return [each for each in profiles if each.url not in implied]

    def schema(self, kind: str, profiles: Sequence[Profile]) -> dict[str, Any] | None:
        """The schema behind a filter of plain texts; None where there is no such type."""
        value_sets = self._definitions.value_sets
        names: dict[str, str] = {}

        def narrowed(profile: Profile) -> Schema:
            name = names.setdefault(profile.url, f"profile-{len(names)}")
            return types.defined(name, lambda: narrowing.profile(profile))

        types = Types(self._definitions.types, value_sets, self._known, narrowed)
        narrowing = Narrowing(types, value_sets)
        whole = both(
            types.resource(kind),
            *(narrowing.profile(each) for each in self._narrowest(profiles)),
            _declaring(kind, profiles),
            self._invariants(kind, profiles)[0],
            definitions=types.definitions,
        )
        return None if isinstance(whole, bool) else whole | {"$defs": types.definitions}


def accept_filter(definitions: Definitions, profile_or_type: str) -> Filter | None:
    """The filter of one resource type or profile; see `Filters.of`.

    Args:
        definitions: where it is defined.
        profile_or_type: name of a type, or canonical URL of a profile.
    """
    profile = definitions.profiles.get(profile_or_type)
    if profile is None:
        return Filters(definitions).of(profile_or_type)
    return Filters(definitions).of(profile.type, [profile.url])


def _declaring(kind: str, profiles: Iterable[Profile]) -> Schema:
    """Declares nothing by which there would be more to judge."""
    urls = {f"{_CORE}{kind}"}
    for each in profiles:
        urls |= {each.url, f"{each.url}|{each.version}"}
    right = sorted(each for each in urls if CHECKS["canonical"](each) is None)
    return {"properties": {"meta": {"properties": {"profile": {"items": {"enum": right}}}}}}


def _parted(schema: dict[str, Any], coded: Mapping[str, str]) -> tuple[Schema, Schema]:
    """Two schemas for one: of the elements that hold codes by themselves, and of all else.

    What the first takes is remembered by the values of those elements, among which one that is not
    there looks like null; the second refuses null. Extensions on codes, which are rare, would be
    most of the first, and are left to the exact checker.
    """
    properties, required = schema["properties"], schema["required"]
    repeating = {name: properties[name] for name in coded if name in properties}
    others = properties | {name: {"type": coded[name]} for name in repeating}
    without = {name: False for name in schema["$defs"] if name.startswith(EXTENSION)}
    return {
        "properties": repeating,
        "required": [name for name in required if name in repeating],
        "$defs": schema["$defs"] | without,
    }, {
        **schema,
        "properties": others,
        "required": [name for name in required if name not in repeating],
    }


class Filter:
    """Whether the exact checker certainly finds no error in a resource; never raises.

    It has two parts, which together accept a resource. Codes are the same in many resources, so
    that what came of them is worth remembering.
    """

    __slots__ = ("_invariants", "_is_valid", "_takes_codes")

    def __init__(
        self,
        takes_codes: Callable[[Any], bool],
        is_valid: Callable[[Any], bool],
        invariants: Sequence[Holds],
    ) -> None:
        self._takes_codes = takes_codes
        self._is_valid = is_valid
        self._invariants = invariants

    def __call__(self, value: Any, text: bytes | None = None) -> bool:
        """Judge parsed JSON; `text` is what it was read from, if that is at hand."""
        return self.takes_codes(value) and self.takes_rest(value, text)

    def takes_codes(self, value: Any) -> bool:
        """Judge what `Filters.coded` names, by nothing but its values."""
        try:
            return self._takes_codes(value)
        except Exception:  # noqa: BLE001 - whatever it is, the exact checker decides
            return False

    def takes_rest(self, value: Any, text: bytes | None = None) -> bool:
        """Judge all else; likewise."""
        try:
            if not (self._is_valid(value) and is_plain(written(value) if text is None else text)):
                return False
            if self._invariants:
                scope: Any = _Alone(value)
                for holds in self._invariants:
                    if not holds(value, scope):
                        return False
        except Exception:  # noqa: BLE001 - likewise
            return False
        return True


class _Alone:
    """The surroundings of a resource that stands alone and contains none; as `Scope`, but light."""

    __slots__ = ("resource", "root")
    entries = None
    full_url = None
    contained: Mapping[str, Any] = MappingProxyType({})

    def __init__(self, resource: Any) -> None:
        self.resource = self.root = resource


class _Integer:
    """The keyword `INTEGER`, as the library asks for it."""

    def __init__(self, _schema: object, _value: object, _path: object) -> None:
        """Nothing is to be known beforehand."""

    def validate(self, instance: Any) -> None:
        """Raises where a number has a fraction, be it of zeros."""
        if instance.__class__ is not int:
            raise ValueError(instance)


def _is_narrative(text: str) -> bool:
    return narrative.check(text) is None
