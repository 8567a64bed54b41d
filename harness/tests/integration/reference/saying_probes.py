"""Whether an app sees a defect in what the authorization server says: of itself, of its tokens."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from joserfc import jws

from harness.tests.integration.reference.oauth_probes import SCOPE, Probe, asserted
from harness.tests.reference_process import App

MEMBERS = "token_endpoint_auth_signing_alg_values_supported"


def published(judge: Callable[[dict[str, Any]], bool]) -> Probe:
    """Of the SMART configuration."""
    return lambda app: judge(app.get(".well-known/smart-configuration").json())


def keys(judge: Callable[[list[dict[str, Any]]], bool]) -> Probe:
    """Of the issuer's key set."""

    def probe(app: App) -> bool:
        return judge(app.machine.get(f"{app.issuer}/oauth/jwks").json()["keys"])

    return probe


def claims(answer: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(jws.extract_compact(answer["id_token"].encode()).payload)
    return found


def refreshed(judge: Callable[[dict[str, Any], dict[str, Any]], bool]) -> Probe:
    """Of the token responses of a launch and of its refresh."""

    def probe(app: App) -> bool:
        first = app.launch("patient", SCOPE)
        return judge(first, app.refresh(first["refresh_token"]).json())

    return probe


def renewed(claim: str) -> Probe:
    return refreshed(lambda first, second: claims(first)[claim] != claims(second)[claim])


def introspected(judge: Callable[[App, dict[str, Any], dict[str, Any]], bool]) -> Probe:
    """Of a token response and of its introspection."""

    def probe(app: App) -> bool:
        first = app.launch("patient", SCOPE)
        return judge(app, first, app.introspect(first["access_token"]).json())

    return probe


def backend(judge: Callable[[dict[str, Any]], bool], scope: str = "system/Patient.rs") -> Probe:
    """Of a backend client's token response."""

    def probe(app: App) -> bool:
        app.client_id = "harness-backend"
        return judge(app.backend(scope).json())

    return probe


def unproven(app: App) -> bool:
    fields = {"grant_type": "client_credentials", "scope": "system/Patient.rs"}
    fields["client_id"] = "harness-backend"
    return app.machine.post(f"{app.issuer}/oauth/token", data=fields).status_code == 200


def called_otherwise(app: App) -> bool:
    app.client_id = "harness-backend"
    return app.backend(**app.assertion() | {"client_assertion_type": "x"}).status_code == 200


def called_invalid_grant(app: App) -> bool:
    app.client_id = "harness-backend"
    refused = app.backend(**app.assertion(aud="https://other.invalid"))
    return bool(refused.json()["error"] == "invalid_grant")


ONLINE = "launch/patient online_access patient/Patient.rs"


def online_refresh_refused(app: App) -> bool:
    return app.refresh(app.launch("patient", ONLINE)["refresh_token"]).status_code == 400


def unchallenged(app: App) -> bool:
    app.client_id = "harness-symmetric"
    app.credentials = {**app.credentials, "REFERENCE_CLIENT_SECRET": "wrong"}
    return app.exchange("code").status_code == 400


SAYING_PROBES: dict[str, Probe] = {
    "configuration-omits-scopes": published(lambda said: "scopes_supported" not in said),
    "configuration-of-secrets-only": published(lambda said: MEMBERS not in said),
    "configuration-omits-asymmetric": published(
        lambda said: "client-confidential-asymmetric" not in said["capabilities"]
    ),
    "configuration-omits-code-grant": published(
        lambda said: "authorization_code" not in said["grant_types_supported"]
    ),
    "configuration-brand-without-value": published(
        lambda said: "user_access_brand_identifier" in said
    ),
    "jwks-missing": lambda app: app.machine.get(f"{app.issuer}/oauth/jwks").status_code == 404,
    "jwks-with-private-key": keys(lambda found: "d" in found[0]),
    "jwks-as-certificates": keys(lambda found: "n" not in found[0]),
    "jwks-kid-repeated": keys(lambda found: len({key["kid"] for key in found}) < len(found)),
    "jwks-use-missing": keys(lambda found: "enc" in [key.get("use") for key in found]),
    "access-token-numbered": lambda app: "|" in app.launch("patient", SCOPE)["access_token"],
    "refresh-narrows-scope": refreshed(lambda first, second: first["scope"] != second["scope"]),
    "refreshed-id-token-of-the-session": renewed("sub"),
    "refreshed-id-token-other-issuer": renewed("iss"),
    "refreshed-id-token-new-nonce": renewed("nonce"),
    "backend-token-lives-an-hour": backend(lambda said: said["expires_in"] > 300),
    "backend-grants-any-scope": backend(
        lambda said: "nonsense" in said.get("scope", ""), "nonsense"
    ),
    "backend-without-assertion": unproven,
    "assertion-type-ignored": called_otherwise,
    "assertion-jku-ignored": asserted(header={"jku": "https://keys.invalid/jwks"}),
    "assertion-refusal-called-invalid-grant": called_invalid_grant,
    "introspection-of-the-registration": introspected(
        lambda _, first, said: set(first["scope"].split()) != set(said["scope"].split())
    ),
    "introspection-names-the-server": introspected(
        lambda app, _, said: said["client_id"] != app.client_id
    ),
    "introspection-expiry-of-the-grant": introspected(
        lambda _, first, said: said["exp"] - said["iat"] > first["expires_in"]
    ),
    "online-access-without-refresh-token": lambda app: (
        "refresh_token" not in app.launch("patient", ONLINE)
    ),
    "online-refresh-refused": online_refresh_refused,
    "refused-secret-unchallenged": unchallenged,
    "introspection-bare": introspected(lambda _, __, said: "patient" not in said),
    "introspection-subject-internal": introspected(
        lambda _, first, said: said["sub"] != claims(first)["sub"]
    ),
}
