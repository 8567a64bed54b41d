"""Issuing tokens: what a token response says (RFC 6749 section 5.1, SMART "Launch context")."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from harness.reference.access import Access
from harness.reference.oauth import faulty
from harness.reference.oauth.context import launch_context
from harness.reference.oauth.id_token import id_token
from harness.reference.oauth.launches import NO_CONTEXT
from harness.reference.oauth.ledger import (
    OFFLINE_LIFE,
    ONLINE_LIFE,
    AccessToken,
    Grant,
    RefreshToken,
    new_token,
)
from harness.reference.oauth.scopes import REFRESH
from harness.reference.varied import granting

if TYPE_CHECKING:
    from harness.reference.instance import Instance

USER_LIFE = timedelta(hours=1)
BACKEND_LIFE = timedelta(minutes=5)


def for_code(instance: Instance, grant: Grant) -> dict[str, Any]:
    """The response to an authorization code."""
    now = instance.clock.now()
    response = _issue(instance, grant, grant.scopes, now)
    if "openid" in grant.scopes and not instance.has("id-token-missing"):
        response["id_token"] = id_token(instance, grant, now)
    return _with_token_response_faults(instance, response)


def identified_again(instance: Instance, grant: Grant, response: dict[str, Any]) -> dict[str, Any]:
    """The response to a refresh with an id_token, about the same person (OpenID Connect 12.2)."""
    if "openid" not in grant.scopes or instance.has("id-token-missing"):
        return response
    if instance.has("refreshed-id-token-of-the-session"):
        grant = replace(grant, username=f"session-{grant.grant_id}")
    if instance.has("refreshed-id-token-new-nonce"):
        grant = replace(grant, nonce=new_token())
    if instance.has("refreshed-id-token-other-issuer"):
        instance = replace(instance, issuer=f"{instance.issuer}/tokens")
    return {**response, "id_token": id_token(instance, grant, instance.clock.now())}


def for_refresh(instance: Instance, grant: Grant, scopes: tuple[str, ...]) -> dict[str, Any]:
    """The response to a refresh token; `scopes` may be narrower than the grant."""
    if instance.has("refresh-forgets-patient"):
        grant = replace(grant, context=NO_CONTEXT, fhir_user=None)
    if instance.has("refresh-widens-scope"):
        scopes = (*scopes, "patient/*.cruds", "user/*.cruds")
    response = _issue(instance, grant, scopes, instance.clock.now(), rotates=rotates(instance))
    if instance.has("refresh-token-said-again"):
        response["refresh_token"] = instance.ledger.refresh_of(grant)
    if instance.has("refresh-omits-expires-in"):
        del response["expires_in"]
    return _with_token_response_faults(instance, response)


def for_backend(instance: Instance, grant: Grant) -> dict[str, Any]:
    """The response to client_credentials: five minutes, no refresh token."""
    life = USER_LIFE if instance.has("backend-token-lives-an-hour") else BACKEND_LIFE
    response = _issue(instance, grant, grant.scopes, instance.clock.now(), life=life)
    return _with_token_response_faults(instance, response)


def _issue(
    instance: Instance,
    grant: Grant,
    scopes: tuple[str, ...],
    now: datetime,
    *,
    life: timedelta = USER_LIFE,
    rotates: bool = True,
) -> dict[str, Any]:
    life = granting.life(instance, life)
    access = Access(
        client_id=grant.client_id,
        scopes=scopes,
        patient=grant.patient,
        fhir_user=grant.fhir_user,
        expires_at=now + life,
        lapses=instance.lapses(),
    )
    value = granting.long(instance, new_token())
    access_token = AccessToken(value, grant, access, now, now + life)
    refresh_token = _refresh_token(instance, grant, now) if rotates else None
    instance.ledger.add_tokens(access_token, refresh_token, now)
    response: dict[str, Any] = {
        "access_token": access_token.value,
        "token_type": "Bearer",
        "expires_in": int(life.total_seconds()),
        "scope": " ".join(scopes),
    }
    if grant.username is not None:
        response |= launch_context(instance, grant.context, grant.scopes)
    if refresh_token:
        response["refresh_token"] = refresh_token.value
    return response


def rotates(instance: Instance) -> bool:
    """Whether a refresh brings a new refresh token and ends the old one."""
    return not (
        instance.has("refresh-token-not-rotated") or instance.has("refresh-token-said-again")
    )


def _refresh_token(instance: Instance, grant: Grant, now: datetime) -> RefreshToken | None:
    if grant.username is None or not set(REFRESH) & set(grant.scopes):
        return None
    if instance.has("refresh-token-missing"):
        return None
    life = OFFLINE_LIFE if "offline_access" in grant.scopes else ONLINE_LIFE
    return RefreshToken(new_token(), grant, now + life)


def _with_token_response_faults(instance: Instance, response: dict[str, Any]) -> dict[str, Any]:
    response = faulty.token_response(instance, response)
    for member, missing in (
        ("token_type", instance.has("token-type-missing")),
        ("expires_in", instance.has("expires-in-missing")),
        ("scope", instance.has("scope-missing")),
        ("patient", instance.has("patient-missing")),
    ):
        if missing:
            response.pop(member, None)
    if instance.has("token-type-mac"):
        response["token_type"] = "mac"
    if instance.has("expires-in-string") and "expires_in" in response:
        response["expires_in"] = str(response["expires_in"])
    return response
