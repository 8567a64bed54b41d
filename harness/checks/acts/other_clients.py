"""Acts of clients that bring what is not theirs, or that do not say who they are.

RFC 6749 sections 3.2.1, 4.1.3, 6 and 10.4.
"""

from __future__ import annotations

from harness.checks.acting import Run, act
from harness.checks.acts.launch import exchanged, holds_token, negative, with_code
from harness.checks.acts.refresh import offline_launch, send_refresh
from harness.checks.launching import Launch
from harness.config.ehr import ClientAuth, Grant, OAuthClient
from harness.errors import NotApplicable, NotConfigured
from harness.http.exchange import Exchange
from harness.smart import grants
from harness.smart.client_auth import ClientProof, authenticate, client_id
from harness.smart.discovery import Discovery


def another(run: Run, client: OAuthClient) -> OAuthClient:
    """Another registered client that may redeem codes.

    Raises:
        NotConfigured: the EHR file has none.
    """
    own = client_id(client, run.secrets)
    for each in run.ehr.clients:
        mine = Grant.AUTHORIZATION_CODE in each.grants and each.redirect_uri is not None
        if mine and client_id(each, run.secrets) != own:
            return each
    raise NotConfigured("no second client: add another one that may launch")


def proof_of(run: Run, discovery: Discovery, client: OAuthClient) -> ClientProof:
    """How a client proves itself, rightly."""
    endpoint = str(discovery.configuration.token_endpoint)
    return authenticate(client, run.secrets, endpoint, run.clock.now(), run.entropy)


def nameless(run: Run, client: OAuthClient) -> ClientProof:
    """A confidential client that only says its name.

    Raises:
        NotApplicable: it is a public client, which may.
    """
    if client.auth is ClientAuth.NONE:
        raise NotApplicable(f"client {client.name!r} is a public one")
    return ClientProof(fields=(("client_id", client_id(client, run.secrets)),))


@act
async def code_of_another_client(run: Run, discovery: Discovery, launch: Launch) -> Exchange:
    """A code, brought by another client than it was issued to."""
    negative(run)
    thief = another(run, launch.authorization.plan.client)
    done = await with_code(run, discovery, launch.authorization.plan)
    return await exchanged(run, discovery, done, proof=proof_of(run, discovery, thief))


@act
async def unauthenticated_code(run: Run, discovery: Discovery, launch: Launch) -> Exchange:
    """A code, brought by its confidential client without authentication."""
    negative(run)
    proof = nameless(run, launch.authorization.plan.client)
    done = await with_code(run, discovery, launch.authorization.plan)
    return await exchanged(run, discovery, done, proof=proof)


@act
async def refresh_by_another_client(
    run: Run, discovery: Discovery, refresh_launch: Launch
) -> Exchange:
    """A refresh token, brought by another client than it was issued to."""
    negative(run)
    thief = another(run, refresh_launch.authorization.plan.client)
    _, token = await offline_launch(run, discovery)
    endpoint = str(discovery.configuration.token_endpoint)
    proof = proof_of(run, discovery, thief)
    return await grants.refresh(run.http, endpoint, proof, refresh_token=token)


@act
async def unauthenticated_refresh(
    run: Run, discovery: Discovery, refresh_launch: Launch
) -> Exchange:
    """A refresh token, brought by its confidential client without authentication."""
    negative(run)
    proof = nameless(run, refresh_launch.authorization.plan.client)
    _, token = await offline_launch(run, discovery)
    endpoint = str(discovery.configuration.token_endpoint)
    return await grants.refresh(run.http, endpoint, proof, refresh_token=token)


@act
async def refresh_after_replay(run: Run, discovery: Discovery, launch: Launch) -> Exchange:
    """A refresh with what a code gave, after the code was brought a second time."""
    negative(run)
    done = await with_code(run, discovery, launch.authorization.plan)
    first = await exchanged(run, discovery, done)
    token = first.json_object().get("refresh_token") if holds_token(first) else None
    if not isinstance(token, str):
        raise NotApplicable("the code yields no refresh token")
    second = await exchanged(run, discovery, done)
    if holds_token(second):
        raise NotApplicable("the code was accepted twice, which is judged by itself")
    return await send_refresh(run, discovery, launch.authorization.plan, token)
