"""On what condition a request is done: a version that the client knows, or what a search finds.

FHIR R4: http://hl7.org/fhir/R4/http.html#concurrency, and conditional create, update and delete.
"""

from __future__ import annotations

from email.utils import parsedate_to_datetime

from starlette.requests import Request

from harness.reference.fhir.context import Context, access_of
from harness.reference.fhir.outcome import refused
from harness.reference.fhir.query import read as read_query
from harness.reference.fhir.reach import Reach
from harness.reference.fhir.searches import find, parameters
from harness.reference.fhir.stored import Stored


def matched(
    context: Context, request: Request, resource_type: str, criteria: str, source: str
) -> list[Stored]:
    """Returns what the criteria of a conditional interaction find, which needs a search scope too.

    Args:
        context: of the interface.
        request: for its token.
        resource_type: of the route.
        criteria: search parameters as in a URL.
        source: where they stand, for the refusal.

    Raises:
        Refused: 400 if there is no criterion or one is not understood, 403, and 412 where more
            than one resource is found.
    """
    base = context.instance.fhir_base
    reach = Reach.of(access_of(request), resource_type, "s", base)
    query = read_query(resource_type, parameters(criteria), base, strict=True)
    if not query.criteria:
        raise refused(400, "invalid", f"{source} holds no search parameter")
    found = find(context, reach, query)
    if len(found) > 1 and not context.instance.has("condition-takes-first"):
        raise refused(
            412, "multiple-matches", f"{source} finds {len(found)} resources, one expected"
        )
    return found[:1]


def require_version(request: Request, current: Stored, *, forgotten: bool) -> None:
    """Checks If-Match, where there is one.

    Args:
        request: for the header.
        current: the version that it must name.
        forgotten: the header is not looked at; a fault's doing.

    Raises:
        Refused: 412; the client knows another version.
    """
    given = request.headers.get("if-match")
    if given is None or forgotten:
        return
    if not _tags(given) & {current.version_id, "*"}:
        raise refused(
            412, "conflict", f"If-Match is {given}, the current version is {current.version_id}"
        )


def unchanged(request: Request, current: Stored) -> bool:
    """Whether the client has this version already (RFC 9110 section 13.1)."""
    tags = request.headers.get("if-none-match")
    if tags is not None:
        return bool(_tags(tags) & {current.version_id, "*"})
    since = request.headers.get("if-modified-since")
    try:
        moment = parsedate_to_datetime(since) if since else None
    except ValueError:
        return False
    if moment is None or moment.tzinfo is None:
        return False
    return current.last_updated.replace(microsecond=0) <= moment


def _tags(header: str) -> set[str]:
    return {tag.strip().removeprefix("W/").strip('"') for tag in header.split(",")}
