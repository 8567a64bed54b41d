"""A launch in its steps, each callable by itself because each is judged by itself.

    request_for -> drivers.authorize -> Arrival -> exchange -> Exchange

SMART App Launch, https://hl7.org/fhir/smart-app-launch/STU2.2/app-launch.html
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from harness.config.ehr import (
    AuthorizeMethod,
    EhrFile,
    LaunchKind,
    LaunchSpec,
    Login,
    OAuthClient,
)
from harness.config.secrets import Secrets
from harness.errors import ConfigError, ProtocolError
from harness.http.client import HttpClient
from harness.http.clock import Clock
from harness.http.exchange import Exchange
from harness.smart import grants
from harness.smart.authorize import AuthorizationRequest, AuthorizationResponse
from harness.smart.client_auth import authenticate, client_id
from harness.smart.discovery import Discovery
from harness.smart.drivers import Choices, authorize
from harness.smart.ehr_launch import LaunchContext, received, with_launch
from harness.smart.entropy import Entropy
from harness.smart.identity import Identity
from harness.smart.text import plain


@dataclass(frozen=True, slots=True)
class Launch:
    """What a launch left: what was asked, what was answered, what was exchanged.

    Attributes:
        request: the authorization request.
        response: what came by redirect.
        exchange: with the token endpoint; None where there was no code to exchange.
        context: what the EHR sent to the launch URI; None for a standalone launch.
    """

    request: AuthorizationRequest
    response: AuthorizationResponse
    exchange: Exchange | None
    context: LaunchContext | None = None


@dataclass(frozen=True, slots=True)
class Launcher:
    """What every launch of a run needs.

    Attributes:
        http: the sender.
        ehr: the endpoint.
        discovery: where its endpoints are.
        secrets: resolves references.
        clock: harness clock.
        entropy: the source of states, verifiers and identifiers.
    """

    http: HttpClient
    ehr: EhrFile
    discovery: Discovery
    secrets: Secrets
    clock: Clock
    entropy: Entropy

    def request_for(
        self,
        spec: LaunchSpec,
        *,
        scopes: Iterable[str] | None = None,
        context: LaunchContext | None = None,
        extra: Mapping[str, str | None] | None = None,
        post: bool | None = None,
    ) -> AuthorizationRequest:
        """The authorization request of a launch.

        Args:
            spec: client and scopes.
            scopes: others than the launch's own.
            context: of an EHR launch: its handle is sent back, the scope `launch` is asked for,
                and `aud` is its `iss`.
            extra: see `AuthorizationRequest.build`.
            post: send as a form; None does as the launch says.

        Raises:
            ConfigError: the client is unknown, or has no redirect URI.
            ProtocolError: no authorization endpoint was found.
        """
        client = self.client(spec.client)
        if client.redirect_uri is None:
            raise ConfigError(f"client {client.name!r} has no redirect_uri, and a launch needs one")
        wanted = spec.scopes if scopes is None else tuple(scopes)
        return AuthorizationRequest.build(
            self.discovery.endpoint("authorization_endpoint"),
            client_id=client_id(client, self.secrets),
            redirect_uri=client.redirect_uri,
            scopes=with_launch(wanted) if context else wanted,
            aud=context.iss if context else self.ehr.fhir_base,
            entropy=self.entropy,
            launch=context.launch if context else None,
            extra=extra,
            post=spec.method is AuthorizeMethod.POST if post is None else post,
        )

    async def exchange(
        self,
        client: OAuthClient,
        request: AuthorizationRequest,
        code: str,
        *,
        verifier: str | None = None,
    ) -> Exchange:
        """Exchange a code; any answer of the server is a value.

        Args:
            client: who the code was issued to.
            request: the request that led to it.
            code: as it came.
            verifier: another than the request's own, for a negative test.
        """
        endpoint = self.discovery.endpoint("token_endpoint")
        own = request.pkce.verifier if request.pkce else None
        return await grants.exchange_code(
            self.http,
            endpoint,
            authenticate(client, self.secrets, endpoint, self.clock.now(), self.entropy),
            code=code,
            redirect_uri=request.redirect_uri,
            verifier=verifier or own,
        )

    async def standalone(self, spec: LaunchSpec, choices: Choices | None = None) -> Launch:
        """A standalone launch from end to end; a refusal ends it early, as a value.

        Raises:
            LoginFailed, NotConfigured, ConfigError: as the steps.
        """
        return await self._complete(spec, self.login(spec.login), choices, None)

    async def from_ehr(self, spec: LaunchSpec, choices: Choices | None = None) -> Launch:
        """An EHR launch from end to end; a refusal ends it early, as a value.

        Raises:
            ProtocolError: the EHR named no launch, or another EHR than this one.
            LoginFailed, NotConfigured, ConfigError: as the steps.
        """
        login = self.login(spec.login)
        context = await received(self.http, self.ehr, spec, login, self.secrets, choices=choices)
        if not context.launch or not context.is_for(self.ehr):
            raise ProtocolError(
                f"the EHR launch came with {'a' if context.launch else 'no'} launch parameter and "
                f"iss {plain(context.iss) or 'absent'}; expected both, and iss {self.ehr.fhir_base}"
            )
        return await self._complete(spec, login, choices, context)

    async def performed(self, spec: LaunchSpec, choices: Choices | None = None) -> Launch:
        """The launch by its kind; see `standalone` and `from_ehr`."""
        launch = self.from_ehr if spec.kind is LaunchKind.EHR else self.standalone
        return await launch(spec, choices)

    async def _complete(
        self,
        spec: LaunchSpec,
        login: Login,
        choices: Choices | None,
        context: LaunchContext | None,
    ) -> Launch:
        request = self.request_for(spec, context=context)
        arrival = await authorize(
            self.http,
            request,
            login,
            self.secrets,
            self.ehr,
            choices=choices,
            cookies=context.cookies if context else None,
        )
        response = arrival.response
        usable = response.code is not None and response.state_matches
        exchange = (
            await self.exchange(self.client(spec.client), request, response.require_code())
            if usable
            else None
        )
        return Launch(request, response, exchange, context)

    async def backend_token(
        self, client: OAuthClient, scopes: Iterable[str] | None = None
    ) -> Exchange:
        """A token for the client itself (SMART Backend Services).

        Args:
            client: with the grant client_credentials.
            scopes: others than the client's own.
        """
        wanted = client.scopes if scopes is None else scopes
        return await self.identity(client).client_credentials(wanted)

    def identity(self, client: OAuthClient) -> Identity:
        """The client at the token endpoint, for refreshes and sessions."""
        endpoint = self.discovery.endpoint("token_endpoint")
        return Identity(self.http, client, self.secrets, endpoint, self.clock, self.entropy)

    def client(self, name: str) -> OAuthClient:
        """The client called `name`.

        Raises:
            ConfigError: there is none.
        """
        found = self.ehr.client(name)
        if found is None:
            known = ", ".join(each.name for each in self.ehr.clients) or "none"
            raise ConfigError(f"no client {name!r} in {self.ehr.name}; there are: {known}")
        return found

    def login(self, name: str) -> Login:
        """The login called `name`.

        Raises:
            ConfigError: there is none.
        """
        found = self.ehr.login(name)
        if found is None:
            known = ", ".join(each.name for each in self.ehr.logins) or "none"
            raise ConfigError(f"no login {name!r} in {self.ehr.name}; there are: {known}")
        return found
