"""Variants of search: how its result is cut into pages, linked, and annotated."""

from __future__ import annotations

import base64
import binascii
from dataclasses import replace
from typing import TYPE_CHECKING
from urllib.parse import parse_qsl, urlencode, urlsplit

from harness.reference.varied.exchange import (
    FHIR,
    METADATA,
    Answer,
    Asked,
    Json,
    Pairs,
    entries,
    is_bundle,
)

if TYPE_CHECKING:
    from harness.reference.instance import Instance

_HOLLOW = "_hollow"
_STATE = "_getpages"
_MOST = 10
_OK, _BAD_REQUEST, _FORBIDDEN = 200, 400, 403
_WARNING = {
    "resourceType": "OperationOutcome",
    "issue": [
        {
            "severity": "warning",
            "code": "suppressed",
            "details": {"coding": [{"system": "urn:oid:1.2.840.114350", "code": "4119"}]},
            "diagnostics": "This response includes information available to the user; it may "
            "not contain the entire record.",
        }
    ],
}


def request(instance: Instance, asked: Asked) -> Asked:
    """Leads a link of an earlier answer back to its page, and drops what is not supported."""
    if asked.path in (FHIR, f"{FHIR}/") and (state := asked.parameter(_STATE)):
        asked = _continued(asked, state)
    if not asked.searches:
        return asked
    asked = asked.without(_HOLLOW)
    if instance.has("last-updated-not-supported"):
        asked = asked.without("_lastUpdated")
    count = asked.parameter("_count")
    if asked.parameter("_page") is None and instance.has("pages-of-ten"):
        most = min(int(count), _MOST) if count and count.isdecimal() else _MOST
        asked = asked.without("_count")
        asked = replace(asked, query=(*asked.query, ("_count", str(most))))
    if instance.has("unknown-parameters-refused"):
        asked = asked.with_header("prefer", "handling=strict")
    return asked


def answer(instance: Instance, asked: Asked, given: Answer) -> Answer:
    """Alters the result of a search, and what the CapabilityStatement says of searching."""
    if not asked.searches and not asked.parameter(_STATE):
        return _beside(instance, asked, given)
    if given.status == _FORBIDDEN and instance.has("search-beyond-access-finds-nothing"):
        return Answer.resource(_OK, _nothing(instance, asked))
    if given.status != _OK or not is_bundle(value := given.json()) or value is None:
        return given
    if _too_broad(asked) and instance.has("observation-search-needs-category-or-code"):
        return Answer.outcome(_BAD_REQUEST, "required", "category or code is required")
    return given.with_json(_result(instance, asked, value))


def _beside(instance: Instance, asked: Asked, given: Answer) -> Answer:
    """What is no search, and tells of searches or has some in it."""
    value = given.json()
    if value is not None and asked.path == METADATA:
        return given.with_json(_statement(instance, value))
    if value is not None and asked.path in (FHIR, f"{FHIR}/") and asked.method == "POST":
        return given.with_json(_first_pages(instance, value))
    return given


def _continued(asked: Asked, state: str) -> Asked:
    try:
        target = base64.urlsafe_b64decode(state.encode()).decode()
    except (binascii.Error, UnicodeDecodeError):
        target = "/r4/nowhere"
    parts = urlsplit(target)
    query: Pairs = tuple(parse_qsl(parts.query, keep_blank_values=True))
    return replace(asked, path=parts.path, query=query)


def _too_broad(asked: Asked) -> bool:
    names = {name.partition(":")[0] for name, _ in asked.query}
    listed = asked.method == "GET" and asked.resource_type == "Observation"
    return listed and not names & {"category", "code", "_id", "_page"}


def _nothing(instance: Instance, asked: Asked) -> Json:
    url = f"{instance.fhir_base}/{asked.resource_type}?{urlencode(asked.query)}"
    link = [{"relation": "self", "url": url}]
    return {"resourceType": "Bundle", "type": "searchset", "total": 0, "link": link}


def _result(instance: Instance, asked: Asked, bundle: Json) -> Json:
    links = {each["relation"]: each["url"] for each in bundle.get("link", [])}
    following = links.get("next")
    if following and asked.parameter(_HOLLOW) is None and instance.has("empty-pages-in-between"):
        links["next"] = f"{following}&{_HOLLOW}=1"
    if asked.parameter(_HOLLOW):
        # This page was asked for once already: it is to come behind one without entries.
        again = urlencode(asked.without(_HOLLOW).query)
        links["next"] = f"{instance.fhir_base}/{asked.resource_type}?{again}"
        bundle = {name: each for name, each in bundle.items() if name != "entry"}
    if "self" in links and instance.has("self-link-in-other-words"):
        links["self"] = _reordered(links["self"])
    if "next" in links:
        links["next"] = _next(instance, links["next"])
    link = [{"relation": relation, "url": url} for relation, url in links.items()]
    if instance.has("links-besides-next"):
        link = [{"relation": "first", "url": links.get("self", instance.fhir_base)}, *link]
    bundle = {**bundle, "link": link}
    if instance.has("bundle-without-total"):
        bundle.pop("total", None)
    if bundle.get("entry") and instance.has("outcome-in-each-result"):
        mode = {"search": {"mode": "outcome"}}
        bundle["entry"] = [*bundle["entry"], {"resource": _WARNING, **mode}]
    return bundle


def _first_pages(instance: Instance, bundle: Json) -> Json:
    """Leaves one match of each search in a batch or transaction, and says where it goes on."""
    if not instance.has("searches-of-a-bundle-in-pages"):
        return bundle
    link = [{"relation": "next", "url": f"{instance.fhir_base}?{_STATE}=next"}]
    for each in entries(bundle):
        found: Json = each.get("resource") or {}
        if is_bundle(found) and len(found.get("entry", [])) > 1:
            each["resource"] = {**found, "entry": found["entry"][:1], "link": link}
    return bundle


def _reordered(url: str) -> str:
    stem, _, query = url.partition("?")
    pairs = sorted(parse_qsl(query, keep_blank_values=True), reverse=True)
    return f"{stem}?{urlencode([*pairs, ('_format', 'json')])}"


def _next(instance: Instance, url: str) -> str:
    path = url.removeprefix(instance.issuer)
    if instance.has("next-link-of-the-base"):
        state = base64.urlsafe_b64encode(path.encode()).decode()
        return f"{instance.fhir_base}?{_STATE}={state}&_bundletype=searchset"
    if instance.has("next-link-relative"):
        return urlsplit(url).path + "?" + urlsplit(url).query
    return url


def _statement(instance: Instance, value: Json) -> Json:
    if not instance.has("last-updated-not-supported"):
        return value
    for rest in value["rest"]:
        for resource in rest.get("resource", []):
            named = [p for p in resource.get("searchParam", []) if p["name"] != "_lastUpdated"]
            resource["searchParam"] = named
    return value
