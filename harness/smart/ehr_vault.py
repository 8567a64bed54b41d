"""Where the refresh tokens of EHR files are kept: a vault for each, apart from every tenant's.

`harness login --ehr` puts a token there, and runs whose login has the driver `refresh_token` live
on it.
"""

from __future__ import annotations

import asyncio
from datetime import datetime
from pathlib import Path

from harness.config.ehr import EhrFile, Login, SecretRef
from harness.config.paths import data_dir
from harness.config.secrets import Secrets
from harness.errors import ConfigError, LoginFailed
from harness.smart.drivers.refresh_token import entry_of, seed_of
from harness.smart.tokens import TokenResponse
from harness.smart.vault import NEW_KEY, Entry, Vault

KEY = SecretRef("env", "HARNESS_VAULT_KEY")


def vault_path(ehr: EhrFile) -> Path:
    """The file; under `data_dir()`, never under reports."""
    return data_dir() / "ehrs" / ehr.name / "vault.sqlite"


def open_vault(ehr: EhrFile, secrets: Secrets) -> Vault:
    """The vault of an EHR file.

    Raises:
        ConfigError: no key is set, or it is not the one that the file was written with.
    """
    if secrets.missing([("", KEY)]):
        raise ConfigError(
            f"{KEY.name} is not set; refresh tokens are kept encrypted with it",
            hint=f'make a key, once, and keep it: export {KEY.name}="$({NEW_KEY})"',
        )
    return Vault(vault_path(ehr), secrets.resolve(KEY))


async def keep(
    vault: Vault,
    ehr: EhrFile,
    client: str,
    login: Login,
    token: TokenResponse,
    *,
    secrets: Secrets,
    now: datetime,
) -> Entry:
    """Store the refresh token of a login, whatever the vault held before.

    Args:
        vault: see `open_vault`.
        ehr: whose entry it is.
        client: name of the client that the token was issued to.
        login: who signed in; a reference to an older token in the EHR file counts as used up.
        token: what the login brought.
        secrets: resolves that reference.
        now: harness clock, UTC.

    Raises:
        LoginFailed: the grant has no refresh token.
    """
    if token.refresh_token is None:
        raise LoginFailed(
            "the EHR granted no refresh token",
            hint="ask for offline_access in scopes, and check that the app is registered for it",
        )
    entry = entry_of(ehr, client, login.name)
    await asyncio.to_thread(
        vault.put,
        entry,
        token.refresh_token,
        now=now,
        scope=str(token.scope) if token.scope is not None else None,
        seed=seed_of(login, secrets),
    )
    return entry
