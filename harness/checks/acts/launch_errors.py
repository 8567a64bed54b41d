"""Acts of launches that must not succeed: to another server, elsewhere, without proof, or twice.

They stand on a launch that did succeed: where nothing is granted, a refusal proves nothing.
https://hl7.org/fhir/smart-app-launch/STU2.2/app-launch.html
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from urllib.parse import urlsplit, urlunsplit

from harness.checks.acting import Run, act
from harness.checks.acts.access import fhir_get, reveals
from harness.checks.acts.launch import authorized, exchanged, holds_token, negative, with_code
from harness.checks.launching import Authorization, Launch, Variation
from harness.errors import NotSupported
from harness.http.exchange import Exchange
from harness.smart.discovery import Discovery
from harness.smart.pkce import PkceMethod
from harness.smart.scopes import ScopeSet

UNREGISTERED = "https://unregistered.example.org/callback"
SIMILAR: Mapping[str, Mapping[str, str]] = {
    "longer-path": {"path": "{path}/extra"},
    "added-query": {"query": "next=https://example.org"},
}
"""Parts of the registered URI that are changed, by the name of the change."""

OTHER_AUDIENCE = "https://other-server.example.org/fhir"


@dataclass(frozen=True, slots=True)
class Attempt:
    """A launch that must not succeed: how far it got.

    Attributes:
        authorization: up to the redirect, or the page.
        exchange: of the code, if one came.
        use: the patient, read with the token, if one came and that was tried.
    """

    authorization: Authorization
    exchange: Exchange | None
    use: Exchange | None = None

    @property
    def granted(self) -> bool:
        """Whether an access token was issued."""
        return self.exchange is not None and holds_token(self.exchange)

    @property
    def opened(self) -> bool:
        """Whether the token read the patient."""
        return self.use is not None and reveals(self.use)

    @property
    def scope(self) -> ScopeSet:
        """What was granted, as far as it was said; empty where nothing was."""
        said = self.exchange.json_object().get("scope") if self.exchange and self.granted else None
        return ScopeSet.parse(said if isinstance(said, str) else "")

    @property
    def outcome(self) -> str:
        """How it ended, in one line without secrets."""
        return "an access token" if self.granted else self.authorization.outcome


async def attempted(
    run: Run, discovery: Discovery, launch: Launch, variation: Variation
) -> Attempt:
    """An authorization that must not yield a token, and the exchange of a code that it yields."""
    tried = await authorized(run, discovery, launch.authorization.plan, variation=variation)
    return Attempt(tried, await exchanged(run, discovery, tried) if tried.code else None)


@act
async def wrong_audience(run: Run, discovery: Discovery, launch: Launch) -> Attempt:
    """A launch made out to another FHIR server, and the patient read with what it yields."""
    negative(run)
    varied = Variation(parameters={"aud": OTHER_AUDIENCE})
    tried = await attempted(run, discovery, launch, varied)
    if tried.exchange is None or not tried.granted:
        return tried
    token = str(tried.exchange.json_object()["access_token"])
    return replace(tried, use=await fhir_get(run, f"Patient/{launch.patient}", token))


@act
async def unregistered_redirect(run: Run, discovery: Discovery, launch: Launch) -> Authorization:
    """A launch that asks for the code at a URI that was never registered."""
    negative(run)
    what = launch.authorization.plan
    return await authorized(run, discovery, what, variation=Variation(redirect_uri=UNREGISTERED))


@act
async def wrong_verifier(run: Run, discovery: Discovery, launch: Launch) -> Exchange:
    """A code exchanged with a code_verifier that does not match its challenge."""
    negative(run)
    done = await with_code(run, discovery, launch.authorization.plan)
    return await exchanged(run, discovery, done, verifier="0" * 43)


@act
async def missing_verifier(run: Run, discovery: Discovery, launch: Launch) -> Exchange:
    """A code exchanged without a code_verifier."""
    negative(run)
    done = await with_code(run, discovery, launch.authorization.plan)
    return await exchanged(run, discovery, done, verifier=None)


@act
async def other_redirect_uri(run: Run, discovery: Discovery, launch: Launch) -> Exchange:
    """A code exchanged with another redirect_uri than it was issued for."""
    negative(run)
    done = await with_code(run, discovery, launch.authorization.plan)
    return await exchanged(run, discovery, done, redirect_uri=UNREGISTERED)


@act
async def code_replay(run: Run, discovery: Discovery, launch: Launch) -> Exchange:
    """A code exchanged a second time."""
    negative(run)
    done = await with_code(run, discovery, launch.authorization.plan)
    first = await exchanged(run, discovery, done)
    if not holds_token(first):
        raise NotSupported("the first exchange of a further code yields no token")
    return await exchanged(run, discovery, done)


@act
async def plain_pkce(run: Run, discovery: Discovery, launch: Launch) -> Attempt:
    """A launch whose challenge is its verifier."""
    negative(run)
    return await attempted(run, discovery, launch, Variation(pkce=PkceMethod.PLAIN))


@act
async def no_pkce(run: Run, discovery: Discovery, launch: Launch) -> Attempt:
    """A launch without challenge and without verifier."""
    negative(run)
    return await attempted(run, discovery, launch, Variation(pkce=None))


@act
async def missing_audience(run: Run, discovery: Discovery, launch: Launch) -> Attempt:
    """A launch that does not say which FHIR server it is for."""
    negative(run)
    return await attempted(run, discovery, launch, Variation(parameters={"aud": None}))


@act
async def missing_scope(run: Run, discovery: Discovery, launch: Launch) -> Attempt:
    """A launch that does not say what it is for."""
    negative(run)
    return await attempted(run, discovery, launch, Variation(parameters={"scope": None}))


@act
async def similar_redirects(
    run: Run, discovery: Discovery, launch: Launch
) -> Mapping[str, Authorization]:
    """Launches that ask for the code at URIs which only resemble the registered one."""
    negative(run)
    what = launch.authorization.plan
    parts = urlsplit(str(what.client.redirect_uri))
    answers = {}
    for name, change in SIMILAR.items():
        uri = urlunsplit(
            parts._replace(**{k: v.format(path=parts.path) for k, v in change.items()})
        )
        varied = Variation(redirect_uri=uri)
        answers[name] = await authorized(run, discovery, what, variation=varied)
    return answers
