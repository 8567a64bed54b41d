"""Faults of create, update, patch and delete."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, nullcontext
from copy import deepcopy
from dataclasses import replace
from datetime import datetime
from typing import Any, Final

from harness.reference.fhir.outcome import Issue, Refused
from harness.reference.fhir.store import Store
from harness.reference.fhir.stored import Stored

Json = dict[str, Any]
Has = Callable[[str], bool]

LOCAL_UNITS: Final = {
    "mm[Hg]": "mmHg",
    "/min": "bpm",
    "mg/dL": "MGDL",
    "kg": "KG",
    "%": "percent",
    "Cel": "C",
    "cm": "CM",
    "kg/m2": "BMI",
}
_STALE: Final = {
    "PUT": "stale-if-match-accepted",
    "PATCH": "patch-ignores-if-match",
    "DELETE": "delete-ignores-if-match",
}
_NOT_REQUIRED: Final = {
    "invalid-accepted": "Observation.status",
    "code-not-required": "Observation.code",
}
_DATE_AND_TIME: Final = len("2026-03-01T08:00:00")


def issues(has: Has, found: list[Issue]) -> list[Issue]:
    """Alters what is found wrong with the shape of a resource."""
    left_out = {place for fault, place in _NOT_REQUIRED.items() if has(fault)}
    return [one for one in found if one.expression not in left_out]


def refusal(has: Has, store: Store, resource: Json, why: Refused, now: datetime) -> None:
    """Acts on a resource that is about to be refused."""
    malformed = any(issue.code == "structure" for issue in why.issues)
    if has("invalid-stored-anyway") and why.status != 403 and not malformed:  # noqa: PLR2004 - forbidden
        store.create(resource, now)


def content(has: Has, resource: Json) -> Json:
    """Alters what is stored of a resource."""
    if not any(map(has, _CONTENT)):
        return resource
    altered = deepcopy(resource)
    for fault, alter in _CONTENT.items():
        if has(fault):
            alter(altered)
    return altered


def condition(has: Has, given: str | None) -> str | None:
    """Alters what If-None-Exist asks."""
    return None if has("if-none-exist-ignored") else given


def create(has: Has, store: Store, resource: Json, now: datetime, assigned: str | None) -> Stored:
    """Stores a new resource, under the id that a transaction assigned to it, if one did."""
    with _lost(store, has("create-not-stored")):
        return _create(has, store, resource, now, assigned)


def _lost(store: Store, lost: bool) -> AbstractContextManager[None]:  # noqa: FBT001 - the answer to has()
    return store.transaction(keep=False) if lost else nullcontext()


def _create(has: Has, store: Store, resource: Json, now: datetime, assigned: str | None) -> Stored:
    keeps_id = has("create-keeps-client-id") and "id" in resource
    if keeps_id:
        stored = store.put_as_other(resource, now)
    else:
        stored = store.create(resource, now, assigned)
    if has("create-forgets-version"):
        meta = {
            name: value
            for name, value in stored.resource["meta"].items()
            if name not in {"versionId", "lastUpdated"}
        }
        bare = {**stored.resource, "meta": meta} if meta else _without(stored.resource, "meta")
        stored = replace(stored, parsed=bare, raw=None)
        store.overwrite_last(stored)
    return stored


def created(has: Has, status: int, headers: dict[str, str]) -> tuple[int, dict[str, str]]:
    """Alters status and headers of the response to a create."""
    left_out = set()
    if has("create-without-location"):
        left_out.add("Location")
    if has("create-without-etag"):
        left_out.add("ETag")
    kept = {name: value for name, value in headers.items() if name not in left_out}
    return (200 if has("create-answers-200") else status), kept


def update(has: Has, store: Store, resource: Json, current: Stored, now: datetime) -> Stored:
    """Stores the next version of a resource."""
    with _lost(store, has("update-lost")):
        return _update(has, store, resource, current, now)


def _update(has: Has, store: Store, resource: Json, current: Stored, now: datetime) -> Stored:
    stored = store.update(current.id, resource, now)
    version_id, last_updated = stored.version_id, stored.last_updated
    meta = dict(stored.resource["meta"])
    if has("update-keeps-version"):
        version_id = meta["versionId"] = current.version_id
    if has("last-updated-frozen"):
        last_updated = current.last_updated
        meta["lastUpdated"] = current.resource["meta"]["lastUpdated"]
    if meta == stored.resource["meta"]:
        return stored
    altered = replace(
        stored,
        version_id=version_id,
        last_updated=last_updated,
        parsed={**stored.resource, "meta": meta},
        raw=None,
    )
    store.overwrite_last(altered)
    return altered


def updated(has: Has) -> int:
    """Returns the status of the response to an update."""
    return 201 if has("update-answers-201") else 200


def patched(has: Has, resource: Json, current: Stored) -> Json:
    """Alters what a patch makes of a resource."""
    return current.resource if has("patch-not-applied") else resource


def delete(has: Has, store: Store, current: Stored, now: datetime) -> Stored:
    """Stores a deletion."""
    with _lost(store, has("delete-lost")):
        return store.delete(current.resource_type, current.id, now)


def forgets_version(has: Has, method: str) -> bool:
    """Whether a write of this method with the wrong If-Match is taken."""
    return has(_STALE[method])


def _quantities(resource: Json) -> Iterator[Json]:
    for holder in (resource, *resource.get("component", [])):
        if "valueQuantity" in holder:
            yield holder["valueQuantity"]


def _round_values(resource: Json) -> None:
    for quantity in _quantities(resource):
        if "value" in quantity:
            quantity["value"] = round(quantity["value"])


def _change_units(resource: Json) -> None:
    for quantity in _quantities(resource):
        code = quantity.get("code") or quantity.get("unit", "")
        quantity["unit"] = quantity["code"] = LOCAL_UNITS.get(code, f"{code}_LOCAL")


def _drop_component(resource: Json) -> None:
    kept = resource.get("component", [])[:-1]
    if kept:
        resource["component"] = kept
    else:
        resource.pop("component", None)


def _drop_zone(resource: Json) -> None:
    effective = resource.get("effectiveDateTime", "")
    if len(effective) > _DATE_AND_TIME:
        resource["effectiveDateTime"] = f"{effective[:_DATE_AND_TIME]}Z"


def _drop_category(resource: Json) -> None:
    resource.pop("category", None)


def _drop_device(resource: Json) -> None:
    resource.pop("device", None)


def _without(resource: Json, name: str) -> Json:
    return {key: value for key, value in resource.items() if key != name}


_CONTENT: Final[dict[str, Callable[[Json], None]]] = {
    "value-rounded": _round_values,
    "unit-changed": _change_units,
    "component-dropped": _drop_component,
    "effective-shifted-by-zone": _drop_zone,
    "category-dropped": _drop_category,
    "device-dropped": _drop_device,
}
