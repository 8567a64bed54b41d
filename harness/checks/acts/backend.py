"""Acts of SMART Backend Services: client_credentials, and assertions that must be refused.

https://hl7.org/fhir/smart-app-launch/STU2.2/backend-services.html
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from harness.checks.acting import Run, act
from harness.checks.acts.access import Access, fhir_client
from harness.checks.acts.launch import negative
from harness.checks.acts.search import CATEGORY, VITAL_SIGNS, find
from harness.checks.found import Found
from harness.config.ehr import ClientAuth, Grant, OAuthClient
from harness.errors import (
    NotApplicable,
    NotConfigured,
    NotSupported,
    PrerequisiteFailed,
    ProtocolError,
)
from harness.http.exchange import Exchange
from harness.smart import grants
from harness.smart.assertion import ASSERTION_TYPE, Assertion
from harness.smart.client_auth import ClientProof, authenticate, client_id, signing_key
from harness.smart.discovery import Discovery
from harness.smart.entropy import fresh
from harness.smart.keys import SigningKey
from harness.smart.scopes import ScopeSet
from harness.smart.tokens import TokenResponse

OTHER_AUDIENCE = "https://other-server.example.org/token"
LONG_AGO = 3600


@dataclass(frozen=True, slots=True)
class BackendGrant:
    """A token for the client itself."""

    exchange: Exchange
    token: TokenResponse
    asked: ScopeSet

    @property
    def scopes(self) -> ScopeSet:
        """The granted scopes; those asked for where the server does not say."""
        return self.token.scope or self.asked

    @property
    def added_scopes(self) -> tuple[str, ...]:
        """Scopes that were never asked for."""
        return tuple(str(each) for each in (self.token.scope or ScopeSet()).widened(self.asked))


def backend_client(run: Run) -> OAuthClient:
    """The client that authenticates with a key and may ask for client_credentials.

    Raises:
        NotConfigured: the EHR file has none.
    """
    for client in run.ehr.clients:
        if Grant.CLIENT_CREDENTIALS in client.grants and client.auth is ClientAuth.PRIVATE_KEY_JWT:
            return client
    raise NotConfigured("no client with client_credentials and private_key_jwt")


def right_assertion(run: Run, discovery: Discovery) -> tuple[OAuthClient, SigningKey, Assertion]:
    """The client with its key, and an assertion that has to be accepted."""
    client = backend_client(run)
    key = signing_key(client, run.secrets)
    name, endpoint = client_id(client, run.secrets), str(discovery.configuration.token_endpoint)
    now = run.clock.now()
    return client, key, Assertion.create(name, endpoint, key, now, run.entropy)


async def send_assertion(
    run: Run, discovery: Discovery, client: OAuthClient, assertion: Assertion, key: SigningKey
) -> Exchange:
    """A token request with exactly this assertion."""
    return await send_jwt(run, discovery, client, assertion.sign(key))


async def send_jwt(run: Run, discovery: Discovery, client: OAuthClient, jwt: str) -> Exchange:
    """A token request with a finished JWT as its assertion."""
    endpoint = str(discovery.configuration.token_endpoint)
    fields = (("client_assertion_type", ASSERTION_TYPE), ("client_assertion", jwt))
    proof = ClientProof(fields=fields)
    return await grants.client_credentials(run.http, endpoint, proof, scopes=client.scopes)


@act
async def backend_token(run: Run, discovery: Discovery) -> Exchange:
    """A right request for a token."""
    client, endpoint = backend_client(run), str(discovery.configuration.token_endpoint)
    proof = authenticate(client, run.secrets, endpoint, run.clock.now(), run.entropy)
    return await grants.client_credentials(run.http, endpoint, proof, scopes=client.scopes)


@act
async def backend_grant(run: Run, backend_token: Exchange) -> BackendGrant:
    """The token that a right request yields."""
    try:
        token = TokenResponse.parse(backend_token, run.clock.now())
    except ProtocolError as error:
        raise PrerequisiteFailed(f"no access token: {error}") from None
    return BackendGrant(backend_token, token, ScopeSet.parse(backend_client(run).scopes))


@act
async def system_search(
    run: Run, backend_grant: BackendGrant, access: Access | None = None
) -> Found:
    """One patient's vital signs, with a token that may see every patient's.

    Raises:
        NotConfigured: nobody launches here, and the EHR file names no patient.
    """
    if not backend_grant.scopes.allows("system", "Observation", "s"):
        raise NotApplicable("the backend client was granted no system/Observation.s")
    patient = access.patient if access else next(iter(run.ehr.patients), None)
    if patient is None:
        raise NotConfigured("no patient: name one in `patients`")
    bearer = backend_grant.token.access_token
    system = Access(bearer, patient, fhir_client(run, bearer))
    asked = ("patient", patient), ("category", f"{CATEGORY}|{VITAL_SIGNS}")
    return await find(system, "Observation", *asked)


@act
async def forged_assertion(run: Run, discovery: Discovery, backend_grant: BackendGrant) -> Exchange:
    """An assertion under a signature that belongs to another one."""
    del backend_grant
    negative(run)
    client, key, right = right_assertion(run, discovery)
    claims, _, _ = right.sign(key).rpartition(".")
    _, _, signature = replace(right, jti=fresh(run.entropy)).sign(key).rpartition(".")
    return await send_jwt(run, discovery, client, f"{claims}.{signature}")


@act
async def expired_assertion(
    run: Run, discovery: Discovery, backend_grant: BackendGrant
) -> Exchange:
    """An assertion whose exp lies an hour back."""
    del backend_grant
    negative(run)
    client, key, right = right_assertion(run, discovery)
    expired = replace(right, exp=right.exp - LONG_AGO, iat=right.iat - LONG_AGO)
    return await send_assertion(run, discovery, client, expired, key)


@act
async def foreign_assertion(
    run: Run, discovery: Discovery, backend_grant: BackendGrant
) -> Exchange:
    """An assertion made out to another server."""
    del backend_grant
    negative(run)
    client, key, right = right_assertion(run, discovery)
    return await send_assertion(run, discovery, client, replace(right, aud=OTHER_AUDIENCE), key)


@act
async def replayed_assertion(
    run: Run, discovery: Discovery, backend_grant: BackendGrant
) -> Exchange:
    """An assertion that was accepted once, sent again."""
    del backend_grant
    negative(run)
    client, key, right = right_assertion(run, discovery)
    first = await send_assertion(run, discovery, client, right, key)
    if first.status >= 400:
        raise NotSupported(f"a further assertion is refused: status {first.status}")
    return await send_assertion(run, discovery, client, right, key)
