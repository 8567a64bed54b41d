"""SMART App Launch, "Refresh access token".

https://hl7.org/fhir/smart-app-launch/STU2.2/app-launch.html#refresh-access-token
"""

from __future__ import annotations

from harness import Exchange, applies_if, expect, prerequisite, verifies
from harness.checks.acts.refresh import Refreshed
from harness.checks.launching import Launch


@verifies("smart/refresh/access-token")
def test_refresh_yields_an_access_token(refresh_exchange: Exchange) -> None:
    """A refresh SHALL answer with a new access token."""
    answer = expect(refresh_exchange).status(200).member("access_token", str)
    answer.member("token_type", matches=r"(?i)^bearer$")


@verifies("smart/refresh/expires-in")
def test_refreshed_lifetime_is_a_number_of_seconds(refreshed: Refreshed) -> None:
    """A refresh response SHALL say how long the new token lives."""
    expect(refreshed.exchange).member("expires_in", int)


@verifies("smart/refresh/scope")
def test_refreshed_scopes_are_no_more_than_the_original(refreshed: Refreshed) -> None:
    """A refresh response SHALL name its scopes, none beyond the original ones."""
    expect(refreshed.exchange).member("scope", str)
    expect(refreshed.exchange).that(
        not refreshed.added_scopes,
        expected="the original scopes, or fewer",
        actual=f"more: {' '.join(refreshed.added_scopes)}",
    )


@verifies("smart/refresh/scope-kept")
def test_refresh_loses_no_scope(refreshed: Refreshed) -> None:
    """A refresh that asks for no scope SHALL yield the scopes of the original token."""
    expect(refreshed.exchange).that(
        not refreshed.lost_scopes,
        expected="the resource scopes of the launch",
        actual=f"without {' '.join(refreshed.lost_scopes)}",
    )


@verifies("oauth/refresh/no-store")
def test_refreshed_tokens_are_not_stored(refreshed: Refreshed) -> None:
    """A response to a refresh SHALL forbid storing with Cache-Control: no-store."""
    expect(refreshed.exchange).header("Cache-Control", contains="no-store")


@verifies("smart/refresh/offline")
def test_refreshed_token_reads_the_patient(
    patient_read: Exchange, refreshed_read: Exchange
) -> None:
    """The refreshed token SHALL read what the original one could read."""
    prerequisite(patient_read.status == 200, unless="the first token could not read it either")
    expect(refreshed_read).status(200)


@verifies("smart/refresh/not-widened")
def test_refresh_does_not_widen_scopes(widened_refresh: Refreshed) -> None:
    """A refresh SHALL NOT grant more than was once approved."""
    expect(widened_refresh.exchange).that(
        not widened_refresh.added_scopes,
        expected="a refusal, or the original scopes",
        actual=f"granted: {' '.join(widened_refresh.added_scopes)}",
    )


@verifies("oauth/refresh/unknown")
def test_unknown_refresh_token_is_refused(unknown_refresh_token: Exchange) -> None:
    """An unknown refresh token SHALL be refused."""
    expect(unknown_refresh_token).refused_by_oauth(400, 401)


@verifies("oauth/refresh/rotated")
def test_replaced_refresh_token_is_refused(
    refreshed: Refreshed, rotated_refresh_token: Exchange
) -> None:
    """A refresh token that was replaced SHOULD be refused when it comes again."""
    applies_if(refreshed.rotated, unless="the refresh token is not rotated")
    expect(rotated_refresh_token).refused_by_oauth(400, 401)


@verifies("smart/online/refresh-token")
def test_online_access_yields_a_refresh_token(online_launch: Launch) -> None:
    """A server with permission-online SHALL issue a refresh token for online access."""
    expect(online_launch.exchange).member("refresh_token", str)


@verifies("smart/online/refresh")
def test_online_access_is_refreshed_while_the_user_is_online(online_refresh: Exchange) -> None:
    """Online access SHALL last while the user is online."""
    expect(online_refresh).status(200).member("access_token", str)
