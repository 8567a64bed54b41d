"""Acts that the token endpoint has to refuse (RFC 6749 section 5.2)."""

from __future__ import annotations

from dataclasses import replace

from harness.checks.acting import Run, act
from harness.checks.acts.launch import negative, plan
from harness.config.ehr import ClientAuth, OAuthClient
from harness.errors import NotConfigured
from harness.http.exchange import Exchange
from harness.smart import grants
from harness.smart.client_auth import ClientProof, authenticate, basic, client_id
from harness.smart.discovery import Discovery
from harness.smart.entropy import fresh
from harness.smart.grants import token_request

SECRETS = (ClientAuth.SECRET_BASIC, ClientAuth.SECRET_POST)


async def send_unknown_code(
    run: Run, discovery: Discovery, client: OAuthClient, proof: ClientProof | None = None
) -> Exchange:
    """A token request with a code that was never issued."""
    endpoint = str(discovery.configuration.token_endpoint)
    now = run.clock.now()
    return await grants.exchange_code(
        run.http,
        endpoint,
        proof or authenticate(client, run.secrets, endpoint, now, run.entropy),
        code=fresh(run.entropy),
        redirect_uri=str(client.redirect_uri),
        verifier=fresh(run.entropy),
    )


@act
async def unknown_code(run: Run, discovery: Discovery) -> Exchange:
    """A code that was never issued."""
    negative(run)
    return await send_unknown_code(run, discovery, plan(run).client)


@act
async def unknown_client(run: Run, discovery: Discovery) -> Exchange:
    """A client that was never registered."""
    negative(run)
    client = replace(plan(run).client, id=fresh(run.entropy), auth=ClientAuth.NONE)
    return await send_unknown_code(run, discovery, client)


@act
async def wrong_secret(run: Run, discovery: Discovery) -> Exchange:
    """A confidential client with a wrong secret; the code is unknown too, so nothing is lost."""
    negative(run)
    client = next((each for each in run.ehr.clients if each.auth in SECRETS), None)
    if client is None:
        raise NotConfigured("no client with a secret")
    name, secret = client_id(client, run.secrets), fresh(run.entropy)
    post = ClientProof(fields=(("client_id", name), ("client_secret", secret)))
    proof = post if client.auth is ClientAuth.SECRET_POST else basic(name, secret)
    return await send_unknown_code(run, discovery, client, proof)


@act
async def unknown_grant_type(run: Run, discovery: Discovery) -> Exchange:
    """A grant type that no specification knows."""
    negative(run)
    client, endpoint = plan(run).client, str(discovery.configuration.token_endpoint)
    proof = authenticate(client, run.secrets, endpoint, run.clock.now(), run.entropy)
    request = token_request(endpoint, [("grant_type", "not_a_grant_type")], proof)
    return await run.http.send(request, retry=False)
