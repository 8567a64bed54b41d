"""Whether an app sees a defect of consent, context or access that a check is there for."""

from __future__ import annotations

import json
from typing import Any

from joserfc import jws

from harness.tests.integration.reference.oauth_probes import SCOPE, Probe, ehr_launched, read
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


def fhir_user(app: App, answer: dict[str, Any]) -> str:
    claims = json.loads(jws.extract_compact(answer["id_token"].encode()).payload)
    return str(claims["fhirUser"]).removeprefix(f"{app.fhir_base}/")


def dangling(app: App) -> bool:
    answer = app.launch("patient", SCOPE)
    return read(app, answer, fhir_user(app, answer)) == 404


def batched(app: App) -> bool:
    answer = app.launch("patient", "launch/patient patient/Patient.rs")
    entry = {"request": {"method": "GET", "url": f"Observation?patient={answer['patient']}"}}
    bundle = {"resourceType": "Bundle", "type": "batch", "entry": [entry]}
    headers = {"authorization": f"Bearer {answer['access_token']}"}
    response = app.machine.post(app.fhir_base, json=bundle, headers=headers).json()
    return bool(response["entry"][0]["response"]["status"].startswith("200"))


def everything_of_another(app: App) -> bool:
    answer = app.launch("patient", SCOPE)
    others = (each["id"] for each in app.control("resources/Patient"))
    other = next(each for each in others if each != answer["patient"])
    return read(app, answer, f"Patient/{other}/$everything") == 200


def crossed(app: App, header: str) -> str | None:
    headers = {"origin": "https://app.invalid"}
    value = app.machine.get(f"{app.fhir_base}/metadata", headers=headers).headers.get(header)
    return None if value is None else str(value)


ACCESS_PROBES: dict[str, Probe] = {
    "denial-ends-on-page": lambda app: not declined(app),
    "v1-scopes-dropped": dropped,
    "wildcard-not-honoured": searched("patient/*.rs"),
    "ehr-patient-as-reference": ehr_launched(lambda _, answer: "/" in answer["patient"]),
    "encounter-as-reference": ehr_launched(lambda _, answer: "/" in answer["encounter"]),
    "intent-as-object": ehr_launched(lambda _, answer: isinstance(answer["intent"], dict)),
    "tenant-as-number": ehr_launched(lambda _, answer: isinstance(answer["tenant"], int)),
    "style-url-relative": ehr_launched(lambda _, answer: answer["smart_style_url"].startswith("/")),
    "fhir-user-dangling": dangling,
    "batch-ignores-token": batched,
    "everything-ignores-compartment": everything_of_another,
    "cors-exposes-nothing": lambda app: crossed(app, "access-control-expose-headers") is None,
    "cors-credentials-for-anybody": lambda app: (
        crossed(app, "access-control-allow-credentials") == "true"
    ),
    "patient-scope-without-context": lambda app: (
        "patient" not in app.launch("patient", "patient/Patient.rs")
    ),
    "scopes-without-level-dropped": lambda app: (
        "openid" not in app.launch("patient", SCOPE)["scope"].split()
    ),
    "denial-told-as-server-error": lambda app: declined(app).get("error") == "server_error",
}
