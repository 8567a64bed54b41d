"""Which version of a package is meant."""

from __future__ import annotations

import re
from collections.abc import Iterable

_RELEASED = re.compile(r"(\d+)\.(\d+)\.(\d+)")
_WILDCARD = re.compile(r"(\d+)\.(\d+)\.x")


def is_exact(wanted: str) -> bool:
    """Whether it names one version, rather than the newest of some."""
    return wanted != "latest" and not _WILDCARD.fullmatch(wanted)


def chosen(wanted: str, known: Iterable[str], latest: str | None = None) -> str | None:
    """The version that is meant: exact, `latest`, or `X.Y.x` for the newest of a minor version.

    Args:
        wanted: as it was asked for.
        known: those that there are.
        latest: the one that a registry calls so; without, the highest that was released.

    Returns:
        One of `known`, or None.
    """
    there = list(known)
    if is_exact(wanted):
        return wanted if wanted in there else None
    if latest is not None and wanted == "latest":
        return latest if latest in there else None
    released = [each for each in map(_RELEASED.fullmatch, there) if each]
    if pattern := _WILDCARD.fullmatch(wanted):
        released = [each for each in released if each.groups()[:2] == pattern.groups()]
    newest = max(released, key=lambda each: [int(part) for part in each.groups()], default=None)
    return newest[0] if newest else None
