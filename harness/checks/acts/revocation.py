"""Acts of token revocation (RFC 7009), on a launch of their own."""

from __future__ import annotations

from dataclasses import dataclass, field

from harness.checks.acting import Run, act
from harness.checks.acts.access import fhir_get
from harness.checks.acts.introspection import introspected
from harness.checks.acts.other_clients import proof_of
from harness.checks.acts.refresh import offline_launch, send_refresh
from harness.checks.acts.token_errors import REFUSALS, error_of
from harness.checks.launching import Launch
from harness.config.ehr import Permit
from harness.errors import NotPermitted, NotSupported, PrerequisiteFailed
from harness.http.exchange import Exchange
from harness.smart import grants
from harness.smart.discovery import Discovery
from harness.smart.entropy import fresh


@dataclass(frozen=True, slots=True)
class Revoked:
    """A token that was given back: the answer, and what it is still good for.

    Attributes:
        answer: to the revocation.
        use: of the token, afterwards.
        beside: the access token of the same grant, used after its refresh token was given back.
        token: the token.
    """

    answer: Exchange
    use: Exchange
    beside: Exchange | None = None
    token: str = field(default="", repr=False)

    def accepted(self) -> Exchange:
        """The use, where the revocation was answered with 200.

        Raises:
            PrerequisiteFailed: it was not.
        """
        if self.answer.status != 200:
            raise PrerequisiteFailed(f"the revocation was answered with {self.answer.status}")
        return self.use


def revocation_endpoint(run: Run, discovery: Discovery) -> str:
    """The endpoint.

    Raises:
        NotSupported: the server names none.
        NotPermitted: the EHR file does not permit revoking.
    """
    if discovery.configuration.revocation_endpoint is None:
        raise NotSupported("no revocation_endpoint is named")
    if not run.permits(Permit.REVOKE):
        raise NotPermitted("permit has no revoke")
    return discovery.configuration.revocation_endpoint


@act
async def revoked_access_token(run: Run, discovery: Discovery, refresh_launch: Launch) -> Revoked:
    """An access token, revoked and then used."""
    endpoint = revocation_endpoint(run, discovery)
    launch, _ = await offline_launch(run, discovery)
    token, client = launch.token.access_token, refresh_launch.authorization.plan.client
    proof = proof_of(run, discovery, client)
    answer = await grants.revoke(run.http, endpoint, proof, token=token, hint="access_token")
    if answer.status in REFUSALS and error_of(answer) == "unsupported_token_type":
        raise NotSupported("the server does not revoke access tokens: unsupported_token_type")
    use = await fhir_get(run, f"Patient/{launch.patient}", token)
    return Revoked(answer, use, token=token)


@act
async def revoked_refresh_token(run: Run, discovery: Discovery, refresh_launch: Launch) -> Revoked:
    """A refresh token, revoked and then used."""
    endpoint = revocation_endpoint(run, discovery)
    launch, token = await offline_launch(run, discovery)
    what = refresh_launch.authorization.plan
    proof = proof_of(run, discovery, what.client)
    answer = await grants.revoke(run.http, endpoint, proof, token=token, hint="refresh_token")
    beside = await fhir_get(run, f"Patient/{launch.patient}", launch.token.access_token)
    use = await send_refresh(run, discovery, launch.authorization.plan, token)
    return Revoked(answer, use, beside)


@act
async def revoked_unknown_token(run: Run, discovery: Discovery, refresh_launch: Launch) -> Exchange:
    """A token that was never issued, given back."""
    endpoint = revocation_endpoint(run, discovery)
    proof = proof_of(run, discovery, refresh_launch.authorization.plan.client)
    return await grants.revoke(run.http, endpoint, proof, token=fresh(run.entropy))


@act
async def introspection_of_revoked(
    run: Run, discovery: Discovery, launch: Launch, revoked_access_token: Revoked
) -> Exchange:
    """What an access token is worth after its revocation."""
    revoked_access_token.accepted()
    return await introspected(run, discovery, launch, revoked_access_token.token)
