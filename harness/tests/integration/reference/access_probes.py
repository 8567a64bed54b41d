"""Whether an app sees a defect of consent, context or access that a check is there for."""

from __future__ import annotations

from harness.tests.integration.reference.oauth_probes import SCOPE, Probe, read
from harness.tests.reference_process import App, redirected


def declined(app: App) -> dict[str, str]:
    """What comes back to the app when the person declines; nothing where nothing does."""
    page = app.sign_in("patient", SCOPE)
    answer = app.submit(page, "consent", decision="deny")
    return redirected(answer) if answer.is_redirect else {}


def searched(scope: str) -> Probe:
    """Whether a token with this scope may not search Conditions."""

    def probe(app: App) -> bool:
        answer = app.launch("patient", f"launch/patient {scope}")
        return read(app, answer, "Condition?patient={patient}") == 403

    return probe


def dropped(app: App) -> bool:
    scope = app.launch("patient", "launch/patient patient/Patient.read")["scope"]
    return "Patient.read" not in scope


ACCESS_PROBES: dict[str, Probe] = {
    "denial-ends-on-page": lambda app: not declined(app),
    "v1-scopes-dropped": dropped,
    "wildcard-not-honoured": searched("patient/*.rs"),
    "denial-told-as-server-error": lambda app: declined(app).get("error") == "server_error",
}
