"""A store in a schema of PostgreSQL, one for each tenant; the one importer of psycopg.

A schema of its own for each tenant, because then no statement that lacks a condition can reach
another tenant's rows, the statements are those of a file, and one tenant can be dumped, granted to
or dropped alone.

One writer at a time, as in a file: each transaction begins with a lock that is the schema's. So
the fence that is checked at its beginning still holds at its end.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from hashlib import sha256
from ipaddress import ip_address
from typing import Any

import psycopg
from psycopg.conninfo import conninfo_to_dict
from psycopg.types.string import StrDumperUnknown

from harness.config.secrets import Secret
from harness.errors import ConfigError
from harness.sync.store.database import StoreLost, StoreUnreachable, migrations_after
from harness.sync.store.dialect import Row, marked, rows, translated

CONNECT_SECONDS = 10
PATIENCE = "3s"
"""How long a sign of life is waited for: a server needs a moment to see that its client died."""

LONGEST_NAME = 63
"""Bytes of an identifier; what is longer would be cut, and two tenants could become one."""

_HOSTS = re.compile(r"[\w.:,/%-]*")
_PORTS = re.compile(r"[\d,]*")
_DEFAULTS: Mapping[str, Any] = {
    "connect_timeout": CONNECT_SECONDS,
    "application_name": "harness",
    # A server that vanished is noticed within a minute, not within hours.
    "keepalives_idle": 20,
    "keepalives_interval": 10,
    "keepalives_count": 3,
    "tcp_user_timeout": 60_000,
}


class _Text(StrDumperUnknown):
    """Text without what PostgreSQL cannot hold; ids that have such are not taken over at all."""

    def dump(self, obj: str) -> bytes:
        return obj.replace("\0", "\ufffd").encode("utf-8", "replace")


class Postgres:
    """An open connection to one tenant's schema; a `Database`."""

    def __init__(self, connection: psycopg.Connection[Row], place: PostgresSchema) -> None:
        self._connection = connection
        self._place = place

    def execute(self, statement: str, values: Sequence[Any] = (), /) -> psycopg.Cursor[Row]:
        """Execute one statement."""
        with self._told():
            return self._connection.execute(marked(statement), values)

    def executemany(self, statement: str, values: Iterable[Sequence[Any]], /) -> None:
        """Execute one statement for each tuple of values."""
        with self._told(), self._connection.cursor() as cursor:
            cursor.executemany(marked(statement), values)

    @contextmanager
    def transaction(self) -> Iterator[Postgres]:
        """All or nothing, one writer at a time: what is read inside stays true until its end."""
        with self._told():
            self._connection.execute(
                b"BEGIN ISOLATION LEVEL READ COMMITTED READ WRITE;"
                b" SELECT pg_advisory_xact_lock(%d)" % self._place.lock("write")
            )
        try:
            yield self
            with self._told():
                self._connection.execute(b"COMMIT")
        except BaseException:
            with suppress(psycopg.Error):
                self._connection.execute(b"ROLLBACK")
            raise

    @contextmanager
    def snapshot(self) -> Iterator[Postgres]:
        """Let all that is read inside be of one moment, whatever others write meanwhile."""
        self.execute("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY")
        try:
            yield self
        finally:
            with suppress(psycopg.Error):
                self._connection.execute(b"ROLLBACK")

    @contextmanager
    def hurried(self) -> Iterator[None]:
        """Nothing: its commits share their way to the disk, and a role may not leave references."""
        yield

    def stream(self, statement: str, values: Sequence[Any] = (), /) -> Iterator[Any]:
        """The rows of a query as it stood when it began, however many, in little memory."""
        with (
            self._told(),
            self._connection.transaction(),
            self._connection.cursor("streamed") as cursor,
        ):
            cursor.itersize = 500
            yield from cursor.execute(marked(statement), values)

    @contextmanager
    def alive(self, job: str) -> Iterator[bool]:
        """A lock of this connection, which the server frees when the connection ends.

        Whoever finds it free knows more than that a process died: the connection that its commits
        would have gone through is gone.
        """
        key = self._place.lock(job)
        self.execute(f"SET lock_timeout = '{PATIENCE}'")
        try:
            self.execute("SELECT pg_advisory_lock(?)", (key,))
            alone = True
        except psycopg.errors.LockNotAvailable:
            alone = False
        self.execute("SET lock_timeout = 0")
        try:
            yield alone
        finally:
            if alone:
                with suppress(StoreLost):
                    self.execute("SELECT pg_advisory_unlock(?)", (key,))

    def close(self) -> None:
        """Close it; whatever is not committed is gone."""
        self._connection.close()

    @contextmanager
    def _told(self) -> Iterator[None]:
        try:
            yield
        except psycopg.errors.LockNotAvailable:
            raise
        except (psycopg.OperationalError, psycopg.InterfaceError) as error:
            raise StoreLost(
                f"{self._place}: the store stopped working: {self._place.said(error)}",
                hint="what was committed stays; the next run goes on there",
            ) from None


