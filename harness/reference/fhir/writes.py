"""Handlers: create, update and delete of an Observation (FHIR R4, RESTful API)."""

from __future__ import annotations

from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from harness.reference.fhir.body import read_resource
from harness.reference.fhir.context import Context, access_of
from harness.reference.fhir.faulty import writing as faulty
from harness.reference.fhir.formats import respond
from harness.reference.fhir.outcome import Issue, Refused, operation_outcome, refused
from harness.reference.fhir.query import read as read_query
from harness.reference.fhir.reach import Reach, forbidden
from harness.reference.fhir.reads import version_headers
from harness.reference.fhir.rules import normalised, require_rules, shape_issues
from harness.reference.fhir.searches import find, parameters
from harness.reference.fhir.stored import Stored

Json = dict[str, Any]


async def create(context: Context, request: Request, resource_type: str) -> Response:
    """Answers `POST [base]/[type]`, conditional if If-None-Exist is given."""
    reach = _reach(context, request, resource_type, "c")
    resource = await read_resource(request, resource_type)
    resource = _accepted(context, resource, reach)
    condition = request.headers.get("if-none-exist")
    existing = _existing(context, request, resource_type, condition) if condition else None
    if existing:
        return _written(request, existing, 200, _location(context, existing))
    stored = faulty.create(context.instance.has, context.store, resource, context.now)
    status, headers = faulty.created(context.instance.has, 201, _location(context, stored))
    return _written(request, stored, status, headers)


async def update(context: Context, request: Request, resource_type: str) -> Response:
    """Answers `PUT [base]/[type]/[id]`; a resource is never made by it."""
    reach = _reach(context, request, resource_type, "u")
    resource = await read_resource(request, resource_type)
    current = _current(context, request, resource_type, reach)
    if current is None:
        raise refused(
            405,
            "not-supported",
            f"there is no such {resource_type}, and a PUT does not create one here",
            headers={"Allow": "GET"},
        )
    if current.deleted:
        raise refused(410, "deleted", f"{current.reference} was deleted")
    if resource.get("id") != current.id:
        raise refused(
            400,
            "invalid",
            f"the id in the body is {resource.get('id')!r:.80}, the URL says {current.id}",
            expression=f"{resource_type}.id",
        )
    _require_version(context, request, current)
    resource = _accepted(context, resource, reach)
    stored = faulty.update(context.instance.has, context.store, resource, current, context.now)
    status = faulty.updated(context.instance.has)
    return _written(request, stored, status, version_headers(stored))


async def delete(context: Context, request: Request, resource_type: str) -> Response:
    """Answers `DELETE [base]/[type]/[id]`; deleting twice changes nothing and is no error."""
    reach = _reach(context, request, resource_type, "d")
    current = _current(context, request, resource_type, reach)
    if current is None:
        raise refused(404, "not-found", f"there is no such {resource_type}")
    if not current.deleted:
        _require_version(context, request, current)
        current = context.store.delete(resource_type, current.id, context.now)
    return respond(request, None, 204, {"ETag": f'W/"{current.version_id}"'})


def _reach(context: Context, request: Request, resource_type: str, permission: str) -> Reach:
    return Reach.of(access_of(request), resource_type, permission, context.instance.fhir_base)


def _accepted(context: Context, resource: Json, reach: Reach) -> Json:
    """Returns the resource as it is to be stored.

    Raises:
        Refused: 400, 403 or 422.
    """
    has = context.instance.has
    try:
        accepted = _checked(context, resource, reach)
    except Refused as why:
        faulty.refusal(has, context.store, resource, why, context.now)
        raise
    return faulty.content(has, accepted)


def _checked(context: Context, resource: Json, reach: Reach) -> Json:
    base = context.instance.fhir_base
    issues = faulty.issues(context.instance.has, shape_issues(resource))
    if issues:
        raise Refused(400, tuple(issues))
    require_rules(resource, context.store, reach, base)
    resource = normalised(resource, base)
    draft = Stored("Observation", "", "", context.now, resource, None)
    if not reach.within_constraints(draft, context.now):
        raise forbidden("the granular scopes of this token do not cover this Observation")
    return resource


def _existing(
    context: Context, request: Request, resource_type: str, condition: str
) -> Stored | None:
    """Returns the one resource that If-None-Exist finds; None if there is none."""
    reach = _reach(context, request, resource_type, "s")
    base = context.instance.fhir_base
    query = read_query(resource_type, parameters(condition.lstrip("?")), base, strict=True)
    if not query.criteria:
        raise refused(400, "invalid", "If-None-Exist holds no search parameter")
    found = find(context, reach, query)
    if len(found) > 1:
        raise refused(
            412, "multiple-matches", f"If-None-Exist finds {len(found)} resources, one expected"
        )
    return found[0] if found else None


def _current(context: Context, request: Request, resource_type: str, reach: Reach) -> Stored | None:
    """Returns the resource in the URL; None if there is none, or none that may be touched."""
    current = context.store.current(resource_type, request.path_params["id"])
    if current is None or not reach.in_compartment(current):
        return None
    if not reach.within_constraints(current, context.now):
        raise forbidden(f"the granular scopes of this token do not cover {current.reference}")
    return current


def _require_version(context: Context, request: Request, current: Stored) -> None:
    """Checks If-Match, where there is one (http://hl7.org/fhir/R4/http.html#concurrency)."""
    given = request.headers.get("if-match")
    if given is None:
        return
    tags = {tag.strip().removeprefix("W/").strip('"') for tag in given.split(",")}
    if not tags & {current.version_id, "*"} and not faulty.takes_stale(context.instance.has):
        raise refused(
            412, "conflict", f"If-Match is {given}, the current version is {current.version_id}"
        )


def _location(context: Context, stored: Stored) -> dict[str, str]:
    url = context.url(f"{stored.reference}/_history/{stored.version_id}")
    return {"Location": url, **version_headers(stored)}


def _written(request: Request, stored: Stored, status: int, headers: dict[str, str]) -> Response:
    """Answers a write with what `Prefer: return=` asks for; the resource if it asks nothing."""
    preferences = request.headers.get("prefer", "").replace(";", ",").lower().split(",")
    wanted = {one.strip() for one in preferences}
    if "return=minimal" in wanted:
        return respond(request, None, status, headers)
    if "return=operationoutcome" in wanted:
        text = f"{stored.reference} is stored as version {stored.version_id}"
        outcome = operation_outcome([Issue("informational", text, severity="information")])
        return respond(request, outcome, status, headers)
    return respond(request, stored.body, status, headers)
