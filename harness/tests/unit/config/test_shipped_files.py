from __future__ import annotations

import re
from datetime import date

import pytest

from harness.config import paths
from harness.config.ehr import EMBEDDED, AuthKind, DataKind, Environment, Grant, Permit
from harness.config.load import load_ehr
from harness.config.readiness import gaps
from harness.config.secrets import Secrets
from harness.config.tenant import load_tenant

NAMES = sorted(path.stem for path in (paths.fixtures_dir() / "ehrs").glob("*.toml"))
TENANTS = sorted(path.stem for path in (paths.fixtures_dir() / "tenants").glob("*.toml"))


@pytest.mark.parametrize("name", NAMES)
def test_a_shipped_ehr_file_is_a_synthetic_sandbox(name: str) -> None:
    ehr = load_ehr(name)
    assert ehr.environment is Environment.SANDBOX
    assert ehr.data is DataKind.SYNTHETIC


@pytest.mark.parametrize("name", [name for name in NAMES if name != EMBEDDED])
def test_a_shipped_ehr_file_says_where_its_facts_come_from(name: str) -> None:
    facts = load_ehr(name).facts
    assert "fhir_base" in {fact.path for fact in facts}
    assert all(date(2024, 1, 1) < fact.on < date(2100, 1, 1) for fact in facts)


@pytest.mark.parametrize("name", NAMES)
def test_every_secret_of_a_shipped_ehr_file_is_a_variable_named_after_its_vendor(name: str) -> None:
    prefix = name.partition("-")[0].upper()
    for _, ref in load_ehr(name).references():
        assert ref.scheme == "env"
        assert ref.name.startswith(f"{prefix}_")


@pytest.mark.parametrize("name", NAMES)
def test_every_variable_is_explained_in_the_comments_of_its_file(name: str) -> None:
    path = paths.find("ehrs", name)
    comments = " ".join(
        line for line in path.read_text().splitlines() if line.lstrip().startswith("#")
    )
    names = {ref.name for _, ref in load_ehr(name).references()}
    unexplained = {each for each in names if each not in comments}
    assert not unexplained or re.search(r"every REFERENCE_\* variable", comments)


def test_only_machines_of_the_user_may_be_loaded() -> None:
    loaded = {name for name in NAMES if load_ehr(name).permits(Permit.LOAD)}
    assert all("//localhost" in load_ehr(n).fhir_base or n == EMBEDDED for n in loaded)


def test_the_reference_file_offers_every_way_in() -> None:
    ehr = load_ehr(EMBEDDED)
    assert ehr.permit == frozenset(Permit)
    assert {client.auth.value for client in ehr.clients} == {
        "none",
        "client_secret_basic",
        "private_key_jwt",
    }
    assert {launch.name for launch in ehr.launches} >= {
        "standalone",
        "standalone-public",
        "standalone-asymmetric",
        "limited",
        "standalone-v1",
    }
    assert sum(Grant.CLIENT_CREDENTIALS in client.grants for client in ehr.clients) == 2
    assert ehr.other is not None
    assert gaps(ehr, Secrets({})) == []


def test_epic_takes_three_variables() -> None:
    names = {ref.name for _, ref in load_ehr("epic-sandbox").references()}
    assert names == {"EPIC_CLIENT_ID", "EPIC_USERNAME", "EPIC_PASSWORD"}


def test_the_open_sandbox_needs_nothing() -> None:
    ehr = load_ehr("cerner-open")
    assert ehr.auth.kind is AuthKind.NONE
    assert list(ehr.references()) == []
    assert ehr.patients


@pytest.mark.parametrize("name", TENANTS)
def test_a_shipped_tenant_loads_with_its_ehr_file(name: str) -> None:
    assert load_tenant(name).ehr.data is DataKind.SYNTHETIC
