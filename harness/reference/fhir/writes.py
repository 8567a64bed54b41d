"""Handlers: create, update, patch and delete of one resource (FHIR R4, RESTful API)."""

from __future__ import annotations

from typing import Any, Final

from starlette.requests import Request
from starlette.responses import Response

from harness.reference.fhir.body import read_patch, read_resource
from harness.reference.fhir.conditions import matched, require_version
from harness.reference.fhir.context import Context, access_of
from harness.reference.fhir.faulty import writing as faulty
from harness.reference.fhir.formats import preferences, respond
from harness.reference.fhir.outcome import Issue, Refused, operation_outcome, refused
from harness.reference.fhir.patch import NotApplicable, apply
from harness.reference.fhir.reach import Reach, forbidden
from harness.reference.fhir.reads import version_headers
from harness.reference.fhir.rules import normalised, require_rules, shape_issues
from harness.reference.fhir.stored import Stored
from harness.reference.varied.resources import new_id

Json = dict[str, Any]

ASSIGNED: Final = "assigned_id"
"""Name in `request.state` of the id that a transaction has chosen for what is to be created."""


async def create(context: Context, request: Request, resource_type: str) -> Response:
    """Answers `POST [base]/[type]`, conditional if If-None-Exist is given."""
    reach = _reach(context, request, resource_type, "c")
    resource = await read_resource(request, resource_type)
    resource = _accepted(context, resource, reach)
    condition = faulty.condition(context.instance.has, request.headers.get("if-none-exist"))
    if condition:
        criteria = condition.lstrip("?")
        existing = matched(context, request, resource_type, criteria, "If-None-Exist")
        if existing:
            return written(request, existing[0], 200, _location(context, existing[0]))
    return _created(context, request, resource)


async def update(context: Context, request: Request, resource_type: str) -> Response:
    """Answers `PUT [base]/[type]/[id]`; a resource is never made by it."""
    reach = _reach(context, request, resource_type, "u")
    resource = await read_resource(request, resource_type)
    current = _current(context, request.path_params["id"], resource_type, reach)
    return _updated(context, request, resource, _alive(current, resource_type), reach)


async def update_matched(context: Context, request: Request, resource_type: str) -> Response:
    """Answers `PUT [base]/[type]?[criteria]`: a create where nothing matches."""
    reach = _reach(context, request, resource_type, "u")
    resource = await read_resource(request, resource_type)
    found = _matched(context, request, resource_type)
    if found:
        current = _current(context, found[0].id, resource_type, reach)
        resource = {**resource, "id": resource.get("id", found[0].id)}
        return _updated(context, request, resource, _alive(current, resource_type), reach)
    if "id" in resource:
        raise _never_created(resource_type)
    resource = _accepted(context, resource, _reach(context, request, resource_type, "c"))
    return _created(context, request, resource)


async def patch(context: Context, request: Request, resource_type: str) -> Response:
    """Answers `PATCH [base]/[type]/[id]` with a JSON Patch."""
    reach = _reach(context, request, resource_type, "u")
    operations = await read_patch(request)
    current = _current(context, request.path_params["id"], resource_type, reach)
    if current is None:
        raise refused(404, "not-found", f"there is no such {resource_type}")
    current = _alive(current, resource_type)
    forgotten = faulty.forgets_version(context.instance.has, "PATCH")
    require_version(request, current, forgotten=forgotten)
    try:
        resource = apply(operations, current.resource)
    except NotApplicable as problem:
        raise refused(422, "processing", f"the patch cannot be applied: {problem}") from None
    kept = (resource_type, current.id)
    is_object = isinstance(resource, dict)
    if not is_object or (resource.get("resourceType"), resource.get("id")) != kept:
        raise refused(
            422,
            "business-rule",
            "a patch leaves resourceType and id alone",
            expression=f"{resource_type}.id",
        )
    resource = faulty.patched(context.instance.has, resource, current)
    return _stored_again(context, request, resource, current, reach)


async def delete(context: Context, request: Request, resource_type: str) -> Response:
    """Answers `DELETE [base]/[type]/[id]`; deleting twice changes nothing and is no error."""
    reach = _reach(context, request, resource_type, "d")
    current = _current(context, request.path_params["id"], resource_type, reach)
    if current is None:
        raise refused(404, "not-found", f"there is no such {resource_type}")
    return _deleted(context, request, current)


