"""SMART scopes of both syntaxes, compared by what they permit and not by how they are spelled.

SMART App Launch, "Scopes for requesting FHIR Resources":
https://hl7.org/fhir/smart-app-launch/STU2.2/scopes-and-launch-context.html

Version 1 says `patient/Observation.read`, `.write` or `.*`; version 2 says a subset of `.cruds` in
that order, and may narrow it with search parameters (`?category=...`). Servers answer in either,
split `.rs` into `.r .s`, and Epic answers without a level (`Patient.read Patient.search`).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from enum import StrEnum
from functools import cached_property
from urllib.parse import unquote

PERMISSIONS = "cruds"

_RESOURCE = re.compile(
    r"(?:(?P<level>patient|user|system)/)?(?P<type>\*|[A-Z][A-Za-z]*)\."
    r"(?P<verb>\*|[A-Za-z]+)(?:\?(?P<query>\S+))?",
)
_LEVELLED = re.compile(r"(?i:patient|user|system)/.+")
_V2 = re.compile(r"(?=.)c?r?u?d?s?")
_V1 = {"read": "rs", "write": "cud", "*": PERMISSIONS}
_OPERATIONS = {"read": "r", "search": "s", "create": "c", "update": "u", "delete": "d"}
"""Where no level is named, the words are names of single operations (Epic)."""

Condition = tuple[str, frozenset[str]]


class Syntax(StrEnum):
    """The version of SMART App Launch that a resource scope is written in."""

    V1 = "v1"
    V2 = "v2"
    OPERATION = "operation"


@dataclass(frozen=True, slots=True)
class Scope:
    """One scope.

    Attributes:
        text: as it was spelled.
        level: `patient`, `user` or `system`; None where none was named.
        type: the FHIR resource type or `*`; None for what is no resource scope (`openid`).
        permissions: letters of `cruds`; empty for what is no resource scope.
        conditions: search parameters that narrow it; each name with its alternatives.
        syntax: how it was written; None for what is no resource scope.
    """

    text: str
    level: str | None = None
    type: str | None = None
    permissions: frozenset[str] = frozenset()
    conditions: tuple[Condition, ...] = ()
    syntax: Syntax | None = None

    @classmethod
    def parse(cls, text: str) -> Scope:
        """Understand one scope; what is no well-formed resource scope stays an opaque word."""
        lowered = _lower_level(text)
        match = _RESOURCE.fullmatch(lowered)
        if match is None:
            return cls(text)
        level, verb = match["level"], match["verb"]
        permissions, syntax = _permissions(verb.lower(), levelled=level is not None)
        if not permissions:
            return cls(text)
        return cls(
            text,
            level,
            match["type"],
            frozenset(permissions),
            _conditions(match["query"]),
            syntax,
        )

    @property
    def is_resource(self) -> bool:
        """Whether it names resources, rather than identity or launch context."""
        return self.type is not None

    @property
    def malformed(self) -> bool:
        """Whether it starts like a resource scope and is none, such as `patient/Patient.sr`."""
        return not self.is_resource and bool(_LEVELLED.fullmatch(self.text))

    @property
    def canonical(self) -> str:
        """The scope in version 2 syntax; opaque words as they were spelled."""
        if self.type is None:
            return self.text
        letters = "".join(p for p in PERMISSIONS if p in self.permissions)
        level = f"{self.level}/" if self.level else ""
        query = "&".join(f"{name}={','.join(sorted(values))}" for name, values in self.conditions)
        return f"{level}{self.type}.{letters}" + (f"?{query}" if query else "")

    def only(self, permissions: Iterable[str]) -> Scope:
        """The same scope with no more than `permissions`, spelled canonically."""
        reduced = replace(self, permissions=self.permissions & frozenset(permissions))
        return replace(reduced, text=reduced.canonical)

    def reaches(self, other: Scope) -> bool:
        """Whether level, type and conditions take in `other`; permissions are not compared."""
        levels = self.level == other.level or None in (self.level, other.level)
        types = self.type in ("*", other.type)
        return levels and types and all(_holds(c, other.conditions) for c in self.conditions)

    def __str__(self) -> str:
        return self.text


@dataclass(frozen=True)
class ScopeSet:
    """Scopes in the order they came, without repetitions."""

    scopes: tuple[Scope, ...] = ()

    @classmethod
    def parse(cls, text: str | Iterable[str]) -> ScopeSet:
        """From the `scope` parameter (separated by white space), or from single scopes."""
        words = text.split() if isinstance(text, str) else text
        return cls(tuple(dict.fromkeys(Scope.parse(word) for word in words)))

    @cached_property
    def _words(self) -> frozenset[str]:
        return frozenset(scope.text for scope in self.scopes if not scope.is_resource)

    @property
    def resources(self) -> tuple[Scope, ...]:
        """The resource scopes."""
        return tuple(scope for scope in self.scopes if scope.is_resource)

    @property
    def malformed(self) -> tuple[Scope, ...]:
        """What starts like a resource scope and is none."""
        return tuple(scope for scope in self.scopes if scope.malformed)

    def covers(self, scope: Scope | str) -> bool:
        """Whether this set permits all that `scope` permits."""
        return self._lacking(_scope(scope)) is None

    def missing(self, requested: ScopeSet) -> tuple[Scope, ...]:
        """What was requested and is not in this set, reduced to the permissions that lack."""
        lacking = (self._lacking(scope) for scope in requested.scopes)
        return tuple(scope for scope in lacking if scope is not None)

    def widened(self, requested: ScopeSet) -> tuple[Scope, ...]:
        """What is in this set and was never requested, reduced to the surplus permissions."""
        return requested.missing(self)

    def allows(self, level: str, type_: str, permission: str, *, partly: bool = False) -> bool:
        """Whether one interaction is permitted.

        Args:
            level: `patient`, `user` or `system`.
            type_: a FHIR resource type, or `*` for all of them.
            permission: one letter of `cruds`.
            partly: also count scopes that are narrowed by search parameters.
        """
        wanted = Scope("", level, type_, frozenset(permission))
        return any(
            permission in scope.permissions
            and (replace(scope, conditions=()) if partly else scope).reaches(wanted)
            for scope in self.resources
        )

    def without(self, declined: Iterable[Scope | str]) -> ScopeSet:
        """This set less what `declined` covers."""
        gone = ScopeSet(tuple(_scope(each) for each in declined))
        return ScopeSet(tuple(scope for scope in self.scopes if not gone.covers(scope)))

    def _lacking(self, scope: Scope) -> Scope | None:
        if not scope.is_resource:
            return None if scope.text in self._words else scope
        have: set[str] = set()
        for mine in self.resources:
            if mine.reaches(scope):
                have |= mine.permissions
        lacking = scope.permissions - have
        if lacking == scope.permissions:
            return scope
        return scope.only(lacking) if lacking else None

    def __contains__(self, scope: object) -> bool:
        return isinstance(scope, (Scope, str)) and self.covers(scope)

    def __iter__(self) -> Iterator[Scope]:
        return iter(self.scopes)

    def __len__(self) -> int:
        return len(self.scopes)

    def __str__(self) -> str:
        return " ".join(scope.text for scope in self.scopes)


def _scope(value: Scope | str) -> Scope:
    return Scope.parse(value) if isinstance(value, str) else value


def _lower_level(text: str) -> str:
    level, slash, rest = text.partition("/")
    known = slash and level.lower() in ("patient", "user", "system")
    return f"{level.lower()}/{rest}" if known else text


def _permissions(verb: str, *, levelled: bool) -> tuple[str, Syntax]:
    if not levelled and verb in _OPERATIONS:
        return _OPERATIONS[verb], Syntax.OPERATION
    if verb in _V1:
        return _V1[verb], Syntax.V1
    return (verb if _V2.fullmatch(verb) else ""), Syntax.V2


def _conditions(query: str | None) -> tuple[Condition, ...]:
    pairs = (part.partition("=") for part in (query or "").split("&") if part)
    found = {(unquote(n), frozenset(map(unquote, values.split(",")))) for n, _, values in pairs}
    return tuple(sorted(found, key=lambda c: (c[0], sorted(c[1]))))


def _holds(condition: Condition, others: tuple[Condition, ...]) -> bool:
    """Whether what is bound by `others` is within `condition`: alternatives may only shrink."""
    name, values = condition
    return any(other == name and theirs <= values for other, theirs in others)
