"""Faults of read, vread, history and of the CapabilityStatement."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from harness.reference.access import Access
from harness.reference.fhir.faulty.recording import recorded
from harness.reference.fhir.outcome import Refused, refused
from harness.reference.fhir.reach import forbidden
from harness.reference.fhir.stored import Stored

Json = dict[str, Any]
Has = Callable[[str], bool]
Answer = Callable[[Request], Awaitable[Response]]

NOT_FOUND = 404


def read(has: Has, stored: Stored) -> Stored:
    """Alters what a read answers."""
    if has("read-wrong-id"):
        wrong = {**stored.resource, "id": f"{stored.id}-internal"[-64:]}
        return replace(stored, parsed=wrong, raw=None)
    return recorded(has, (stored,))[0]


def read_headers(has: Has) -> dict[str, str]:
    """Returns headers that replace those of the response to a read."""
    return {"Content-Type": "text/plain; charset=utf-8"} if has("read-as-plain-text") else {}


def shows_deleted(has: Has) -> bool:
    """Whether a read answers what was deleted."""
    return has("deleted-still-readable")


def known_version(has: Has, known: bool) -> bool:  # noqa: FBT001 - the value to alter
    """Alters whether the client has the current version already."""
    return known and not has("not-modified-unknown")


def version_id(has: Has, wanted: str, newest: Stored) -> str:
    """Alters which version a vread answers."""
    known = wanted.isdecimal() and int(wanted) <= int(newest.version_id)
    return newest.version_id if has("vread-answers-newest") and known else wanted


def changes(
    has: Has, found: Sequence[Stored], since: datetime | None
) -> tuple[Sequence[Stored], datetime | None]:
    """Alters what a history finds, newest first, and since when it was asked for."""
    if has("history-forgets-versions"):
        newest: dict[str, Stored] = {}
        for one in found:
            newest.setdefault(one.reference, one)
        found = tuple(newest.values())
    return found, None if has("history-ignores-since") else since


def require_user_scope(has: Has, access: Access, resource_type: str) -> None:
    """Refuses a Patient to a token that is bound to one.

    Raises:
        Refused: 403.
    """
    if resource_type != "Patient" or not has("patient-read-refused"):
        return
    if access.compartment_patient(resource_type, "r") is not None:
        raise forbidden("a scope of the level user is needed for Patient")


def refusal(has: Has, why: Refused) -> Refused | None:
    """Alters a refusal; None stands for a bare page instead of an OperationOutcome."""
    if why.status != NOT_FOUND:
        return why
    if has("read-missing-answers-200"):
        return replace(why, status=200)
    return None if has("not-found-without-outcome") else why


def bare_page() -> Response:
    """Returns what a web server answers by itself for a missing page."""
    page = "<html><body><h1>404 Not Found</h1></body></html>"
    return Response(page, status_code=NOT_FOUND, media_type="text/html")


def unrouted(has: Has, method: str, handlers: Mapping[str, Answer]) -> Mapping[str, Answer]:
    """Alters what is served at a path: what the CapabilityStatement claims is not there."""
    if method == "PATCH" and has("metadata-claims-patch"):
        return {name: answer for name, answer in handlers.items() if name != "PATCH"}
    return handlers


def require_token(has: Has, authorization: str | None) -> None:
    """Refuses the public CapabilityStatement to who sends no token.

    Raises:
        Refused: 401.
    """
    if has("metadata-needs-token") and not authorization:
        raise refused(401, "login", "a token is required", headers={"WWW-Authenticate": "Bearer"})


def statement(has: Has, capability: Json) -> Json:
    """Alters the CapabilityStatement."""
    rest = dict(capability["rest"][0])
    altered = {**capability, "rest": [rest]}
    if has("metadata-as-r5"):
        altered["fhirVersion"] = "5.0.0"
    if has("capability-format-xml-only"):
        altered["format"] = ["xml", "application/fhir+xml"]
    if has("metadata-omits-security"):
        del rest["security"]
    if has("bulk-not-declared"):
        del altered["instantiates"], rest["operation"]
        rest["resource"] = [_without_export(one) for one in rest["resource"]]
    if has("metadata-omits-observation"):
        rest["resource"] = [one for one in rest["resource"] if one["type"] != "Observation"]
    if has("metadata-omits-patient"):
        rest["resource"] = [one for one in rest["resource"] if one["type"] != "Patient"]
    return altered


def _without_export(resource: Json) -> Json:
    kept = [one for one in resource.get("operation", []) if one["name"] != "export"]
    return {name: one for name, one in resource.items() if name != "operation"} | (
        {"operation": kept} if kept else {}
    )


def statement_page(has: Has) -> Response | None:
    """Returns a page for people in the place of the CapabilityStatement; None to serve it."""
    if not has("metadata-as-html"):
        return None
    page = "<html><body><h1>FHIR server</h1><p>Conformance</p></body></html>"
    return Response(page, media_type="text/html")
