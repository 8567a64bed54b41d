from __future__ import annotations

import secrets
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime
from urllib.parse import urlsplit

import pytest

from harness.config.secrets import Secret
from harness.errors import ConfigError, ExitStatus
from harness.sync.model import Gap, Lease, PageDone, Query, Received
from harness.sync.store.database import StoreLost, StoreUnreachable
from harness.sync.store.store import Store
from harness.tests import postgres_server

psycopg = pytest.importorskip("psycopg")
from harness.sync.store.postgres import LONGEST_NAME, PostgresSchema, _trust  # noqa: E402

T0 = datetime(2026, 1, 1, 12, tzinfo=UTC)
QUERY = Query("p", "Observation")


@pytest.fixture
def place(postgres: str) -> Iterator[PostgresSchema]:
    name = f"own-{secrets.token_hex(6)}"
    made = PostgresSchema(Secret(f"{postgres}?application_name={name}"), name)
    yield made
    postgres_server.drop(postgres, made.schema)


def page(id_: str) -> PageDone:
    return PageDone(QUERY, (Received("Observation", id_, "1", T0, b"{}"),), T0)


def leased(store: Store) -> Lease:
    store.connection.execute("INSERT INTO leases VALUES ('t', 'sync', 'me:1', 1, '')")
    return Lease("t", "sync", "me:1", 1, T0)


def cut(url: str, name: str) -> int:
    """Let the server end what connects under a name, as a restart would."""
    with psycopg.connect(url, autocommit=True) as connection:
        ended: int = connection.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = %s",
            (name,),
        ).rowcount
    return ended


def test_a_connection_that_is_cut_in_a_page_leaves_nothing_of_it(
    place: PostgresSchema, postgres: str
) -> None:
    store = Store(place)
    lease = leased(store)
    run = store.begin(lease, "r1", T0)
    store.commit(lease, run, page("kept"))

    def half() -> None:
        with store.fenced(lease) as db:
            db.execute("DELETE FROM resources")
            assert cut(postgres, place.tenant) == 1
            db.execute("SELECT 1")

    with pytest.raises(StoreLost, match="the store stopped working") as caught:
        half()
    assert caught.value.status == ExitStatus.INCOMPLETE
    with pytest.raises(StoreLost):
        store.commit(lease, run, page("late"))
    store.close()
    with Store(place) as again:
        assert again.holdings() == {"Observation": 1}
        assert again.commit(lease, run, page("late")).new == 1


def test_a_sign_of_life_ends_with_its_connection(place: PostgresSchema, postgres: str) -> None:
    with (
        Store(place) as store,
        Store(replace(place, url=Secret(postgres))) as rival,
        store.connection.alive("sync") as alone,
    ):
        cut(postgres, place.tenant)
        with rival.connection.alive("sync") as others_dead:
            assert (alone, others_dead) == (True, True)


def test_text_that_no_database_takes_ends_no_run(place: PostgresSchema) -> None:
    with Store(place) as store:
        lease = leased(store)
        store.begin(lease, "r1", T0)
        gap = Gap(QUERY, "the EHR said \0 and \ud800")
        store.finish(lease, replace(store.runs()[0], ended=T0), [gap])
        assert store.gaps(store.runs()[0].id) == (Gap(QUERY, "the EHR said \ufffd and ?"),)


def test_tenants_of_one_database_see_nothing_of_each_other(
    place: PostgresSchema, postgres: str
) -> None:
    other = replace(place, tenant=f"{place.tenant}-b")
    try:
        with Store(place) as store, Store(other) as neighbour:
            lease = leased(store)
            store.commit(lease, store.begin(lease, "r1", T0), page("mine"))
            assert neighbour.holdings() == {}
            assert neighbour.runs() == ()
            assert store.pseudonym("p") != neighbour.pseudonym("p")
    finally:
        postgres_server.drop(postgres, other.schema)


def test_names_that_are_too_long_for_a_schema_stay_apart() -> None:
    names = ["a" * 63, "a" * 62 + "b", "short"]
    schemas = [PostgresSchema(Secret("postgresql://h/d"), name).schema for name in names]
    assert len(set(schemas)) == 3
    assert max(map(len, schemas)) == LONGEST_NAME
    assert schemas[2] == "harness-short"


