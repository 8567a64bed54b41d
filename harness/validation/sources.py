"""What walks are compiled from."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from harness.spec.definitions.model import CodeSystem, Profile, Type, ValueSet
from harness.validation.elements.targets import Targets


@dataclass(frozen=True, slots=True)
class Sources:
    """The definitions, and how they are compiled.

    Attributes:
        types: by name.
        profiles: by URL.
        value_sets: by URL.
        code_systems: those whose codes are all known, by URL.
        targets: decides what References lead to.
        recorded: whether the walk notes what was present of what has to be supported.
    """

    types: Mapping[str, Type]
    profiles: Mapping[str, Profile]
    value_sets: Mapping[str, ValueSet]
    code_systems: Mapping[str, CodeSystem]
    targets: Targets
    recorded: bool = False
