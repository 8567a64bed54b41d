"""SMART App Launch, Conformance, "Using .well-known" and "Metadata".

https://hl7.org/fhir/smart-app-launch/STU2.2/conformance.html#using-well-known
"""

from __future__ import annotations

from urllib.parse import urlsplit

import pytest

from harness import Exchange, applies_if, expect, prerequisite, verifies
from harness.smart.configuration import strings
from harness.smart.discovery import Discovery
from harness.spec.regulatory import Versions


@verifies("smart/discovery/well-known")
def test_configuration_is_served_to_anyone(well_known: Exchange) -> None:
    """A FHIR endpoint that requires authorization SHALL serve its SMART configuration."""
    expect(well_known).status(200).json_object()


@verifies("smart/discovery/media-type")
def test_configuration_is_served_as_json(configuration: Exchange) -> None:
    """The configuration SHALL be served as application/json."""
    expect(configuration).media_type("application/json")


@verifies("smart/discovery/any-accept")
def test_configuration_is_json_whatever_is_accepted(well_known_as_xml: Exchange) -> None:
    """The configuration SHALL be JSON, whatever the Accept header asks for."""
    expect(well_known_as_xml).status(200).json()


MEMBERS = [
    pytest.param("token_endpoint", str, marks=verifies("smart/discovery/token-endpoint")),
    pytest.param("capabilities", list, marks=verifies("smart/discovery/capabilities")),
    pytest.param("grant_types_supported", list, marks=verifies("smart/discovery/grant-types")),
]


@pytest.mark.parametrize(("name", "kind"), MEMBERS)
def test_configuration_has_member(configuration: Exchange, name: str, kind: type) -> None:
    """The configuration SHALL carry each required member."""
    expect(configuration).member(name, kind, items=str if kind is list else None)


@verifies("smart/discovery/authorization-endpoint")
def test_authorization_endpoint_is_named(configuration: Exchange, versions: Versions) -> None:
    """The configuration SHALL name the authorization_endpoint, in 2.2 for launches."""
    claimed = strings(configuration.json_object(), "capabilities", [])
    needed = {"launch-ehr", "launch-standalone"} & set(claimed) or versions.smart != "2.2.0"
    applies_if(needed, unless="neither launch-ehr nor launch-standalone is declared")
    expect(configuration).member("authorization_endpoint", str)


@verifies("smart/discovery/absolute-urls")
def test_endpoints_are_absolute_urls(configuration: Exchange) -> None:
    """Every endpoint URL in the configuration SHALL be absolute."""
    body = configuration.json_object()
    endpoints = {
        name: value
        for name, value in body.items()
        if name.endswith(("_endpoint", "_uri")) and isinstance(value, str)
    }
    associated = body.get("associated_endpoints")
    for number, each in enumerate(associated if isinstance(associated, list) else []):
        if isinstance(each, dict) and isinstance(each.get("url"), str):
            endpoints[f"associated_endpoints.{number}.url"] = each["url"]
    relative = sorted(name for name, value in endpoints.items() if not urlsplit(value).netloc)
    expect(configuration).that(
        not relative, expected="absolute endpoint URLs", actual=f"relative: {', '.join(relative)}"
    )


@verifies("smart/discovery/pkce-s256")
def test_pkce_offers_s256(configuration: Exchange) -> None:
    """code_challenge_methods_supported SHALL include S256."""
    methods = configuration.json_object().get("code_challenge_methods_supported")
    expect(configuration).that(
        isinstance(methods, list) and "S256" in methods,
        expected="code_challenge_methods_supported with S256",
        actual=f"{methods!r}",
    )


@verifies("smart/discovery/pkce-not-plain")
def test_pkce_does_not_offer_plain(configuration: Exchange) -> None:
    """code_challenge_methods_supported SHALL NOT include plain."""
    methods = configuration.json_object().get("code_challenge_methods_supported")
    expect(configuration).that(
        not (isinstance(methods, list) and "plain" in methods),
        expected="code_challenge_methods_supported without plain",
        actual=f"{methods!r}",
    )


