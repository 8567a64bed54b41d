"""Handlers: read and vread of one resource (FHIR R4, http://hl7.org/fhir/R4/http.html)."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import Response

from harness.reference.fhir.conditions import unchanged
from harness.reference.fhir.context import Context, access_of
from harness.reference.fhir.faulty import answering as faulty
from harness.reference.fhir.formats import http_date, respond
from harness.reference.fhir.outcome import refused
from harness.reference.fhir.reach import Reach, forbidden
from harness.reference.fhir.stored import Stored, Versions
from harness.reference.fhir.summary import shortened


async def read(context: Context, request: Request, resource_type: str) -> Response:
    """Answers `GET [base]/[type]/[id]`; 304 if the client has it, 410 if it was deleted."""
    faulty.require_user_scope(context.instance.has, access_of(request), resource_type)
    current = reachable(context, request, resource_type)[-1]
    if current.deleted and not faulty.shows_deleted(context.instance.has):
        raise refused(410, "deleted", f"{current.reference} was deleted")
    if faulty.known_version(context.instance.has, unchanged(request, current)):
        return respond(request, None, 304, version_headers(current))
    shown = faulty.read(context.instance.has, current)
    headers = version_headers(shown) | faulty.read_headers(context.instance.has)
    return respond(request, shortened(request, shown), headers=headers)


async def vread(context: Context, request: Request, resource_type: str) -> Response:
    """Answers `GET [base]/[type]/[id]/_history/[vid]`; 410 if that version is a deletion."""
    wanted = request.path_params["vid"]
    versions = reachable(context, request, resource_type)
    wanted = faulty.version_id(context.instance.has, wanted, versions[-1])
    for version in reversed(versions):
        if version.version_id == wanted:
            if version.deleted:
                raise refused(410, "deleted", f"version {wanted} is the deletion")
            body = shortened(request, version)
            return respond(request, body, headers=version_headers(version))
    raise refused(404, "not-found", f"there is no version {wanted!r}")


def version_headers(stored: Stored) -> dict[str, str]:
    """Returns ETag and Last-Modified of a version."""
    return {
        "ETag": f'W/"{stored.version_id}"',
        "Last-Modified": http_date(stored.last_updated),
    }


def reachable(
    context: Context, request: Request, resource_type: str, *, anybodys: bool = False
) -> Versions:
    """Returns the versions of the resource in the URL, if the token reaches it.

    Args:
        context: of the interface.
        request: for the URL and the token.
        resource_type: of the route.
        anybodys: whether the patient of the token does not matter; a fault's doing.

    Raises:
        Refused: 403, 404.
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
