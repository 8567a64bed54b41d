"""The versions of SMART App Launch that an instance can speak."""

from __future__ import annotations

from enum import StrEnum


class SmartVersion(StrEnum):
    """A published version of SMART App Launch (http://hl7.org/fhir/smart-app-launch/history.html).

    What follows from it: which members and capabilities the configuration has, whether version 2
    scopes are understood, whether PKCE is required, and the form of `fhirContext`.
    """

    V1 = "1.0.0"
    V2 = "2.0.0"
    V2_2 = "2.2.0"


DEFAULT_SMART = SmartVersion.V2
"""What (g)(10) is judged by."""
