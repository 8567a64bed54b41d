"""OpenID Connect Core 1.0, "ID Token Validation", and SMART's fhirUser claim.

https://openid.net/specs/openid-connect-core-1_0.html#IDTokenValidation
"""

from __future__ import annotations

import pytest

from harness import Exchange, applies_if, expect, prerequisite, verifies
from harness.checks.acts.identity import Identity, Issuer
from harness.checks.acts.issuer_keys import KeySet
from harness.checks.acts.renewed_identity import Renewed
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


@verifies("oidc/jwks/served")
def test_keys_are_served(jwks: Exchange) -> None:
    """The jwks_uri SHALL lead to the issuer's JWK Set."""
    expect(jwks).status(200).member("keys", list, items=dict)


@verifies("oidc/jwks/bare")
def test_keys_are_bare(issuer_keys: KeySet) -> None:
    """Public keys SHALL be published as bare JWKs."""
    expect(issuer_keys).that(
        not issuer_keys.not_bare, expected="bare keys", actual="; ".join(issuer_keys.not_bare)
    )


@verifies("oidc/jwks/public")
def test_keys_are_public(issuer_keys: KeySet) -> None:
    """A published key set SHALL NOT hold private or symmetric keys."""
    expect(issuer_keys).that(
        not issuer_keys.secret,
        expected="public keys only",
        actual=f"private or symmetric: {', '.join(issuer_keys.secret)}",
    )


@verifies("oidc/jwks/kid")
def test_keys_have_names_of_their_own(issuer_keys: KeySet) -> None:
    """Different keys of a set SHOULD have different kid values."""
    expect(issuer_keys).that(
        not issuer_keys.repeated, expected="distinct kid values", actual="the same kid twice"
    )


@verifies("oidc/jwks/use")
def test_keys_say_what_they_are_for(issuer_keys: KeySet) -> None:
    """Where a set has keys for encryption as well, each key SHALL say its use."""
    expect(issuer_keys).that(
        not issuer_keys.without_use,
        expected="use in each key",
        actual=f"none in {', '.join(issuer_keys.without_use)}",
    )


RENEWED = [
    pytest.param("iss", marks=verifies("oidc/refresh/issuer")),
    pytest.param("sub", marks=verifies("oidc/refresh/subject")),
    pytest.param("nonce", marks=verifies("oidc/refresh/nonce")),
]


@pytest.mark.parametrize("claim", RENEWED)
def test_refreshed_id_token_is_about_the_same_person(renewed_identity: Renewed, claim: str) -> None:
    """An id_token of a refresh SHALL have the iss and sub, and no other nonce than, the first."""
    expect(renewed_identity).that(
        not renewed_identity.differs(claim),
        expected=f"{claim} as in the first id_token",
        actual="absent" if claim not in renewed_identity.after else "another value",
    )
