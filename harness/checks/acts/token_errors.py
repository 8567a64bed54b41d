"""Acts that the token endpoint has to refuse (RFC 6749 section 5.2).

They stand on a launch that succeeded: a client that is refused for itself proves nothing.
"""

from __future__ import annotations

from harness.checks.acting import Run, act
from harness.checks.acts.launch import exchanged, negative, planned, with_code
from harness.checks.launching import Launch
from harness.config.ehr import ClientAuth, LaunchKind
from harness.errors import NotConfigured, ProtocolError
from harness.http.exchange import Exchange
from harness.smart import grants
from harness.smart.client_auth import ClientProof, authenticate, basic, client_id
from harness.smart.discovery import Discovery
from harness.smart.entropy import fresh
from harness.smart.grants import token_request

REFUSALS = (400, 401)
SECRETS = (ClientAuth.SECRET_BASIC, ClientAuth.SECRET_POST)


def is_refusal(exchange: Exchange) -> bool:
    """Whether it is an OAuth error response (RFC 6749 section 5.2), whatever the error."""
    return exchange.status in REFUSALS and error_of(exchange) is not None


def error_of(exchange: Exchange) -> str | None:
    """The error code of an OAuth error response; None where there is none."""
    try:
        error = exchange.json_object().get("error")
    except ProtocolError:
        return None
    return error if isinstance(error, str) else None


@act
async def unknown_code(run: Run, discovery: Discovery, launch: Launch) -> Exchange:
    """A code that was never issued."""
    negative(run)
    client = launch.authorization.plan.client
    endpoint = str(discovery.configuration.token_endpoint)
    return await grants.exchange_code(
        run.http,
        endpoint,
        authenticate(client, run.secrets, endpoint, run.clock.now(), run.entropy),
        code=no_code(run),
        redirect_uri=str(client.redirect_uri),
        verifier=fresh(run.entropy),
    )


def no_code(run: Run) -> str:
    """A code that was never issued, in letters and digits: what any decoder takes for its own."""
    return fresh(run.entropy).replace("-", "0").replace("_", "1")


@act
async def unknown_client(run: Run, discovery: Discovery, launch: Launch) -> Exchange:
    """A good code, brought by a client that was never registered."""
    negative(run)
    done = await with_code(run, discovery, launch.authorization.plan)
    nobody = ClientProof(fields=(("client_id", fresh(run.entropy)),))
    return await exchanged(run, discovery, done, proof=nobody)


@act
async def wrong_secret(run: Run, discovery: Discovery, launch: Launch) -> Exchange:
    """A good code, brought by its client with a wrong secret."""
    del launch
    negative(run)
    secret = fresh(run.entropy)
    for each in run.ehr.launches:
        client = run.ehr.client(each.client)
        if each.kind is LaunchKind.STANDALONE and client and client.auth in SECRETS:
            done = await with_code(run, discovery, planned(run, each))
            name = client_id(client, run.secrets)
            post = ClientProof(fields=(("client_id", name), ("client_secret", secret)))
            proof = post if client.auth is ClientAuth.SECRET_POST else basic(name, secret)
            return await exchanged(run, discovery, done, proof=proof)
    raise NotConfigured("no standalone launch by a client with a secret")


@act
async def unknown_grant_type(run: Run, discovery: Discovery, launch: Launch) -> Exchange:
    """A grant type that no specification knows."""
    negative(run)
    client = launch.authorization.plan.client
    endpoint = str(discovery.configuration.token_endpoint)
    proof = authenticate(client, run.secrets, endpoint, run.clock.now(), run.entropy)
    request = token_request(endpoint, [("grant_type", "not_a_grant_type")], proof)
    return await run.http.send(request, retry=False)
