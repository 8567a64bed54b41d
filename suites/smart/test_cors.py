"""SMART App Launch 2.2, "Considerations for Cross-Origin Resource Sharing".

https://hl7.org/fhir/smart-app-launch/STU2.2/app-launch.html#considerations-for-cross-origin-resource-sharing-cors-support
"""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from harness import conforms, verifies
from harness.checks.acts.cors import Crossing


@verifies("smart/cors/public")
@pytest.mark.parametrize("what", ["smart-configuration", "metadata"])
def test_any_page_may_read_what_is_public(
    public_crossings: Mapping[str, Crossing], what: str
) -> None:
    """A server for browser-based apps SHALL let any origin read its public discovery endpoints."""
    refusal = public_crossings[what].refusal
    conforms(
        refusal is None,
        expected="Access-Control-Allow-Origin with * or the page's origin",
        actual=str(refusal),
    )


@verifies("smart/cors/registered")
@pytest.mark.parametrize("what", ["token", "FHIR"])
def test_registered_page_may_use_the_api(
    registered_crossings: Mapping[str, Crossing], what: str
) -> None:
    """A server for browser-based apps SHALL let a registered origin use token endpoint and API."""
    refusal = registered_crossings[what].refusal
    conforms(
        refusal is None,
        expected="a preflight that succeeds, and Access-Control-Allow-Origin in the answer",
        actual=str(refusal),
    )
