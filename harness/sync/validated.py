"""What validation found in the resources of a run: counts and kinds, without anything of a patient.

Neither ids nor values are kept, only elements, rules and what they expect.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from harness.validation.findings import Severity
from harness.validation.results.tally import Tally, plain

_MOST_KINDS = 50
_MOST_SHOWN = 10


@dataclass(frozen=True, slots=True)
class Flaw:
    """One kind of error.

    Attributes:
        path: of the element, without indexes: `Observation.status`.
        rule: `harness.validation.findings.Rule`, or the key of an invariant.
        expected: what the rule asks for.
        profile: whose rule it is; None of FHIR R4 itself.
        count: how often it was found.
    """

    path: str
    rule: str
    expected: str
    profile: str | None
    count: int


@dataclass(frozen=True, slots=True)
class Validated:
    """What validation found.

    Attributes:
        us_core: version that was validated against.
        checked: how many resources were validated.
        pulled: how many there were to choose from.
        invalid: how many of `checked` have an error.
        flaws: kinds of errors, the most frequent first; not more than fifty.
        reason: why not all were checked that should have been; None where they were.
    """

    us_core: str
    checked: int
    pulled: int
    invalid: int
    flaws: tuple[Flaw, ...] = ()
    reason: str | None = None

    def as_json(self) -> dict[str, Any]:
        """For a script, and for the store."""
        return asdict(self)

    def lines(self) -> list[str]:
        """For a person: one line, and one per kind of error."""
        chosen = "all" if self.checked == self.pulled else f"{self.checked:,} of"
        share = f"{self.invalid:,} not valid" if self.invalid else "all of them valid"
        why = f" ({self.reason})" if self.reason else ""
        head = f"validated {chosen} {self.pulled:,} by US Core {self.us_core}: {share}{why}"
        shown = [_line(each) for each in self.flaws[:_MOST_SHOWN]]
        rest = len(self.flaws) - len(shown)
        return [head, *shown, *([f"  and {rest} more kinds of errors"] if rest else [])]


def validated_of(tally: Tally, us_core: str, pulled: int, reason: str | None) -> Validated:
    """What a tally comes to."""
    errors = [each for each in tally.worst() if each[0].severity is Severity.ERROR]
    flaws = [
        Flaw(kind.path, kind.key or kind.rule.value, kind.expected, kind.profile, seen.count)
        for kind, seen in errors[:_MOST_KINDS]
    ]
    return Validated(us_core, tally.resources, pulled, tally.invalid, tuple(flaws), reason)


def stored(text: str | None) -> Validated | None:
    """What the store remembers of a run."""
    if text is None:
        return None
    value: Mapping[str, Any] = json.loads(text)
    flaws = tuple(Flaw(**each) for each in value["flaws"])
    return Validated(**{**value, "flaws": flaws})


def _line(flaw: Flaw) -> str:
    profile = f", {flaw.profile.rpartition('/')[2]}" if flaw.profile else ""
    return (
        f"  {flaw.count:,} x {plain(flaw.path)}: expected {plain(flaw.expected)}"
        f" ({plain(flaw.rule)}{plain(profile)})"
    )
