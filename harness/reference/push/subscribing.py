"""Handlers: create, read, update and delete of a Subscription.

Only the client that created one sees it. http://hl7.org/fhir/R4/subscription.html
"""

from __future__ import annotations

from typing import Any, Final

from starlette.requests import Request
from starlette.responses import Response

from harness.reference.access import Access
from harness.reference.fhir.body import read_resource
from harness.reference.fhir.conditions import require_version
from harness.reference.fhir.context import Context, access_of
from harness.reference.fhir.formats import respond
from harness.reference.fhir.outcome import Refused, refused
from harness.reference.fhir.reach import WORDS, Reach, forbidden
from harness.reference.fhir.reads import version_headers
from harness.reference.fhir.rules import shape_issues
from harness.reference.fhir.writes import ASSIGNED, written
from harness.reference.push import faulty
from harness.reference.push.subscriptions import Subscription
from harness.reference.push.wanted import Has, Wanted, wanted

Json = dict[str, Any]

TYPE: Final = "Subscription"
INTERACTIONS: Final = ("read", "create", "update", "delete")
_DECLARED: Final[Json] = {
    "type": TYPE,
    "documentation": (
        "Channel rest-hook, with application/fhir+json or without a payload; criteria are searches "
        "of one resource type without chains. A Subscription is its client's alone."
    ),
    "interaction": [{"code": code} for code in INTERACTIONS],
    "versioning": "versioned",
    "readHistory": False,
    "updateCreate": False,
    "conditionalCreate": False,
    "conditionalUpdate": False,
    "conditionalDelete": "not-supported",
}


def declared(has: Has) -> list[Json]:
    """Returns what the CapabilityStatement says of it; nothing where it is not offered."""
    return [dict(_DECLARED)] if _is_offered(has) else []


def _is_offered(has: Has) -> bool:
    return not has("subscription-not-offered")


async def create(context: Context, request: Request) -> Response:
    """Answers `POST [base]/Subscription`."""
    access = _permitted(context, request, "c")
    content = await read_resource(request, TYPE)
    page = faulty.refusal(context.instance.has)
    if page:
        return page
    what, reach = _read(context, access, content)
    content = {**content, "status": _status(context.instance.has, content)}
    push = context.instance.push
    made = push.add(context.instance, access.client_id, content, what, reach)
    place = {"Location": context.url(f"{TYPE}/{made.id}")}
    answer = written(request, made.version, 201, place | version_headers(made.version))
    push.activate(context.instance, made)
    return answer


async def read(context: Context, request: Request) -> Response:
    """Answers `GET [base]/Subscription/[id]`."""
    found = _found(context, request, _permitted(context, request, "r"))
    return respond(request, found.version.body, headers=version_headers(found.version))


async def update(context: Context, request: Request) -> Response:
    """Answers `PUT [base]/Subscription/[id]`: sets it off, or requests it anew."""
    access = _permitted(context, request, "u")
    content = await read_resource(request, TYPE)
    found = _found(context, request, access)
    if content.get("id") != found.id:
        text = "the id in the body is not that of the URL"
        raise refused(400, "invalid", text, expression=f"{TYPE}.id")
    require_version(request, found.version, forgotten=False)
    found.wanted, found.reach = _read(context, access, content)
    content = {**content, "status": _status(context.instance.has, content)}
    found.becomes(content, context.now)
    answer = written(request, found.version, 200, version_headers(found.version))
    context.instance.push.activate(context.instance, found)
    return answer


async def delete(context: Context, request: Request) -> Response:
    """Answers `DELETE [base]/Subscription/[id]`."""
    found = _found(context, request, _permitted(context, request, "d"))
    require_version(request, found.version, forgotten=False)
    context.instance.push.drop(context.instance, found)
    return respond(request, None, 204)


def _permitted(context: Context, request: Request, permission: str) -> Access:
    """Returns what the token may do, where it may do this.

    Raises:
        Refused: 403, 404, or 422 in a batch, whose other entries it could not be undone with.
    """
    if not _is_offered(context.instance.has):
        raise refused(404, "not-supported", "Subscriptions are not offered")
    if hasattr(request.state, ASSIGNED):
        raise refused(422, "not-supported", "a Subscription is no part of a batch")
    access = access_of(request)
    if not access.allows(TYPE, permission):
        raise forbidden(f"no scope of this token permits {WORDS[permission]} on {TYPE}")
    return access


def _found(context: Context, request: Request, access: Access) -> Subscription:
    identity = request.path_params["id"]
    found = context.instance.push.find(identity, access.client_id)
    if found is None:
        raise refused(404, "not-found", f"there is no {TYPE}/{identity}")
    if found.version.deleted:
        raise refused(410, "deleted", f"{TYPE}/{identity} was deleted")
    return found


def _read(context: Context, access: Access, content: Json) -> tuple[Wanted, Reach]:
    """Returns what a Subscription asks for, and what of it its client may see.

    Raises:
        Refused: 400, 403, 422.
    """
    issues = shape_issues(content)
    if issues:
        raise Refused(400, tuple(issues))
    base = context.instance.fhir_base
    found = wanted(content, base, context.instance.push.origins, context.instance.has)
    kind = found.query.resource_type
    reach = Reach.of(access, kind, "s" if access.allows(kind, "s") else "r", base)
    others = found.query.named_patients() - {reach.compartment}
    if reach.compartment is not None and others:
        raise forbidden("this token is bound to one patient, and the criteria name another")
    return found, reach


def _status(has: Has, content: Json) -> str:
    """Returns the status to begin with: a client requests a Subscription, or sets it off."""
    if content["status"] == "off":
        return "off"
    return "active" if has("subscription-active-at-once") else "requested"
