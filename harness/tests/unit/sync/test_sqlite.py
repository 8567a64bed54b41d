from __future__ import annotations

import stat
import subprocess
import sys
from collections.abc import Iterator
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from harness.errors import ConfigError
from harness.sync.model import Lease, PageDone, Query, Received
from harness.sync.store.database import LeaseLost, StoreLost, newest
from harness.sync.store.sqlite import SqliteFile
from harness.sync.store.store import Store

T0 = datetime(2026, 1, 1, 12, tzinfo=UTC)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "private"


@pytest.fixture
def store(folder: Path) -> Iterator[Store]:
    with Store(folder / "store.sqlite") as made:
        yield made


def leased(store: Store) -> Lease:
    store.connection.execute("INSERT INTO leases VALUES ('t', 'sync', 'me:1', 1, '')")
    return Lease("t", "sync", "me:1", 1, T0)


def page(id_: str, raw: bytes = b"{}") -> PageDone:
    return PageDone(Query("p", "Observation"), (Received("Observation", id_, "1", T0, raw),), T0)


def test_the_file_is_its_owners_alone(store: Store, folder: Path) -> None:
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    for each in folder.iterdir():
        assert stat.S_IMODE(each.stat().st_mode) == 0o600, each.name


def test_a_folder_that_others_can_enter_is_refused(tmp_path: Path) -> None:
    tmp_path.chmod(0o755)
    with pytest.raises(ConfigError, match="only its owner"):
        Store(tmp_path / "store.sqlite")


def test_a_file_that_is_no_store_is_refused(folder: Path) -> None:
    folder.mkdir(mode=0o700)
    (folder / "store.sqlite").write_bytes(b"something else entirely" * 100)
    with pytest.raises(ConfigError, match="expected a store"):
        Store(folder / "store.sqlite")


def test_a_store_of_a_newer_harness_is_refused(store: Store, folder: Path) -> None:
    store.connection.execute("PRAGMA user_version = 999")
    with pytest.raises(ConfigError, match="newer harness"):
        Store(folder / "store.sqlite")


def test_the_pragmas_hold(store: Store) -> None:
    def pragma(name: str) -> Any:
        return store.connection.execute(f"PRAGMA {name}").fetchone()[0]

    def pragmas() -> tuple[Any, ...]:
        return tuple(pragma(each) for each in ("journal_mode", "synchronous", "foreign_keys"))

    assert pragmas() == ("wal", 2, 1)
    with store.connection.hurried():
        assert pragmas() == ("wal", 1, 0)
    with suppress(LeaseLost), store.connection.hurried():
        raise LeaseLost("amid a run")
    assert pragmas() == ("wal", 2, 1)


def test_migrations_run_once_and_in_order(folder: Path) -> None:
    place = SqliteFile(folder / "store.sqlite")
    place.connect().close()
    connection = place.connect()
    assert connection.execute("PRAGMA user_version").fetchone()[0] == newest()
    connection.close()


def test_a_full_disk_ends_a_page_in_one_line_and_leaves_the_store_as_it_was(store: Store) -> None:
    lease = leased(store)
    run = store.begin(lease, "r1", T0)
    store.commit(lease, run, page("small"))
    pages = store.connection.execute("PRAGMA page_count").fetchone()[0]
    store.connection.execute(f"PRAGMA max_page_count = {pages}")
    with pytest.raises(StoreLost, match=r"store\.sqlite: the store cannot be written: .* full"):
        store.commit(lease, run, page("large", b"x" * 100_000))
    store.connection.execute(f"PRAGMA max_page_count = {pages * 1000}")
    assert store.holdings() == {"Observation": 1}
    assert store.commit(lease, run, page("large", b"x" * 100_000)).new == 1


def test_a_second_connection_of_the_process_keeps_the_first_ones_locks(
    store: Store, folder: Path
) -> None:
    """Another process that comes and goes must not take the log of a store in use with it."""
    lease = leased(store)
    run = store.begin(lease, "r1", T0)
    with Store(folder / "store.sqlite"):
        pass
    look = "import sqlite3, sys; db = sqlite3.connect(sys.argv[1]);"
    look += "print(db.execute('SELECT total(pages) FROM counts').fetchone()[0]); db.close()"
    words = [sys.executable, "-c", look, str(folder / "store.sqlite")]
    seen = []
    for number in range(3):
        store.commit(lease, run, page(str(number)))
        seen.append(subprocess.run(words, capture_output=True, check=True).stdout.strip())
    assert seen == [b"1.0", b"2.0", b"3.0"]