def test_a_database_that_is_not_utf8_is_refused(place: PostgresSchema, postgres: str) -> None:
    name = f"ascii_{secrets.token_hex(4)}"
    with psycopg.connect(postgres, autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name} ENCODING 'SQL_ASCII' TEMPLATE template0")
        url = urlsplit(postgres)._replace(path=f"/{name}").geturl()
        try:
            with pytest.raises(ConfigError, match="expected a database in UTF8, got SQL_ASCII"):
                Store(replace(place, url=Secret(url)))
        finally:
            connection.execute(f"DROP DATABASE {name}")


def test_a_store_of_a_newer_harness_is_refused(place: PostgresSchema) -> None:
    with Store(place) as store:
        store.connection.execute("UPDATE schema_version SET version = 999")
    with pytest.raises(ConfigError, match="newer harness: schema 999"):
        Store(place)


def test_a_role_that_may_not_make_schemas_is_told_what_it_needs(
    place: PostgresSchema, postgres: str
) -> None:
    role, word = f"role_{secrets.token_hex(4)}", secrets.token_urlsafe(12)
    host = urlsplit(postgres).netloc.rpartition("@")[2]
    url = urlsplit(postgres)._replace(netloc=f"{role}:{word}@{host}").geturl()
    with psycopg.connect(postgres, autocommit=True) as connection:
        connection.execute(f"CREATE ROLE {role} LOGIN PASSWORD '{word}'")
        try:
            with pytest.raises(ConfigError, match="its role may not make the store") as caught:
                Store(replace(place, url=Secret(url)))
            assert f'CREATE SCHEMA "{place.schema}"' in str(caught.value)
            connection.execute(f'CREATE SCHEMA "{place.schema}" AUTHORIZATION {role}')
            with Store(replace(place, url=Secret(url))) as store:
                assert store.runs() == ()
        finally:
            connection.execute(f'DROP SCHEMA IF EXISTS "{place.schema}" CASCADE')
            connection.execute(f"DROP ROLE {role}")


@pytest.mark.parametrize(
    ("change", "error"),
    [
        (lambda url: url.replace("/postgres", "/nowhere"), ConfigError),
        (lambda url: url.replace("@127.0.0.1", "x@127.0.0.1"), ConfigError),
        (lambda url: f"{url.rpartition(':')[0]}:1/postgres", StoreUnreachable),
        (lambda url: f"{url.rpartition(':')[0]}:port/postgres", ConfigError),
        (lambda url: url.replace("@", "/@"), ConfigError),
        (lambda url: url.replace("@", "?@"), ConfigError),
        (lambda url: url.replace("harness:", "harness:a@"), ConfigError),
        (lambda url: f"{url}?no_such_word=1", ConfigError),
    ],
)
def test_no_message_shows_the_password(
    postgres: str, change: Callable[[str], str], error: type[Exception]
) -> None:
    password = urlsplit(postgres).password or ""
    place = PostgresSchema(Secret(change(postgres)), "t")
    with pytest.raises(error) as caught:
        Store(place)
    assert len(password) > 8
    assert not [each for each in (str(caught.value), repr(place)) if password in each]
    assert caught.value.__suppress_context__ or caught.value.__context__ is None


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ({"host": "db.example.org"}, {"sslmode": "verify-full", "sslrootcert": "system"}),
        ({"host": "db.example.org", "sslrootcert": "/ca.pem"}, {"sslmode": "verify-full"}),
        ({"host": "db.example.org", "sslmode": "disable"}, {}),
        ({"host": "127.0.0.1"}, {}),
        ({"host": "localhost"}, {}),
        ({"host": "/run/postgresql"}, {}),
        ({"hostaddr": "10.0.0.7"}, {"sslmode": "verify-full", "sslrootcert": "system"}),
    ],
)
def test_a_server_elsewhere_has_to_prove_who_it_is(
    given: dict[str, str], expected: dict[str, str]
) -> None:
    assert _trust(given) == expected
