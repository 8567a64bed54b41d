"""Starting the reference EHR as a process, with the standard library alone."""

from __future__ import annotations

import json
import os
import selectors
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any, Self, cast

from harness.errors import HarnessError

READY_WITHIN = 30.0
"""Seconds; it takes less than two on an idle machine."""
_END_WITHIN = 5.0
_CONTROL_WITHIN = 30.0


class ReferenceFailed(HarnessError):
    """The reference EHR did not start, or refused what its control was asked for."""


@dataclass(slots=True)
class Running:
    """A reference EHR that runs; also a context manager that ends it.

    Args:
        process: its process; standard input is a pipe whose end ends it.
        ready: the ready line, see docs/reference.md.
    """

    process: subprocess.Popen[bytes]
    ready: Mapping[str, Any] = field(repr=False)

    @property
    def fhir_base(self) -> str:
        """FHIR base of the default instance."""
        return str(self.ready["fhir_base"])

    @property
    def credentials(self) -> dict[str, str]:
        """Secrets by the name of their environment variable."""
        return dict(self.ready["credentials"])

    def advance(self, seconds: float, instance: str = "default") -> None:
        """Moves the clock of an instance forward.

        Raises:
            ReferenceFailed: as `control`.
        """
        self.control("POST", f"/instances/{instance}/clock", {"advance_seconds": seconds})

    def control(self, method: str, path: str, body: Any = None) -> Any:
        """One request to the control listener.

        Args:
            method: GET, POST or DELETE.
            path: such as `/instances`.
            body: JSON to send; None for none.

        Returns:
            The JSON of the answer; None where it has no content.

        Raises:
            ReferenceFailed: it refused, or did not answer.
        """
        request = urllib.request.Request(  # noqa: S310 - always the loopback URL of the ready line
            f"{self.ready['control']}{path}",
            data=None if body is None else json.dumps(body).encode(),
            headers={"Authorization": f"Bearer {self.ready['control_secret']}"},
            method=method,
        )
        # No proxy: the control listener is on loopback.
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        try:
            with opener.open(request, timeout=_CONTROL_WITHIN) as response:
                content = response.read()
        except urllib.error.HTTPError as error:
            with error:
                reason = error.read().decode("utf-8", "replace")
            raise ReferenceFailed(f"control {method} {path}: {error.code} {reason}") from error
        except OSError as error:
            raise ReferenceFailed(f"control {method} {path}: no answer ({error})") from error
        return json.loads(content) if content else None

    def instance(self, name: str, **what: Any) -> dict[str, Any]:
        """A new isolated instance; `what` as in POST /instances (faults, variants, rate, ...)."""
        described: dict[str, Any] = self.control("POST", "/instances", {"name": name, **what})
        return described

    def stop(self) -> int:
        """Ends the process and returns its exit status; harmless when it has ended."""
        return _end(self.process)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self.stop()


def start(  # noqa: PLR0913 - the options of the command, all by keyword
    *,
    patients: int = 20,
    seed: int = 1,
    faults: Iterable[str] = (),
    variants: Iterable[str] = (),
    rate: float | None = None,
    burst: int | None = None,
    retry_after: str = "seconds",
    redirect_uris: Iterable[str] = (),
    launch_uris: Iterable[str] = (),
    smart: str | None = None,
    port: int = 0,
    data: Path | None = None,
    bulk: Mapping[str, Any] | None = None,
    environ: Mapping[str, str] | None = None,
) -> Running:
    """Starts the reference EHR and waits until it is ready.

    Args:
        patients: how many synthetic patients.
        seed: equal seeds give equal patients.
        faults: names from the catalogue of faults, for the default instance.
        variants: names from the catalogue of variants, for the default instance.
        rate: FHIR requests per second before 429; None for no limit.
        burst: how many at once.
        retry_after: `seconds`, `date` or `none`.
        redirect_uris: further redirect URIs for the clients.
        launch_uris: further launch URIs for the clients.
        smart: version of SMART App Launch of the default instance.
        port: 0 takes a free one.
        data: a file that keeps what is written; None keeps it in memory.
        bulk: how Bulk Data is exported, by the names of `BulkOptions`.
        environ: the environment of the process; None takes this process's own.

    Raises:
        ReferenceFailed: it was not ready in time; its standard error said why.
    """
    given = {"rate": rate, "burst": burst, "retry-after": retry_after, "port": port}
    given |= {
        "patients": patients,
        "seed": seed,
        "smart": smart,
        "data": str(data) if data else None,
    }
    options = [f"--{name}={value}" for name, value in given.items() if value is not None]
    options += [f"--fault={name}" for name in faults]
    options += [f"--variant={name}" for name in variants]
    options += [f"--bulk={name}={json.dumps(value)}" for name, value in (bulk or {}).items()]
    options += [f"--redirect-uri={uri}" for uri in redirect_uris]
    options += [f"--launch-uri={uri}" for uri in launch_uris]
    process = subprocess.Popen(  # noqa: S603 - our own module, by this interpreter
        [sys.executable, "-m", "harness.reference", *options],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        # Ctrl-C in a terminal is for whoever started it, who may still have writes to undo.
        process_group=0,
        env=_environment(os.environ if environ is None else environ),
    )
    return Running(process, _ready(process))


def _ready(process: subprocess.Popen[bytes]) -> dict[str, Any]:
    line = _first_line(process, time.monotonic() + READY_WITHIN)
    if not line.endswith(b"\n"):
        raise ReferenceFailed(
            f"the reference EHR did not become ready (exit status {_end(process)})",
            hint="its standard error says why",
        )
    ready: dict[str, Any] = json.loads(line)
    return ready


def _end(process: subprocess.Popen[bytes]) -> int:
    if process.stdin:
        process.stdin.close()
    try:
        status = process.wait(_END_WITHIN)
    except subprocess.TimeoutExpired:
        process.kill()
        status = process.wait()
    if process.stdout:
        process.stdout.close()
    return status


def _environment(environ: Mapping[str, str]) -> dict[str, str]:
    """The environment, such that the process imports this very package."""
    root = str(Path(__file__).resolve().parents[2])
    path = os.pathsep.join(filter(None, (root, environ.get("PYTHONPATH"))))
    return {**environ, "PYTHONPATH": path}


def _first_line(process: subprocess.Popen[bytes], deadline: float) -> bytes:
    """The first line that the process writes; without its newline if it ends or is too slow."""
    line = b""
    with selectors.DefaultSelector() as selector:
        selector.register(cast(IO[bytes], process.stdout), selectors.EVENT_READ)
        while not line.endswith(b"\n"):
            ready = selector.select(max(0.0, deadline - time.monotonic()))
            chunk = os.read(ready[0][0].fd, 65536) if ready else b""
            if not chunk:
                break
            line += chunk
    return line
