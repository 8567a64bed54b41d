"""Acts of the standalone launch: authorization, and code for token.

SMART App Launch, "Obtain authorization code" and "Obtain access token":
https://hl7.org/fhir/smart-app-launch/STU2.2/app-launch.html
"""

from __future__ import annotations

from harness.checks.acting import Run, act
from harness.checks.introspecting import FOR_ANOTHER, for_another
from harness.checks.launching import Authorization, Launch, Plan, Variation
from harness.config.ehr import DriverKind, LaunchKind, LaunchSpec, Permit
from harness.errors import (
    LoginFailed,
    NotConfigured,
    NotPermitted,
    NotSupported,
    PrerequisiteFailed,
    ProtocolError,
)
from harness.http.exchange import Exchange
from harness.smart import grants
from harness.smart.authorize import AuthorizationRequest
from harness.smart.client_auth import ClientProof, authenticate, client_id
from harness.smart.discovery import Discovery
from harness.smart.drivers import Choices, authorize
from harness.smart.drivers.cookies import CookieJar
from harness.smart.sign_in import suited
from harness.smart.tokens import TokenResponse


def holds_token(exchange: Exchange) -> bool:
    """Whether a token response holds an access token, whatever its status."""
    try:
        return bool(exchange.json_object().get("access_token"))
    except ProtocolError:
        return False


def plan(run: Run, name: str | None = None) -> Plan:
    """The named launch; without a name the first standalone one that suits the version.

    Raises:
        NotConfigured: the EHR file has none.
    """
    spec = (
        run.ehr.launch(name) if name else suited(run.ehr, LaunchKind.STANDALONE, run.versions.smart)
    )
    if spec is None:
        raise NotConfigured(f"no launch {name!r} in the EHR file" if name else "no launch")
    return planned(run, spec)


def planned(run: Run, spec: LaunchSpec) -> Plan:
    """A launch with its client and login.

    Raises:
        NotConfigured: the EHR file lacks one of them.
    """
    client, login = run.ehr.client(spec.client), run.ehr.login(spec.login)
    if client is None or login is None:
        raise NotConfigured(f"launch {spec.name!r} lacks its client or its login")
    if client.redirect_uri is None:
        raise NotConfigured(f"client {client.name!r} has no redirect_uri")
    return Plan(spec, client, login)


async def authorized(
    run: Run,
    discovery: Discovery,
    what: Plan,
    *,
    choices: Choices | None = None,
    variation: Variation | None = None,
    cookies: CookieJar | None = None,
    again: bool = True,
) -> Authorization:
    """Carry an authorization request through; a refusal is a value.

    Raises:
        NotConfigured: a person signs in by hand, and this would ask them `again`; or no
            authorization endpoint is known.
    """
    if again and what.login.driver is DriverKind.MANUAL:
        raise NotConfigured("the login is manual, and this takes a sign-in of its own")
    endpoint = discovery.configuration.authorization_endpoint
    if endpoint is None:
        raise NotConfigured("no authorization_endpoint was found: name it in [auth]")
    varied = variation or Variation()
    request = AuthorizationRequest.build(
        endpoint,
        client_id=client_id(what.client, run.secrets),
        redirect_uri=varied.redirect_uri or str(what.client.redirect_uri),
        scopes=what.spec.scopes,
        aud=run.ehr.fhir_base,
        entropy=run.entropy,
        pkce=varied.pkce,
        launch=varied.launch,
        extra=varied.parameters,
        post=varied.post,
    )
    wanted = choices or Choices(patient=what.login.patient)
    try:
        done = await authorize(
            run.http, request, what.login, run.secrets, run.ehr, choices=wanted, cookies=cookies
        )
    except LoginFailed as failed:
        return Authorization(what, request, None, page=str(failed), denied=failed.denied)
    return Authorization(what, request, done.response, done.offered_choice, denied=done.denied)


async def exchanged(
    run: Run,
    discovery: Discovery,
    authorization: Authorization,
    *,
    verifier: str | None = "",
    redirect_uri: str | None = None,
    proof: ClientProof | None = None,
) -> Exchange:
    """Exchange the code; `verifier=None` leaves it out, the default sends the right one."""
    if authorization.code is None:
        raise PrerequisiteFailed(f"no code: {authorization.outcome}")
    endpoint = str(discovery.configuration.token_endpoint)
    client, request = authorization.plan.client, authorization.request
    right = request.pkce.verifier if request.pkce else None
    now = run.clock.now()
    return await grants.exchange_code(
        run.http,
        endpoint,
        proof or authenticate(client, run.secrets, endpoint, now, run.entropy),
        code=authorization.code,
        redirect_uri=redirect_uri or request.redirect_uri,
        verifier=right if verifier == "" else verifier,
    )


def launched(run: Run, authorization: Authorization, exchange: Exchange) -> Launch:
    """The launch that a token response completes.

    Raises:
        PrerequisiteFailed: the response cannot be used.
    """
    try:
        token = TokenResponse.parse(exchange, run.clock.now())
    except ProtocolError as error:
        raise PrerequisiteFailed(f"no access token: {error}") from None
    if for_another(token.access_token, client_id(authorization.plan.client, run.secrets)):
        run.redactor.learn(token.access_token, FOR_ANOTHER)  # a replay knows it by that
    return Launch(authorization, exchange, token)


async def with_code(
    run: Run, discovery: Discovery, what: Plan, choices: Choices | None = None
) -> Authorization:
    """A further authorization, for acts that need a code of their own.

    They stand on the first launch, so that what fails there is judged there.

    Raises:
        NotSupported: the first launch was granted, and this one is not.
    """
    done = await authorized(run, discovery, what, choices=choices)
    if done.code is None:
        raise NotSupported(f"a further launch is not granted: {done.outcome}")
    return done


async def whole_launch(
    run: Run, discovery: Discovery, what: Plan, choices: Choices | None = None
) -> Launch:
    """A further launch, for acts that need a token of their own; raises as `with_code` does."""
    authorization = await with_code(run, discovery, what, choices)
    exchange = await exchanged(run, discovery, authorization)
    try:
        return launched(run, authorization, exchange)
    except PrerequisiteFailed as failed:
        raise NotSupported(f"a further launch yields {failed}") from None


def negative(run: Run) -> None:
    """Refuse to misbehave where the EHR file does not permit it."""
    if not run.permits(Permit.NEGATIVE_AUTH):
        raise NotPermitted("permit has no negative_auth")


@act
async def authorization(run: Run, discovery: Discovery) -> Authorization:
    """The first standalone launch of the EHR file, up to the redirect."""
    return await authorized(run, discovery, plan(run), again=False)


@act
async def posted_authorization(run: Run, discovery: Discovery, launch: Launch) -> Authorization:
    """The same launch once more, with the authorization request sent as a form."""
    what = launch.authorization.plan
    return await authorized(run, discovery, what, variation=Variation(post=True))


@act
async def token_exchange(run: Run, discovery: Discovery, authorization: Authorization) -> Exchange:
    """The code of the launch, exchanged for a token."""
    return await exchanged(run, discovery, authorization)


@act
async def token_response(run: Run, launch: Launch) -> Exchange:
    """The token response, known to hold an access token."""
    return launch.exchange


@act
async def launch(run: Run, authorization: Authorization, token_exchange: Exchange) -> Launch:
    """The launch that most acts stand on."""
    return launched(run, authorization, token_exchange)
