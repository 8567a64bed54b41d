"""How a grant stands is read from its vault: good, lost since when, idle, or unknown."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from harness.cli import main
from harness.config.secrets import Secret, Secrets
from harness.config.tenant import load_tenant
from harness.smart.stored import Access, Stored
from harness.smart.vault import new_key
from harness.sync.access.connect import vault_of
from harness.sync.access.grant import Grant, Standing, grant_of
from harness.sync.status import Status

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
TENANT = """
title = "North"
ehr = "reference"
client = "{client}"
resources = ["Patient", "Observation"]
patients = {{ discover = "launch" }}
schedule = {{ every_seconds = 3600 }}
{login}
"""
LOGIN = """
[login]
[vault]
path = "vault.sqlite"
key = "env:KEY"
"""


@pytest.fixture
def key() -> str:
    return new_key()


def written(folder: Path, client: str = "harness-symmetric", login: str = LOGIN) -> str:
    path = folder / "north.toml"
    path.write_text(TENANT.format(client=client, login=login))
    return str(path)


def grant(folder: Path, key: str, stored: Stored | None = None) -> Grant:
    tenant, secrets = load_tenant(written(folder)), Secrets({"KEY": key})
    if stored is not None:
        vault, entry = vault_of(tenant, secrets)
        vault.write(entry, stored, expected=None)
    found = grant_of(tenant, secrets)
    assert found is not None
    return found


def test_a_backend_client_has_no_grant(tmp_path: Path) -> None:
    path = written(tmp_path, "harness-backend", "")
    assert grant_of(load_tenant(path), Secrets({})) is None


def test_before_the_first_login_there_is_none_and_no_vault_is_made(
    tmp_path: Path, key: str
) -> None:
    found = grant(tmp_path, key)
    assert found.standing is Standing.NONE
    assert "harness login --tenant north" in str(found.reason)
    assert not (tmp_path / "vault.sqlite").exists()


def test_a_good_grant_says_when_it_was_refreshed_and_for_how_long_it_was_idle(
    tmp_path: Path, key: str
) -> None:
    found = grant(tmp_path, key, Stored(Secret("rt"), 0, NOW))
    assert found.lines(NOW) == ["grant: good, last refreshed 2026-03-01 12:00 UTC"]
    later = found.lines(NOW + timedelta(days=61))
    assert later[1] == "grant: unused for 61 days; EHRs end idle grants, so sync soon"


def test_a_lost_grant_says_since_when_and_why_and_what_to_do(tmp_path: Path, key: str) -> None:
    lost = Stored(Secret("rt"), 0, NOW, lost_at=NOW, lost_because="invalid_grant: revoked")
    found = grant(tmp_path, key, lost)
    assert found.lines(NOW) == [
        (
            "grant: lost, since 2026-03-01 12:00 UTC, last refreshed 2026-03-01 12:00 UTC:"
            " invalid_grant: revoked (harness login --tenant north)"
        )
    ]
    assert found.as_json()["standing"] == "lost"
    assert Status("north", grant=found).lines(NOW)[1].strip().startswith("grant: lost")


def test_types_that_no_scope_covers_any_more_are_named(tmp_path: Path, key: str) -> None:
    access = Access(Secret("at"), NOW, 3600.0, "patient/Patient.rs")
    scope = "patient/Patient.rs patient/Observation.rs"
    found = grant(tmp_path, key, Stored(Secret("rt"), 0, NOW, scope, access=access))
    assert found.not_covered == ("Observation",)
    assert found.lines(NOW)[1] == "grant: no scope covers Observation: log in again"


def test_a_vault_that_cannot_be_read_is_unknown(tmp_path: Path, key: str) -> None:
    grant(tmp_path, key, Stored(Secret("rt"), 0, NOW))
    found = grant(tmp_path, new_key())
    assert found.standing is Standing.UNKNOWN
    assert "cannot be read with this key" in str(found.reason)


def test_the_command_shows_the_grant(
    tmp_path: Path, key: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    lost = Stored(Secret("rt"), 0, NOW, lost_at=NOW, lost_because="invalid_grant: revoked")
    grant(tmp_path, key, lost)
    monkeypatch.setenv("KEY", key)
    monkeypatch.setenv("HARNESS_DATA", str(tmp_path))
    assert main(["sync", "status", "--tenant", str(tmp_path / "north.toml")]) == 0
    shown = capsys.readouterr().out
    assert "grant: lost, since 2026-03-01 12:00 UTC" in shown
    assert main(["sync", "status", "--json", "--tenant", str(tmp_path / "north.toml")]) == 0
    (told,) = json.loads(capsys.readouterr().out)
    assert told["grant"]["standing"] == "lost"
