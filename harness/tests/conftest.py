"""Fixtures for all tests: a clean environment, and one reference EHR per session."""

from __future__ import annotations

import os
import secrets
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import settings

from harness.config.secrets import Secret
from harness.reference.process import Running, start
from harness.sync.store.database import Place
from harness.sync.store.sqlite import SqliteFile
from harness.tests import postgres_server
from harness.tests.reference_process import clean_environment

GIVEN_POSTGRES = os.environ.get("HARNESS_TEST_POSTGRES")
"""The URL of a server to test with; without it one is started where that can be done."""

# How long an example takes says nothing on a machine that does other things as well.
settings.register_profile("shared machine", deadline=None, print_blob=True)
settings.load_profile("shared machine")


@pytest.fixture(scope="session", autouse=True)
def _clean_environment() -> Iterator[None]:
    """No proxy and no secret of the person who runs the tests reaches them."""
    before = dict(os.environ)
    os.environ.clear()
    os.environ.update(clean_environment(before))
    yield
    os.environ.clear()
    os.environ.update(before)


@pytest.fixture(scope="session")
def reference() -> Iterator[Running]:
    """A reference EHR without faults; instances with faults are made through its control."""
    with start(patients=6) as running:
        yield running


@pytest.fixture(scope="session")
def postgres() -> Iterator[str]:
    """The URL of a database of PostgreSQL."""
    pytest.importorskip("psycopg", reason="psycopg is not installed (extra `postgres`)")
    if GIVEN_POSTGRES:
        yield GIVEN_POSTGRES
        return
    with postgres_server.running() as server:
        yield server.url()


@pytest.fixture(params=["sqlite", "postgres"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Place]:
    """A place for a store, of each make in turn."""
    if request.param == "sqlite":
        yield SqliteFile(tmp_path / "private" / "store.sqlite")
        return
    url = request.getfixturevalue("postgres")
    from harness.sync.store.postgres import PostgresSchema

    made = PostgresSchema(Secret(url), f"t-{secrets.token_hex(6)}")
    yield made
    postgres_server.drop(url, made.schema)
