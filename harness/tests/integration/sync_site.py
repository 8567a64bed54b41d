"""Tenants of the reference EHR, in a folder of their own, and the commands that sync them."""

from __future__ import annotations

import json
import os
import sqlite3
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from harness.config.paths import fixtures_dir
from harness.reference.process import Running
from harness.smart.vault import new_key

TYPES = ("Patient", "Observation")

_TENANT = """
title = "{name}"
ehr = "{ehr}"
fhir_base = "{base}"
client = "{client}"
resources = {types}
batch_size = {batch_size}
{login}
[patients]
{patients}
[schedule]
every_seconds = 3600
{vault}
"""
_BACKEND = "harness-backend-secret"
_FORM = """
[login]
driver = "form"
username = "patient"
password = "env:REFERENCE_PATIENT_PASSWORD"
"""
_HARNESS = "import sys; from harness.cli import main; sys.exit(main())"
_VAULT = '\n[vault]\nkey = "env:HARNESS_VAULT_KEY"\n'


@dataclass
class Site:
    """A folder with tenants, reports and private data, beside one reference EHR."""

    folder: Path
    running: Running

    def __post_init__(self) -> None:
        self.tenants = self.folder / "tenants"
        self.tenants.mkdir(parents=True, exist_ok=True)
        self.reports = self.folder / "reports"
        self.data = self.folder / "data"
        self.vault_key = new_key()

    def backend(self, name: str, base: str, **changes: Any) -> Path:
        """A tenant with a backend client, for all patients that it may see."""
        values = {"client": _BACKEND, "login": "", "vault": "", "patients": 'discover = "search"'}
        return self._write(name, base, {**values, **changes})

    def person(self, name: str, base: str, **changes: Any) -> Path:
        """A tenant whose grant is a patient's own."""
        values = {
            "client": "harness-symmetric",
            "login": _FORM,
            "vault": _VAULT,
            "patients": 'discover = "launch"',
        }
        return self._write(name, base, {**values, **changes})

    def _write(self, name: str, base: str, values: dict[str, Any]) -> Path:
        path = self.tenants / f"{name}.toml"
        defaults: dict[str, Any] = {
            "ehr": "reference",
            "types": json.dumps(TYPES),
            "batch_size": 20,
        }
        path.write_text(_TENANT.format(name=name, base=base, **{**defaults, **values}))
        return path

    def ehr_file(self, **limits: float) -> str:
        """The EHR file of the reference with limits of its own, for a tenant file to name."""
        lines = "".join(f"{name} = {value}\n" for name, value in limits.items())
        text = (fixtures_dir() / "ehrs" / "reference.toml").read_text()
        head, _, rest = text.partition("[limits]")
        _, _, after = rest.partition("\n[")
        path = self.folder / "limited.toml"
        path.write_text(
            f"{head}\n[{after}\n[limits]\n{lines}" if rest else f"{text}\n[limits]\n{lines}"
        )
        return f"../{path.name}"

    def environment(self) -> dict[str, str]:
        return {
            **os.environ,
            **self.running.credentials,
            "HARNESS_DATA": str(self.data),
            "HARNESS_VAULT_KEY": self.vault_key,
        }

    def start(self, *words: str) -> subprocess.Popen[bytes]:
        """`harness WORDS` as a process of its own."""
        return subprocess.Popen(
            [sys.executable, "-c", _HARNESS, *words],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env=self.environment(),
        )

    def command(self, *words: str) -> tuple[int, str, str]:
        """`harness WORDS` to its end: status, standard output, standard error."""
        process = self.start(*words)
        out, err = process.communicate(timeout=120)
        return process.returncode, out.decode(), err.decode()

    def sync(self, tenant: Path) -> tuple[int, dict[str, Any]]:
        """`harness sync run`: status and account."""
        status, out, err = self.command(*self.sync_words(tenant))
        assert out, err
        account: dict[str, Any] = json.loads(out)
        return status, account

    def sync_words(self, tenant: Path) -> list[str]:
        return ["sync", "run", "--tenant", str(tenant), "--json", f"--reports={self.reports}"]

    def store(self, tenant: Path) -> Path:
        return self.data / "tenants" / tenant.stem / "store.sqlite"

    def stored(self, tenant: Path) -> dict[tuple[str, str], str]:
        """Version by (type, id)."""
        with sqlite3.connect(self.store(tenant)) as db:
            rows = db.execute(
                "SELECT type, id, version FROM resources WHERE deleted = 0"
            ).fetchall()
        return {(type_, id_): version for type_, id_, version in rows}

    def truth(self, instance: str, patient: str | None = None) -> dict[tuple[str, str], str]:
        """The same, as the EHR's control tells it."""
        which = f"?patient={patient}" if patient else ""
        return {
            (type_, each["id"]): each["version"]
            for type_ in TYPES
            for each in self.running.control(
                "GET", f"/instances/{instance}/resources/{type_}{which}"
            )
        }
