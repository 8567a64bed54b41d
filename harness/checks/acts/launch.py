"""Acts of the standalone launch: authorization, code for token, and what must not be granted.

SMART App Launch, "Obtain authorization code" and "Obtain access token":
https://hl7.org/fhir/smart-app-launch/STU2.2/app-launch.html
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from harness.checks.acting import Run, act
from harness.config.ehr import DriverKind, LaunchKind, LaunchSpec, Login, OAuthClient, Permit
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
from harness.smart.authorize import AuthorizationRequest, AuthorizationResponse
from harness.smart.client_auth import ClientProof, authenticate, client_id
from harness.smart.discovery import Discovery
from harness.smart.drivers import Choices, authorize
from harness.smart.scopes import Scope, ScopeSet
from harness.smart.tokens import TokenResponse

UNREGISTERED = "https://unregistered.example.org/callback"
OTHER_AUDIENCE = "https://other-server.example.org/fhir"


@dataclass(frozen=True, slots=True)
class Plan:
    """A launch of the EHR file with its client and login."""

    spec: LaunchSpec
    client: OAuthClient
    login: Login


@dataclass(frozen=True, slots=True)
class Authorization:
    """How an authorization request ended: with a redirect, or on a page.

    Attributes:
        plan: what was launched.
        request: what was sent, with state, nonce and PKCE.
        response: the parameters of the redirect; None where the browser was never sent back.
        offered_choice: a page let the person decline single scopes.
        page: what the server showed instead of a redirect, in one line.
    """

    plan: Plan
    request: AuthorizationRequest
    response: AuthorizationResponse | None
    offered_choice: bool = False
    page: str | None = None

    @property
    def redirected(self) -> bool:
        """Whether the browser was sent to the redirect URI."""
        return self.response is not None

    @property
    def code(self) -> str | None:
        """The authorization code, if one came."""
        return self.response.code if self.response else None

    @property
    def state_matches(self) -> bool:
        """Whether state came back once, as sent."""
        return self.response is not None and self.response.state_matches

    @property
    def outcome(self) -> str:
        """How it ended, in one line without secrets."""
        if self.response is None:
            return f"no redirect: {self.page}"
        if self.response.error:
            words = self.response.error_description
            return f"error {self.response.error}" + (f": {words}" if words else "")
        return "a redirect with code" if self.response.code else "a redirect without code"

    @property
    def state_outcome(self) -> str:
        """What became of state."""
        if self.response is None or self.response.state is None:
            return "state is absent"
        times = "state" in self.response.duplicates
        return "state came more than once" if times else "another value"


@dataclass(frozen=True, slots=True)
class Attempt:
    """A launch that must not succeed: how far it got."""

    authorization: Authorization
    exchange: Exchange | None

    @property
    def granted(self) -> bool:
        """Whether an access token was issued."""
        return self.exchange is not None and holds_token(self.exchange)

    @property
    def outcome(self) -> str:
        """How it ended, in one line without secrets."""
        return "an access token" if self.granted else self.authorization.outcome


@dataclass(frozen=True, slots=True)
class Launch:
    """A launch that yielded a token."""

    authorization: Authorization
    exchange: Exchange
    token: TokenResponse
    declined: tuple[str, ...] = field(default=())

    @property
    def granted(self) -> ScopeSet:
        """The granted scopes; those asked for where the server does not say (RFC 6749 5.1)."""
        return self.token.scope or ScopeSet.parse(self.authorization.plan.spec.scopes)

    def was_granted(self, scope: str) -> bool:
        """Whether `scope` was asked for and granted."""
        asked = scope in self.authorization.plan.spec.scopes
        return asked and self.granted.covers(Scope.parse(scope))

    @property
    def granted_though_declined(self) -> tuple[str, ...]:
        """Scopes that the user declined and the server granted all the same."""
        said = self.token.scope
        return tuple(each for each in self.declined if said and said.covers(Scope.parse(each)))

    @property
    def expected_patient(self) -> str | None:
        """The patient that the login chooses; None where the EHR file leaves it open."""
        return self.authorization.plan.login.patient

    @property
    def patient(self) -> str:
        """The patient in context.

        Raises:
            PrerequisiteFailed: none is.
        """
        if not self.token.patient:
            raise PrerequisiteFailed("the token response names no patient")
        return self.token.patient


def holds_token(exchange: Exchange) -> bool:
    """Whether a token response holds an access token, whatever its status."""
    try:
        return bool(exchange.json_object().get("access_token"))
    except ProtocolError:
        return False


def plan(run: Run, name: str | None = None) -> Plan:
    """The named launch; without a name the first standalone one.

    Raises:
        NotConfigured: the EHR file has none.
    """
    standalone = [each for each in run.ehr.launches if each.kind is LaunchKind.STANDALONE]
    spec = run.ehr.launch(name) if name else next(iter(standalone), None)
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
    audience: str | None = None,
    redirect_uri: str | None = None,
    again: bool = True,
) -> Authorization:
    """Carry an authorization request through; a refusal is a value.

    Raises:
        NotConfigured: a person signs in by hand, and this would ask them `again`.
        PrerequisiteFailed: there is no authorization endpoint.
    """
    if again and what.login.driver is DriverKind.MANUAL:
        raise NotConfigured("the login is manual, and this takes a sign-in of its own")
    endpoint = discovery.configuration.authorization_endpoint
    if endpoint is None:
        raise PrerequisiteFailed("no authorization_endpoint was found")
    request = AuthorizationRequest.build(
        endpoint,
        client_id=client_id(what.client, run.secrets),
        redirect_uri=redirect_uri or str(what.client.redirect_uri),
        scopes=what.spec.scopes,
        aud=audience or run.ehr.fhir_base,
        entropy=run.entropy,
    )
    wanted = choices or Choices(patient=what.login.patient)
    try:
        done = await authorize(run.http, request, what.login, run.secrets, run.ehr, choices=wanted)
    except LoginFailed as failed:
        return Authorization(what, request, None, page=str(failed))
    return Authorization(what, request, done.response, done.offered_choice)


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
    return Launch(authorization, exchange, token)


async def whole_launch(
    run: Run, discovery: Discovery, what: Plan, choices: Choices | None = None
) -> Launch:
    """Authorization and token exchange in one, for acts that stand on a launch of their own."""
    authorization = await authorized(run, discovery, what, choices=choices)
    return launched(run, authorization, await exchanged(run, discovery, authorization))


def negative(run: Run) -> None:
    """Refuse to misbehave where the EHR file does not permit it."""
    if not run.permits(Permit.NEGATIVE_AUTH):
        raise NotPermitted("permit has no negative_auth")


@act
async def authorization(run: Run, discovery: Discovery) -> Authorization:
    """The first standalone launch of the EHR file, up to the redirect."""
    return await authorized(run, discovery, plan(run), again=False)


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


@act
async def declined_launch(run: Run, discovery: Discovery) -> Launch:
    """A launch whose user declines the scopes of one resource type."""
    what = plan(run)
    resources = [Scope.parse(each) for each in what.spec.scopes]
    declined = tuple(str(each) for each in resources if each.is_resource)[-1:]
    if len([each for each in resources if each.is_resource]) < 2:
        raise NotConfigured("the launch asks for fewer than two resource scopes: none to decline")
    choices = Choices(patient=what.login.patient, decline=frozenset(declined))
    authorization = await authorized(run, discovery, what, choices=choices)
    if authorization.redirected and not authorization.offered_choice:
        raise NotSupported("no page lets the user decline single scopes")
    done = launched(run, authorization, await exchanged(run, discovery, authorization))
    return replace(done, declined=declined)


@act
async def wrong_audience(run: Run, discovery: Discovery) -> Attempt:
    """A launch made out to another FHIR server."""
    negative(run)
    tried = await authorized(run, discovery, plan(run), audience=OTHER_AUDIENCE)
    got = await exchanged(run, discovery, tried) if tried.code else None
    return Attempt(tried, got)


@act
async def unregistered_redirect(run: Run, discovery: Discovery) -> Authorization:
    """A launch that asks for the code at a URI that was never registered."""
    negative(run)
    return await authorized(run, discovery, plan(run), redirect_uri=UNREGISTERED)


@act
async def wrong_verifier(run: Run, discovery: Discovery) -> Exchange:
    """A code exchanged with a code_verifier that does not match its challenge."""
    negative(run)
    done = await authorized(run, discovery, plan(run))
    return await exchanged(run, discovery, done, verifier="0" * 43)


@act
async def missing_verifier(run: Run, discovery: Discovery) -> Exchange:
    """A code exchanged without a code_verifier."""
    negative(run)
    done = await authorized(run, discovery, plan(run))
    return await exchanged(run, discovery, done, verifier=None)


@act
async def other_redirect_uri(run: Run, discovery: Discovery) -> Exchange:
    """A code exchanged with another redirect_uri than it was issued for."""
    negative(run)
    done = await authorized(run, discovery, plan(run))
    return await exchanged(run, discovery, done, redirect_uri=UNREGISTERED)


@act
async def code_replay(run: Run, discovery: Discovery) -> Exchange:
    """A code exchanged a second time."""
    negative(run)
    done = await authorized(run, discovery, plan(run))
    first = await exchanged(run, discovery, done)
    if not holds_token(first):
        raise PrerequisiteFailed("the first exchange of the code yielded no token")
    return await exchanged(run, discovery, done)
