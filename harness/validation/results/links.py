"""Where a specification says what a rule asks for, as a web page."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from harness.validation.findings import Finding, Rule

R4: Final = "https://hl7.org/fhir/R4"
US_CORE: Final = "http://hl7.org/fhir/us/core"


@dataclass(frozen=True, slots=True)
class Links:
    """Pages of FHIR R4 and of one release of US Core.

    Attributes:
        releases: of US Core, version -> as its URLs spell it: `6.1.0` -> `STU6.1`.
        us_core: the version that is validated against.
    """

    releases: Mapping[str, str]
    us_core: str

    def of(self, finding: Finding, resource_type: str) -> str:
        """The page of the profile whose rule it is, else of the resource type."""
        if finding.rule is Rule.JSON:
            return f"{R4}/json.html"
        if finding.profile is None:
            known = resource_type.isascii() and resource_type.isalpha()
            return f"{R4}/{resource_type.lower() if known else 'resourcelist'}.html"
        profile = finding.profile.partition("|")[0]
        folder, _, name = profile.rpartition("/StructureDefinition/")
        release = self.releases.get(self.us_core)
        if folder == US_CORE and release:
            return f"https://hl7.org/fhir/us/core/{release}/StructureDefinition-{name}.html"
        return f"{R4}/{name.lower()}.html" if folder == "http://hl7.org/fhir" else profile
