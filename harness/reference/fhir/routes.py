"""The routes of the FHIR interface, relative to its base (FHIR R4, RESTful API)."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from functools import cache, partial
from typing import Final

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from harness.reference.bulk import kickoff
from harness.reference.bulk.files import download, require_ndjson
from harness.reference.bulk.links import FILES, STATUS
from harness.reference.bulk.status import cancel, status
from harness.reference.fhir.bundles import batch_or_transaction
from harness.reference.fhir.capability import metadata, statement
from harness.reference.fhir.context import Context, Served
from harness.reference.fhir.faulty import answering as faulty
from harness.reference.fhir.faulty import gateway
from harness.reference.fhir.formats import refusal, require_json, respond
from harness.reference.fhir.history import of_system
from harness.reference.fhir.interactions import HANDLERS, OPERATIONS, interactions
from harness.reference.fhir.outcome import Refused, refused
from harness.reference.fhir.parameters import PARAMETERS
from harness.reference.fhir.resources import RESOURCES
from harness.reference.fhir.searches import in_compartment
from harness.reference.fhir.shelf import TooBroad
from harness.reference.fhir.table import ROUTE, Table
from harness.reference.push import subscribing

Answer = Callable[[Request], Awaitable[Response]]
Paths = dict[str, dict[str, Answer]]
"""From path to method to what answers it."""

DOWNLOAD: Final = f"/{FILES}/{{job}}/{{file}}"
METHODS: Final = ("GET", "POST", "PUT", "DELETE", "PATCH", "OPTIONS")


def routes(instance: Served) -> list[BaseRoute]:
    """Returns the routes of an instance, relative to its FHIR base.

    A middleware in front has put an `Access` into `request.state.access`, except for `/metadata`.
    """
    context = Context(instance, instance.clock.now())
    tables: list[BaseRoute] = []
    common: Paths = {
        "/": {"POST": partial(batch_or_transaction, context, partial(_dispatch_inner, tables))},
        "/metadata": {"GET": partial(metadata, context, cache(partial(statement, context)))},
        "/_history": {"GET": partial(of_system, context)},
        "/$export": dict.fromkeys(("GET", "POST"), partial(kickoff.of_system, context)),
        f"/{STATUS}/{{job}}": {
            "GET": partial(status, context),
            "DELETE": partial(cancel, context),
        },
        DOWNLOAD: {"GET": partial(download, context)},
        "/Subscription": {"POST": partial(subscribing.create, context)},
        "/Subscription/{id}": {
            "GET": partial(subscribing.read, context),
            "PUT": partial(subscribing.update, context),
            "DELETE": partial(subscribing.delete, context),
        },
    }
    instance.store.watch(partial(instance.push.committed, instance))

    def below(first: str) -> list[Route]:
        """Returns the routes whose paths begin with a part; see `Table`."""
        known = _typed(context, first) if first in RESOURCES else common
        paths = [path for path in known if path.split("/")[1] == first]
        # `_search`, `_history` and operations must be tried before `{id}` takes them for an id.
        in_order = sorted(paths, key=lambda path: ("{id}" in path, path))
        return [_route(context, path, known[path]) for path in in_order]

    tables.append(Table(below, _route(context, "/{path:path}", {})))
    return tables


def _route(context: Context, path: str, answers: Mapping[str, Answer]) -> Route:
    require_format = require_ndjson if path == DOWNLOAD else require_json
    return Route(path, partial(_dispatch, context, answers, require_format), methods=METHODS)


def _typed(context: Context, resource_type: str) -> Paths:
    paths: Paths = {}
    for interaction in interactions(resource_type):
        for method, path, handler in HANDLERS[interaction]:
            answers = paths.setdefault(f"/{resource_type}{path}", {})
            answers[method] = partial(_call, handler, context, resource_type)
    for operation in OPERATIONS:
        if operation.resource_type == resource_type:
            answer = partial(_call, operation.handler, context, resource_type)
            answers = dict.fromkeys(operation.methods, answer)
            paths |= {f"/{resource_type}{path}": answers for path in operation.paths}
    if resource_type == "Patient":
        for kind, known in PARAMETERS.items():
            if "patient" in known:
                answer = partial(_call, in_compartment, context, kind)
                paths[f"/Patient/{{id}}/{kind}"] = {"GET": answer}
    return paths


async def _call(
    handler: Callable[[Context, Request, str], Awaitable[Response]],
    context: Context,
    resource_type: str,
    request: Request,
) -> Response:
    return await gateway.through(handler, context, request, resource_type)


async def _dispatch_inner(tables: list[BaseRoute], request: Request) -> Response:
    """Answers an entry of a batch or transaction by the route that would answer it alone."""
    (table,) = tables
    _, found = table.matches(request.scope)
    if found[ROUTE].path == "/":
        return refusal(request, refused(404, "not-supported", "a batch holds no batch"))
    request.scope.update(found)
    answer: Answer = found["endpoint"]
    return await answer(request)


async def _dispatch(
    context: Context,
    answers: Mapping[str, Answer],
    require_format: Callable[[Request], None],
    request: Request,
) -> Response:
    """Answers by method; whatever is refused leaves as an OperationOutcome."""
    try:
        require_format(request)
        method = "GET" if request.method == "HEAD" else request.method
        served = faulty.unrouted(context.instance.has, method, answers)
        if method == "OPTIONS" and served:
            return respond(request, None, 204, {"Allow": _allowed(served)})
        return await _answer_to(method, served)(request)
    except TooBroad:
        text = "there are too many patients to look at each; name one"
        return refusal(request, refused(400, "too-costly", text))
    except Refused as refused_:
        why = faulty.refusal(context.instance.has, refused_)
        return refusal(request, why) if why else faulty.bare_page()


def _answer_to(method: str, answers: Mapping[str, Answer]) -> Answer:
    if not answers:
        raise refused(404, "not-supported", "nothing is served at this path")
    answer = answers.get(method)
    if answer:
        return answer
    allowed = _allowed(answers)
    raise refused(
        405,
        "not-supported",
        f"{method} is not supported here; {allowed} is",
        headers={"Allow": allowed},
    )


def _allowed(answers: Mapping[str, Answer]) -> str:
    implied = {"OPTIONS", *({"HEAD"} if "GET" in answers else ())}
    return ", ".join(sorted({*answers, *implied}))
