"""What this server requires of an Observation beyond its shape.

400 answers what is no FHIR R4 Observation, 422 what is one but breaks a rule
(http://hl7.org/fhir/R4/http.html#create, "Rejecting").
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from harness.reference.fhir.elements import STATUSES
from harness.reference.fhir.outcome import Issue, Refused
from harness.reference.fhir.reach import Reach, forbidden
from harness.reference.fhir.shape import misshapes
from harness.reference.fhir.store import Store

Json = dict[str, Any]
MOST_ISSUES = 20


def shape_issues(resource: Json) -> list[Issue]:
    """Returns why a resource is no FHIR R4 Observation; empty if it is one."""
    issues = list(misshapes(resource, "Observation", "Observation"))
    status = resource.get("status")
    if isinstance(status, str) and status not in STATUSES:
        text = f"status {status!r:.60} is none of {', '.join(STATUSES)}"
        issues.append(Issue("code-invalid", text, "Observation.status"))
    return issues[:MOST_ISSUES]


def require_rules(resource: Json, store: Store, reach: Reach, base: str) -> None:
    """Checks a well-shaped Observation against the rules of this server.

    Raises:
        Refused: 403 if its subject lies outside the reach, 422 for every other rule.
    """
    issues = tuple(_broken(resource, store, base))
    if issues:
        raise Refused(422, issues)
    subject = _local(resource["subject"]["reference"], base)
    if reach.compartment not in (None, subject.partition("/")[2]):
        raise forbidden(
            "this token is bound to one patient, and the subject is another",
            expression="Observation.subject",
        )


def normalised(resource: Json, base: str) -> Json:
    """Returns the resource with its subject as a relative reference, as this server stores it."""
    subject = resource["subject"]
    return {**resource, "subject": {**subject, "reference": _local(subject["reference"], base)}}


def _broken(resource: Json, store: Store, base: str) -> Iterator[Issue]:
    reference = resource.get("subject", {}).get("reference")
    if reference is None:
        yield Issue("required", "subject.reference is missing", "Observation.subject")
    else:
        yield from _unknown_subject(reference, store, base)
    yield from _quantities(resource, "Observation")
    for index, component in enumerate(resource.get("component", [])):
        yield from _quantities(component, f"Observation.component[{index}]")
    if "dataAbsentReason" in resource and any(name.startswith("value") for name in resource):
        yield Issue("invariant", "obs-6: a value and dataAbsentReason", "Observation")


def _unknown_subject(reference: str, store: Store, base: str) -> Iterator[Issue]:
    kind, _, patient_id = _local(reference, base).partition("/")
    known = store.current("Patient", patient_id) if kind == "Patient" else None
    if known is None or known.deleted:
        text = f"subject {reference!r:.80} is no Patient of this server"
        yield Issue("not-found", text, "Observation.subject")


def _quantities(element: Json, path: str) -> Iterator[Issue]:
    quantity = element.get("valueQuantity")
    if quantity is None:
        return
    where = f"{path}.valueQuantity"
    if "value" not in quantity:
        yield Issue("required", "the quantity has no number", f"{where}.value")
    if "code" in quantity and "system" not in quantity:
        yield Issue("invariant", "qty-3: a unit code without its system", f"{where}.system")


def _local(reference: str, base: str) -> str:
    return reference.removeprefix(f"{base}/")
