"""Acts of the standalone launch: authorization, and code for token.

SMART App Launch, "Obtain authorization code" and "Obtain access token":
https://hl7.org/fhir/smart-app-launch/STU2.2/app-launch.html
"""

from __future__ import annotations

from collections.abc import Mapping
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
from harness.smart.drivers.cookies import CookieJar
from harness.smart.pkce import PkceMethod
from harness.smart.scopes import Scope, ScopeSet, Syntax
from harness.smart.tokens import TokenResponse


@dataclass(frozen=True, slots=True)
class Plan:
    """A launch of the EHR file with its client and login."""

    spec: LaunchSpec
    client: OAuthClient
    login: Login


@dataclass(frozen=True, slots=True)
class Variation:
    """In what an authorization request departs from a plain one.

    Attributes:
        redirect_uri: another than the client's.
        pkce: None sends no challenge.
        launch: the handle of an EHR launch.
        post: sent as a form.
        parameters: they win over the right ones, and None leaves one out.
    """

    redirect_uri: str | None = None
    pkce: PkceMethod | None = PkceMethod.S256
    launch: str | None = None
    post: bool = False
    parameters: Mapping[str, str | None] = field(default_factory=dict)


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

    def asked(self, scope: str) -> bool:
        """Whether `scope` was asked for."""
        return scope in self.authorization.plan.spec.scopes

    def was_granted(self, scope: str) -> bool:
        """Whether `scope` was asked for and granted."""
        return self.asked(scope) and self.granted.covers(Scope.parse(scope))

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
            PrerequisiteFailed: none is, although one was to be.
            NotConfigured: none was to be.
        """
        if self.token.patient:
            return self.token.patient
        if self.was_granted("launch/patient"):
            raise PrerequisiteFailed("the token response names no patient")
        raise NotConfigured("no patient is in context: ask for launch/patient")


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
    spec = run.ehr.launch(name) if name else suited(run, LaunchKind.STANDALONE)
    if spec is None:
        raise NotConfigured(f"no launch {name!r} in the EHR file" if name else "no launch")
    return planned(run, spec)


def suited(run: Run, kind: LaunchKind) -> LaunchSpec | None:
    """The first launch of a kind in the scope syntax of the version; else the first of the kind."""
    launches = [each for each in run.ehr.launches if each.kind is kind]
    old = run.versions.smart == "1.0.0"
    fitting = (each for each in launches if in_old_syntax(each) == old)
    return next(fitting, next(iter(launches), None))


def in_old_syntax(spec: LaunchSpec) -> bool:
    """Whether a launch asks for resources in the syntax of SMART 1 only."""
    syntaxes = {Scope.parse(each).syntax for each in spec.scopes} - {None}
    return syntaxes == {Syntax.V1}


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


@act
async def declined_launch(run: Run, discovery: Discovery, launch: Launch) -> Launch:
    """A launch whose user declines the scopes of one resource type."""
    what = launch.authorization.plan
    resources = [Scope.parse(each) for each in what.spec.scopes]
    declined = tuple(str(each) for each in resources if each.is_resource)[-1:]
    if len([each for each in resources if each.is_resource]) < 2:
        raise NotConfigured("the launch asks for fewer than two resource scopes: none to decline")
    choices = Choices(patient=what.login.patient, decline=frozenset(declined))
    done = await whole_launch(run, discovery, what, choices)
    if not done.authorization.offered_choice:
        raise NotSupported("no page lets the user decline single scopes")
    return replace(done, declined=declined)
