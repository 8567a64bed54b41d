"""Accept filters: compiled schemas that take what is certainly without an error.

A filter that does not accept has said nothing: the exact checker decides then. So a filter may be
narrower than FHIR wherever that is simpler, and never wider. The engine is jsonschema-rs, which is
optional; this is the one importer.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from types import MappingProxyType
from typing import Any, Protocol, TypeAlias

from harness.spec.definitions.model import Constraint, Profile, Type, ValueSet
from harness.validation import narrative
from harness.validation.fast.coded import MEMBER, members
from harness.validation.fast.combining import both
from harness.validation.fast.constraints import KEYWORD, Invariants, outer
from harness.validation.fast.extensions import Known
from harness.validation.fast.narrowing import Narrowing
from harness.validation.fast.primitives import INTEGER, Schema
from harness.validation.fast.types import Types

try:
    import jsonschema_rs
except ImportError:  # the extra is not installed
    jsonschema_rs = None  # type: ignore[assignment]

Accept: TypeAlias = Callable[[object], bool]

_CORE = "http://hl7.org/fhir/StructureDefinition/"
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

    def of(self, kind: str, profiles: Iterable[str] = ()) -> Accept | None:
        """The filter of a resource type and some of its profiles, or None where there is none.

        Args:
            kind: name of the resource type.
            profiles: canonical URLs of profiles, all of which have to be met.

        Returns:
            A function from parsed JSON to whether the exact checker certainly finds no error in it
            by that type and these profiles. It never raises. A resource that declares a profile
            that is not among them is not accepted.
        """
        chosen = [self._definitions.profiles.get(url) for url in profiles]
        if (
            jsonschema_rs is None
            or kind in _NEVER
            or any(p is None or p.type != kind for p in chosen)
        ):
            return None
        known = [each for each in chosen if each is not None]
        schema = self.schema(kind, self._narrowest(known))
        if schema is None:
            return None
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
        constraints = [*self._definitions.types[kind].root.constraints]
        for each in known:
            constraints += each.root.constraints
        return _accept(validator.is_valid, constraints, _declared(kind, known))

    def _narrowest(self, profiles: Sequence[Profile]) -> list[Profile]:
        """Those that say everything: what a profile is derived from is included in it."""
        implied: set[str] = set()
        for each in profiles:
            base = self._definitions.profiles.get(each.base)
            while base is not None and base.url not in implied:
                implied.add(base.url)
                base = self._definitions.profiles.get(base.base)
        return [each for each in profiles if each.url not in implied]

    def schema(self, kind: str, profiles: Iterable[Profile]) -> dict[str, Any] | None:
        """The schema behind a filter; None where there is no such type."""
        value_sets = self._definitions.value_sets
        names: dict[str, str] = {}

        def narrowed(profile: Profile) -> Schema:
            name = names.setdefault(profile.url, f"profile-{len(names)}")
            return types.defined(name, lambda: narrowing.profile(profile))

        types = Types(self._definitions.types, value_sets, self._known, narrowed)
        narrowing = Narrowing(types, value_sets)
        base = types.resource(kind)
        if base is None:
            return None
        whole = both(
            base,
            *(narrowing.profile(each) for each in profiles),
            definitions=types.definitions,
        )
        if isinstance(whole, bool):
            return None
        return whole | {"$defs": types.definitions}


def accept_filter(definitions: Definitions, profile_or_type: str) -> Accept | None:
    """The filter of one resource type or profile; see `Filters.of`.

    Args:
        definitions: where it is defined.
        profile_or_type: name of a type, or canonical URL of a profile.
    """
    profile = definitions.profiles.get(profile_or_type)
    if profile is None:
        return Filters(definitions).of(profile_or_type)
    return Filters(definitions).of(profile.type, [profile.url])


def _declared(kind: str, profiles: Iterable[Profile]) -> frozenset[str]:
    """What a resource may declare without there being more to judge it by."""
    urls = {f"{_CORE}{kind}"}
    for each in profiles:
        urls |= {each.url, f"{each.url}|{each.version}"}
    return frozenset(urls)


def _accept(
    is_valid: Callable[[Any], bool], constraints: Iterable[Constraint], declared: frozenset[str]
) -> Accept:
    invariants = outer(constraints)

    def accept(value: Any) -> bool:
        try:
            if not is_valid(value):
                return False
            meta = value.get("meta")
            if meta is not None and not declared.issuperset(meta.get("profile", ())):
                return False
            scope: Any = _Alone(value)
            for holds in invariants:  # noqa: SIM110 - a generator takes longer than what it asks
                if not holds(value, scope):
                    return False
            return True  # noqa: TRY300 - as above
        except Exception:  # noqa: BLE001 - whatever it is, the exact checker decides
            return False

    return accept


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
