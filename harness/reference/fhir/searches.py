"""Handlers: search by GET and POST, and the pages that follow."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from urllib.parse import parse_qsl

from starlette.requests import Request
from starlette.responses import Response

from harness.reference.fhir.body import read_bounded
from harness.reference.fhir.bundle import Searchset, entry, outcome_entry, search_url
from harness.reference.fhir.context import Context, access_of
from harness.reference.fhir.faulty import searching as faulty
from harness.reference.fhir.faulty.recording import recorded
from harness.reference.fhir.formats import respond
from harness.reference.fhir.including import along
from harness.reference.fhir.linking import resolved
from harness.reference.fhir.outcome import Issue, refused
from harness.reference.fhir.paging import LIFETIME, CursorExpired, Page, Snapshot, cursor
from harness.reference.fhir.query import Query, read
from harness.reference.fhir.reach import Reach, forbidden
from harness.reference.fhir.search import matches
from harness.reference.fhir.sight import Sight
from harness.reference.fhir.stored import Stored

FORM = "application/x-www-form-urlencoded"
MOST_PARAMETERS = 200
MOST_FORM_BYTES = 64 * 1024


async def search(context: Context, request: Request, resource_type: str) -> Response:
    """Answers `GET [base]/[type]?...` and `POST [base]/[type]/_search`."""
    pairs = parameters(request.url.query)
    if request.method == "POST":
        pairs += await _form(request)
    return _search(context, request, resource_type, pairs)


async def in_compartment(context: Context, request: Request, resource_type: str) -> Response:
    """Answers `GET [base]/Patient/[id]/[type]?...`, which is a search by that patient."""
    pairs = [("patient", request.path_params["id"]), *parameters(request.url.query)]
    return _search(context, request, resource_type, pairs)


def _search(
    context: Context, request: Request, resource_type: str, pairs: list[tuple[str, str]]
) -> Response:
    has = context.instance.has
    reach = Reach.of(access_of(request), resource_type, "s", context.instance.fhir_base)
    page = later_page(context, pairs, resource_type, reach.compartment)
    if page:
        if page[1].snapshot.granular != reach.granular and not faulty.opens_pages(has):
            raise forbidden("this page belongs to a search that another token began")
        name, wanted = page
        again = partial(find, context, reach, wanted.snapshot.query)
        token = request.headers.get("authorization")
        return answer(context, request, name, faulty.later_page(has, wanted, name, token, again))
    prefer = request.headers.get("prefer", "")
    strict = faulty.is_strict(has, prefer)
    pairs = faulty.pairs(has, pairs)
    query = read(resource_type, pairs, context.instance.fhir_base, strict=strict)
    query = faulty.query(has, query, request.method, reach.compartment)
    found = find(context, reach, query)
    until = context.now + LIFETIME
    snapshot = Snapshot(query, tuple(found), reach.compartment, until, reach.granular)
    return answer(context, request, None, Page(snapshot, 0, query.count))


def find(context: Context, reach: Reach, query: Query) -> list[Stored]:
    """Returns what a query finds within a reach, in order.

    Raises:
        Refused: 403; the query names a patient outside the compartment.
    """
    others = query.named_patients() - {reach.compartment}
    counting = faulty.counts_everybody(context.instance.has)
    if reach.compartment is not None and others and not counting:
        raise forbidden("this token is bound to one patient, and the search names another")
    linked = resolved(query, lambda inner: find(context, _beside(context, reach, inner), inner))
    if linked is None:
        return []
    now = context.now
    visible = None if reach.constraints is None else partial(reach.within_constraints, now=now)
    found = matches(context.store, linked, now, visible, reach.compartment)
    return faulty.matches(context.instance.has, query, found, now)


def _beside(context: Context, reach: Reach, inner: Query) -> Reach:
    """Returns the reach of a condition on another resource."""
    return faulty.reach(context.instance.has, reach.beside(inner.resource_type))


def answer(context: Context, request: Request, name: str | None, page: Page) -> Response:
    """Answers one page; `name` is that of its snapshot, None on a first page."""
    instance, query = context.instance, page.snapshot.query
    bundle = Searchset(search_url(instance.fhir_base, query.resource_type, query.used))
    bundle.total = len(page.snapshot.matches) if query.total or query.count_only else None
    if faulty.counts_everybody(instance.has):
        bundle.total = len(matches(context.store, query, context.now, None, None))
    if name is not None:
        bundle.self_link = _page_url(context, query, name, page.offset)
    if not query.count_only:
        shown = recorded(instance.has, faulty.page(instance.has, page))
        bundle.entries = [entry(one, instance.fhir_base, "match", query) for one in shown]
        bundle.entries += _along(context, request, page, shown)
        if page.next_offset is not None:
            name = name or context.snapshots.keep(
                page.snapshot.named(context.store.version),
                shared=faulty.shares_pages(instance.has),
            )
            bundle.next_link = _page_url(context, query, name, page.next_offset)
    if query.ignored and not page.offset:
        bundle.entries.append(outcome_entry(query.ignored))
    faulty.bundle(instance.has, bundle, instance.fhir_base, page.offset)
    return respond(request, bundle.as_json(), headers=faulty.search_headers(instance.has))


def _along(
    context: Context, request: Request, page: Page, shown: tuple[Stored, ...]
) -> Iterator[dict[str, object]]:
    """Yields the entries of included resources that the token may see."""
    query, base = page.snapshot.query, context.instance.fhir_base
    sight = Sight(context, access_of(request))
    patient = None
    if not faulty.forgets_compartment(context.instance.has):
        patient = page.snapshot.compartment
    if query.includes or query.rev_includes:
        found = along(context.store, query, shown, patient, sight.permits)
        for stored in recorded(context.instance.has, tuple(found)):
            yield entry(stored, base, "include", query)
    for stored in faulty.strangers(context.instance.has, context.store, query, shown):
        yield entry(stored, base, "include")
    if sight.withheld:
        issues = [
            Issue("forbidden", f"no scope of this token permits {kind}; left out", None, "warning")
            for kind in sorted(sight.withheld)
        ]
        yield outcome_entry(issues)


def later_page(
    context: Context, pairs: list[tuple[str, str]], path: str, compartment: str | None
) -> tuple[str, Page] | None:
    """Returns the page that `_page` asks for, and the name of its snapshot; None for a first one.

    Args:
        context: of the interface.
        pairs: the parameters of the request.
        path: what is searched, relative to the base.
        compartment: the patient to whose data the token is bound.

    Raises:
        Refused: 410, or 403 if the search was begun elsewhere.
    """
    wanted = next((value for name, value in pairs if name == "_page"), None)
    if wanted is None:
        return None
    try:
        name, page = context.snapshots.find(wanted, context.now)
    except CursorExpired:
        raise refused(410, "not-found", "this page has expired; start the search again") from None
    if faulty.opens_pages(context.instance.has):
        compartment = page.snapshot.compartment
    if (page.snapshot.query.resource_type, page.snapshot.compartment) != (path, compartment):
        raise forbidden("this page belongs to a search that another token began")
    return name, page


def _page_url(context: Context, query: Query, name: str, offset: int) -> str:
    pairs = [("_page", cursor(name, offset))]
    return search_url(context.instance.fhir_base, query.resource_type, pairs)


def parameters(text: str) -> list[tuple[str, str]]:
    """Reads names and values from a query string or a form.

    Raises:
        Refused: 400; it is not UTF-8, or there are too many.
    """
    try:
        return parse_qsl(
            text, keep_blank_values=True, max_num_fields=MOST_PARAMETERS, errors="strict"
        )
    except ValueError:
        raise refused(
            400,
            "invalid",
            f"the parameters are not UTF-8, or more than {MOST_PARAMETERS}",
        ) from None


async def _form(request: Request) -> list[tuple[str, str]]:
    came = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    body = await read_bounded(request, MOST_FORM_BYTES)
    if not body:
        return []
    if came != FORM:
        raise refused(415, "not-supported", f"Content-Type is {came!r}; _search takes {FORM}")
    return parameters(body.decode("utf-8", errors="replace"))
