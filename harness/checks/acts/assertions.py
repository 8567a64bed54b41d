"""Acts of the asymmetric client: assertions that must be refused (RFC 7523 section 3).

https://hl7.org/fhir/smart-app-launch/STU2.2/client-confidential-asymmetric.html
"""

from __future__ import annotations

import base64
import hmac
import json
from collections.abc import Callable, Mapping
from dataclasses import replace

from harness.checks.acting import Run, act
from harness.checks.acts.backend import BackendGrant, right_assertion, send_assertion, send_jwt
from harness.checks.acts.launch import negative
from harness.http.exchange import Exchange
from harness.smart.assertion import Assertion
from harness.smart.discovery import Discovery

FOREIGN_KEYS = "https://keys.example.org/jwks.json"
SOON = 900
"""Seconds ahead that no clock is wrong by."""

WRONG: Mapping[str, Callable[[Assertion], Assertion]] = {
    "no-signature": lambda right: replace(right, alg="none"),
    "another-subject": lambda right: replace(right, sub=f"{right.sub}-other"),
    "another-issuer": lambda right: replace(right, iss=f"{right.iss}-other"),
    "unknown-key": lambda right: replace(right, kid="not-a-registered-key"),
    "not-yet-valid": lambda right: replace(right, nbf=right.iat + SOON),
    "no-expiry": lambda right: replace(right, exp=None),
}


@act
async def wrong_assertions(
    run: Run, discovery: Discovery, backend_grant: BackendGrant
) -> Mapping[str, Exchange]:
    """Token requests with assertions that are wrong in one way each."""
    del backend_grant
    negative(run)
    answers = {}
    for name, spoil in WRONG.items():
        client, key, right = right_assertion(run, discovery)
        answers[name] = await send_assertion(run, discovery, client, spoil(right), key)
    return answers


@act
async def far_assertion(run: Run, discovery: Discovery, backend_grant: BackendGrant) -> Exchange:
    """An assertion that would live for an hour, where SMART permits five minutes."""
    del backend_grant
    negative(run)
    client, key, right = right_assertion(run, discovery)
    return await send_assertion(run, discovery, client, replace(right, exp=right.iat + 3600), key)


@act
async def symmetric_assertion(
    run: Run, discovery: Discovery, backend_grant: BackendGrant
) -> Exchange:
    """An assertion under an HMAC whose secret is the client's public key, known to anybody."""
    del backend_grant
    negative(run)
    client, key, right = right_assertion(run, discovery)
    header = encoded(json.dumps({"typ": "JWT", "alg": "HS256", "kid": right.kid}).encode())
    signed = f"{header}.{right.sign(key).split('.')[1]}"
    mac = hmac.digest(key.key.as_pem(private=False), signed.encode(), "sha256")
    return await send_jwt(run, discovery, client, f"{signed}.{encoded(mac)}")


@act
async def foreign_key_set(run: Run, discovery: Discovery, backend_grant: BackendGrant) -> Exchange:
    """A right assertion whose header refers to a key set that the client never registered."""
    del backend_grant
    negative(run)
    client, key, right = right_assertion(run, discovery)
    return await send_assertion(run, discovery, client, replace(right, jku=FOREIGN_KEYS), key)


def encoded(data: bytes) -> str:
    """Unpadded base64url."""
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()
