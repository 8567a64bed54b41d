"""Whether an app sees a defect that a check of launches, clients or identity is there for."""

from __future__ import annotations

import httpx

from harness.tests.integration.reference.oauth_probes import (
    SCOPE,
    Probe,
    asserted,
    ehr_launched,
    no_pkce,
    read,
    unreadable,
)
from harness.tests.reference_process import App, FromNow


def confidential(probe: Probe) -> Probe:
    """The same with a client that has a secret."""

    def judged(app: App) -> bool:
        app.client_id = "harness-symmetric"
        return probe(app)

    return judged


def unproven_code(app: App) -> bool:
    code = app.authorize("patient", SCOPE)["code"]
    fields = {
        "grant_type": "authorization_code",
        "code": code,
        "redirect_uri": app.redirect_uri,
        "code_verifier": app.verifier,
        "client_id": app.client_id,
    }
    return app.machine.post(f"{app.issuer}/oauth/token", data=fields).status_code == 200


def by(client_id: str, grant: str) -> Probe:
    """Whether a right request of a client is refused as if the client were not known."""

    def probe(app: App) -> bool:
        app.client_id = client_id
        answer = app.exchange(app.authorize("patient", SCOPE)["code"])
        if grant == "refresh":
            answer = app.refresh(answer.json()["refresh_token"])
        return answer.status_code == 401

    return probe


def iss(app: App) -> str | None:
    return app.ehr_launch("patient").get("iss")


def openid(app: App) -> httpx.Response:
    return app.machine.get(f"{app.issuer}/.well-known/openid-configuration")


def posted(app: App) -> httpx.Response:
    return app.browser.post(f"{app.issuer}/oauth/authorize", data=app.request(SCOPE))


CHECK_PROBES: dict[str, Probe] = {
    "assertion-subject-ignored": asserted(sub="somebody-else"),
    "assertion-times-ignored": asserted(exp=FromNow(-3600), iat=FromNow(3600)),
    "code-without-client-auth": confidential(unproven_code),
    "pkce-optional": confidential(no_pkce),
    "public-client-refused": by("harness-public", "code"),
    "public-refresh-refused": by("harness-public", "refresh"),
    "secret-in-header-refused": by("harness-symmetric", "code"),
    "assertion-refused-in-launch": by("harness-asymmetric", "code"),
    "cors-missing-on-fhir": unreadable("GET", "r4/metadata"),
    "launch-without-iss": lambda app: iss(app) is None,
    "launch-iss-internal": lambda app: iss(app) != app.fhir_base,
    "user-scope-not-honoured": ehr_launched(
        lambda app, answer: read(app, answer, "Patient/{patient}") == 403
    ),
    "openid-configuration-missing": lambda app: openid(app).status_code == 404,
    "openid-configuration-wrong-issuer": lambda app: openid(app).json()["issuer"] != app.issuer,
    "openid-configuration-bare": lambda app: "jwks_uri" not in openid(app).json(),
    "authorize-post-refused": lambda app: posted(app).status_code == 400,
}
