"""Faults of a gateway on the way in: headers forgotten, bodies repaired, answers of its own."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from typing import Final

from starlette.responses import Response

from harness.reference.fhir.faulty.passing import HIDDEN, Before, Passing
from harness.reference.fhir.formats import FHIR_JSON
from harness.reference.fhir.json import NotJson, dumps, loads
from harness.reference.fhir.outcome import refused
from harness.reference.fhir.patch import NotApplicable, apply, read
from harness.reference.fhir.reach import forbidden

LARGEST: Final = 1024 * 1024
NEVER: Final = 'W/"never"'
OK: Final = 200


def _failure() -> Response:
    return Response("Internal Server Error", 500, media_type="text/plain")


def _any_media_type(passing: Passing) -> None:
    if passing.method == "POST":
        passing.headers["content-type"] = FHIR_JSON


def _last_member_wins(passing: Passing) -> None:
    resource = passing.resource(json.loads)
    if passing.method == "POST" and resource is not None:
        passing.raw = dumps(resource)


def _parse_error(passing: Passing) -> Response | None:
    try:
        loads(passing.raw.decode()) if passing.method == "POST" else None
    except NotJson as problem:
        return None if "twice" in str(problem) else _failure()
    return None


def _too_large(passing: Passing) -> Response | None:
    return _failure() if passing.method == "POST" and len(passing.raw) > LARGEST else None


def _needs_encounter(passing: Passing) -> None:
    resource = passing.resource()
    if passing.method == "POST" and resource is not None and "encounter" not in resource:
        raise refused(422, "business-rule", "no flowsheet without an encounter")


def _strong(passing: Passing) -> bool:
    return passing.headers.get("if-match", "").startswith('"')


def _strong_ignored(passing: Passing) -> None:
    if _strong(passing):
        del passing.headers["if-match"]


def _strong_refused(passing: Passing) -> None:
    if _strong(passing):
        passing.headers["if-match"] = NEVER


def _compared_as_text(passing: Passing) -> None:
    if "if-match" in passing.headers:
        passing.headers["if-match"] = NEVER


def _refused_after_write(passing: Passing) -> None:
    resource = passing.resource()
    if passing.method == "PUT" and passing.stale and resource is not None and passing.found:
        passing.context.store.update(passing.found.id, resource, passing.context.now)


def _blind_dropped(passing: Passing) -> Response | None:
    if passing.method != "PUT" or "if-match" in passing.headers or passing.found is None:
        return None
    return Response(passing.raw, OK, media_type=FHIR_JSON)


def _upserted(passing: Passing) -> Response | None:
    resource = passing.resource()
    if passing.method != "PUT" or passing.found is not None or resource is None:
        return None
    stored = passing.context.store.put_as_other(resource, passing.context.now)
    return Response(stored.body, 201, media_type=FHIR_JSON)


def _half_patched(passing: Passing) -> None:
    """Stores what a patch has changed before one of its operations fails."""
    if passing.method != "PATCH" or passing.found is None or passing.stale:
        return
    changed = passing.found.resource
    for operation in json.loads(passing.raw):
        try:
            changed = apply(read([operation]), changed)
        except NotApplicable as problem:
            passing.context.store.update(passing.found.id, changed, passing.context.now)
            raise refused(422, "processing", f"the patch stops here: {problem}") from None


def _blocked(passing: Passing) -> None:
    if passing.method == "DELETE":
        raise refused(409, "conflict", "the audit trail refers to it")


def _deleted_twice(passing: Passing) -> Response | None:
    gone = passing.found is not None and passing.found.deleted
    return _failure() if passing.method == "DELETE" and gone else None


def _hidden_not_deleted(passing: Passing) -> Response | None:
    if passing.found is None or passing.found.deleted:
        return None
    tags = passing.found.resource["meta"].get("tag", [])
    hidden = any(tag.get("system") == HIDDEN for tag in tags)
    if passing.method == "DELETE" and passing.access.allows(passing.kind, "d"):
        passing.overwrite(passing.found, {"tag": [*tags, {"system": HIDDEN, "code": "yes"}]})
        return Response(status_code=204)
    if hidden and passing.method == "GET" and passing.version is None:
        raise refused(410, "deleted", f"{passing.found.reference} was deleted")
    return None


def _versions_purged(passing: Passing) -> None:
    if passing.version and passing.found is not None and passing.found.deleted:
        raise refused(404, "not-found", "there is no such version")


def _unknown_version(passing: Passing) -> None:
    if passing.version is None or passing.found is None:
        return
    known = passing.context.store.versions(passing.kind, passing.found.id)
    if passing.version not in {one.version_id for one in known}:
        passing.request.path_params["vid"] = passing.found.version_id


def _from_zero(passing: Passing) -> None:
    if passing.version and passing.version.isdecimal():
        passing.request.path_params["vid"] = str(int(passing.version) - 1)


def _constraints_forgotten(passing: Passing) -> None:
    lapses = passing.access.lapses | {"constraint-write"}
    passing.access = replace(passing.access, lapses=lapses)


def _compartment_forgotten(passing: Passing) -> None:
    if passing.method != "POST":
        lapses = passing.access.lapses | {"compartment-write"}
        passing.access = replace(passing.access, lapses=lapses)


def _constraints_refuse(passing: Passing) -> None:
    if passing.method == "POST" and passing.access.constraints(passing.kind, "c") is not None:
        raise forbidden("a scope with a category is not known to the interface engine")


def _signed(passing: Passing) -> None:
    """Marks what is written with its client, and keeps other clients from reading it."""
    resource, mine = passing.resource(), {"system": HIDDEN, "code": passing.access.client_id}
    if passing.method == "POST" and resource is not None:
        meta = resource.get("meta", {})
        marked = {**meta, "security": [*meta.get("security", []), mine]}
        passing.raw = dumps({**resource, "meta": marked})
    if passing.method == "GET" and passing.found is not None and not passing.version:
        marks = passing.found.resource["meta"].get("security", [])
        if any(mark["system"] == HIDDEN and mark != mine for mark in marks):
            raise refused(404, "not-found", "there is no such resource")


BEFORE: Final[Mapping[str, Before]] = {
    "content-type-ignored": _any_media_type,
    "duplicate-member-wins": _last_member_wins,
    "parse-error-answers-500": _parse_error,
    "large-body-answers-500": _too_large,
    "create-needs-encounter": _needs_encounter,
    "strong-etag-ignored": _strong_ignored,
    "strong-etag-refused": _strong_refused,
    "if-match-compared-as-text": _compared_as_text,
    "stale-update-stored-anyway": _refused_after_write,
    "blind-update-dropped": _blind_dropped,
    "update-creates-unknown": _upserted,
    "patch-half-applied": _half_patched,
    "delete-blocked-by-audit": _blocked,
    "delete-again-answers-500": _deleted_twice,
    "delete-only-hides": _hidden_not_deleted,
    "delete-purges-versions": _versions_purged,
    "vread-unknown-gives-newest": _unknown_version,
    "vread-counts-from-zero": _from_zero,
    "granular-scope-ignored-on-write": _constraints_forgotten,
    "compartment-ignored-on-change": _compartment_forgotten,
    "granular-scope-refuses-writes": _constraints_refuse,
    "writes-of-others-hidden": _signed,
}
"""What is done to a request; a response that is returned is the answer."""