SINGLE_SIGN_ON = [
    pytest.param("issuer", marks=verifies("smart/discovery/sso-issuer")),
    pytest.param("jwks_uri", marks=verifies("smart/discovery/sso-jwks-uri")),
]


@pytest.mark.parametrize("name", SINGLE_SIGN_ON)
def test_single_sign_on_has_member(
    configuration: Exchange, discovery: Discovery, name: str
) -> None:
    """A server that declares sso-openid-connect SHALL name its issuer and its jwks_uri."""
    declared = discovery.claims("sso-openid-connect")
    applies_if(declared, unless="sso-openid-connect is not declared")
    expect(configuration).member(name, str)


@verifies("smart/discovery/introspection-endpoint")
def test_introspection_endpoint_is_named(configuration: Exchange) -> None:
    """The configuration SHOULD name an introspection_endpoint."""
    expect(configuration).member("introspection_endpoint", str)


@verifies("smart/discovery/grant-types-offered")
def test_grant_types_are_those_of_what_is_supported(
    configuration: Exchange, discovery: Discovery
) -> None:
    """grant_types_supported SHALL name authorization_code where launches are supported."""
    grants = configuration.json_object().get("grant_types_supported")
    prerequisite(isinstance(grants, list), unless="grant_types_supported is not there")
    launches = discovery.claims("launch-ehr") or discovery.claims("launch-standalone")
    applies_if(launches, unless="neither launch-ehr nor launch-standalone is declared")
    expect(configuration).member("grant_types_supported", list, contains="authorization_code")


WITH_KEY = "client-confidential-asymmetric"


@verifies("smart/discovery/asymmetric-scopes")
def test_clients_with_a_key_find_the_scopes(configuration: Exchange, discovery: Discovery) -> None:
    """With client-confidential-asymmetric, scopes_supported SHALL be there."""
    applies_if(discovery.claims(WITH_KEY), unless=f"{WITH_KEY} is not declared")
    expect(configuration).member("scopes_supported", list, items=str)


@verifies("smart/discovery/asymmetric-method")
def test_clients_with_a_key_find_their_method(
    configuration: Exchange, discovery: Discovery
) -> None:
    """With client-confidential-asymmetric, private_key_jwt SHALL be a method."""
    applies_if(discovery.claims(WITH_KEY), unless=f"{WITH_KEY} is not declared")
    name = "token_endpoint_auth_methods_supported"
    expect(configuration).member(name, list, contains="private_key_jwt")


@verifies("smart/discovery/asymmetric-algorithm")
def test_clients_with_a_key_find_an_algorithm(
    configuration: Exchange, discovery: Discovery
) -> None:
    """With client-confidential-asymmetric, RS384 or ES384 SHALL be supported."""
    applies_if(discovery.claims(WITH_KEY), unless=f"{WITH_KEY} is not declared")
    name = "token_endpoint_auth_signing_alg_values_supported"
    offered = strings(configuration.json_object(), name, [])
    expect(configuration).that(
        {"RS384", "ES384"} & set(offered),
        expected=f"{name} with RS384 or ES384",
        actual=", ".join(offered) or "absent",
    )


BRAND = "user_access_brand_identifier"


@verifies("smart/discovery/brand-value")
def test_brand_identifier_has_a_value(configuration: Exchange) -> None:
    """user_access_brand_identifier, where it is there, SHALL have a value."""
    applies_if(BRAND in configuration.json_object(), unless=f"there is no {BRAND}")
    expect(configuration).member(f"{BRAND}.value", str, matches=r"\S")


@verifies("smart/discovery/brand-system")
def test_brand_identifier_has_a_system(configuration: Exchange) -> None:
    """user_access_brand_identifier, where it is there, SHOULD have a system."""
    applies_if(BRAND in configuration.json_object(), unless=f"there is no {BRAND}")
    expect(configuration).member(f"{BRAND}.system", str, matches=r"\S")
