"""The vault keeps secrets secret, and lets no two use one token."""

from __future__ import annotations

import json
import multiprocessing
import os
import sqlite3
import stat
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest
from cryptography.fernet import Fernet

from harness.config.secrets import Secret
from harness.errors import ConfigError
from harness.smart.stored import Access, Stored
from harness.smart.vault import Entry, Vault, new_key

NOW = datetime(2026, 3, 1, tzinfo=UTC)
ENTRY = Entry("tenant:north", "app", "camila")


@pytest.fixture
def key() -> Secret:
    return Secret(new_key())


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "private" / "vault.sqlite"


def kept(stored: Stored | None) -> str:
    assert stored is not None
    return stored.refresh_token.reveal()


def test_a_token_comes_back_as_it_was_put(path: Path, key: Secret) -> None:
    Vault(path, key).put(ENTRY, "rt-1", now=NOW, scope="openid")
    stored = Vault(path, key).get(ENTRY)
    assert kept(stored) == "rt-1"
    assert stored is not None
    assert (stored.version, stored.stored_at, stored.scope) == (1, NOW, "openid")
    assert Vault(path, key).get(Entry("tenant:south", "app", "camila")) is None


def test_only_the_owner_may_read_the_file_and_nobody_the_token(path: Path, key: Secret) -> None:
    vault = Vault(path, key)
    vault.put(ENTRY, "rt-very-secret", now=NOW)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
    assert b"rt-very-secret" not in path.read_bytes()
    assert "rt-very-secret" not in repr(vault.get(ENTRY))


def test_a_file_that_others_may_read_is_closed(path: Path, key: Secret) -> None:
    Vault(path, key)
    path.chmod(0o644)
    Vault(path, key)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_the_wrong_key_is_named_at_once(path: Path, key: Secret) -> None:
    Vault(path, key)
    with pytest.raises(ConfigError, match="cannot be read with this key"):
        Vault(path, Secret(new_key()))


def test_keys_can_be_changed_without_losing_what_is_there(path: Path, key: Secret) -> None:
    Vault(path, key).put(ENTRY, "rt-1", now=NOW)
    both = Secret(f"{new_key()}, {key.reveal()}")
    assert kept(Vault(path, both).get(ENTRY)) == "rt-1"


@pytest.mark.parametrize("text", ["", "short", "x" * 44])
def test_what_is_no_key_is_refused(path: Path, text: str) -> None:
    with pytest.raises(ConfigError, match="no Fernet key"):
        Vault(path, Secret(text))


def test_a_file_that_is_no_vault_is_named(path: Path, key: Secret) -> None:
    path.parent.mkdir()
    path.write_text("not a database, but long enough to be mistaken for one" * 10)
    with pytest.raises(ConfigError, match="cannot be used as vault"):
        Vault(path, key)


def test_only_who_saw_the_last_version_may_replace_it(path: Path, key: Secret) -> None:
    vault = Vault(path, key)
    assert vault.put(ENTRY, "rt-1", now=NOW, expected=0) is not None
    assert vault.put(ENTRY, "rt-2", now=NOW, expected=1) is not None
    assert vault.put(ENTRY, "rt-3", now=NOW, expected=1) is None
    assert kept(vault.get(ENTRY)) == "rt-2"


def test_all_that_is_known_of_a_grant_comes_back(path: Path, key: Secret) -> None:
    access = Access(Secret("at-secret"), NOW, 3600.0, "patient/Patient.rs", "p1")
    whole = Stored(Secret("rt-1"), 0, NOW, "openid", "seed", access, begun=True, lost_at=NOW)
    whole = replace(whole, lost_because="invalid_grant: revoked")
    vault = Vault(path, key)
    vault.write(ENTRY, whole, expected=None)
    assert Vault(path, key).get(ENTRY) == replace(whole, version=1)
    assert b"at-secret" not in path.read_bytes()
    assert "at-secret" not in repr(vault.get(ENTRY))


