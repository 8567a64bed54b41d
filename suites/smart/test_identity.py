"""OpenID Connect Core 1.0, "ID Token Validation", and SMART's fhirUser claim.

https://openid.net/specs/openid-connect-core-1_0.html#IDTokenValidation
"""

from __future__ import annotations

import pytest

from harness import Exchange, applies_if, expect, prerequisite, verifies
from harness.checks.acts.identity import Identity, Issuer
from harness.smart.openid import REQUIRED, REQUIRED_LISTS

ASPECTS = [
    pytest.param("signature", marks=verifies("oidc/id-token/signature")),
    pytest.param("issuer", marks=verifies("oidc/id-token/issuer")),
    pytest.param("audience", marks=verifies("oidc/id-token/audience")),
    pytest.param("times", marks=verifies("oidc/id-token/times")),
    pytest.param("nonce", marks=verifies("oidc/id-token/nonce")),
]


@pytest.mark.parametrize("aspect", ASPECTS)
def test_id_token_is_valid(token_response: Exchange, identity: Identity, aspect: str) -> None:
    """Signature, issuer, audience, times and nonce of an id_token SHALL be right."""
    wrong = identity.problems(aspect)
    expect(token_response).that(not wrong, expected=f"a valid {aspect}", actual="; ".join(wrong))


@verifies("smart/token/fhir-user")
def test_id_token_names_the_fhir_user(token_response: Exchange, identity: Identity) -> None:
    """The id_token SHALL carry fhirUser, the URL of a person's resource."""
    applies_if(identity.fhir_user_granted, unless="fhirUser is not granted")
    expect(token_response).that(
        identity.fhir_user_type is not None,
        expected="fhirUser, a URL that ends in "
        "Patient|Practitioner|PractitionerRole|RelatedPerson|Person and an id",
        actual=identity.fhir_user_outcome,
    )


@verifies("oidc/discovery/configuration")
def test_issuer_serves_its_configuration(issuer: Issuer) -> None:
    """An issuer SHALL serve its openid-configuration as a JSON object."""
    expect(issuer.exchange).status(200).json_object()


@verifies("oidc/discovery/members")
@pytest.mark.parametrize("name", [*REQUIRED, *REQUIRED_LISTS])
def test_openid_configuration_has_member(issuer: Issuer, name: str) -> None:
    """The openid-configuration SHALL carry each required member."""
    problems = issuer.configuration.problems
    prerequisite("document" not in problems, unless="the openid-configuration could not be read")
    expect(issuer.exchange).that(
        name not in problems, expected=f"a right {name}", actual=problems.get(name, "")
    )
