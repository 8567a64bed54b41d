from __future__ import annotations

from collections.abc import Callable
from datetime import time
from pathlib import Path

import pytest

from harness.config.ehr import DriverKind, SecretRef, Strategy
from harness.config.paths import reports_dir
from harness.config.tenant import Discover, Tenant, load_tenant
from harness.errors import ConfigError

SMALL = """\
title = "A clinic"
ehr = "reference"
client = "harness-backend"
"""
REST = """\
[patients]
discover = "search"
[schedule]
every_seconds = 900
"""
LOGIN = '[login]\nrefresh_token = "env:T"\n'
VAULT = '[vault]\nkey = "env:K"\n'
PERSON = SMALL.replace("harness-backend", "harness-symmetric")

Load = Callable[[str], Tenant]


@pytest.fixture
def load(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Load:
    monkeypatch.setenv("HARNESS_DATA", str(tmp_path / "data"))
    monkeypatch.chdir(tmp_path)

    def load_text(text: str) -> Tenant:
        path = tmp_path / "clinic.toml"
        path.write_text(text)
        return load_tenant(str(path))

    return load_text


def test_a_backend_tenant_needs_no_login(load: Load, tmp_path: Path) -> None:
    tenant = load(SMALL + REST)
    assert tenant.name == "clinic"
    assert tenant.login is None
    assert tenant.require_client().name == "harness-backend"
    assert tenant.scopes == ("system/*.rs",)
    assert tenant.resources == ("Patient", "Observation")
    assert tenant.schedule.every_seconds == 900
    assert tenant.strategy is None
    assert tenant.store == tmp_path / "data" / "tenants" / "clinic" / "store.sqlite"
    assert tenant.vault.path == tmp_path / "data" / "tenants" / "clinic" / "vault.sqlite"


OPEN = """\
title = "An open server"
fhir_base = "https://open.example/r4"
[auth]
kind = "none"
"""


def test_a_tenant_of_an_open_ehr_needs_no_client(load: Load, tmp_path: Path) -> None:
    (tmp_path / "open.toml").write_text(OPEN)
    nobody = SMALL.replace('"reference"', '"open.toml"').replace('client = "harness-backend"\n', "")
    tenant = load(nobody + REST)
    assert (tenant.client, tenant.scopes, list(tenant.references())) == (None, (), [])
    with pytest.raises(ConfigError, match="asks for no token"):
        tenant.require_client()
    with pytest.raises(ConfigError, match="nobody signs in there"):
        load(nobody + REST + LOGIN + VAULT)


def test_a_tenant_of_an_ehr_that_asks_for_tokens_names_a_client(load: Load) -> None:
    with pytest.raises(ConfigError, match="client: missing"):
        load(SMALL.replace('client = "harness-backend"\n', "") + REST)


def test_a_tenant_with_a_person_starts_from_a_refresh_token(load: Load) -> None:
    tenant = load(PERSON + REST + LOGIN + VAULT)
    assert tenant.login is not None
    assert tenant.login.driver is DriverKind.REFRESH_TOKEN
    assert tenant.login.refresh_token == SecretRef("env", "T")
    assert "offline_access" in tenant.scopes
    assert dict(tenant.references()).keys() == {"vault.key", "login.refresh_token", "client.secret"}


def test_a_tenant_may_have_its_own_base_strategy_and_places(load: Load, tmp_path: Path) -> None:
    own = 'fhir_base = "https://own.example/r4/"\nstrategy = "full_hash"\nstore = "s.sqlite"\n'
    tenant = load(SMALL + own + REST)
    assert tenant.ehr.fhir_base == "https://own.example/r4"
    assert tenant.strategy is Strategy.FULL_HASH
    assert tenant.store == tmp_path / "s.sqlite"


def test_a_store_may_be_a_database_by_url_or_reference(load: Load) -> None:
    assert load(SMALL + 'store = "postgresql://db/x"\n' + REST).store == "postgresql://db/x"
    assert load(SMALL + 'store = "env:DB"\n' + REST).store == SecretRef("env", "DB")


def test_a_daily_window_may_pass_midnight(load: Load) -> None:
    window = 'daily = "23:30"\nuntil = "04:00"\nzone = "America/New_York"\n'
    schedule = load(SMALL + REST.replace("every_seconds = 900", window)).schedule
    assert (schedule.daily, schedule.until) == (time(23, 30), time(4))
    assert schedule.zone == "America/New_York"


def test_an_ehr_file_by_path_starts_at_the_tenants_folder(load: Load, tmp_path: Path) -> None:
    (tmp_path / "mine.toml").write_text(
        'title = "Mine"\nfhir_base = "https://m.example"\n[auth]\nkind = "smart"\n'
        '[[clients]]\nname = "harness-backend"\nid = "b"\nauth = "client_secret_basic"\n'
        'secret = "env:S"\ngrants = ["client_credentials"]\nscopes = "system/*.rs"\n'
    )
    assert load(SMALL.replace('"reference"', '"mine.toml"') + REST).ehr.title == "Mine"


REFUSED = [
    (SMALL.replace("reference", "refrence") + REST, "ehr: no file refrence.toml"),
    (SMALL.replace("backend", "bakend") + REST, "client: no client 'harness-bakend'; did you mean"),
    (PERSON + REST, "login: missing; harness-symmetric signs in as a person"),
    (PERSON + REST + LOGIN, "vault: missing"),
    (SMALL + REST.replace('"search"', '"listed"'), "patients.ids: missing; discover listed"),
    (SMALL + REST.replace('"search"', '"group"'), "patients.group: missing; discover group"),
    (
        SMALL + REST.replace('"search"', '"search"\ngroup = "g"'),
        "patients.group: only discover group takes it",
    ),
    (SMALL + REST.replace("every_seconds = 900", ""), "expected one of daily and every_seconds"),
    (SMALL + REST + 'daily = "01:00"\n', "expected one of daily and every_seconds"),
    (SMALL + REST + 'zone = "Mars/Base"\n', "schedule.zone: expected an IANA time zone"),
    (SMALL + REST + 'zone = "../../etc/passwd"\n', "schedule.zone: expected an IANA time zone"),
    (SMALL + REST + 'until = "25:00"\n', "schedule.until: expected a time of day"),
    (SMALL + 'fhir_base = "http://own.example"\n' + REST, "fhir_base: expected https"),
    (SMALL + 'resources = ["observation"]\n' + REST, "resources[0]: expected a FHIR resource type"),
    (SMALL + 'store = "postgresql://u:hunter2@db/x"\n' + REST, "store: expected no credentials"),
    (SMALL + 'store = "postgres://db/x?password=hunter2"\n' + REST, "expected no credentials"),
    (SMALL + f'store = "{reports_dir()}/s.sqlite"\n' + REST, "store: expected a place outside"),
]


@pytest.mark.parametrize(("text", "words"), REFUSED)
def test_a_tenant_file_that_cannot_work_is_refused(load: Load, text: str, words: str) -> None:
    with pytest.raises(ConfigError) as caught:
        load(text)
    assert str(caught.value).startswith("clinic.toml: ")
    assert words in str(caught.value)
    assert "hunter2" not in str(caught.value)


def test_a_tenants_name_is_safe_for_folders(tmp_path: Path) -> None:
    path = tmp_path / "A clinic.toml"
    path.write_text(SMALL + REST)
    with pytest.raises(ConfigError, match="expected a file name such as clinic-7"):
        load_tenant(str(path))


def test_discovery_of_patients_is_one_of_four_ways() -> None:
    assert {each.value for each in Discover} == {"launch", "listed", "group", "search"}
