"""Handler: batch and transaction at the base (FHIR R4, http://hl7.org/fhir/R4/http.html#transaction).

Each entry is answered by the very route that would answer it alone, with the token of the whole.
"""

from __future__ import annotations

import base64
import binascii
import uuid
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace
from email.utils import parsedate_to_datetime
from http import HTTPStatus
from typing import Any, Final
from urllib.parse import unquote

import orjson
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Message

from harness.reference.data.instants import instant
from harness.reference.fhir.body import read_bundle
from harness.reference.fhir.conditions import matched
from harness.reference.fhir.context import Context, access_of
from harness.reference.fhir.entries import Entry, duplicates, read
from harness.reference.fhir.faulty import bundling as faulty
from harness.reference.fhir.formats import FHIR_JSON, JSON_PATCH, respond
from harness.reference.fhir.json import dumps
from harness.reference.fhir.outcome import Issue, Refused, operation_outcome, refused
from harness.reference.fhir.references import rewritten, searches
from harness.reference.fhir.writes import ASSIGNED

Json = dict[str, Any]
Dispatch = Callable[[Request], Awaitable[Response]]
"""Answers one request by its route; never raises `Refused`."""

_RESPONSE_HEADERS: Final = {"location": "location", "etag": "etag"}
_REFUSED_FROM: Final = 400


async def batch_or_transaction(context: Context, dispatch: Dispatch, request: Request) -> Response:
    """Answers `POST [base]`."""
    bundle = await read_bundle(request)
    kind = bundle.get("type")
    if kind not in {"batch", "transaction"}:
        text = f"type is {kind!r:.40}, batch or transaction expected"
        raise refused(400, "code-invalid", text, expression="Bundle.type")
    entries = read(bundle, context.instance.fhir_base)
    if kind == "batch":
        answers = await _batch(context, dispatch, request, entries)
    else:
        answers = await _transaction(context, dispatch, request, _whole(entries))
    answer: Json = {
        "resourceType": "Bundle",
        "id": str(uuid.uuid4()),
        "type": f"{faulty.kind(context.instance.has, kind)}-response",
        "entry": faulty.answers(context.instance.has, answers),
    }
    if not answers:
        del answer["entry"]
    return respond(request, answer)


def _whole(entries: Sequence[Entry | Issue]) -> tuple[Entry, ...]:
    """Returns the entries of a transaction, of which none may be unreadable."""
    issues = [one for one in entries if isinstance(one, Issue)]
    readable = tuple(one for one in entries if isinstance(one, Entry))
    issues = issues or duplicates(readable)
    if issues:
        raise Refused(400, tuple(issues))
    return readable


async def _batch(
    context: Context, dispatch: Dispatch, request: Request, entries: Sequence[Entry | Issue]
) -> list[Json]:
    """Does each entry for itself, in their order."""
    answers = []
    for one in entries:
        if isinstance(one, Issue):
            answers.append(_refusal(one))
        else:
            answers.append(_answer(await dispatch(_request(context, request, one, None))))
    failed = [one for one in answers if int(one["response"]["status"][:3]) >= _REFUSED_FROM]
    if failed and context.instance.has("batch-fails-as-a-whole"):
        raise refused(400, "processing", f"{len(failed)} entries of the batch cannot be done")
    return answers


async def _transaction(
    context: Context, dispatch: Dispatch, request: Request, entries: tuple[Entry, ...]
) -> list[Json]:
    """Does all entries in the order of their methods, or none.

    Raises:
        Refused: one of them cannot be done.
    """
    answers: dict[int, Json] = {}
    undo = faulty.undoes(context.instance.has)
    with context.store.transaction() if undo else faulty.no_transaction():
        assigned, places = _places(context, request, entries)
        ordered = sorted(entries, key=lambda one: one.order)
        for one in faulty.order(context.instance.has, ordered, entries):
            pointed = _pointed(context, request, one, places)
            inner = _request(context, request, pointed, assigned.get(one.index))
            response = await dispatch(inner)
            failed = response.status_code >= _REFUSED_FROM
            if failed and not faulty.tolerates(context.instance.has):
                raise _failed(one, response)
            answers[one.index] = _answer(response)
    return [answers[one.index] for one in entries]


def _places(
    context: Context, request: Request, entries: tuple[Entry, ...]
) -> tuple[dict[int, str], dict[str, str]]:
    """Returns the ids of what will be created by index of the entry, and all places by fullUrl."""
    assigned: dict[int, str] = {}
    places: dict[str, str] = {}
    for one in entries:
        place = one.place if one.method in {"PUT", "PATCH"} else None
        criteria = one.conditions.get("if-none-exist") if one.method == "POST" else None
        if one.method == "PUT" and one.query:
            criteria = one.query
        if criteria:
            place = _matched(context, request, one, criteria)
        if place is None and one.method in {"POST", "PUT"} and "/" not in one.path:
            assigned[one.index] = str(uuid.uuid4())
            place = f"{one.path}/{assigned[one.index]}"
        if one.full_url and place:
            places[one.full_url] = place
    return assigned, faulty.places(context.instance.has, places)


