"""What a store asks of its database, whichever make it is, and the schema that all share.

Two makes: a file of SQLite (`sqlite.py`) and a schema of PostgreSQL (`postgres.py`). Statements are
written once, in what both understand, with `?` for each value. The migrations are SQL of SQLite;
`postgres.py` says in which few words PostgreSQL differs.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from contextlib import AbstractContextManager
from importlib.resources import files
from typing import Any, Protocol

from harness.errors import ConfigError, HarnessError, SyncIncomplete


class StoreUnreachable(HarnessError):
    """The database of a store does not answer; nothing was begun."""


class LeaseLost(SyncIncomplete):
    """Another process took over; nothing that was not committed is written any more."""


class StoreLost(LeaseLost):
    """The database of a store stopped working in the middle; what was committed stays.

    The lease is kept in that database, so whoever has lost the one has lost the other.
    """


class Row(Protocol):
    """A row, by number and by name of a column."""

    def __getitem__(self, column: int | str, /) -> Any: ...
    def __iter__(self) -> Iterator[Any]: ...


class Rows(Protocol):
    """What a statement found; rows are `Row`."""

    @property
    def rowcount(self) -> int:
        """How many rows it changed."""
        ...

    def fetchone(self) -> Any:
        """The next row; None after the last."""
        ...

    def fetchall(self) -> list[Any]:
        """All that are left."""
        ...

    def __iter__(self) -> Iterator[Any]: ...


class Database(Protocol):
    """An open connection; one thread at a time may use it. Times out and raises `StoreLost`."""

    def execute(self, statement: str, values: Sequence[Any] = (), /) -> Rows:
        """Execute one statement."""
        ...

    def executemany(self, statement: str, values: Iterable[Sequence[Any]], /) -> object:
        """Execute one statement for each tuple of values."""
        ...

    def transaction(self) -> AbstractContextManager[Database]:
        """All or nothing, one writer at a time: what is read inside stays true until its end."""
        ...

    def snapshot(self) -> AbstractContextManager[Database]:
        """Let all that is read inside be of one moment, whatever others write meanwhile."""
        ...

    def hurried(self) -> AbstractContextManager[None]:
        """For the pages of a run: what is committed inside keeps its order on the way to the disk.

        No kill loses any of it. A cut of power may take back the last commits, and with them the
        watermarks and cursors that speak for them, until the next commit outside.
        """
        ...

    def stream(self, statement: str, values: Sequence[Any] = (), /) -> Iterator[Any]:
        """The rows of a query as it stood when it began, however many, in little memory."""
        ...

    def alive(self, job: str) -> AbstractContextManager[bool]:
        """Keep a sign of life for `job` that ends with this process, however it ends.

        Yields:
            Whether nobody else keeps it, so that a former holder must be dead. Where somebody does,
            its lease has to expire before it can be taken over.
        """
        ...

    def close(self) -> None:
        """Close it; whatever is not committed is gone."""
        ...


class Place(Protocol):
    """Where a store is, or is to be."""

    def exists(self) -> bool:
        """Whether there is a store already.

        Raises:
            StoreUnreachable, ConfigError: as `connect`.
        """
        ...

    def connect(self) -> Database:
        """Open it, made and migrated if need be.

        Raises:
            StoreUnreachable: the database does not answer.
            ConfigError: it cannot be used, or a newer version made it.
        """
        ...


def newest() -> int:
    """The number of the last migration."""
    return _migrations()[-1][0]


def migrations_after(version: int, where: str) -> Iterator[tuple[int, list[str]]]:
    """Number and statements of each migration that a store of schema `version` lacks.

    Args:
        version: 0 where nothing is there yet.
        where: the store, for messages.

    Raises:
        ConfigError: a newer version of the harness made the store.
    """
    steps = _migrations()
    if version > steps[-1][0]:
        raise ConfigError(
            f"{where}: made by a newer harness: schema {version}, known is {steps[-1][0]}",
            hint="update the harness",
        )
    for number, text in steps:
        if number > version:
            yield number, list(_statements(text))


def _migrations() -> list[tuple[int, str]]:
    """The numbered files of `migrations/`, in order."""
    found = (files("harness.sync.store") / "migrations").iterdir()
    named = sorted((each.name, each.read_text("utf-8")) for each in found if each.is_file())
    return [(int(name[:4]), text) for name, text in named if name.endswith(".sql")]


def _statements(text: str) -> Iterator[str]:
    """The statements of a script one by one."""
    pending = ""
    for line in text.splitlines(keepends=True):
        pending += line
        if sqlite3.complete_statement(pending):
            yield pending
            pending = ""
