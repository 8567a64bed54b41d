"""A launch as checks see it: what was planned, how it ended at the redirect, and its token.

https://hl7.org/fhir/smart-app-launch/STU2.2/app-launch.html
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from harness.config.ehr import LaunchSpec, Login, OAuthClient
from harness.errors import NotConfigured, PrerequisiteFailed
from harness.http.exchange import Exchange
from harness.smart.authorize import AuthorizationRequest, AuthorizationResponse
from harness.smart.pkce import PkceMethod
from harness.smart.scopes import Scope, ScopeSet
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
        denied: the person declined the whole request.
    """

    plan: Plan
    request: AuthorizationRequest
    response: AuthorizationResponse | None
    offered_choice: bool = False
    page: str | None = None
    denied: bool = False

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
