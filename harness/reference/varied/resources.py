"""Variants of resources and of their versions: what a server adds, and how it counts."""

from __future__ import annotations

import re
import uuid
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone
from typing import TYPE_CHECKING, Any

from harness.reference.varied.exchange import FHIR, METADATA, Answer, Asked, Json, entries

if TYPE_CHECKING:
    from harness.reference.instance import Instance

_OFFSET = timezone(timedelta(hours=-5))
_UUID = "{:08x}-7c1e-4b5d-9f3a-0e6d2c4b8a90"
_VERSION = re.compile(r"([0-9a-f]{8})-7c1e-4b5d-9f3a-0e6d2c4b8a90")
_HISTORY = re.compile(r"/_history/[^/]+$")
_NARRATIVE = '<div xmlns="http://www.w3.org/1999/xhtml"><p>A measurement at home</p></div>'
_LOCAL = {"system": "https://ehr.example.org/flowsheet", "code": "R-301", "display": "Flowsheet"}
_ROW = {"system": "https://ehr.example.org/rows", "value": "row-1"}


def new_id(has: Callable[[str], bool]) -> str | None:
    """The id of a new resource; None leaves it to the store."""
    if not has("ids-of-64-characters"):
        return None
    return f"{uuid.uuid4().hex}.A-1.{uuid.uuid4().hex[:27]}"


def request(instance: Instance, asked: Asked) -> Asked:
    """Turns the versions of the outside into those of the inside."""
    if not asked.path.startswith(f"{FHIR}/"):
        return asked
    if instance.has("versions-as-uuids"):
        asked = replace(asked, path=_VERSION.sub(_number, asked.path))
        for name in ("if-match", "if-none-match"):
            if value := asked.header(name):
                asked = asked.with_header(name, _VERSION.sub(_number, value))
    if asked.method == "PUT" and instance.has("versions-not-kept"):
        asked = asked.with_header("if-match", None)
    return asked


def answer(instance: Instance, asked: Asked, given: Answer) -> Answer:
    """Alters the resources of an answer, and the headers that tell of their versions."""
    # A next link may be the base itself, with a parameter.
    if asked.path != FHIR and not asked.path.startswith(f"{FHIR}/"):
        return given
    given = _headers(instance, asked, given)
    value = given.json()
    if value is None:
        return given
    if asked.path == METADATA:
        return given.with_json(_statement(instance, value))
    for entry in entries(value):
        _entry(instance, entry)
    for resource in _resources(value):
        _meta(instance, resource)
        if resource.get("resourceType") == "Observation":
            _observation(instance, resource)
    return given.with_json(value)


def _number(match: re.Match[str]) -> str:
    return str(int(match[1], 16))


def _headers(instance: Instance, asked: Asked, given: Answer) -> Answer:
    tag, location = given.header("etag"), given.header("location")
    if instance.has("versions-not-kept"):
        if asked.instance_level and "/_history" in asked.path:
            return Answer.outcome(404, "not-supported", "no versions are kept")
        given = given.with_header("etag", None)
        return given.with_header("location", _HISTORY.sub("", location)) if location else given
    if instance.has("versions-as-uuids"):
        if tag:
            given = given.with_header("etag", re.sub(r"\d+", _uuid_of, tag))
        if location:
            given = given.with_header(
                "location", re.sub(r"(?<=/_history/)\d+$", _uuid_of, location)
            )
    return given


def _entry(instance: Instance, entry: Json) -> None:
    """What an entry of a history, or of the answer to a batch, says of versions."""
    response, request = entry.get("response"), entry.get("request")
    if not isinstance(response, dict):
        return
    if isinstance(request, dict) and instance.has("history-urls-with-versions"):
        place = str(entry.get("fullUrl")).split("/")[-2:]
        version = str(response.get("etag")).removeprefix("W/").strip('"')
        request["url"] = "/".join((*place, "_history", version))
    if instance.has("versions-not-kept"):
        response.pop("etag", None)
        if "location" in response:
            response["location"] = _HISTORY.sub("", response["location"])
    elif instance.has("versions-as-uuids"):
        for name, numbers in (("etag", r"\d+"), ("location", r"(?<=/_history/)\d+$")):
            if name in response:
                response[name] = re.sub(numbers, _uuid_of, response[name])


def _uuid_of(match: re.Match[str]) -> str:
    return _UUID.format(int(match[0]))


def _resources(value: Json) -> Iterator[Json]:
    if value.get("resourceType") != "Bundle":
        yield value
        return
    for each in entries(value):
        if isinstance(each.get("resource"), dict):
            yield each["resource"]


def _meta(instance: Instance, resource: Json) -> None:
    meta = resource.get("meta")
    if not isinstance(meta, dict):
        return
    version, updated = meta.get("versionId"), meta.get("lastUpdated")
    if version and instance.has("versions-as-uuids"):
        meta["versionId"] = _UUID.format(int(version))
    if version and instance.has("versions-not-kept"):
        del meta["versionId"]
    if updated and instance.has("instants-with-offset-and-microseconds"):
        moment = datetime.fromisoformat(updated).astimezone(_OFFSET)
        meta["lastUpdated"] = moment.isoformat(timespec="microseconds")
    if updated and instance.has("instants-of-whole-seconds"):
        moment = datetime.fromisoformat(updated).astimezone(UTC)
        meta["lastUpdated"] = f"{moment:%Y-%m-%dT%H:%M:%S}+00:00"


def _observation(instance: Instance, resource: Json) -> None:
    if instance.has("observations-annotated"):
        _annotate(resource)
    effective = resource.get("effectiveDateTime")
    if effective and "T" in effective and instance.has("effective-times-in-utc"):
        moment = datetime.fromisoformat(effective).astimezone(UTC)
        resource["effectiveDateTime"] = moment.isoformat().replace("+00:00", "Z")
    reference = resource.get("subject", {}).get("reference", "")
    if reference.startswith("Patient/") and instance.has("references-absolute"):
        resource["subject"]["reference"] = f"{instance.fhir_base}/{reference}"


def _annotate(resource: Json) -> None:
    """What a record adds for itself and for its readers."""
    meta: Json = resource.setdefault("meta", {})
    tag = {"system": "https://ehr.example.org/tags", "code": "patient-entered"}
    meta["tag"] = [*meta.get("tag", []), tag]
    meta["source"] = "https://ehr.example.org/flowsheet"
    resource.setdefault("text", {"status": "generated", "div": _NARRATIVE})
    resource["identifier"] = _once([*resource.get("identifier", []), _ROW])
    code: dict[str, Any] = resource["code"]
    code["coding"] = _once([*code.get("coding", []), _LOCAL])
    code.setdefault("text", "Flowsheet")
    resource.setdefault("issued", "2026-01-01T00:00:00.000Z")
    resource.get("subject", {}).setdefault("display", "A. Patient")
    for category in resource.get("category", []):
        category.setdefault("text", "Vitals")


def _once(items: list[Json]) -> list[Json]:
    return [each for number, each in enumerate(items) if each not in items[:number]]


def _statement(instance: Instance, value: Json) -> Json:
    if instance.has("versions-not-kept"):
        for rest in value["rest"]:
            for resource in rest.get("resource", []):
                resource |= {"versioning": "no-version", "readHistory": False}
                kept = [e for e in resource.get("interaction", []) if e["code"] not in _HISTORIES]
                resource["interaction"] = kept
    return value


_HISTORIES = ("vread", "history-instance", "history-type")
