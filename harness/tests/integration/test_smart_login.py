"""`harness login --ehr` signs in once, and later runs live on what it stored."""

from __future__ import annotations

import asyncio
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from harness.cli import main
from harness.config.ehr import Limits
from harness.config.load import load_ehr
from harness.config.secrets import Secret, Secrets
from harness.errors import ExitStatus
from harness.http.client import HttpClient
from harness.http.clock import SystemClock
from harness.http.evidence import Evidence
from harness.http.limiter import HostLimiters
from harness.http.origin import origin
from harness.reference.process import Running
from harness.smart.drivers import Choices
from harness.smart.drivers.fill import Wishes
from harness.smart.drivers.plan import Follow, Task
from harness.smart.drivers.refresh_token import entry_of
from harness.smart.drivers.target import LaunchTarget
from harness.smart.drivers.walk import Walk
from harness.smart.ehr_vault import open_vault, vault_path
from harness.smart.vault import Vault, new_key

NATIVE = "harness.app:/callback"
EHR = """
title = "Reference EHR"
fhir_base = "{base}"
environment = "{environment}"
data = "synthetic"
[auth]
kind = "smart"
[[clients]]
name = "app"
id = "harness-symmetric"
auth = "client_secret_basic"
secret = "env:REFERENCE_CLIENT_SECRET"
redirect_uri = "harness.app:/callback"
launch_uri = "http://127.0.0.1:8765/launch"
[[logins]]
name = "stored"
driver = "refresh_token"
username = "patient"
password = "env:REFERENCE_PATIENT_PASSWORD"
[[logins]]
name = "clinician"
username = "clinician"
password = "env:REFERENCE_CLINICIAN_PASSWORD"
[[launches]]
name = "standalone"
kind = "standalone"
client = "app"
login = "stored"
scopes = "launch/patient openid fhirUser offline_access patient/Patient.rs"
[[launches]]
name = "from-ehr"
kind = "ehr"
source = "form"
launch_url = "../launch"
method = "post"
client = "app"
login = "clinician"
scopes = "launch openid offline_access user/Patient.rs"
[[launches]]
name = "online"
kind = "standalone"
client = "app"
login = "stored"
scopes = "launch/patient patient/Patient.rs"
"""


