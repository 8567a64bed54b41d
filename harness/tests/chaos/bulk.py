"""A tenant that syncs by bulk export, with harm done to what the reference EHR answers.

Files are taken through `Chaos` whole, as its transports do not stream; what only sockets show
stands in the integration tests.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from harness.http.exchange import Request
from harness.reference.process import Running
from harness.tests.chaos.wire import Trial, url

KICKOFF = url("/$export")
GROUP = "all-patients"


def trial(  # noqa: PLR0913 - each is one choice of a test
    folder: Path,
    reference: Running,
    name: str,
    *,
    strategy: str = 'strategy = "bulk_since"',
    spec: str = "",
    sync: str = "",
    whose: str | None = None,
    bulk: dict[str, Any] | None = None,
    types: tuple[str, ...] = ("Patient", "Observation"),
    **what: Any,
) -> Trial:
    """A fresh instance and a tenant of it whose strategy is `bulk_since`.

    Args:
        folder: for files and the store.
        reference: the server.
        name: of the instance and the tenant.
        strategy: the line of `[sync]` that says how changes are found.
        spec: lines of `[sync.bulk]` of the EHR file.
        sync: lines of `[sync]`.
        whose: lines of `[patients]` of the tenant file; by default the Group of all patients.
        bulk: how the instance exports.
        types: what is synced.
        what: as for `Trial.of`.
    """
    made = Trial.of(
        folder,
        reference,
        name,
        types=types,
        ehr=f"[sync]\n{strategy}\n{sync}\n[sync.bulk]\n{spec}\n",
        bulk=bulk or {},
        **what,
    )
    whose = whose or f'discover = "group"\ngroup = "{GROUP}"'
    text = made.path.read_text()
    head, _, rest = text.partition("[patients]\n")
    _, _, after = rest.partition("[schedule]")
    made.path.write_text(f"{head}[patients]\n{whose}\n[schedule]{after}")
    return made


def listed(*patients: str) -> str:
    """`[patients]` that lists them."""
    return f'discover = "listed"\nids = {json.dumps(patients)}'


def is_poll(request: Request) -> bool:
    """Whether the status of an export is asked for."""
    return request.method == "GET" and "/$bulk-status/" in request.url


def is_file(request: Request) -> bool:
    """Whether a file of an export is asked for."""
    return request.method == "GET" and urlsplit(request.url).path.endswith(".ndjson")


def is_delete(request: Request) -> bool:
    """Whether an export is to be forgotten."""
    return request.method == "DELETE" and "/$bulk-status/" in request.url


def marks(made: Trial) -> set[str]:
    """All watermarks."""
    return {mark for (mark,) in made.rows("SELECT mark FROM watermarks")}


def jobs(made: Trial) -> list[tuple[Any, ...]]:
    """Exports that the store still knows: phase and poll URL."""
    return made.rows("SELECT phase, poll_url FROM bulk_jobs ORDER BY id")
