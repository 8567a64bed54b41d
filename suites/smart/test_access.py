"""SMART App Launch, "Access FHIR API": tokens and scopes are enforced (RFC 6750 section 3).

https://hl7.org/fhir/smart-app-launch/STU2.2/app-launch.html#access-fhir-api
"""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from harness import Exchange, expect, prerequisite, verifies
from harness.checks.acts.access import Probe, reveals
from harness.checks.acts.leaks import CORNERS
from harness.checks.launching import Launch


@verifies("oauth/bearer/no-token")
def test_no_token_no_data(anonymous_read: Exchange) -> None:
    """A request without a token SHALL be answered with 401."""
    expect(anonymous_read).status(401)


@verifies("oauth/bearer/challenge")
def test_refusal_carries_a_challenge(anonymous_read: Exchange) -> None:
    """A 401 SHALL carry a WWW-Authenticate header."""
    prerequisite(anonymous_read.status == 401, unless="the request was not answered with 401")
    expect(anonymous_read).header("WWW-Authenticate", matches=r"(?i)\S")


@verifies("smart/access/expired-or-unknown")
def test_unknown_token_reads_nothing(unknown_token_read: Exchange) -> None:
    """The resource server SHALL validate the access token."""
    expect(unknown_token_read).status(401, 403)


@verifies("smart/access/granted-read")
def test_granted_scope_reads_the_patient(patient_read: Exchange) -> None:
    """What the granted scopes cover SHALL be readable."""
    expect(patient_read).status(200)


@verifies("smart/access/scope-read")
def test_scope_is_enforced_on_read(limited_read: Exchange) -> None:
    """A resource beyond the granted scopes SHALL NOT be readable."""
    expect(limited_read).that(
        not reveals(limited_read), expected="401, 403 or 404", actual="the resource"
    )


@verifies("smart/access/scope-read")
def test_scope_is_enforced_on_the_patient(uncovered_patient_read: Exchange) -> None:
    """The record of the patient in context SHALL NOT be readable without a scope for it."""
    expect(uncovered_patient_read).that(
        not reveals(uncovered_patient_read), expected="401, 403 or 404", actual="the resource"
    )


@verifies("smart/access/scope-search")
def test_scope_is_enforced_on_search(limited_search: Probe) -> None:
    """Resources beyond the granted scopes SHALL NOT be searchable."""
    expect(limited_search.exchange).that(
        not limited_search.leaked,
        expected="401 or 403, or a searchset without matches",
        actual=limited_search.outcome,
    )


@verifies("smart/access/scope-batch")
def test_scope_is_enforced_in_a_batch(limited_batch: Probe) -> None:
    """The entries of a batch SHALL be held to the granted scopes, each for itself."""
    expect(limited_batch.exchange).that(
        not limited_batch.leaked,
        expected="entries that are refused, or without matches",
        actual=limited_batch.outcome,
    )


@pytest.mark.write
@verifies("smart/access/scope-write")
def test_scope_is_enforced_on_create(limited_create: Exchange) -> None:
    """With a read-only scope nothing SHALL be written."""
    expect(limited_create).status(401, 403)


@verifies("smart/access/declined-scope")
def test_declined_scope_is_not_granted(declined_launch: Launch) -> None:
    """A scope that the user declined SHALL NOT be granted."""
    expect(declined_launch.exchange).that(
        not declined_launch.granted_though_declined,
        expected="a grant without the declined scopes",
        actual=f"granted: {' '.join(declined_launch.granted_though_declined)}",
    )


@verifies("smart/access/declined-search")
def test_declined_scope_opens_nothing(declined_search: Probe) -> None:
    """What the user declined SHALL NOT be searchable."""
    expect(declined_search.exchange).that(
        not declined_search.leaked,
        expected="401 or 403, or a searchset without matches",
        actual=declined_search.outcome,
    )


@verifies("smart/access/other-patient-read")
def test_other_patient_is_not_readable(other_patient_read: Exchange) -> None:
    """With patient-level scopes another patient's data SHALL NOT be readable."""
    expect(other_patient_read).that(
        not reveals(other_patient_read), expected="401, 403 or 404", actual="the resource"
    )


@verifies("smart/access/other-patient-search")
def test_other_patient_is_not_searchable(other_patient_search: Probe) -> None:
    """With patient-level scopes another patient's data SHALL NOT be searchable."""
    expect(other_patient_search.exchange).that(
        not other_patient_search.leaked,
        expected="a refusal, or a searchset without matches",
        actual=other_patient_search.outcome,
    )


@verifies("smart/access/other-patient-corners")
@pytest.mark.parametrize("corner", CORNERS)
def test_other_patient_is_not_found_in_any_corner(
    other_patient_corners: Mapping[str, Probe], corner: str
) -> None:
    """With patient-level scopes no request SHALL bring another patient's data."""
    probe = other_patient_corners[corner]
    expect(probe.exchange).that(
        not probe.leaked, expected="nothing of another patient", actual=probe.outcome
    )


@pytest.mark.write
@verifies("smart/access/other-patient-corners")
def test_include_brings_no_other_patient(other_performer: Probe) -> None:
    """What comes along with an own resource SHALL NOT be another patient's."""
    expect(other_performer.exchange).that(
        not other_performer.leaked,
        expected="nothing of another patient",
        actual=other_performer.outcome,
    )


@verifies("smart/access/other-patient-corners")
def test_page_of_a_search_is_not_another_patients(page_of_another: Probe) -> None:
    """A link to the next page SHALL NOT open one patient's data to another."""
    expect(page_of_another.exchange).that(
        not page_of_another.leaked,
        expected="401, 403, 404 or 410, or nothing of the patient who searched",
        actual=page_of_another.outcome,
    )


@verifies("oauth/bearer/no-token")
def test_page_of_a_search_needs_a_token(page_of_nobody: Probe) -> None:
    """A link to the next page SHALL NOT open anything without a token."""
    expect(page_of_nobody.exchange).that(
        not page_of_nobody.leaked, expected="401", actual=page_of_nobody.outcome
    )


@verifies("oauth/bearer/query")
def test_token_in_the_url_opens_nothing(token_in_query: Exchange) -> None:
    """A token in the URL ends up in logs; a server that accepts it invites that."""
    expect(token_in_query).that(
        not reveals(token_in_query), expected="401 or 403", actual="the resource"
    )