@pytest.fixture
def ehr_file(reference: Running, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("HARNESS_DATA", str(tmp_path / "data"))
    monkeypatch.setenv("HARNESS_VAULT_KEY", new_key())
    for name, value in reference.credentials.items():
        monkeypatch.setenv(name, value)
    return write(tmp_path, reference)


def write(folder: Path, reference: Running, **changes: str) -> Path:
    path = folder / "clinic.toml"
    values = {
        "base": reference.fhir_base,
        "environment": "sandbox",
    }
    path.write_text(EHR.format(**(values | changes)))
    return path


def stored(path: Path, client: str, login: str) -> str | None:
    ehr = load_ehr(str(path))
    found = open_vault(ehr, Secrets(os.environ)).get(entry_of(ehr, client, login))
    return found.refresh_token.reveal() if found else None


def test_a_run_lives_on_what_the_login_stored(
    ehr_file: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["login", "--ehr", str(ehr_file)]) == ExitStatus.OK
    said = capsys.readouterr()
    first = stored(ehr_file, "app", "stored")
    assert first is not None
    assert "clinic: signed in by launch standalone" in said.out
    assert str(vault_path(load_ehr(str(ehr_file)))) in said.out
    assert first not in said.out + said.err
    suite = Path(__file__).parents[3] / "suites" / "smart" / "test_access.py"
    # Without the password, nobody could sign in again.
    environ = {k: v for k, v in os.environ.items() if "PASSWORD" not in k}
    command = [
        sys.executable,
        "-m",
        "pytest",
        f"--ehr={ehr_file}",
        "--reports",
        str(tmp_path / "r"),
    ]
    ran = subprocess.run(
        [*command, str(suite)], env=environ, capture_output=True, text=True, check=False
    )
    assert ran.returncode == ExitStatus.OK, ran.stdout + ran.stderr
    assert stored(ehr_file, "app", "stored") not in (None, first), "the token has rotated"


def test_a_launch_from_within_the_ehr_is_stored_too(
    ehr_file: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["login", "--ehr", str(ehr_file), "--launch", "from-ehr"]) == ExitStatus.OK
    assert stored(ehr_file, "app", "clinician")
    assert 'once login clinician has driver = "refresh_token"' in capsys.readouterr().err


def test_the_base_may_be_another(
    ehr_file: Path, tmp_path: Path, reference: Running, capsys: pytest.CaptureFixture[str]
) -> None:
    moved = write(tmp_path, reference, base="http://127.0.0.1:1/r4")
    argv = ["login", "--ehr", str(moved), "--ehr-url", reference.fhir_base]
    assert main(argv) == ExitStatus.OK, capsys.readouterr().err
    assert main(["login", "--ehr", str(moved)]) == ExitStatus.UNREACHABLE


class Person:
    """Standard input of somebody who opens the page that was named, and pastes where it ended."""

    def __init__(self, reference: Running, capsys: pytest.CaptureFixture[str]) -> None:
        self.reference = reference
        self.capsys = capsys

    def readline(self) -> str:
        said = self.capsys.readouterr().err
        named = re.search(r"^ +(http://\S+)$", said, re.MULTILINE)
        assert named is not None, said
        return asyncio.run(self.browse(named[1]))

    async def browse(self, url: str) -> str:
        clock = SystemClock()
        password = Secret(self.reference.credentials["REFERENCE_PATIENT_PASSWORD"])
        task = Task(LaunchTarget(NATIVE), Wishes(Choices(), ()), "patient", password)
        async with HttpClient(
            base=self.reference.fhir_base,
            evidence=Evidence(),
            limiter=HostLimiters(Limits(requests_per_second=100, burst=50), clock),
            clock=clock,
        ) as http:
            caught = await Walk(http, task, frozenset({origin(url)})).run(Follow(url))
        return f"{caught.url}\n"


def test_in_production_a_person_signs_in(
    ehr_file: Path,
    tmp_path: Path,
    reference: Running,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    production = write(tmp_path, reference, environment="production")
    monkeypatch.setattr("sys.stdin", Person(reference, capsys))
    assert main(["login", "--ehr", str(production)]) == ExitStatus.OK
    assert stored(production, "app", "stored")


def test_without_a_vault_key_nobody_signs_in_in_vain(
    ehr_file: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.delenv("HARNESS_VAULT_KEY")
    assert main(["login", "--ehr", str(ehr_file)]) == ExitStatus.USAGE
    said = capsys.readouterr().err
    assert said.count("\n") == 1
    assert 'export HARNESS_VAULT_KEY="$(harness login --new-vault-key)"' in said


def test_a_new_vault_key_is_one(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["login", "--new-vault-key"]) == ExitStatus.OK
    Vault(tmp_path / "vault.sqlite", Secret(capsys.readouterr().out.strip()))


@pytest.mark.parametrize(
    ("argv", "words"),
    [
        (["--launch", "other"], "no launch 'other'; there are: standalone, from-ehr"),
        (["--launch", "online"], "granted no refresh token (ask for offline_access"),
    ],
)
def test_a_login_that_cannot_be_kept_says_why(
    ehr_file: Path, argv: list[str], words: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["login", "--ehr", str(ehr_file), *argv]) != ExitStatus.OK
    said = capsys.readouterr().err
    assert words in said
    assert "defect" not in said


@pytest.mark.parametrize(
    "argv", [[], ["--tenant", "t", "--launch", "x"], ["--ehr", "a", "--tenant", "b"]]
)
def test_wrong_arguments_are_usage_errors(argv: list[str]) -> None:
    assert main(["login", *argv]) == ExitStatus.USAGE


def test_an_ehr_file_without_a_launch_says_so(
    ehr_file: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    ehr_file.write_text(
        EHR.split("[[launches]]", maxsplit=1)[0].format(
            base="http://127.0.0.1:1/r4", environment="sandbox"
        )
    )
    assert main(["login", "--ehr", str(ehr_file)]) == ExitStatus.USAGE
    assert "no standalone launch; there are: none" in capsys.readouterr().err
