"""SMART App Launch, "Scopes for requesting FHIR Resources": the forms that a server declares.

https://hl7.org/fhir/smart-app-launch/STU2.2/scopes-and-launch-context.html#scopes-for-requesting-fhir-resources
"""

from __future__ import annotations

from harness import Exchange, applies_if, conforms, expect, verifies
from harness.checks.acts.access import Probe, reveals
from harness.checks.acts.scope_forms import Version1, Wildcard


@verifies("smart/scopes/v1")
def test_scopes_of_version_1_open_what_they_name(v1_launch: Version1) -> None:
    """A server with permission-v1 SHALL understand scopes such as patient/Observation.read."""
    conforms(
        v1_launch.opened,
        expected=f"a token for {v1_launch.scope.text}",
        actual=str(v1_launch.refusal),
    )


@verifies("smart/scopes/wildcard")
def test_wildcard_opens_every_type(wildcard_reach: Wildcard) -> None:
    """A granted wildcard scope opens every type, unless permissions under it reject the request."""
    applies_if(wildcard_reach.searched, unless="no type is declared to be searched by patient")
    conforms(
        not wildcard_reach.refused,
        expected="no type refused for want of scope",
        actual=f"refused: {', '.join(wildcard_reach.refused)}",
        where=next((each.where for each in wildcard_reach.refused.values()), None),
    )


@verifies("smart/scopes/user")
def test_user_level_scope_opens_what_the_user_can_access(user_search: Probe) -> None:
    """A granted user-level scope SHALL open data that the user can access."""
    expect(user_search.exchange).status(200).that(
        user_search.matches, expected="the patient who is open in the EHR", actual="no match"
    )


@verifies("smart/access/scope-search")
def test_permission_to_read_does_not_search(lone_read: Probe) -> None:
    """With the permission to read alone nothing SHALL be searchable."""
    expect(lone_read.exchange).that(
        not lone_read.leaked,
        expected="401 or 403, or a searchset without matches",
        actual=lone_read.outcome,
    )


@verifies("smart/access/scope-read")
def test_permission_to_search_does_not_read(lone_search: Exchange) -> None:
    """With the permission to search alone nothing SHALL be readable."""
    expect(lone_search).that(
        not reveals(lone_search), expected="401, 403 or 404", actual="the resource"
    )
