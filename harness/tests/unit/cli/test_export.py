from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path

import pytest

from harness.cli import main
from harness.config import paths
from harness.config.tenant import load_tenant
from harness.sync.model import Lease, PageDone, Query, Received
from harness.sync.store.places import place_of
from harness.sync.store.store import Store

T0 = datetime(2026, 1, 1, 12, tzinfo=UTC)
TENANT = """
title = "t"
ehr = "reference"
client = "harness-backend-secret"
[patients]
discover = "search"
[schedule]
every_seconds = 3600
"""


@pytest.fixture
def tenant(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("HARNESS_DATA", str(tmp_path / "data"))
    path = tmp_path / "clinic.toml"
    path.write_text(TENANT)
    return path


@pytest.fixture
def synced(tenant: Path) -> Path:
    with Store(place_of(load_tenant(str(tenant)), {})) as store:
        store.connection.execute("INSERT INTO leases VALUES ('t', 'sync', 'me:1', 1, '')")
        lease = Lease("t", "sync", "me:1", 1, T0)
        one = Received("Observation", "o", "1", T0, b'{"value": 1.50}')
        page = PageDone(Query("p", "Observation"), (one,), T0)
        store.commit(lease, store.begin(lease, "r", T0), page)
    return tenant


def test_an_export_is_written_and_told(
    synced: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["sync", "export", "--tenant", str(synced), "--to", str(tmp_path / "out"), "--json"]
    assert main(words) == 0
    (told,) = json.loads(capsys.readouterr().out)
    assert told == {"file": str(tmp_path / "out" / "Observation.ndjson"), "resources": 1}
    assert Path(told["file"]).read_bytes() == b'{"value": 1.50}\n'


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--since", "yesterday"], "expected a date or time in ISO 8601"),
        (["--format", "parquet", "--gzip"], "Parquet is compressed already"),
        (["--format", "csv"], "invalid choice"),
    ],
)
def test_what_makes_no_sense_is_refused(
    synced: Path,
    tmp_path: Path,
    words: list[str],
    said: str,
    capsys: pytest.CaptureFixture[str],
) -> None:
    out = tmp_path / "out"
    assert main(["sync", "export", "--tenant", str(synced), "--to", str(out), *words]) == 4
    assert said in capsys.readouterr().err
    assert not out.exists()


def test_nothing_is_written_among_reports(
    synced: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    link = tmp_path / "elsewhere"
    link.symlink_to(paths.reports_dir())
    for folder in (paths.reports_dir() / "x", link / "x"):
        assert main(["sync", "export", "--tenant", str(synced), "--to", str(folder)]) == 4
        assert "an export is PHI" in capsys.readouterr().err
        assert not folder.exists()


def test_a_tenant_without_a_store_is_told_to_sync(
    tenant: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["sync", "export", "--tenant", str(tenant), "--to", str(tmp_path / "out")]) == 4
    assert "harness sync run --tenant clinic" in capsys.readouterr().err


def test_the_help_warns_of_phi(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["sync", "export", "--help"]) == 0
    assert "WHAT IS WRITTEN IS PHI" in capsys.readouterr().out
