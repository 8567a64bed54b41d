"""Compares verdicts on mutants by chance with those of validators of other make.

    python -m harness.tests.validation.crosscheck --number 20000 --seed 7

Each mutant of which one validator says that it is valid and another that it is not is a
difference; each difference has an explanation in `explanations.toml`, or it is told and the
status is 1. `--peer NAME=COMMAND` adds a validator that is a program (`program.py`).
"""

from __future__ import annotations

import argparse
import json
import os
import re
import sys
import tomllib
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from functools import cache
from typing import Any, Final

from harness.spec.definitions import load
from harness.tests.validation import packages, peers
from harness.tests.validation.chance import Drawn, drawn
from harness.tests.validation.mutants import HERE, US_CORE, bases
from harness.tests.validation.program import Program
from harness.validation.findings import Finding, Severity
from harness.validation.validator import Validator

LARGE: Final = 40_000
"""Characters of an example that is too large to be judged by everybody again and again."""
LONG: Final = "HARNESS_SOAK" in os.environ
"""Whether tests take the time for twenty thousand mutants; read before they clean up."""
WE: Final = "we"
THEY: Final = "they"


Judge = Callable[[str, bytes], list[str]]
"""Takes the version of US Core and JSON as it comes, returns objections."""


@dataclass(frozen=True, slots=True)
class Difference:
    """A mutant of which two validators do not say the same.

    Args:
        mutant: what they judged.
        peer: the name of the other validator.
        objects: `we` or `they`, who says that it is not valid.
        ours: our errors.
        theirs: the other's objections.
    """

    mutant: Drawn
    peer: str
    objects: str
    ours: tuple[Finding, ...]
    theirs: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Explanation:
    """Why two validators do not say the same; patterns are searched for, None fits anything.

    Args:
        why: the reason, with a place in the specification where there is one.
        objects: `we` or `they`.
        peer: pattern of the other's name.
        says: pattern that each of their objections contains.
        ours: pattern that each of our errors contains, written as `rule path profile key`.
        operator, path: patterns of how the mutant was made, and where.
    """

    why: str
    objects: str
    peer: str = ""
    says: str | None = None
    ours: str | None = None
    operator: str = ""
    path: str = ""

    def fits(self, one: Difference) -> bool:
        """Says whether this explains a difference."""
        return (
            one.objects == self.objects
            and re.search(self.peer, one.peer) is not None
            and re.search(self.operator, one.mutant.operator) is not None
            and re.search(self.path, one.mutant.path) is not None
            and _each(self.says, one.theirs)
            and _each(self.ours, map(written, one.ours))
        )


def written(finding: Finding) -> str:
    """Returns a finding as patterns see it."""
    return f"{finding.rule} {finding.path} {finding.profile or '-'} {finding.key or '-'}"


@cache
def explanations() -> tuple[Explanation, ...]:
    """Returns what is known of differences."""
    told = tomllib.loads((HERE / "explanations.toml").read_text("utf-8"))
    return tuple(Explanation(**one) for one in told["explanation"])


@cache
def corpus() -> tuple[tuple[str, Any], ...]:
    """Returns what mutants are made of, by `6.1.0 NAME`: our own resources, and the official
    examples where they are at hand."""
    own = [(f"{US_CORE} {name}", base) for name, base in bases().items()]
    if packages.FOLDER is not None:
        for version in packages.VERSIONS:
            for name, example in packages.examples(version).items():
                if len(json.dumps(example)) < LARGE:
                    own.append((f"{version} {name}", example))
    return tuple(own)


def us_core(mutant: Drawn) -> str:
    """Returns the version of US Core by which a mutant of the corpus is judged."""
    return mutant.name.split(" ")[1]


def differences(mutants: Iterable[Drawn], judges: Mapping[str, Judge]) -> Iterator[Difference]:
    """Yields each mutant of which a judge does not say what we say."""
    for one in mutants:
        ours, line = errors(one), json.dumps(one.resource).encode()
        for name, judge in judges.items():
            theirs = tuple(judge(us_core(one), line))
            if bool(ours) != bool(theirs):
                yield Difference(one, name, WE if ours else THEY, ours, theirs)


def unversioned(judge: peers.Judge) -> Judge:
    """Returns the judge of a validator that knows no profiles."""
    return lambda _, line: judge(line)


def errors(mutant: Drawn) -> tuple[Finding, ...]:
    """Returns our errors of a mutant."""
    found = _validator(us_core(mutant)).check(mutant.resource)
    return tuple(one for one in found if one.severity is Severity.ERROR)


def explained(found: Iterable[Difference]) -> tuple[Counter[str], list[Difference]]:
    """Returns how many differences each explanation explains, and those that none does."""
    reasons: Counter[str] = Counter()
    left = []
    for one in found:
        reason = next((it.why for it in explanations() if it.fits(one)), None)
        if reason is None:
            left.append(one)
        else:
            reasons[reason] += 1
    return reasons, left


@cache
def _validator(version: str) -> Validator:
    return Validator(load("hl7.fhir.us.core", version))


def _each(pattern: str | None, texts: Iterable[str]) -> bool:
    return pattern is None or all(re.search(pattern, text) for text in texts)


def _told(one: Difference) -> str:
    said = [written(it) for it in one.ours] if one.objects == WE else list(one.theirs)
    made = f"{one.mutant.name}: {one.mutant.operator} at {one.mutant.path}"
    return f"{made}\n    {one.peer}: {one.objects} object: {'; '.join(said)[:400]}"


def main(argv: Sequence[str] | None = None) -> int:
    """Runs a comparison; returns 1 where a difference has no explanation."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--number", type=int, default=2_000)
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--peer", action="append", default=[], metavar="NAME=COMMAND")
    args = parser.parse_args(argv)
    mutants = list(drawn(corpus(), args.number, args.seed))
    with ExitStack() as running:
        judges = {name: unversioned(judge) for name, judge in peers.at_hand()}
        for peer in args.peer:
            name, _, command = peer.partition("=")
            judges[name] = running.enter_context(Program(command)).judge
        reasons, left = explained(differences(mutants, judges))
    print(f"{len(mutants)} mutants, judged by us and {', '.join(judges)}")  # noqa: T201
    for reason, count in reasons.most_common():
        print(f"{count:6} {reason}")  # noqa: T201
    for one in left:
        print(f"without explanation: {_told(one)}")  # noqa: T201
    return 1 if left else 0


if __name__ == "__main__":
    sys.exit(main())
