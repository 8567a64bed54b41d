"""Acts of token introspection (RFC 7662).

Who may ask: https://hl7.org/fhir/smart-app-launch/STU2.2/token-introspection.html#authorization-to-perform-token-introspection
"""

from __future__ import annotations

from harness.checks.acting import Run, act
from harness.checks.acts.launch import negative
from harness.checks.introspecting import withheld
from harness.checks.launching import Launch
from harness.config.ehr import ClientAuth
from harness.errors import NotConfigured, NotSupported
from harness.http.exchange import Exchange
from harness.smart import grants
from harness.smart.client_auth import ClientProof, authenticate, client_id
from harness.smart.discovery import Discovery
from harness.smart.entropy import fresh

REFUSALS = (401, 403)


async def introspected(run: Run, discovery: Discovery, launch: Launch, token: str) -> Exchange:
    """Ask as the client that the file names, or as that of the launch; else with its token.

    SMART has every server that controls access accept a bearer token of a client that may ask.

    Raises:
        NotConfigured: neither may introspect, which is for the server to decide.
    """
    endpoint = introspection_endpoint(discovery)
    named = run.ehr.auth.introspects
    client = (named and run.ehr.client(named)) or launch.authorization.plan.client
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


async def of_live(run: Run, discovery: Discovery, launch: Launch) -> Exchange:
    """What the live access token of a launch is worth.

    Raises:
        NotConfigured: this client may not learn it, as far as can be seen.
    """
    token, client = launch.token.access_token, launch.authorization.plan.client
    answer = await introspected(run, discovery, launch, token)
    own_id = client_id(client, run.secrets)
    if run.ehr.auth.introspects is None and withheld(answer, token, own_id):
        raise NotConfigured(
            f"client {client.name!r} is not in the audience of its token and may not be told "
            "that it is active: name in auth.introspects a client that may"
        )
    return answer


@act
async def introspection(run: Run, discovery: Discovery, launch: Launch) -> Exchange:
    """What the live access token is worth."""
    return await of_live(run, discovery, launch)


@act
async def ehr_introspection(run: Run, discovery: Discovery, ehr_launch: Launch) -> Exchange:
    """What the access token of the EHR launch is worth."""
    return await of_live(run, discovery, ehr_launch)


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
