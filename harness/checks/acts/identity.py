"""Acts of identity: the id_token of the launch, judged against the issuer's keys.

OpenID Connect Core 1.0 section 3.1.3.7, and SMART's fhirUser claim.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from harness.checks.acting import Run, act
from harness.checks.launching import Launch
from harness.errors import NotApplicable, NotSupported, PrerequisiteFailed, ProtocolError
from harness.http.client import SMALL
from harness.http.exchange import Exchange
from harness.smart import openid
from harness.smart.client_auth import client_id
from harness.smart.discovery import Discovery
from harness.smart.id_token import Finding, IdToken, Part, verify
from harness.smart.openid import OpenIdConfiguration

ASPECTS = {
    "signature": {Part.ALG, Part.KID, Part.KEY, Part.SIGNATURE},
    "issuer": {Part.ISS, Part.SUB},
    "audience": {Part.AUD, Part.AZP},
    "times": {Part.EXP, Part.IAT, Part.NBF},
    "nonce": {Part.NONCE},
}
OK = 200
_PERSON = re.compile(
    r"(?:^|/)(Patient|Practitioner|PractitionerRole|RelatedPerson|Person)/[A-Za-z0-9.\-]+$"
)


@dataclass(frozen=True, slots=True)
class Identity:
    """An id_token with everything that is wrong about it.

    Attributes:
        token: as parsed.
        findings: what is wrong.
        fhir_user_granted: whether it has to carry fhirUser.
        issuer_named: whether it is known which issuer it has to carry.
    """

    token: IdToken
    findings: tuple[Finding, ...]
    fhir_user_granted: bool
    issuer_named: bool = True

    def problems(self, aspect: str) -> list[str]:
        """What is wrong about signature, issuer, audience, times or nonce.

        Raises:
            PrerequisiteFailed: the issuer is not known, and nothing else is wrong about it.
        """
        wrong = [str(each) for each in self.findings if each.part in ASPECTS[aspect]]
        if aspect == "issuer" and not wrong and not self.issuer_named:
            raise PrerequisiteFailed("the configuration names no issuer to compare with")
        return wrong

    @property
    def fhir_user_type(self) -> str | None:
        """The resource type of fhirUser; None where it names no person."""
        found = _PERSON.search(str(self.token.claims.get("fhirUser", "")))
        return found.group(1) if found else None

    @property
    def fhir_user_outcome(self) -> str:
        """What fhirUser is instead."""
        return "another value" if "fhirUser" in self.token.claims else "absent"


@dataclass(frozen=True, slots=True)
class Issuer:
    """What an issuer says of itself, and how it was asked."""

    exchange: Exchange
    configuration: OpenIdConfiguration


@act
async def issuer(run: Run, discovery: Discovery, launch: Launch) -> Issuer:
    """The openid-configuration of whoever issued the id_token."""
    if not launch.was_granted("openid"):
        raise NotApplicable("openid is not granted")
    claimed = parsed(launch.token.id_token or "")[0].claims.get("iss")
    named = discovery.configuration.issuer or (claimed if isinstance(claimed, str) else None)
    if named is None:
        raise NotSupported("neither the configuration nor the id_token names an issuer")
    exchange = await openid.fetch(run.http, named)
    return Issuer(exchange, openid.read(exchange, named))


@act
async def jwks(run: Run, discovery: Discovery, issuer: Issuer) -> Exchange:
    """The issuer's published keys."""
    uri = discovery.configuration.jwks_uri or issuer.configuration.jwks_uri
    if uri is None:
        raise PrerequisiteFailed("neither configuration names a jwks_uri")
    return await run.http.get(uri, max_bytes=SMALL)


@act
async def identity(
    run: Run, launch: Launch, discovery: Discovery, issuer: Issuer, jwks: Exchange
) -> Identity:
    """The id_token of the launch."""
    if launch.token.id_token is None:
        raise PrerequisiteFailed("the token response holds no id_token")
    token, unreadable = parsed(launch.token.id_token)
    named = discovery.configuration.issuer or issuer.configuration.issuer
    findings = verify(
        token,
        key_set(jwks),
        issuer=named or "",
        client_id=client_id(launch.authorization.plan.client, run.secrets),
        now=launch.exchange.started_at,
        nonce=launch.authorization.request.nonce,
    )
    if named is None:
        findings = tuple(each for each in findings if each.part is not Part.ISS)
    findings = judged_signature(run, token, (*unreadable, *findings))
    return Identity(token, findings, launch.was_granted("fhirUser"), named is not None)


def parsed(text: str) -> tuple[IdToken, tuple[Finding, ...]]:
    """An id_token; one that is no JWT carries nothing, and that is a finding."""
    try:
        return IdToken.parse(text), ()
    except ProtocolError as error:
        return IdToken(text, {}, {}), (Finding(Part.SIGNATURE, str(error)),)


def key_set(jwks: Exchange) -> object:
    """The published JWK Set; None where it is none, so that no key is found in it."""
    try:
        return jwks.json() if jwks.status == OK else None
    except ProtocolError:
        return None


def judged_signature(
    run: Run, token: IdToken, findings: tuple[Finding, ...]
) -> tuple[Finding, ...]:
    """The findings, where a recording keeps the verdict of a signature and not the signature."""
    recorded = run.redactor.verdict(token.text)
    if recorded is None:
        valid = all(each.part is not Part.SIGNATURE for each in findings)
        run.redactor.judge(token.text, valid=valid)
        return findings
    return tuple(each for each in findings if not (recorded and each.part is Part.SIGNATURE))
