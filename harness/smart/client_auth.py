"""How a client proves itself at the token endpoint (RFC 6749 section 2.3, RFC 7523 section 2.2)."""

from __future__ import annotations

import base64
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING
from urllib.parse import quote_plus

from harness.config.ehr import ClientAuth, OAuthClient, SecretRef
from harness.config.secrets import Secrets
from harness.errors import ConfigError
from harness.smart.assertion import ASSERTION_TYPE, Assertion
from harness.smart.entropy import Entropy

if TYPE_CHECKING:
    # Late as in `assertion`: few clients sign.
    from harness.smart.keys import SigningKey

Pairs = tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class ClientProof:
    """What one request to the token endpoint carries; never used twice, an assertion lives once."""

    headers: Pairs = field(repr=False, default=())
    fields: Pairs = field(repr=False, default=())


def client_id(client: OAuthClient, secrets: Secrets) -> str:
    """The client's id, which may itself stand behind a reference.

    Raises:
        ConfigError: the reference leads nowhere.
    """
    return secrets.text(client.id)


def signing_key(client: OAuthClient, secrets: Secrets) -> SigningKey:
    """The private key of a client that authenticates with one.

    Raises:
        ConfigError: the EHR file names no key, or it cannot be read.
    """
    from harness.smart.keys import load_key

    text = secrets.resolve(_named(client, "key", client.key)).reveal()
    # `alg` has a default in the EHR file, so an EC key has to be allowed to overrule it.
    key = load_key(text, kid=client.kid)
    same_kind = key.alg[:2] == client.alg[:2]
    return key.signing_with(client.alg) if same_kind else key


def authenticate(
    client: OAuthClient,
    secrets: Secrets,
    token_endpoint: str,
    now: datetime,
    entropy: Entropy,
) -> ClientProof:
    """Proof for exactly one request.

    Args:
        client: says which method.
        secrets: resolves its references.
        token_endpoint: the audience of an assertion.
        now: harness clock, time-zone aware.
        entropy: for the assertion's `jti`.

    Raises:
        ConfigError: the EHR file does not name the secret or key that the method needs.
    """
    name = client_id(client, secrets)
    if client.auth is ClientAuth.NONE:
        return ClientProof(fields=(("client_id", name),))
    if client.auth is ClientAuth.PRIVATE_KEY_JWT:
        key = signing_key(client, secrets)
        return asserted(Assertion.create(name, token_endpoint, key, now, entropy), key)
    secret = secrets.resolve(_named(client, "secret", client.secret)).reveal()
    if client.auth is ClientAuth.SECRET_POST:
        return ClientProof(fields=(("client_id", name), ("client_secret", secret)))
    return basic(name, secret)


def basic(name: str, secret: str) -> ClientProof:
    """HTTP Basic; id and secret are form-encoded first (RFC 6749 section 2.3.1)."""
    pair = f"{quote_plus(name, safe='')}:{quote_plus(secret, safe='')}".encode()
    return ClientProof(headers=(("Authorization", f"Basic {base64.b64encode(pair).decode()}"),))


def asserted(assertion: Assertion, key: SigningKey) -> ClientProof:
    """A signed assertion as form fields; also the way to send a wrong one on purpose."""
    fields = (
        ("client_assertion_type", ASSERTION_TYPE),
        ("client_assertion", assertion.sign(key)),
    )
    return ClientProof(fields=fields)


def _named(client: OAuthClient, key: str, reference: SecretRef | None) -> SecretRef:
    if reference is None:
        raise ConfigError(
            f"client {client.name!r} authenticates with {client.auth} and has no {key}",
            hint=f'add {key} = "env:NAME", "file:PATH" or "keyring:SERVICE/NAME"',
        )
    return reference