def _matched(context: Context, request: Request, entry: Entry, criteria: str) -> str | None:
    try:
        found = matched(context, request, entry.path, criteria.lstrip("?"), "the condition")
    except Refused as why:
        raise _located(why, entry) from None
    except KeyError:
        return None  # an unknown type; its route refuses it
    return found[0].reference if found else None


def _pointed(context: Context, request: Request, entry: Entry, places: dict[str, str]) -> Entry:
    """Returns an entry that refers to places, not to other entries or to searches."""
    if entry.resource is None or entry.method == "PATCH":
        return entry
    found = dict(places)
    for search in searches(entry.resource):
        kind, _, criteria = search.partition("?")
        place = _matched(context, request, replace(entry, path=kind), criteria)
        if place is None:
            text = f"the reference {search!r:.100} finds nothing"
            raise refused(412, "not-found", text, expression=f"{entry.expression}.resource")
        found[search] = place
    return replace(entry, resource=rewritten(entry.resource, found))


def _request(context: Context, outer: Request, entry: Entry, assigned: str | None) -> Request:
    """Returns the request that an entry stands for."""
    body, content_type = _body(entry)
    access = faulty.access(context.instance.has, access_of(outer))
    headers = {
        b"accept": FHIR_JSON.encode(),
        b"content-type": content_type.encode(),
        b"prefer": outer.headers.get("prefer", "return=minimal").encode("latin-1", "replace"),
        **{
            name.encode(): value.encode("latin-1", "replace")
            for name, value in entry.conditions.items()
        },
    }
    scope = {
        **{name: value for name, value in outer.scope.items() if name not in _OWN},
        "method": entry.method,
        "path": f"/{unquote(entry.path)}",
        "raw_path": f"/{entry.path}".encode(),
        "root_path": "",
        "query_string": entry.query.encode("utf-8", "replace"),
        "headers": list(headers.items()),
        "state": {"access": access, ASSIGNED: assigned},
    }

    async def receive() -> Message:
        return {"type": "http.request", "body": body, "more_body": False}

    return Request(scope, receive)


_OWN: Final = {"path_params", "endpoint", "route", "router"}
"""Members of a scope that belong to the request of the whole."""


def _body(entry: Entry) -> tuple[bytes, str]:
    if entry.resource is None:
        return b"", FHIR_JSON
    if entry.method != "PATCH":
        return dumps(entry.resource), FHIR_JSON
    # A JSON Patch comes as a Binary (http://hl7.org/fhir/R4/http.html#patch).
    if entry.resource.get("resourceType") == "Binary":
        try:
            content = base64.b64decode(str(entry.resource.get("data", "")), validate=True)
        except binascii.Error:
            content = b""
        return content, str(entry.resource.get("contentType", JSON_PATCH))
    return dumps(entry.resource), FHIR_JSON


def _answer(response: Response) -> Json:
    """Returns the entry that tells what became of one."""
    told: Json = {"status": _status(response.status_code)}
    told |= {
        member: response.headers[name]
        for name, member in _RESPONSE_HEADERS.items()
        if name in response.headers
    }
    modified = response.headers.get("last-modified")
    if modified:
        told["lastModified"] = instant(parsedate_to_datetime(modified))
    answer: Json = {"response": told}
    body = bytes(response.body)
    if body.startswith(b'{"resourceType":"OperationOutcome"'):
        told["outcome"] = orjson.Fragment(body)
    elif body:
        answer["resource"] = orjson.Fragment(body)
    return answer


def _refusal(issue: Issue) -> Json:
    return {"response": {"status": _status(400), "outcome": operation_outcome([issue])}}


def _status(code: int) -> str:
    return f"{code} {HTTPStatus(code).phrase}"


def _failed(entry: Entry, response: Response) -> Refused:
    """Returns the refusal of a transaction because of one entry."""
    body = bytes(response.body)
    outcome = orjson.loads(body) if body.startswith(b"{") else {}
    issues = tuple(
        Issue(one["code"], one["diagnostics"], next(iter(one.get("expression", [])), None))
        for one in outcome.get("issue", [])
    )
    status = response.status_code
    why = issues or (Issue("processing", f"the entry is answered with {status}"),)
    return _located(Refused(status, why), entry)


def _located(why: Refused, entry: Entry) -> Refused:
    """Returns a refusal whose issues say in which entry they lie."""
    where = f"{entry.expression}.resource"
    paths = [(one.expression or "").partition(".")[2] for one in why.issues]
    issues = tuple(
        replace(one, expression=f"{where}.{path}" if path else where)
        for one, path in zip(why.issues, paths, strict=True)
    )
    return Refused(why.status, issues, why.headers)
