"""Acts of token introspection (RFC 7662).

Who may ask: https://hl7.org/fhir/smart-app-launch/STU2.2/token-introspection.html#authorization-to-perform-token-introspection
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from email.utils import parsedate_to_datetime
from typing import Any

from harness.checks.acting import Run, act
from harness.checks.acts.launch import negative
from harness.checks.launching import Launch
from harness.config.ehr import ClientAuth
from harness.errors import NotConfigured, NotSupported, ProtocolError
from harness.http.exchange import Exchange
from harness.smart import grants
from harness.smart.client_auth import ClientProof, authenticate, client_id
from harness.smart.discovery import Discovery
from harness.smart.entropy import fresh
from harness.smart.id_token import IdToken
from harness.smart.scopes import ScopeSet

REFUSALS = (401, 403)
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


def says_active(introspection: Exchange) -> bool:
    """Whether the token is said to be active."""
    try:
        return introspection.json_object().get("active") is True
    except ProtocolError:
        return False


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


async def introspected(run: Run, discovery: Discovery, launch: Launch, token: str) -> Exchange:
    """Ask as the client of the launch, and if it cannot prove itself, or in vain, with its token.

    SMART has every server that controls access accept a bearer token of a client that may ask.

    Raises:
        NotConfigured: neither may introspect, which is for the server to decide.
    """
    endpoint = introspection_endpoint(discovery)
    client = launch.authorization.plan.client
    answer = None
    if client.auth is not ClientAuth.NONE:
        audience = str(discovery.configuration.token_endpoint)
        proof = authenticate(client, run.secrets, audience, run.clock.now(), run.entropy)
        answer = await grants.introspect(run.http, endpoint, proof, token=token)
    if answer is None or answer.status in REFUSALS:
        bearer = launch.token.access_token
        answer = await grants.introspect(
            run.http, endpoint, ClientProof(), token=token, bearer=bearer
        )
    if answer.status in REFUSALS:
        raise NotConfigured(f"client {client.name!r} may not introspect: status {answer.status}")
    return answer


def introspection_endpoint(discovery: Discovery) -> str:
    """The endpoint.

    Raises:
        NotSupported: the server names none.
    """
    if discovery.configuration.introspection_endpoint is None:
        raise NotSupported("no introspection_endpoint is named")
    return discovery.configuration.introspection_endpoint


@act
async def introspection(run: Run, discovery: Discovery, launch: Launch) -> Exchange:
    """What the live access token is worth."""
    return await introspected(run, discovery, launch, launch.token.access_token)


@act
async def ehr_introspection(run: Run, discovery: Discovery, ehr_launch: Launch) -> Exchange:
    """What the access token of the EHR launch is worth."""
    return await introspected(run, discovery, ehr_launch, ehr_launch.token.access_token)


@act
async def introspection_of_unknown(run: Run, discovery: Discovery, launch: Launch) -> Exchange:
    """What a token is worth that was never issued."""
    return await introspected(run, discovery, launch, fresh(run.entropy))


@act
async def anonymous_introspection(run: Run, discovery: Discovery, launch: Launch) -> Exchange:
    """The live access token, asked about by nobody in particular."""
    negative(run)
    endpoint = introspection_endpoint(discovery)
    return await grants.introspect(
        run.http, endpoint, ClientProof(), token=launch.token.access_token
    )


@act
async def own_client_id(run: Run, launch: Launch) -> str:
    """The client_id of the launch."""
    return client_id(launch.authorization.plan.client, run.secrets)
