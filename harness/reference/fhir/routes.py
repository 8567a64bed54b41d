"""The routes of the FHIR interface, relative to its base (FHIR R4, RESTful API)."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from functools import partial
from typing import Final

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from harness.reference.fhir import reads, searches, writes
from harness.reference.fhir.capability import metadata
from harness.reference.fhir.context import Context, Served
from harness.reference.fhir.faulty import answering as faulty
from harness.reference.fhir.formats import refusal, require_json
from harness.reference.fhir.outcome import Refused, refused
from harness.reference.fhir.resources import RESOURCES
from harness.reference.fhir.shelf import TooBroad

Answer = Callable[[Request], Awaitable[Response]]
Handler = Callable[[Context, Request, str], Awaitable[Response]]

METHODS: Final = ("GET", "POST", "PUT", "DELETE", "PATCH")

_INTERACTIONS: Final[Mapping[str, tuple[tuple[str, str, Handler], ...]]] = {
    "read": (("GET", "/{id}", reads.read),),
    "vread": (("GET", "/{id}/_history/{vid}", reads.vread),),
    "history-instance": (("GET", "/{id}/_history", reads.history),),
    "search-type": (("GET", "", searches.search), ("POST", "/_search", searches.search)),
    "create": (("POST", "", writes.create),),
    "update": (("PUT", "/{id}", writes.update),),
    "delete": (("DELETE", "/{id}", writes.delete),),
}
"""FHIR interaction: method, path behind the type, handler."""


def routes(instance: Served) -> list[BaseRoute]:
    """Returns the routes of an instance, relative to its FHIR base.

    A middleware in front has put an `Access` into `request.state.access`, except for `/metadata`.
    """
    context = Context(instance, instance.clock.now())
    paths: dict[str, dict[str, Answer]] = {"/metadata": {"GET": partial(metadata, context)}}
    for resource_type, kind in RESOURCES.items():
        for interaction in kind.interactions:
            for method, path, handler in _INTERACTIONS[interaction]:
                answers = paths.setdefault(f"/{resource_type}{path}", {})
                answers[method] = partial(_call, handler, context, resource_type)
    # `_search` and `_history` must be tried before `{id}` takes them for an id.
    in_order = sorted(paths, key=lambda path: ("{id}" in path, path))
    routed: list[BaseRoute] = [
        Route(path, partial(_dispatch, context, paths[path]), methods=METHODS) for path in in_order
    ]
    return [*routed, Route("/{path:path}", partial(_dispatch, context, {}), methods=METHODS)]


async def _call(
    handler: Handler, context: Context, resource_type: str, request: Request
) -> Response:
    return await handler(context, request, resource_type)


async def _dispatch(context: Context, answers: Mapping[str, Answer], request: Request) -> Response:
    """Answers by method; whatever is refused leaves as an OperationOutcome."""
    try:
        require_json(request)
        return await _answer_to(request, answers)(request)
    except TooBroad:
        text = "there are too many patients to look at each; name one"
        return refusal(request, refused(400, "too-costly", text))
    except Refused as refused_:
        why = faulty.refusal(context.instance.has, refused_)
        return refusal(request, why) if why else faulty.bare_page()


def _answer_to(request: Request, answers: Mapping[str, Answer]) -> Answer:
    if not answers:
        raise refused(404, "not-supported", "nothing is served at this path")
    answer = answers.get("GET" if request.method == "HEAD" else request.method)
    if answer:
        return answer
    allowed = ", ".join(sorted(answers))
    raise refused(
        405,
        "not-supported",
        f"{request.method} is not supported here; {allowed} is",
        headers={"Allow": allowed},
    )
