"""What judges, made of the options of `harness validate`."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

from harness.spec.definitions import Definitions, load
from harness.spec.regulatory import resolve_versions
from harness.spec.requirements import releases
from harness.validation.findings import Finding, Severity
from harness.validation.links import Links
from harness.validation.validator import Validator

Check: TypeAlias = Callable[[Any], tuple[Finding, ...]]

NO_ENGINE = (
    "--fast: jsonschema-rs is not installed, so everything was looked at in full"
    " (pip install 'fhir-harness[fast]')"
)


@dataclass(frozen=True, slots=True)
class Checking:
    """What judges, and what to say of it.

    Attributes:
        check: from a parsed resource to its findings.
        by: what is judged by besides FHIR R4: `US Core 6.1.0`.
        links: to the specification.
        remarks: for a person.
    """

    check: Check
    by: str
    links: Links
    remarks: tuple[str, ...] = ()


def checking(args: argparse.Namespace) -> Checking:
    """What the options ask for.

    Raises:
        UsageError: a version or profile is not known.
    """
    us_core = resolve_versions(_Wanted(args.us_core)).us_core
    definitions = load("hl7.fhir.us.core", us_core)
    validator = Validator(definitions, profiles=args.profile)
    check: Check = validator.check
    remarks = list[str]()
    if args.fast:
        check, remarks = _fast(validator, definitions, args.profile)
    links = Links(releases("us-core"), us_core)
    return Checking(check, f"US Core {us_core}", links, tuple(remarks))


@dataclass(frozen=True, slots=True)
class _Wanted:
    us_core: str | None
    smart: None = None
    bulk: None = None


def _fast(
    validator: Validator, definitions: Definitions, profiles: Sequence[str]
) -> tuple[Check, list[str]]:
    """Errors alone: a filter first, the exact checker for what it does not accept."""
    from harness.validation.fast import available
    from harness.validation.fast.quick import Quick

    if available():
        return Quick(validator.check, definitions, profiles).check, []
    exact = validator.check
    return lambda resource: tuple(
        each for each in exact(resource) if each.severity is Severity.ERROR
    ), [NO_ENGINE]
