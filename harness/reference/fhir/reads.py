"""Handlers: read, vread and history of one resource (FHIR R4, http://hl7.org/fhir/R4/http.html)."""

from __future__ import annotations

from email.utils import parsedate_to_datetime

import orjson
from starlette.requests import Request
from starlette.responses import Response

from harness.reference.data.instants import instant
from harness.reference.fhir.context import Context, access_of
from harness.reference.fhir.faulty import answering as faulty
from harness.reference.fhir.formats import http_date, respond
from harness.reference.fhir.outcome import refused
from harness.reference.fhir.reach import Reach, forbidden
from harness.reference.fhir.stored import Stored, Versions


async def read(context: Context, request: Request, resource_type: str) -> Response:
    """Answers `GET [base]/[type]/[id]`; 304 if the client has it, 410 if it was deleted."""
    faulty.require_user_scope(context.instance.has, access_of(request), resource_type)
    current = _reachable(context, request, resource_type)[-1]
    if current.deleted:
        raise refused(410, "deleted", f"{current.reference} was deleted")
    if _unchanged(request, current):
        return respond(request, None, 304, version_headers(current))
    shown = faulty.read(context.instance.has, current)
    headers = version_headers(shown) | faulty.read_headers(context.instance.has)
    return respond(request, shown.body, headers=headers)


async def vread(context: Context, request: Request, resource_type: str) -> Response:
    """Answers `GET [base]/[type]/[id]/_history/[vid]`; 410 if that version is a deletion."""
    wanted = request.path_params["vid"]
    for version in reversed(_reachable(context, request, resource_type)):
        if version.version_id == wanted:
            if version.deleted:
                raise refused(410, "deleted", f"version {wanted} is the deletion")
            return respond(request, version.body, headers=version_headers(version))
    raise refused(404, "not-found", f"there is no version {wanted!r}")


async def history(context: Context, request: Request, resource_type: str) -> Response:
    """Answers `GET [base]/[type]/[id]/_history`: all versions, newest first."""
    anybodys = context.instance.has("history-ignores-compartment")
    versions = _reachable(context, request, resource_type, anybodys=anybodys)
    base = context.instance.fhir_base
    bundle = {
        "resourceType": "Bundle",
        "type": "history",
        "total": len(versions),
        "link": [{"relation": "self", "url": f"{base}/{versions[0].reference}/_history"}],
        "entry": [_history_entry(version, base) for version in reversed(versions)],
    }
    return respond(request, bundle)


def version_headers(stored: Stored) -> dict[str, str]:
    """Returns ETag and Last-Modified of a version."""
    return {
        "ETag": f'W/"{stored.version_id}"',
        "Last-Modified": http_date(stored.last_updated),
    }


def _history_entry(version: Stored, base: str) -> dict[str, object]:
    created = version.version_id == "1"
    method = "DELETE" if version.deleted else "POST" if created else "PUT"
    entry: dict[str, object] = {
        "fullUrl": f"{base}/{version.reference}",
        "resource": orjson.Fragment(version.body),
        "request": {
            "method": method,
            "url": version.resource_type if created else version.reference,
        },
        "response": {
            "status": "204" if version.deleted else "201" if created else "200",
            "etag": f'W/"{version.version_id}"',
            "lastModified": instant(version.last_updated),
        },
    }
    if version.deleted:
        del entry["resource"]
    return entry


def _reachable(
    context: Context, request: Request, resource_type: str, *, anybodys: bool = False
) -> Versions:
    """Returns the versions of the resource in the URL, if the token reaches it.

    Args:
        context: of the interface.
        request: for the URL and the token.
        resource_type: of the route.
        anybodys: whether the patient of the token does not matter; a fault's doing.
    """
    access, resource_id = access_of(request), request.path_params["id"]
    versions = context.store.versions(resource_type, resource_id)
    if not access.reads_own_user(resource_type, resource_id):
        reach = Reach.of(access, resource_type, "r", context.instance.fhir_base)
        if versions and not anybodys and not reach.in_compartment(versions[-1]):
            versions = ()  # that it exists is nobody else's business
        if versions and not reach.within_constraints(versions[-1], context.now):
            raise forbidden(f"the scopes of this token do not cover {versions[-1].reference}")
        # An earlier version may lie in a category that the token does not reach.
        versions = tuple(one for one in versions if reach.within_constraints(one, context.now))
    if not versions:
        raise refused(404, "not-found", f"there is no {resource_type}/{resource_id}")
    return versions


def _unchanged(request: Request, current: Stored) -> bool:
    """Whether the client has this version already (RFC 9110 section 13.1)."""
    tags = request.headers.get("if-none-match")
    if tags is not None:
        known = {tag.strip().removeprefix("W/").strip('"') for tag in tags.split(",")}
        return bool(known & {current.version_id, "*"})
    since = request.headers.get("if-modified-since")
    try:
        moment = parsedate_to_datetime(since) if since else None
    except ValueError:
        return False
    if moment is None or moment.tzinfo is None:
        return False
    return current.last_updated.replace(microsecond=0) <= moment
