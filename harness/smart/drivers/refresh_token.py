"""No login at all: a refresh token from an earlier one, kept in a vault entry of its own.

The EHR file refers to the first token. From then on the vault has the current one; when the
reference leads to another token than it did, that one is newer and replaces the vault's.
"""

from __future__ import annotations

import asyncio
import hashlib

from harness.config.ehr import EhrFile, Login
from harness.config.secrets import Secrets
from harness.errors import ConfigError
from harness.smart.identity import Identity
from harness.smart.session import TokenSession
from harness.smart.vault import Entry, Vault


def entry_of(ehr: EhrFile, client: str, login: str) -> Entry:
    """The entry of an EHR file's login; never a tenant's."""
    return Entry(f"ehr:{ehr.name}", client, login)


def seed_of(login: Login, secrets: Secrets) -> str | None:
    """The digest of the token that the EHR file refers to; None where it refers to none now."""
    if login.refresh_token is None or secrets.missing([("", login.refresh_token)]):
        return None
    return _digest(secrets.resolve(login.refresh_token).reveal())


async def open_session(
    identity: Identity, ehr: EhrFile, login: Login, vault: Vault
) -> TokenSession:
    """A session on the stored refresh token; enter its `reserved()` for the length of a run.

    Args:
        identity: the client, at its token endpoint.
        ehr: names the vault's entry.
        login: refers to the first refresh token.
        vault: keeps the current one.

    Raises:
        ConfigError: neither the vault nor the EHR file has a refresh token.
    """
    entry = entry_of(ehr, identity.client.name, login.name)
    stored = await asyncio.to_thread(vault.get, entry)
    if login.refresh_token is None:
        if stored is None:
            raise ConfigError(
                f"login {login.name!r} has no refresh token, neither stored nor in the EHR file",
                hint=f"harness login --ehr {ehr.name}, or set refresh_token to a reference",
            )
        return TokenSession(identity, vault, entry)
    token = identity.secrets.resolve(login.refresh_token).reveal()
    seed = _digest(token)
    if stored is None or stored.seed != seed:
        await asyncio.to_thread(
            vault.put,
            entry,
            token,
            now=identity.clock.now(),
            seed=seed,
            expected=stored.version if stored else 0,
        )
    return TokenSession(identity, vault, entry)


def _digest(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()