def test_a_row_of_an_earlier_version_is_read(path: Path, key: Secret) -> None:
    content = {"entry": ENTRY.row, "token": "rt-1", "at": NOW.timestamp()}
    sealed = Fernet(key.reveal()).encrypt(
        json.dumps({**content, "scope": None, "seed": None}).encode()
    )
    vault = Vault(path, key)
    with closing(sqlite3.connect(path)) as db, db:
        db.execute("INSERT INTO token VALUES (?, ?, ?, 3, ?)", (*ENTRY.row, sealed))
    assert vault.get(ENTRY) == Stored(Secret("rt-1"), 3, NOW)


def test_a_row_moved_to_another_entry_is_not_accepted(path: Path, key: Secret) -> None:
    vault = Vault(path, key)
    vault.put(ENTRY, "rt-1", now=NOW)
    with sqlite3.connect(path) as db:
        db.execute("UPDATE token SET owner = 'tenant:south'")
    db.close()
    with pytest.raises(ConfigError, match="written for another entry"):
        vault.get(Entry("tenant:south", "app", "camila"))


def test_a_deleted_token_is_gone(path: Path, key: Secret) -> None:
    vault = Vault(path, key)
    vault.put(ENTRY, "rt-1", now=NOW)
    assert vault.delete(ENTRY)
    assert not vault.delete(ENTRY)
    assert vault.get(ENTRY) is None


def test_a_lease_keeps_others_out_until_it_is_given_back(path: Path, key: Secret) -> None:
    now = [1000.0]
    vault, other = (Vault(path, key, wall=lambda: now[0]) for _ in range(2))
    assert vault.lock(ENTRY, "one", 60)
    assert vault.lock(ENTRY, "one", 60)
    assert not vault.lock(ENTRY, "two", 60)
    vault.unlock(ENTRY, "two")
    now[0] += 61
    assert not other.lock(ENTRY, "two", 60), "whoever lives may be waiting for an answer"
    assert other.holder(ENTRY) is not None
    vault.unlock(ENTRY, "one")
    assert vault.holder(ENTRY) is None
    assert other.lock(ENTRY, "two", 60)
    other.unlock(ENTRY, "two")
    assert vault.lock(ENTRY, "one", 60)
    vault.unlock(ENTRY, "one")


def test_the_lease_of_a_machine_that_is_gone_ends_by_itself(path: Path, key: Secret) -> None:
    now = [1000.0]
    far = Vault(path, key, wall=lambda: now[0], host="far")
    assert far.lock(ENTRY, "one", 60)
    os.close(far._signs[ENTRY, "one"])  # what the kernel does when a machine goes down
    vault = Vault(path, key, wall=lambda: now[0])
    assert not vault.lock(ENTRY, "two", 60)
    now[0] += 61
    assert vault.holder(ENTRY) is None
    assert vault.lock(ENTRY, "two", 60)
    vault.unlock(ENTRY, "two")


def _lock_and_die(path: Path, key: str) -> None:
    assert Vault(path, Secret(key)).lock(ENTRY, "gone", 3600)


def test_the_lease_of_a_process_that_died_ends_with_it(path: Path, key: Secret) -> None:
    spawn = multiprocessing.get_context("spawn")
    process = spawn.Process(target=_lock_and_die, args=(path, key.reveal()))
    process.start()
    process.join(60)
    assert process.exitcode == 0
    vault = Vault(path, key)
    assert vault.lock(ENTRY, "two", 60)
    vault.unlock(ENTRY, "two")


def _count_up(path: Path, key: str, times: int) -> None:
    vault = Vault(path, Secret(key))
    done = 0
    while done < times:
        stored = vault.get(ENTRY)
        assert stored is not None
        value = int(stored.refresh_token.reveal()) + 1
        done += vault.put(ENTRY, str(value), now=NOW, expected=stored.version) is not None


def test_two_processes_lose_no_change(path: Path, key: Secret) -> None:
    Vault(path, key).put(ENTRY, "0", now=NOW)
    spawn = multiprocessing.get_context("spawn")
    both = [spawn.Process(target=_count_up, args=(path, key.reveal(), 15)) for _ in range(2)]
    for process in both:
        process.start()
    for process in both:
        process.join(60)
    assert [process.exitcode for process in both] == [0, 0]
    assert kept(Vault(path, key).get(ENTRY)) == "30"