@dataclass(frozen=True, slots=True)
class PostgresSchema:
    """The schema that holds one tenant's store; a `Place`.

    Attributes:
        url: `postgresql://...`, as libpq takes it. https://www.postgresql.org/docs/current/libpq-connect.html#LIBPQ-CONNSTRING
        tenant: its name; the schema is called after it.
    """

    url: Secret = field(repr=False)
    tenant: str

    @property
    def schema(self) -> str:
        """The name of the schema."""
        name = f"harness-{self.tenant}"
        if len(name) <= LONGEST_NAME:
            return name
        digest = sha256(self.tenant.encode()).hexdigest()[:12]
        return f"{name[: LONGEST_NAME - 13]}-{digest}"

    def __str__(self) -> str:
        given = self._given()
        return f"PostgreSQL {given.get('host', 'here')}, schema {self.schema}"

    def lock(self, what: str) -> int:
        """The number of an advisory lock of this schema."""
        digest = sha256(f"{self.schema}/{what}".encode()).digest()
        return int.from_bytes(digest[:8], signed=True)

    def exists(self) -> bool:
        """Whether there is a store in the schema."""
        with self._open() as connection:
            return _version(connection, self.schema) is not None

    def connect(self) -> Postgres:
        """Open it, made and migrated if need be.

        Raises:
            StoreUnreachable: the server does not answer.
            ConfigError: the URL or its rights are wrong, the database is not UTF-8, or a newer
                version made the store.
        """
        connection = self._open()
        database = Postgres(connection, self)
        try:
            self._prepare(connection, database)
        except psycopg.errors.InsufficientPrivilege as error:
            connection.close()
            raise ConfigError(
                f"{self}: its role may not make the store: {self.said(error)}",
                hint=f'GRANT CREATE ON DATABASE, or CREATE SCHEMA "{self.schema}" AUTHORIZATION it',
            ) from None
        except BaseException:
            connection.close()
            raise
        return database

    def _open(self) -> psycopg.Connection[Row]:
        given = self._given()
        try:
            connection = psycopg.connect(
                **{**_DEFAULTS, **_trust(given), **given, "client_encoding": "UTF8"},
                autocommit=True,
                row_factory=rows,
            )
        except psycopg.OperationalError as error:
            if isinstance(error, psycopg.errors.InvalidAuthorizationSpecification) or (
                "authentication failed" in str(error) or "does not exist" in str(error)
            ):
                raise ConfigError(f"{self}: refused: {self.said(error)}") from None
            raise StoreUnreachable(f"{self}: no connection: {self.said(error)}") from None
        connection.adapters.register_dumper(str, _Text)
        encoding = connection.info.parameter_status("server_encoding")
        if encoding != "UTF8":
            connection.close()
            raise ConfigError(
                f"{self}: expected a database in UTF8, got {encoding}",
                hint="CREATE DATABASE ... ENCODING 'UTF8' TEMPLATE template0",
            )
        return connection

    def _prepare(self, connection: psycopg.Connection[Row], database: Postgres) -> None:
        connection.execute(f'SET search_path TO "{self.schema}"'.encode())
        # What is reported as stored must survive a power cut; a server may be set otherwise.
        connection.execute(
            b"SELECT set_config('synchronous_commit', 'on', false)"
            b" WHERE current_setting('synchronous_commit') = 'off'"
        )
        version = _version(connection, self.schema)
        if version is not None and not list(migrations_after(version, str(self))):
            return
        with database.transaction():
            self._migrate(connection, _version(connection, self.schema))

    def _migrate(self, connection: psycopg.Connection[Row], version: int | None) -> None:
        if version is None:
            exists = connection.execute(
                b"SELECT 1 FROM pg_namespace WHERE nspname = %s", (self.schema,)
            ).fetchone()
            if exists is None:
                connection.execute(f'CREATE SCHEMA "{self.schema}"'.encode())
            connection.execute(b"CREATE TABLE schema_version (version BIGINT NOT NULL)")
            connection.execute(b"INSERT INTO schema_version VALUES (0)")
        for number, statements in migrations_after(version or 0, str(self)):
            for statement in statements:
                connection.execute(translated(statement).encode())
            connection.execute(b"UPDATE schema_version SET version = %s", (number,))

    def _given(self) -> dict[str, Any]:
        try:
            said = conninfo_to_dict(self.url.reveal())
        except psycopg.ProgrammingError:
            said = {"host": "@"}
        given: dict[str, Any] = {name: each for name, each in said.items() if each is not None}
        # Where a password holds a sign that should be encoded, a part of it is taken for the host
        # or the port; what libpq says of such would quote it.
        host, port = str(given.get("host", "")), str(given.get("port", ""))
        if not (_HOSTS.fullmatch(host) and _PORTS.fullmatch(port)):
            raise ConfigError(
                f"tenant {self.tenant}: store is no PostgreSQL URL that can be read",
                hint="postgresql://user:password@host:port/database, percent-encoded",
            )
        return given

    def said(self, error: psycopg.Error) -> str:
        """The first line of what the server or the library said, without the password."""
        line = next(iter(str(error).splitlines()), type(error).__name__)
        password = self._given().get("password")
        return line.replace(str(password), "<secret>") if password else line


def _trust(given: Mapping[str, Any]) -> dict[str, str]:
    """TLS, verified, wherever the URL does not say otherwise and the server is elsewhere."""
    host = str(given.get("host") or given.get("hostaddr") or os.environ.get("PGHOST", ""))
    if "sslmode" in given or not host or host.startswith("/") or _is_loopback(host):
        return {}
    return {
        "sslmode": "verify-full",
        **({} if "sslrootcert" in given else {"sslrootcert": "system"}),
    }


def _is_loopback(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _version(connection: psycopg.Connection[Row], schema: str) -> int | None:
    found = connection.execute(
        b"SELECT 1 FROM pg_tables WHERE schemaname = %s AND tablename = 'schema_version'", (schema,)
    ).fetchone()
    if found is None:
        return None
    look = f'SELECT version FROM "{schema}".schema_version'  # noqa: S608 - a name of our own making
    row = connection.execute(look.encode()).fetchone()
    return int(row[0]) if row is not None else 0
