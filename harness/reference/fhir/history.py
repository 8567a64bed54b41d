"""Handlers: history of one resource, of a type, of all (FHIR R4, RESTful API, "history").

http://hl7.org/fhir/R4/http.html#history. A history of many resources is a search by SMART's
scopes, that of one resource is a read.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

import orjson
from starlette.requests import Request
from starlette.responses import Response

from harness.reference.data.instants import instant
from harness.reference.fhir.bundle import search_url
from harness.reference.fhir.context import Context, access_of
from harness.reference.fhir.dates import interval
from harness.reference.fhir.faulty import answering as faulty
from harness.reference.fhir.formats import respond
from harness.reference.fhir.outcome import Refused, refused
from harness.reference.fhir.paging import LIFETIME, CursorExpired, Page, Snapshot, cursor
from harness.reference.fhir.query import DEFAULT_COUNT, MOST_COUNT, Query
from harness.reference.fhir.reach import Reach
from harness.reference.fhir.reads import reachable
from harness.reference.fhir.resources import RESOURCES
from harness.reference.fhir.searches import parameters
from harness.reference.fhir.stored import Stored

Json = dict[str, Any]


async def of_instance(context: Context, request: Request, resource_type: str) -> Response:
    """Answers `GET [base]/[type]/[id]/_history`."""
    anybodys = context.instance.has("history-ignores-compartment")
    versions = reachable(context, request, resource_type, anybodys=anybodys)
    asked = _Asked(context, request, f"{versions[0].reference}/_history", versions[-1].patient)
    return asked.page() or asked.answer(versions[::-1])


async def of_type(context: Context, request: Request, resource_type: str) -> Response:
    """Answers `GET [base]/[type]/_history`."""
    reach = Reach.of(access_of(request), resource_type, "s", context.instance.fhir_base)
    asked = _Asked(context, request, f"{resource_type}/_history", reach.compartment)
    return asked.page() or asked.answer(_changes(context, [reach], asked.since))


async def of_system(context: Context, request: Request) -> Response:
    """Answers `GET [base]/_history`: of all types that the token may search."""
    reaches = []
    for resource_type in RESOURCES:
        try:
            base = context.instance.fhir_base
            reaches.append(Reach.of(access_of(request), resource_type, "s", base))
        except Refused as why:
            outside = why
    if not reaches:
        raise outside
    patients = {reach.compartment for reach in reaches}
    # A type that is not bound to the patient would show what the cursor of another must not.
    bound = next(iter(patients)) if len(patients) == 1 else f"{sorted(map(str, patients))}"
    asked = _Asked(context, request, "_history", bound)
    return asked.page() or asked.answer(_changes(context, reaches, asked.since))


class _Asked:
    """One request for a history.

    Args:
        context: of the interface.
        request: with `_since`, `_count` or `_page`.
        path: below the base.
        bound: to whose data the token is bound; a page is answered to equal ones only.
    """

    def __init__(self, context: Context, request: Request, path: str, bound: str | None) -> None:
        self.context, self.request, self.path, self.bound = context, request, path, bound
        self.given = dict(parameters(request.url.query))
        self.since = _since(self.given.get("_since"))

    def page(self) -> Response | None:
        """Returns a later page, if one is asked for."""
        wanted = self.given.get("_page")
        if wanted is None:
            return None
        try:
            name, page = self.context.snapshots.find(wanted, self.context.now)
        except CursorExpired:
            text = "this page has expired; start the history again"
            raise refused(410, "not-found", text) from None
        found = page.snapshot
        if (found.query.resource_type, found.compartment) != (self.path, self.bound):
            raise refused(403, "forbidden", "this page belongs to another history")
        return self._respond(page, name)

    def answer(self, found: Sequence[Stored]) -> Response:
        """Returns the first page of these versions, newest first."""
        found, since = faulty.changes(self.context.instance.has, found, self.since)
        if since is not None:
            found = [one for one in found if one.last_updated >= since]
        count = _count(self.given.get("_count"))
        used = [pair for pair in self.given.items() if pair[0] in {"_since", "_count"}]
        query = Query(self.path, count=count, used=used)
        expires = self.context.now + LIFETIME
        return self._respond(Page(Snapshot(query, tuple(found), self.bound, expires), 0, count))

    def _respond(self, page: Page, name: str | None = None) -> Response:
        context, base = self.context, self.context.instance.fhir_base
        pairs = [("_page", cursor(name, page.offset))] if name else page.snapshot.query.used
        links = [("self", search_url(base, self.path, pairs).removesuffix("?"))]
        if page.size and page.next_offset is not None:
            kept = page.snapshot.named(context.store.version)
            name = name or context.snapshots.keep(kept)
            pairs = [("_page", cursor(name, page.next_offset))]
            links.append(("next", search_url(base, self.path, pairs)))
        bundle: Json = {
            "resourceType": "Bundle",
            "type": "history",
            "total": len(page.snapshot.matches),
            "link": [{"relation": relation, "url": url} for relation, url in links],
            "entry": [_entry(one, base) for one in page.matches],
        }
        if not bundle["entry"]:
            del bundle["entry"]
        return respond(self.request, bundle)


def _changes(
    context: Context, reaches: Sequence[Reach], since: datetime | None
) -> Sequence[Stored]:
    """Returns the versions within any of the reaches, newest first."""
    found = [
        one
        for reach in reaches
        for one in context.store.changes(reach.resource_type, reach.compartment, since)
        if reach.covers(one, context.now)
    ]
    return sorted(found, key=lambda one: (one.last_updated, one.reference), reverse=True)


def _since(text: str | None) -> datetime | None:
    if text is None:
        return None
    try:
        return interval(text.replace(" ", "+")).start
    except ValueError as problem:
        raise refused(400, "value", f"_since={text}: {problem}") from None


def _count(text: str | None) -> int:
    if text is None:
        return DEFAULT_COUNT
    if not (text.isascii() and text.isdecimal()):
        raise refused(400, "value", f"_count={text}: a whole number of at least 0 expected")
    return min(int(text[:9]), MOST_COUNT)


def _entry(version: Stored, base: str) -> Json:
    created = version.version_id == "1"
    method = "DELETE" if version.deleted else "POST" if created else "PUT"
    entry: Json = {
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
