"""What validation finds, in the form in which every output needs it."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Severity(StrEnum):
    """How bad it is.

    https://hl7.org/fhir/R4/valueset-issue-severity.html

    An error makes a resource invalid. A warning is advice. Information is what could not be
    checked, or was exempted, with the reason.
    """

    ERROR = "error"
    WARNING = "warning"
    INFORMATION = "information"


class Rule(StrEnum):
    """What kind of rule it is; the closed list that outputs and statistics group by."""

    JSON = "json"
    UNKNOWN_ELEMENT = "unknown-element"
    TYPE = "type"
    ARRAY = "array"
    EMPTY = "empty"
    VALUE = "value"
    MINIMUM = "minimum"
    MAXIMUM = "maximum"
    CHOICE = "choice"
    FIXED = "fixed"
    PATTERN = "pattern"
    SLICING = "slicing"
    BINDING = "binding"
    TARGET = "target"
    EXTENSION = "extension"
    PROFILE = "profile"
    INVARIANT = "invariant"
    NOT_CHECKED = "not-checked"


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that is wrong, doubtful or not known.

    Attributes:
        severity: how bad it is.
        rule: what kind of rule it is.
        path: FHIRPath to the element, indexed: `Observation.component[1].code.coding[0].system`;
            inside a Bundle from the Bundle: `Bundle.entry[3].resource.status`.
        expected: what the rule asks for.
        actual: what is there, shortened and without control characters.
        profile: canonical URL of the profile whose rule it is; None of FHIR R4 itself.
        key: of an invariant, `us-core-2`; else None.
    """

    severity: Severity
    rule: Rule
    path: str
    expected: str
    actual: str
    profile: str | None = None
    key: str | None = None
