"""Faults of a gateway on the way out: headers cut off, Bundles filtered, times in another zone."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from datetime import timedelta
from typing import Any, Final
from urllib.parse import urlsplit

from starlette.responses import Response

from harness.reference.data.instants import instant
from harness.reference.fhir.dates import interval
from harness.reference.fhir.faulty.passing import HIDDEN, After, Passing
from harness.reference.fhir.formats import FHIR_JSON
from harness.reference.fhir.json import dumps

Json = dict[str, Any]

RECENT: Final = timedelta(hours=1)
LOCAL_OFFSET: Final = timedelta(hours=5)
UNMERGED: Final = 20
NODES_APART: Final = timedelta(seconds=2)


def _client_meta_kept(passing: Passing, response: Response) -> Response:
    stored, resource = passing.just_stored(response), passing.resource() or {}
    meta = resource.get("meta", {})
    kept = {name: meta[name] for name in ("versionId", "lastUpdated") if name in meta}
    if stored is not None and passing.method == "POST" and kept:
        passing.overwrite(stored, kept)
    return response


def _local_time(passing: Passing, response: Response) -> Response:
    stored = passing.just_stored(response)
    if stored is not None:
        local = (stored.last_updated - LOCAL_OFFSET).isoformat(timespec="milliseconds")
        passing.overwrite(stored, {"lastUpdated": local.replace("+00:00", "Z")})
    return response


def _bare_location(passing: Passing, response: Response) -> Response:
    del passing
    if "location" in response.headers:
        response.headers["location"] = response.headers["location"].partition("/_history")[0]
    return response


def _unmounted_location(passing: Passing, response: Response) -> Response:
    del passing
    if "location" in response.headers:
        parts = urlsplit(response.headers["location"])
        below = parts.path.index("/Observation/") if "/Observation/" in parts.path else 0
        response.headers["location"] = f"{parts.scheme}://{parts.netloc}{parts.path[below:]}"
    return response


def _no_etag(passing: Passing, response: Response) -> Response:
    if passing.method == "GET" and "etag" in response.headers:
        del response.headers["etag"]
    return response


def _bundle(response: Response, kind: str, alter: Callable[[Json], Json]) -> Response:
    """Alters the Bundle that a response brings, where it is of a kind."""
    if not bytes(response.body).startswith(b"{"):
        return response
    body = json.loads(bytes(response.body))
    if body.get("resourceType") != "Bundle" or body.get("type") != kind:
        return response
    return Response(dumps(alter(body)), response.status_code, media_type=FHIR_JSON)


def _of_history(alter: Callable[[list[Json]], list[Json]]) -> After:
    def altered(passing: Passing, response: Response) -> Response:
        del passing
        return _bundle(
            response, "history", lambda body: {**body, "entry": alter(body.get("entry", []))}
        )

    return altered


def _without_requests(entries: list[Json]) -> list[Json]:
    return [{name: one[name] for name in one if name != "request"} for one in entries]


def _without_deletions(entries: list[Json]) -> list[Json]:
    return [one for one in entries if one["request"]["method"] != "DELETE"]


def _shown(passing: Passing, response: Response, shows: Callable[[Json], bool]) -> Response:
    def alter(body: Json) -> Json:
        kept = [one for one in body.get("entry", []) if shows(one["resource"])]
        left = len(body.get("entry", [])) - len(kept)
        fewer = {**body, "total": body.get("total", left) - left}
        return {**fewer, "entry": kept} if kept else {k: fewer[k] for k in fewer if k != "entry"}

    return _bundle(response, "searchset", alter) if passing.method == "GET" else response


def _empty_entry(passing: Passing, response: Response) -> Response:
    del passing
    return _bundle(response, "searchset", lambda body: {"entry": [], **body})


def _updated_forgotten(passing: Passing, response: Response) -> Response:
    since = (passing.context.now - RECENT).isoformat(timespec="milliseconds")
    return _shown(
        passing,
        response,
        lambda one: one["meta"]["versionId"] == "1" or one["meta"]["lastUpdated"] < since,
    )


def _bounded(passing: Passing, response: Response) -> Response:
    """Lets a search find no more of the recent changes than the newest ones."""
    since = passing.context.now - RECENT
    recent = [one for one in passing.context.store.all(passing.kind) if one.last_updated > since]
    recent.sort(key=lambda one: one.last_updated)
    lost = {one.id for one in recent[:-UNMERGED]}
    return _shown(passing, response, lambda one: one["id"] not in lost)


def _others_unfound(passing: Passing, response: Response) -> Response:
    mine = {"system": HIDDEN, "code": passing.access.client_id}

    def shows(resource: Json) -> bool:
        marks = resource["meta"].get("security", [])
        return all(mark["system"] != HIDDEN or mark == mine for mark in marks)

    return _shown(passing, response, shows)


def _changed_as_created(passing: Passing, response: Response) -> Response:
    """Lets a search by _lastUpdated look at the time of each resource's first version."""
    asked = passing.request.query_params.get("_lastUpdated", "")
    if not asked.startswith(("gt", "ge")):
        return response
    since = interval(asked[2:]).start

    def shows(resource: Json) -> bool:
        first = passing.context.store.version(passing.kind, resource["id"], "1")
        return first.last_updated > since

    return _shown(passing, response, shows)


def _withdrawn_unfound(passing: Passing, response: Response) -> Response:
    if "_lastUpdated" not in passing.request.query_params:
        return response
    return _shown(passing, response, lambda one: one.get("status") != "entered-in-error")


def _clocks_differ(passing: Passing, response: Response) -> Response:
    """Lets every second version be stamped by a node whose clock is behind."""
    stored = passing.just_stored(response)
    if stored is not None and int(stored.version_id) % 2 == 0:
        passing.overwrite(stored, {"lastUpdated": instant(stored.last_updated - NODES_APART)})
    return response


AFTER: Final[Mapping[str, After]] = {
    "create-keeps-client-meta": _client_meta_kept,
    "last-updated-in-local-time": _local_time,
    "location-without-version": _bare_location,
    "location-outside-the-base": _unmounted_location,
    "read-without-etag": _no_etag,
    "history-without-request": _of_history(_without_requests),
    "history-oldest-first": _of_history(lambda entries: entries[::-1]),
    "history-omits-deletions": _of_history(_without_deletions),
    "search-empty-entry": _empty_entry,
    "search-forgets-updated": _updated_forgotten,
    "search-index-bounded": _bounded,
    "writes-of-others-hidden": _others_unfound,
    "last-updated-index-of-creates": _changed_as_created,
    "last-updated-hides-withdrawn": _withdrawn_unfound,
    "node-clocks-differ": _clocks_differ,
}
"""What is done to a response."""
