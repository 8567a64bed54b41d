from __future__ import annotations

from copy import deepcopy
from typing import Any
from uuid import UUID

from hypothesis import given
from hypothesis import strategies as st

from harness.reference.fhir.entries import Entry, duplicates, read
from harness.reference.fhir.outcome import Issue
from harness.reference.fhir.references import rewritten, searches

URNS = [f"urn:uuid:{UUID(int=number)}" for number in range(4)]
PLACES = {urn: f"Observation/{number}" for number, urn in enumerate(URNS)}
BASE = "https://ehr.example.org/r4"

NAMES = st.sampled_from(["reference", "subject", "hasMember", "valueUri", "text", "identifier"])
LEAVES = st.sampled_from([*URNS, "Patient/1", "urn:uuid:unknown"]) | st.integers() | st.none()
RESOURCES = st.dictionaries(
    NAMES,
    st.recursive(
        LEAVES,
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAMES, inner, max_size=3),
    ),
    max_size=5,
)


def references(value: Any) -> list[str]:
    """Every reference in a resource."""
    if isinstance(value, list):
        return [found for one in value for found in references(one)]
    if not isinstance(value, dict):
        return []
    own = value.get("reference")
    found = [own] if isinstance(own, str) else []
    return found + [one for inner in value.values() for one in references(inner)]


@given(RESOURCES)
def test_no_reference_to_an_entry_is_left_and_all_others_stay(resource: dict[str, Any]) -> None:
    before = deepcopy(resource)
    expected = [PLACES.get(one, one) for one in references(resource)]
    assert references(rewritten(resource, PLACES)) == expected
    assert resource == before


@given(RESOURCES)
def test_rewriting_can_be_undone(resource: dict[str, Any]) -> None:
    back = {place: urn for urn, place in PLACES.items()}
    assert rewritten(rewritten(resource, PLACES), back) == resource


def test_values_that_only_look_like_references_stay() -> None:
    resource = {
        "identifier": [{"system": "urn:ietf:rfc:3986", "value": URNS[0]}],
        "valueString": URNS[0],
        "note": [{"text": f"see {URNS[0]}"}],
    }
    assert rewritten(resource, PLACES) == resource


def test_links_in_a_narrative_follow() -> None:
    text = {"div": f"<div><a href=\"{URNS[1]}\">x</a><img src='{URNS[2]}'/> {URNS[1]}</div>"}
    expected = f"<div><a href=\"Observation/1\">x</a><img src='Observation/2'/> {URNS[1]}</div>"
    assert rewritten({"text": text}, PLACES) == {"text": {"div": expected}}


def test_conditional_references_are_found() -> None:
    resource = {
        "subject": {"reference": "Patient?identifier=a|b"},
        "device": {"reference": "Device/1"},
        "url": "Patient?no=reference",
    }
    assert searches(resource) == {"Patient?identifier=a|b"}


def entry(method: str, url: str, **more: Any) -> dict[str, Any]:
    return {"request": {"method": method, "url": url}, **more}


def entries(*given: Any) -> tuple[Entry | Issue, ...]:
    return read({"entry": list(given)}, BASE)


def test_urls_are_read_relative_and_below_the_base() -> None:
    first, second, foreign = entries(
        entry("GET", "Patient?name=a"),
        entry("DELETE", f"{BASE}/Observation/1"),
        entry("GET", "https://other.example.org/r4/Patient/1"),
    )
    assert isinstance(first, Entry)
    assert (first.path, first.query, first.place) == ("Patient", "name=a", None)
    assert isinstance(second, Entry)
    assert second.place == "Observation/1"
    assert isinstance(foreign, Issue)


def test_what_is_no_entry_is_told_with_its_place() -> None:
    wrong: tuple[Any, ...] = (
        None,
        {},
        entry("FETCH", "a"),
        entry("GET", ""),
        entry("POST", "Patient"),
        [],
    )
    issues = entries(*wrong)
    assert all(isinstance(one, Issue) for one in issues)
    assert [str(getattr(one, "expression", ""))[:15] for one in issues] == [
        f"Bundle.entry[{index}]" for index in range(len(wrong))
    ]


def test_two_entries_for_one_resource_or_one_name_are_told() -> None:
    found = entries(
        entry("PUT", "Observation/1", resource={}),
        entry("DELETE", "Observation/1"),
        entry("POST", "Observation", resource={}, fullUrl=URNS[0]),
        entry("POST", "Observation", resource={}, fullUrl=URNS[0]),
        entry("GET", "Observation/1"),
    )
    told = duplicates(tuple(one for one in found if isinstance(one, Entry)))
    assert [one.expression for one in told] == [f"Bundle.entry[{number}]" for number in range(4)]


@given(st.recursive(LEAVES, lambda inner: st.lists(inner) | st.dictionaries(NAMES, inner)))
def test_any_json_is_an_entry_or_an_issue(value: Any) -> None:
    assert isinstance(entries(value)[0], Entry | Issue)
