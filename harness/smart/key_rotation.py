"""ID tokens across a change of the issuer's keys.

OpenID Connect Core 1.0 section 10.1.1: a verifier that meets an unknown `kid` fetches the JWK Set
again, once; whoever fetched for every unknown `kid` could be made to flood the issuer.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from harness.errors import ProtocolError
from harness.http.client import SMALL, HttpClient
from harness.http.exchange import Exchange
from harness.smart.id_token import Finding, IdToken, has_key, verify

OK = 200


@dataclass(frozen=True, slots=True)
class Verified:
    """What became of an ID token.

    Attributes:
        findings: everything that is wrong with it, by the newest JWK Set.
        fetched: the exchange that brought a JWK Set; None where the known one was enough.
        jwks: the JWK Set to keep for the next token; None where none could be read.
    """

    findings: tuple[Finding, ...]
    fetched: Exchange | None = None
    jwks: object = None


async def verify_with_rotation(  # noqa: PLR0913 - as `id_token.verify`
    http: HttpClient,
    jwks_uri: str,
    token: IdToken,
    *,
    issuer: str,
    client_id: str,
    now: datetime,
    nonce: str | None = None,
    known: object = None,
) -> Verified:
    """Verify an ID token with the keys that are known, and fetch them again where they are old.

    Args:
        http: the sender.
        jwks_uri: where the issuer's keys are.
        token: as parsed.
        issuer: what `iss` has to be, to the letter.
        client_id: what `aud` has to contain.
        now: harness clock, time-zone aware.
        nonce: as sent; None when none was sent.
        known: the JWK Set of an earlier token, parsed JSON; None fetches it first.

    Raises:
        EhrUnreachable: no answer.
        HostileInput: `jwks_uri` points where it must not.
    """
    keys, fetched = known, None
    if known is None or not has_key(token, known):
        # Past every cache: the key is newer than what was fetched before.
        headers = None if known is None else {"Cache-Control": "no-cache"}
        fetched = await http.get(jwks_uri, headers=headers, max_bytes=SMALL)
        keys = key_set(fetched) or known
    findings = verify(token, keys, issuer=issuer, client_id=client_id, now=now, nonce=nonce)
    return Verified(findings, fetched, keys)


def key_set(exchange: Exchange) -> object:
    """The JSON that an answer brought; None where it brought none."""
    try:
        return exchange.json() if exchange.status == OK else None
    except ProtocolError:
        return None
