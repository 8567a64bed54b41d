"""An introspection response beside the token response and the id_token that it has to agree with.

https://hl7.org/fhir/smart-app-launch/STU2.2/token-introspection.html
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from email.utils import parsedate_to_datetime
from typing import Any

from harness.checks.launching import Launch
from harness.errors import ProtocolError
from harness.http.exchange import Exchange
from harness.smart.id_token import IdToken
from harness.smart.scopes import ScopeSet

CONTEXT = (
    "patient",
    "encounter",
    "need_patient_banner",
    "smart_style_url",
    "fhirContext",
    "intent",
    "tenant",
)
"""The context parameters that SMART defines."""

COMPARED = frozenset({"patient", "encounter", "intent", "tenant"})
"""Those whose values can be spelled in one way only."""

FOR_ANOTHER = "access_token_for_another"
"""What the label of an access token begins with that is not for its client."""


def says_active(introspection: Exchange) -> bool:
    """Whether the token is said to be active."""
    try:
        return introspection.json_object().get("active") is True
    except ProtocolError:
        return False


def for_another(access_token: str, client_id: str) -> bool:
    """Whether an access token is a JWT (RFC 9068) whose audience does not name the client.

    In a replay its label says so.
    """
    if access_token.partition("-")[0] == FOR_ANOTHER:
        return True
    try:
        audience = IdToken.parse(access_token).claims.get("aud")
    except ProtocolError:
        return False
    named = [audience] if isinstance(audience, str) else audience
    return isinstance(named, list) and bool(named) and client_id not in named


def withheld(introspection: Exchange, access_token: str, client_id: str) -> bool:
    """Whether a live token may be called inactive because this client may not ask about it.

    RFC 7662 section 2.2 demands that answer where the token is not for who asks.
    """
    try:
        said = introspection.json_object().get("active")
    except ProtocolError:
        return False
    return said is False and for_another(access_token, client_id)


def claims_of(launch: Launch) -> Mapping[str, Any]:
    """The claims of the launch's id_token; empty where none came that can be read."""
    try:
        return IdToken.parse(launch.token.id_token or "").claims
    except ProtocolError:
        return {}


def scopes_apart(introspection: Exchange, granted: ScopeSet) -> tuple[str, ...]:
    """In what the scopes of an introspection mean anything else than those that were granted.

    A token response need not repeat the scopes of the launch, so only resources may not be added.
    """
    text = introspection.json_object().get("scope")
    if not isinstance(text, str):
        return ("no scope",)
    said = ScopeSet.parse(text)
    lacking = [str(each) for each in said.missing(granted)]
    added = [str(each) for each in said.widened(granted) if each.is_resource]
    named = (("without", lacking), ("beyond them", added))
    return tuple(f"{word} {' '.join(scopes)}" for word, scopes in named if scopes)


def same(name: str, said: object, claim: object) -> bool:
    """Whether a claim has one value in both places; one of the two may be relative to the base."""
    if name != "fhirUser" or not isinstance(said, str) or not isinstance(claim, str):
        return said == claim
    return said == claim or said.endswith(f"/{claim}") or claim.endswith(f"/{said}")


def drift(launch: Launch, introspection: Exchange) -> float | None:
    """By how many seconds exp lies behind the token response's time and its expires_in.

    Both are times of the server where it dates its answers. None where exp is no number.
    """
    exp, life = introspection.json_object().get("exp"), launch.token.expires_in
    if isinstance(exp, bool) or not isinstance(exp, int | float) or life is None:
        return None
    return exp - (issued_at(launch.exchange).timestamp() + life)


def issued_at(exchange: Exchange) -> datetime:
    """When a response was made: by its Date header, else by the clock of the harness."""
    try:
        said = parsedate_to_datetime(exchange.headers.get("Date") or "")
    except ValueError:
        return exchange.started_at
    return said if said.tzinfo else exchange.started_at
