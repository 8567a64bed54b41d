"""What the reference EHR can be told by name, faults and variants, as one file per part says it."""

from __future__ import annotations

import tomllib
from collections.abc import Callable, Iterable, Mapping
from difflib import get_close_matches
from importlib.resources import files
from types import MappingProxyType
from typing import Any, Protocol, TypeVar

from harness.errors import UsageError


class Named(Protocol):
    """What has a name on the command line."""

    @property
    def name(self) -> str:
        """It."""
        ...


T = TypeVar("T", bound=Named)


def catalogue_of(
    package: str, parts: Iterable[str], kind: str, read: Callable[[str, Mapping[str, Any]], T]
) -> Mapping[str, T]:
    """All of a kind by name, in the order of the parts and their files.

    Args:
        package: where the files are.
        parts: their names, without `.toml`.
        kind: the name of their tables.
        read: makes one of its part and its table.
    """
    found = [
        read(part, entry)
        for part in parts
        for entry in tomllib.loads(_text(package, part)).get(kind, [])
    ]
    return MappingProxyType({each.name: each for each in found})


def known_among(names: Iterable[str], catalogue: Mapping[str, object], kind: str) -> frozenset[str]:
    """The names as a set.

    Raises:
        UsageError: a name is not in the catalogue.
    """
    wanted = frozenset(names)
    for name in sorted(wanted - catalogue.keys()):
        near = get_close_matches(name, catalogue, n=1)
        hint = f"did you mean {near[0]!r}?" if near else f"see harness reference --list-{kind}s"
        raise UsageError(f"no {kind} is called {name!r}", hint=hint)
    return wanted


def _text(package: str, part: str) -> str:
    return files(package).joinpath(f"{part}.toml").read_text(encoding="utf-8")
