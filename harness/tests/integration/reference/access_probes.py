"""Whether an app sees a defect of consent, context or access that a check is there for."""

from __future__ import annotations

from harness.tests.integration.reference.oauth_probes import SCOPE, Probe
from harness.tests.reference_process import App, redirected


def declined(app: App) -> dict[str, str]:
    """What comes back to the app when the person declines; nothing where nothing does."""
    page = app.sign_in("patient", SCOPE)
    answer = app.submit(page, "consent", decision="deny")
    return redirected(answer) if answer.is_redirect else {}


ACCESS_PROBES: dict[str, Probe] = {
    "denial-ends-on-page": lambda app: not declined(app),
    "denial-told-as-server-error": lambda app: declined(app).get("error") == "server_error",
}
