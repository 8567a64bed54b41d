"""The first request of a run: does the endpoint answer, and does it speak R4?"""

from __future__ import annotations

from harness.errors import ProtocolError
from harness.http.exchange import Exchange

PROBE = "metadata"
"""The act that asks for the CapabilityStatement."""

_R4 = "4.0."


def not_r4(answer: object) -> str | None:
    """Why this server is none for this harness; None where it is R4, or does not say.

    Args:
        answer: the value of the probe.
    """
    if not isinstance(answer, Exchange):
        return None
    try:
        statement = answer.json_object()
    except ProtocolError:
        return None
    version = statement.get("fhirVersion")
    if not isinstance(version, str) or version.startswith(_R4):
        return None
    said = "".join(each for each in version[:20] if each.isprintable())
    return f"expected FHIR R4 (4.0.1), got fhirVersion {said!r} from {answer.where}"
