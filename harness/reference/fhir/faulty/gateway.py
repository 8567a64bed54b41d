"""A gateway between the routes and the handlers, which alters what passes through it.

What gateways and front ends of real EHRs do: they repair what they should refuse, forget headers,
answer by themselves. Each fault is one function in one table; without faults nothing is touched.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import Final

import anyio
from starlette.requests import Request
from starlette.responses import Response

from harness.reference.fhir.context import Context, access_of
from harness.reference.fhir.faulty.passing import Passing
from harness.reference.fhir.faulty.repairing import REPAIRS, Arrived
from harness.reference.fhir.faulty.requests import BEFORE
from harness.reference.fhir.faulty.responses import AFTER
from harness.reference.fhir.json import dumps
from harness.reference.fhir.outcome import Issue, Refused

Handler = Callable[[Context, Request, str], Awaitable[Response]]

RACE_SECONDS: Final = 0.3

NAMES: Final = (
    *BEFORE,
    *(name for name in AFTER if name not in BEFORE),
    *REPAIRS,
    "if-match-compared-early",
    "refusal-without-outcome",
    "refusal-without-element",
)


async def through(
    handler: Handler, context: Context, request: Request, resource_type: str
) -> Response:
    """Hands a request to its handler, altered by the faults that the instance has."""
    has = context.instance.has
    faults = [name for name in NAMES if has(name)]
    if not faults:
        return await handler(context, request, resource_type)
    headers = dict(request.headers.items())
    raw = await request.body()
    passing = Passing(context, resource_type, request, headers, raw, access_of(request))
    for name in faults:
        answer = BEFORE[name](passing) if name in BEFORE else None
        if answer is not None:
            return answer
        _repair(name, passing)
    if "if-match-compared-early" in faults:
        await _compared_early(passing)
    try:
        response = await handler(context, passing.sent_on(), resource_type)
    except Refused as why:
        return _refused(faults, passing, why)
    for name in faults:
        response = AFTER[name](passing, response) if name in AFTER else response
    return response


def _repair(name: str, passing: Passing) -> None:
    """Alters the resource in the body."""
    resource = passing.resource()
    if name not in REPAIRS or passing.method not in {"POST", "PUT"} or resource is None:
        return
    patient = passing.access.compartment_patient(passing.kind, "c")
    store, now = passing.context.store, passing.context.now
    arrived = Arrived(passing.kind, store, now, patient, passing.found)
    passing.raw = dumps(REPAIRS[name](arrived, resource))


def _refused(faults: list[str], passing: Passing, why: Refused) -> Response:
    if passing.method in {"POST", "PUT"}:
        if "refusal-without-outcome" in faults:
            return Response(f"<h1>Error {why.status}</h1>", why.status, media_type="text/html")
        if "refusal-without-element" in faults:
            vague = tuple(Issue(one.code, "the resource is not valid") for one in why.issues)
            raise replace(why, issues=vague)
    raise why


async def _compared_early(passing: Passing) -> None:
    if passing.method == "PUT" and not passing.stale:
        passing.headers.pop("if-match", None)
        await anyio.sleep(RACE_SECONDS)
