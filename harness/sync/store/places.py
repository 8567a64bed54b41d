"""Where the store of a tenant is, as its file says."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from harness.config.ehr import SecretRef
from harness.config.secrets import Secret, Secrets
from harness.config.tenant import Tenant
from harness.errors import ConfigError
from harness.sync.store.database import Place
from harness.sync.store.sqlite import SqliteFile

SCHEMES = ("postgresql://", "postgres://")


def place_of(tenant: Tenant, environ: Mapping[str, str]) -> Place:
    """The place of a tenant's store; nothing is opened or made.

    Args:
        tenant: whose.
        environ: where a reference `env:NAME` is looked up.

    Raises:
        ConfigError: the reference leads nowhere or to no PostgreSQL URL, or its library is missing.
    """
    if isinstance(tenant.store, Path):
        return SqliteFile(tenant.store)
    if isinstance(tenant.store, SecretRef):
        url = Secrets(environ).resolve(tenant.store)
    else:
        url = Secret(tenant.store)
    if not url.reveal().startswith(SCHEMES):
        raise ConfigError(
            f"tenant {tenant.name}: store: expected a URL that begins with {SCHEMES[0]}",
            hint="what came is not shown, for it may hold a password",
        )
    try:
        from harness.sync.store.postgres import PostgresSchema
    except ImportError:
        raise ConfigError(
            f"tenant {tenant.name}: a store in PostgreSQL needs the package psycopg",
            hint="pip install 'fhir-harness[postgres]'",
        ) from None
    return PostgresSchema(url, tenant.name)