async def delete_matched(context: Context, request: Request, resource_type: str) -> Response:
    """Answers `DELETE [base]/[type]?[criteria]`; where nothing matches, nothing is to be done."""
    reach = _reach(context, request, resource_type, "d")
    found = _matched(context, request, resource_type)
    current = _current(context, found[0].id, resource_type, reach) if found else None
    return _deleted(context, request, current) if current else respond(request, None, 204)


def _reach(context: Context, request: Request, resource_type: str, permission: str) -> Reach:
    return Reach.of(access_of(request), resource_type, permission, context.instance.fhir_base)


def _matched(context: Context, request: Request, resource_type: str) -> list[Stored]:
    return matched(context, request, resource_type, request.url.query, "the URL")


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
    draft = Stored(resource["resourceType"], "", "", context.now, resource, None)
    if not reach.within_constraints(draft, context.now):
        raise forbidden(
            f"the granular scopes of this token do not cover this {resource['resourceType']}"
        )
    return resource


def _current(context: Context, resource_id: str, resource_type: str, reach: Reach) -> Stored | None:
    """Returns the resource of an id; None if there is none, or none that may be touched."""
    current = context.store.current(resource_type, resource_id)
    if current is None or not reach.in_compartment(current):
        return None
    if not reach.within_constraints(current, context.now):
        raise forbidden(f"the granular scopes of this token do not cover {current.reference}")
    return current


def _alive(current: Stored | None, resource_type: str) -> Stored:
    """Returns a resource that can be changed.

    Raises:
        Refused: 405, 410.
    """
    if current is None:
        raise _never_created(resource_type)
    if current.deleted:
        raise refused(410, "deleted", f"{current.reference} was deleted")
    return current


def _never_created(resource_type: str) -> Refused:
    return refused(
        405,
        "not-supported",
        f"there is no such {resource_type}, and a PUT does not create one here",
        headers={"Allow": "GET"},
    )


def _created(context: Context, request: Request, resource: Json) -> Response:
    has = context.instance.has
    assigned = getattr(request.state, ASSIGNED, None) or new_id(has)
    stored = faulty.create(has, context.store, resource, context.now, assigned)
    status, headers = faulty.created(has, 201, _location(context, stored))
    return written(request, stored, status, headers)


def _updated(
    context: Context, request: Request, resource: Json, current: Stored, reach: Reach
) -> Response:
    if resource.get("id") != current.id:
        raise refused(
            400,
            "invalid",
            f"the id in the body is {resource.get('id')!r:.80}, the URL says {current.id}",
            expression=f"{current.resource_type}.id",
        )
    forgotten = faulty.forgets_version(context.instance.has, "PUT")
    require_version(request, current, forgotten=forgotten)
    return _stored_again(context, request, resource, current, reach)


def _stored_again(
    context: Context, request: Request, resource: Json, current: Stored, reach: Reach
) -> Response:
    has = context.instance.has
    resource = _accepted(context, resource, reach)
    stored = faulty.update(has, context.store, resource, current, context.now)
    return written(request, stored, faulty.updated(has), version_headers(stored))


def _deleted(context: Context, request: Request, current: Stored) -> Response:
    if not current.deleted:
        forgotten = faulty.forgets_version(context.instance.has, "DELETE")
        require_version(request, current, forgotten=forgotten)
        current = faulty.delete(context.instance.has, context.store, current, context.now)
    headers = {"ETag": f'W/"{current.version_id}"'}
    if "return=operationoutcome" in preferences(request):
        return _told(request, f"{current.reference} is deleted", 200, headers)
    return respond(request, None, 204, headers)


def _location(context: Context, stored: Stored) -> dict[str, str]:
    url = context.url(f"{stored.reference}/_history/{stored.version_id}")
    return {"Location": url, **version_headers(stored)}


def written(request: Request, stored: Stored, status: int, headers: dict[str, str]) -> Response:
    """Answers a write with what `Prefer: return=` asks for; the resource if it asks nothing."""
    wanted = preferences(request)
    if "return=minimal" in wanted:
        return respond(request, None, status, headers)
    if "return=operationoutcome" in wanted:
        text = f"{stored.reference} is stored as version {stored.version_id}"
        return _told(request, text, status, headers)
    return respond(request, stored.body, status, headers)


def _told(request: Request, text: str, status: int, headers: dict[str, str]) -> Response:
    outcome = operation_outcome([Issue("informational", text, severity="information")])
    return respond(request, outcome, status, headers)
