"""Definitions that are not what they should be cost themselves alone."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any, TypeVar

T = TypeVar("T")

MALFORMED = (KeyError, IndexError, TypeError, ValueError, AttributeError, RecursionError)
"""What comes of JSON that has another form than FHIR gives it."""


def usable(
    resources: Iterable[Mapping[str, Any]],
    make: Callable[[Mapping[str, Any]], tuple[str, T]],
    problems: list[str],
) -> dict[str, T]:
    """What `make` makes of each resource, by its key; of those that cannot be used a line."""
    found: dict[str, T] = {}
    for each in resources:
        try:
            key, made = make(each)
            found[key] = made
        except MALFORMED as error:
            problems.append(f"{shown(each)}: cannot be used: {type(error).__name__}: {error}"[:300])
    return found


def shown(resource: Mapping[str, Any]) -> str:
    """A resource, as a problem names it."""
    return f"{resource.get('resourceType')} {resource.get('url')}"
