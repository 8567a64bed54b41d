"""FHIR R4, Search, in the forms that US Core requires of Observation; precision and recall.

http://hl7.org/fhir/R4/search.html
https://hl7.org/fhir/us/core/STU6.1/CapabilityStatement-us-core-server.html#observation
"""

from __future__ import annotations

import pytest

from harness import Exchange, applies_if, conforms, expect, verifies
from harness.checks.acts.included import Along
from harness.checks.acts.search_forms import Narrowed
from harness.checks.emptiness import empty_parts
from harness.checks.found import Dated, Found


@verifies("us-core/patient/id")
def test_patient_is_found_by_id(patient_search: Found) -> None:
    """A server SHALL find a Patient by _id, and no other."""
    patient_search.expect_only(patient_search.wanted)


@verifies("fhir/search/bundle")
def test_search_answers_with_a_searchset(vital_signs: Found) -> None:
    """A search SHALL be answered with a Bundle of type searchset."""
    for page in vital_signs.pages:
        expect(page).status(200).resource("Bundle").member("type", equals="searchset")


@verifies("fhir/media-type")
def test_search_answers_with_fhir_json(vital_signs: Found) -> None:
    """JSON resources SHALL be exchanged as application/fhir+json."""
    for page in vital_signs.pages:
        expect(page).media_type("application/fhir+json")


@verifies("fhir/search/self-link")
def test_self_link_says_what_was_searched(vital_signs: Found) -> None:
    """The self link SHALL say which parameters the server used."""
    link = vital_signs.self_link
    conforms(
        link is not None and "category" in link,
        expected="a self link with the parameters that were used",
        actual="no self link" if link is None else "a self link without category",
        where=vital_signs.where,
    )


@verifies("fhir/search/full-url")
def test_entries_have_a_full_url(vital_signs: Found) -> None:
    """Each entry SHALL have a fullUrl: absolute, of the id of the resource, and of no version."""
    conforms(
        not vital_signs.entries_without_full_url,
        expected="fullUrl of every entry, absolute, ending in its type and id, without a version",
        actual=f"missing or wrong in {vital_signs.entries_without_full_url} entries",
        where=vital_signs.where,
    )


@verifies("fhir/search/total")
def test_total_counts_the_matches(vital_signs: Found) -> None:
    """Bundle.total SHOULD count the matches on all pages."""
    total = vital_signs.total
    conforms(
        total is None or total == len(vital_signs.matches),
        expected=f"total {len(vital_signs.matches)}, or none",
        actual=f"total {total}",
        where=vital_signs.where,
    )


@verifies("us-core/observation/patient-category")
def test_patient_and_category_find_all_and_only_those(vital_signs: Found, by_code: Found) -> None:
    """A search by patient and category SHALL find every Observation of both, and no other."""
    vital_signs.expect_precise()
    vital_signs.expect_all(by_code.of_category("vital-signs"), seen_in="the search by code")


@verifies("us-core/observation/patient-code")
def test_patient_and_code_find_all_and_only_those(vital_signs: Found, by_code: Found) -> None:
    """A search by patient and code SHALL find every Observation of both, and no other."""
    by_code.expect_precise()
    by_code.expect_all(vital_signs.of_code(by_code.code), seen_in="the search by category")


COMPARATORS = [
    pytest.param(each, marks=verifies("us-core/observation/patient-category-date"))
    for each in ("gt", "ge", "lt", "le")
]


@pytest.mark.parametrize("comparator", COMPARATORS)
def test_date_finds_all_and_only_that_time(by_date: dict[str, Dated], comparator: str) -> None:
    """A search by patient, category and date SHALL support gt, ge, lt and le."""
    dated = by_date[comparator]
    dated.found.expect_precise()
    dated.found.expect_all(dated.certain, seen_in="the search without date")
    dated.found.expect_none_of(dated.excluded, because=f"date={comparator}… excludes it")


@verifies("us-core/observation/code-or")
def test_code_may_be_a_list(by_codes: Narrowed) -> None:
    """A search by patient and several codes SHOULD find what has one of them."""
    _narrowed(by_codes)


@verifies("us-core/observation/patient-category-status")
def test_status_finds_all_and_only_that_status(by_status: Narrowed) -> None:
    """A search by patient, category and status SHOULD find every Observation of these."""
    _narrowed(by_status)


@verifies("us-core/observation/date-and")
def test_date_may_have_two_ends(by_period: Narrowed) -> None:
    """A search with two dates SHOULD find what lies between them."""
    _narrowed(by_period)


def _narrowed(done: Narrowed) -> None:
    conforms(
        not done.missing and not done.extra,
        expected="all that the search without it has shown, and nothing else",
        actual=f"missing: {len(done.missing)}, not to be found: {len(done.extra)}",
        where=done.found.where,
    )


@verifies("us-core/observation/patient-reference")
def test_patient_may_be_a_reference(by_code: Found, by_patient_reference: Found) -> None:
    """patient=[id] and patient=Patient/[id] SHALL find the same."""
    by_patient_reference.expect_same(by_code, seen_in="the search with the bare id")


@verifies("fhir/search/strict")
def test_unknown_parameter_is_refused_on_demand(strict_search: Exchange) -> None:
    """With Prefer: handling=strict an unknown parameter SHOULD be refused, not left out."""
    expect(strict_search).status_between(400, 499)


@verifies("fhir/search/post")
def test_post_means_the_same_as_get(vital_signs: Found, by_post: Found) -> None:
    """A search by POST SHALL mean the same as by GET."""
    by_post.expect_same(vital_signs, seen_in="the search by GET")


@verifies("fhir/search/token-system")
def test_code_of_another_system_is_not_found(by_foreign_system: Exchange) -> None:
    """A token with a system SHALL match only codings of that system."""
    entries = by_foreign_system.json_object().get("entry") or []
    found = [e for e in entries if e.get("resource", {}).get("resourceType") == "Observation"]
    expect(by_foreign_system).that(
        not found, expected="no Observation", actual=f"{len(found)} Observations"
    )


@verifies("fhir/json/empty")
def test_nothing_in_an_empty_result_is_empty(by_foreign_system: Exchange) -> None:
    """Where nothing was found, entry is to be left out: FHIR's JSON has no empty array."""
    empty = list(empty_parts(by_foreign_system.json_object()))
    expect(by_foreign_system).that(
        not empty, expected="nothing empty", actual=f"empty: {', '.join(empty[:5])}"
    )


@verifies("fhir/search/last-updated")
def test_last_updated_finds_all_and_only_what_changed(by_last_updated: Dated) -> None:
    """_lastUpdated SHALL find what changed since then, and nothing else."""
    by_last_updated.found.expect_precise()
    by_last_updated.found.expect_all(by_last_updated.certain, seen_in="the search without it")
    by_last_updated.found.expect_none_of(
        by_last_updated.excluded, because="it was changed before that time"
    )


@verifies("fhir/search/revinclude")
def test_provenance_that_comes_along_is_that_of_the_matches(provenance_along: Along) -> None:
    """_revinclude SHALL bring resources that refer to the matches."""
    applies_if(provenance_along.provenance, unless="no Provenance came along")
    expect(provenance_along.exchange).that(
        not provenance_along.strangers,
        expected="Provenance whose target is a match",
        actual=f"{provenance_along.strangers} of {provenance_along.provenance} refer to none",
    )
