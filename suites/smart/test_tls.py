"""SMART App Launch, Backend Services, "SMART Authorization & FHIR Access": transport security.

https://hl7.org/fhir/smart-app-launch/STU2.2/backend-services.html
"""

from __future__ import annotations

from harness import conforms, verifies
from harness.checks.acts.tls import OldTls


@verifies("smart/tls/version")
def test_tls_before_1_2_is_refused(old_tls: OldTls) -> None:
    """All exchanges SHALL be protected by TLS 1.2 or a later version."""
    accepted = [f"{place} over TLS 1.1 or older" for place in old_tls.answers]
    conforms(
        not accepted,
        expected="a handshake that fails where TLS 1.1 is all there is on offer",
        actual=f"answered: {', '.join(accepted)}",
        where=next((each.where for each in old_tls.answers.values()), None),
    )
