"""Tenants of a yardstick: what `harness sync` needs to pull from it."""

from __future__ import annotations

import json
import os
import secrets
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from harness.benchmarks.yardstick import Yardstick

UNLIMITED = {"requests_per_second": 10_000, "burst": 1000, "concurrency": 10}
"""Limits of an EHR file that hold nobody back."""

_EHR = """\
title = "Yardstick"
fhir_base = "{base}"
environment = "sandbox"
data = "synthetic"
permit = []

[auth]
kind = "smart"

[[clients]]
name = "service"
id = "service"
auth = "client_secret_basic"
grants = ["client_credentials"]
secret = "env:YARDSTICK_SECRET"
scopes = ["system/*.rs"]

[limits]
{limits}
"""
_TENANT = """\
title = "Clinic at the yardstick"
ehr = "yardstick.toml"
client = "service"
resources = {types}
batch_size = {batch_size}
{strategy}

[patients]
{patients}

[schedule]
every_seconds = 3600

[sync]
validate = "{validate}"
"""


def write_tenant(
    folder: Path,
    yardstick: Yardstick,
    *,
    limits: Mapping[str, float],
    types: Sequence[str] = ("Observation",),
    strategy: str | None = None,
    batch_size: int = 50,
    validate: str = "none",
) -> Path:
    """Write the files of a tenant with all patients of a yardstick.

    Args:
        folder: for the files.
        yardstick: their EHR.
        limits: `[limits]` of the EHR file.
        types: what is synced.
        strategy: how; None lets a probe decide.
        batch_size: patients at a time.
        validate: how much of what comes; other clients validate nothing.
    """
    lines = "\n".join(f"{name} = {value}" for name, value in limits.items())
    (folder / "yardstick.toml").write_text(_EHR.format(base=yardstick.base, limits=lines))
    ids = json.dumps([f"p{number}" for number in range(yardstick.settings.patients)])
    path = folder / "clinic.toml"
    path.write_text(
        _TENANT.format(
            types=json.dumps(list(types)),
            batch_size=batch_size,
            strategy=f'strategy = "{strategy}"' if strategy else "",
            validate=validate,
            patients=f'discover = "listed"\nids = {ids}',
        )
    )
    return path


def sync_words(tenant: Path) -> list[str]:
    """`harness sync run` of a tenant file, as the words of a process; the account is printed."""
    main = "import sys; from harness.cli import main; sys.exit(main())"
    options = ["--tenant", str(tenant), "--json", "--reports", str(tenant.parent / "reports")]
    return [sys.executable, "-c", main, "sync", "run", *options]


def sync_environment(folder: Path) -> dict[str, str]:
    """The environment of such a process: its store lies below `folder`."""
    secret = secrets.token_urlsafe()
    return {**os.environ, "HARNESS_DATA": str(folder / "data"), "YARDSTICK_SECRET": secret}
