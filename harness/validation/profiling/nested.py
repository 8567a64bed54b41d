"""Profiles of a value's type: an element may ask for a Quantity that meets SimpleQuantity."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from harness.spec.definitions.model import Profile, TypeRef
from harness.validation.findings import Rule
from harness.validation.telling import harmless
from harness.validation.walking.fields import Walk
from harness.validation.walking.judging import Judging
from harness.validation.walking.once import said_once
from harness.validation.walking.paths import Path


def nested(
    ref: TypeRef,
    profiles: Mapping[str, Profile],
    walk: Callable[[str], Walk],
    profile: str | None,
) -> tuple[Walk, ...]:
    """A step that judges values by the profiles of their type, or none.

    Args:
        ref: the type, with its profiles; a value has to meet one of them.
        profiles: those that are known, by URL.
        walk: what a known profile asks.
        profile: whose rule it is that they be met.
    """
    unknown = [url for url in ref.profiles if url not in profiles]
    if unknown:
        return (unknown_profile(unknown[0], profile),)
    if len(ref.profiles) == 1:
        (url,) = ref.profiles

        def meet(value: Any, path: Path, run: Judging) -> None:
            walk(url)(value, path, run)

        return (meet,)

    def meet_one(value: Any, path: Path, run: Judging) -> None:
        for url in ref.profiles:
            trial = run.trial()
            walk(url)(value, path, trial)
            if not trial.has_error:
                run.seen |= trial.seen
                return
        run.error(Rule.PROFILE, path, f"one of {', '.join(ref.profiles)}", value, profile)

    return (meet_one,)


def unknown_profile(url: str, profile: str | None) -> Walk:
    """Says that values of a profile that is not at hand are not judged by it."""
    return said_once(f"{harmless(url)}, which is not among the definitions", profile)
