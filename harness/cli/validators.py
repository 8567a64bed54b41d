"""What judges, made of the options of `harness validate`."""

from __future__ import annotations

import argparse
from collections import ChainMap
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, TypeAlias, TypeVar, cast

from harness.spec.definitions import Definitions, load
from harness.spec.regulatory import resolve_versions
from harness.spec.requirements import releases
from harness.validation.coverage.coverage import Coverage
from harness.validation.findings import Finding, Severity
from harness.validation.results.links import Links
from harness.validation.selecting.choosing import us_core
from harness.validation.selecting.selection import Chooser
from harness.validation.validator import Validator

T = TypeVar("T")

Check: TypeAlias = Callable[[Any, bytes], tuple[Finding, ...]]
"""From a parsed resource, and the JSON that it was read from, to its findings."""

Exact: TypeAlias = Callable[[Any], tuple[Finding, ...]]

NO_ENGINE = (
    "--fast: jsonschema-rs is not installed, so everything was looked at in full"
    " (pip install 'fhir-harness[fast]')"
)


@dataclass(frozen=True, slots=True)
class Checking:
    """What judges, and what to say of it.

    Attributes:
        check: what judges.
        by: what is judged by besides FHIR R4: `US Core 6.1.0`.
        links: to the specification.
        missing: by profile, the must-support elements that no resource had so far; None where
            nobody asks.
        remarks: for a person.
    """

    check: Check
    by: str
    links: Links
    missing: Callable[[], Mapping[str, Sequence[str]] | None]
    remarks: tuple[str, ...] = ()


def checking(args: argparse.Namespace) -> Checking:
    """What the options ask for.

    Raises:
        UsageError: a version, profile or package is not known.
    """
    version = resolve_versions(_Wanted(args.us_core)).us_core
    definitions, remarks = _definitions(load("hl7.fhir.us.core", version), args.package)
    coverage = Coverage() if args.must_support else None
    chooser = us_core(definitions.profiles) if args.select else None
    validator = Validator(definitions, profiles=args.profile, chooser=chooser, coverage=coverage)
    exact = validator.check
    check: Check = lambda resource, _: exact(resource)  # noqa: E731 - as named as the other
    # A filter that accepts does not see what was there.
    if args.fast and coverage is None:
        check, said = _fast(exact, definitions, args.profile, chooser)
        remarks += said
    return Checking(
        check,
        ", ".join([f"US Core {version}", *args.package]),
        Links(releases("us-core"), version),
        lambda: None if coverage is None else coverage.missing(definitions.profiles),
        tuple(remarks),
    )


@dataclass(frozen=True, slots=True)
class _Wanted:
    us_core: str | None
    smart: None = None
    bulk: None = None


def _definitions(own: Definitions, packages: Iterable[str]) -> tuple[Definitions, list[str]]:
    """The definitions that ship with those of packages; where two define the same, ours count."""
    if not packages:
        return own, []
    from harness.profiles.library import definitions

    others = [definitions(each) for each in packages]
    all_of_them = [own, *others]
    missing = sorted({each for other in others for each in other.missing})
    whole = replace(
        own,
        profiles=_chained([each.profiles for each in all_of_them]),
        value_sets=_chained([each.value_sets for each in all_of_them]),
        code_systems=_chained([each.code_systems for each in all_of_them]),
    )
    said = f"packages that others build on, and that are not installed: {', '.join(missing)}"
    return whole, [said] if missing else []


def _chained(mappings: Sequence[Mapping[str, T]]) -> Mapping[str, T]:
    return ChainMap(*cast("list[dict[str, T]]", mappings))


def _fast(
    exact: Exact, definitions: Definitions, profiles: Sequence[str], chooser: Chooser | None
) -> tuple[Check, list[str]]:
    """Errors alone: a filter first, the exact checker for what it does not accept."""
    from harness.validation.fast import available
    from harness.validation.fast.quick import Quick

    if available():
        return Quick(exact, definitions, profiles, chooser).check, []
    return lambda resource, _: tuple(
        each for each in exact(resource) if each.severity is Severity.ERROR
    ), [NO_ENGINE]
