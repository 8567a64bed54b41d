"""SMART App Launch 2.2, "Considerations for Cross-Origin Resource Sharing".

https://hl7.org/fhir/smart-app-launch/STU2.2/app-launch.html#considerations-for-cross-origin-resource-sharing-cors-support
"""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from harness import applies_if, conforms, prerequisite, verifies
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


@verifies("smart/cors/token-preflight")
def test_page_may_authenticate_in_a_header(token_preflight: Crossing) -> None:
    """A page whose client authenticates in a header needs the preflight of the token endpoint."""
    refusal = token_preflight.refusal
    conforms(refusal is None, expected="a preflight that succeeds", actual=str(refusal))


@verifies("smart/cors/exposed")
def test_page_may_read_the_version_of_a_resource(
    registered_crossings: Mapping[str, Crossing],
) -> None:
    """A page that writes needs the ETag of what it read, and browsers hide what is not exposed."""
    crossing = registered_crossings["FHIR"]
    prerequisite(crossing.refusal is None, unless="the page may not read the answer at all")
    sent = crossing.answer.headers.get("ETag") if crossing.answer else None
    applies_if(sent, unless="the answer has no ETag")
    conforms(
        crossing.shows("ETag"),
        expected="Access-Control-Expose-Headers with ETag",
        actual="ETag is not exposed",
    )


@verifies("smart/cors/credentials")
def test_page_of_a_stranger_sends_no_cookies(strange_crossing: Crossing) -> None:
    """A page of an unknown origin is better not let to send cookies, least of all to any origin."""
    conforms(
        not strange_crossing.sends_cookies,
        expected="no Access-Control-Allow-Credentials for an unknown origin",
        actual="Access-Control-Allow-Credentials: true",
    )
