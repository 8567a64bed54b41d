"""How the faults of search show; see `test_fhir_faults`."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta, timezone
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from harness.tests.integration.reference.test_fhir_faults import Probe

Json = dict[str, Any]


def resources(bundle: Json, mode: str = "match") -> list[Json]:
    return [one["resource"] for one in bundle["entry"] if one["search"]["mode"] == mode]


def _first_of_or(probe: Probe) -> bool:
    either = probe.total("code=29463-7,8867-4")
    return either == probe.total("code=29463-7") < either + probe.total("code=8867-4")


def _negation_lost(probe: Probe) -> bool:
    return probe.total("status:not=final") == probe.total("status=final")


def _by_day(probe: Probe) -> bool:
    moment = resources(probe.search("code=29463-7"))[0]["effectiveDateTime"]
    exact = moment.replace("+", "%2B")
    return probe.total(f"code=29463-7&date=gt{exact}") != 0 or probe.total(f"date={exact}") > 1


def _unsorted(probe: Probe) -> bool:
    found = resources(probe.search("code=29463-7&_sort=date"))
    return bool(found[0]["effectiveDateTime"] > found[-1]["effectiveDateTime"])


def _strangers_name(probe: Probe) -> bool:
    store = probe.endpoint.ehr.store
    first, other = store.patient_ids()[:2]
    client = probe.endpoint.client("patient/*.rs", patient=first)
    family = store.patient_name(other).rpartition(" ")[2]
    query = {"_has:Patient:general-practitioner:family": family}
    return bool(client.get("Practitioner", params=query).json()["total"])


def _siblings(probe: Probe) -> bool:
    bundle = probe.search("code=29463-7&_revinclude=Provenance:target")
    matches = {f"Observation/{one['id']}" for one in resources(bundle)}
    brought = resources(bundle, "include")
    return any(one["target"][0]["reference"] not in matches for one in brought)


def _lenient(probe: Probe) -> bool:
    return probe.get("Observation?flavour=sweet", Prefer="handling=strict").is_success


def _another_zone(probe: Probe) -> bool:
    moment = resources(probe.search("code=29463-7"))[0]["effectiveDateTime"]
    there = datetime.fromisoformat(moment).astimezone(timezone(timedelta(hours=9)))
    return probe.total(f"code=29463-7&date={there.isoformat().replace('+', '%2B')}") == 0


def _first_moment(probe: Probe) -> bool:
    moment = resources(probe.search("code=29463-7"))[0]["effectiveDateTime"]
    return probe.total(f"code=29463-7&date={moment[:4]}") == 0


SEARCHING: dict[str, Callable[[Probe], bool]] = {
    "search-ignores-status": lambda p: p.total("status=cancelled") > 0,
    "search-takes-first-of-or": _first_of_or,
    "search-empty-entry": lambda p: p.get("Observation?code=none").json().get("entry") == [],
    "search-ignores-not": _negation_lost,
    "search-ignores-modifiers": lambda p: (
        p.get(f"Observation?patient={p.patient}&code:odd=29463-7").is_success
    ),
    "search-token-needs-system": lambda p: p.total("code=29463-7") == 0,
    "search-day-taken-for-midnight": _first_moment,
    "search-ignores-offset": _another_zone,
    "search-ignores-unit": lambda p: p.total("value-quantity=gt0||[lb_av]") > 0,
    "search-date-truncated-to-day": _by_day,
    "sort-ignored": _unsorted,
    "count-ignored": lambda p: len(resources(p.search("_count=5"))) > 5,
    "elements-ignored": lambda p: "performer" in resources(p.search("_elements=status"))[0],
    "include-brings-nothing": lambda p: (
        not resources(p.search("_include=Observation:patient"), "include")
    ),
    "prefer-strict-ignored": _lenient,
    "revinclude-brings-siblings": _siblings,
    "chain-ignores-compartment": _strangers_name,
}
