"""Tenant files: one file describes one customer of the application, `fixtures/tenants/NAME.toml`.

A tenant names its EHR and keeps everything else to itself: login, patients, tokens and store.
Neither store nor vault lies under reports by default; they hold what must be kept private.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import time
from enum import StrEnum
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from harness.config import document, paths
from harness.config.ehr import (
    AuthKind,
    DriverKind,
    EhrFile,
    Grant,
    Login,
    OAuthClient,
    SecretRef,
    Strategy,
)
from harness.config.load import load_ehr, with_base
from harness.config.schema import Violation, meaning, violations
from harness.config.semantics import unknown_name
from harness.config.structure import build, reference
from harness.errors import ConfigError


class Discover(StrEnum):
    """How a tenant's patients are found."""

    LAUNCH = "launch"
    """The patient in the token's launch context."""
    LISTED = "listed"
    """Those that the file lists."""
    GROUP = "group"
    """The members of a Group."""
    SEARCH = "search"
    """Every patient that the token may see."""


@dataclass(frozen=True, slots=True)
class Patients:
    """Whose data is synced."""

    discover: Discover
    ids: tuple[str, ...] = ()
    group: str | None = None


@dataclass(frozen=True, slots=True)
class Schedule:
    """When to sync: in a daily window, or at an interval; exactly one of the two is given.

    Attributes:
        daily: start of the window, in `zone`.
        until: end of the window, in `zone`; not after `daily` means the next day. None: no end.
        zone: IANA name.
        every_seconds: from the start of one sync to the start of the next.
    """

    daily: time | None = None
    until: time | None = None
    zone: str = "UTC"
    every_seconds: int | None = None


@dataclass(frozen=True, slots=True)
class Vault:
    """Where refresh tokens are kept, encrypted.

    Attributes:
        path: the vault file.
        key: the Fernet key; None where the tenant keeps no refresh token.
    """

    path: Path
    key: SecretRef | None = None


@dataclass(frozen=True, slots=True)
class Outbox:
    """Whether the application's own writes go to the EHR; they do where the file says so."""

    enabled: bool = False


class Validate(StrEnum):
    """How much of what a sync pulls is validated."""

    NONE = "none"
    SAMPLE = "sample"
    """Some of each type."""
    ALL = "all"
    """All that is new or changed."""


@dataclass(frozen=True, slots=True)
class Syncing:
    """What a sync of this tenant does besides pulling."""

    validate: Validate = Validate.SAMPLE


@dataclass(frozen=True, slots=True)
class Tenant:
    """One customer of the application.

    Attributes:
        name: stem of the file.
        title: for people.
        ehr: the EHR file, its FHIR base already replaced by the tenant's own.
        client: the client of the EHR file that the tenant uses; None where no token is asked for.
        scopes: what a login, or a backend client, asks for.
        patients: whose data is synced.
        schedule: when.
        store: an SQLite file, a PostgreSQL URL, or a reference to one.
        vault: where refresh tokens are kept.
        login: how tokens are obtained; None for backend clients.
        resources: resource types to sync.
        batch_size: patients per batch.
        strategy: how changes are found; None: a probe decides, type by type.
        outbox: whether it may write.
        sync: what a sync does besides pulling.
        path: where the file lies.
    """

    name: str
    title: str
    ehr: EhrFile
    client: OAuthClient | None
    scopes: tuple[str, ...]
    patients: Patients
    schedule: Schedule
    store: Path | str | SecretRef
    vault: Vault
    login: Login | None = None
    resources: tuple[str, ...] = ("Patient", "Observation")
    batch_size: int = 50
    strategy: Strategy | None = None
    outbox: Outbox = Outbox()
    sync: Syncing = Syncing()
    path: Path | None = None

    def require_client(self) -> OAuthClient:
        """The client that it has where tokens are asked for.

        Raises:
            ConfigError: there is none.
        """
        if self.client is None:
            raise ConfigError(f"tenant {self.name}: has no client, for its EHR asks for no token")
        return self.client

    def references(self) -> Iterator[tuple[str, SecretRef]]:
        """Every secret reference that a sync of this tenant needs, with its key path."""
        if isinstance(self.store, SecretRef):
            yield "store", self.store
        if self.vault.key is not None:
            yield "vault.key", self.vault.key
        for name in ("username", "password", "refresh_token"):
            value = getattr(self.login, name, None)
            if isinstance(value, SecretRef):
                yield f"login.{name}", value
        for name in ("id", "secret", "key"):
            value = getattr(self.client, name, None)
            if isinstance(value, SecretRef):
                yield f"client.{name}", value


def load_tenant(name_or_path: str) -> Tenant:
    """The tenant called `name_or_path`, with its EHR file.

    Raises:
        ConfigError: as `harness.config.load.load_ehr`, for the tenant file or its EHR file.
    """
    path = paths.find("tenants", name_or_path)
    return tenant_from(document.read(path), path)


def tenant_from(table: Mapping[str, Any], path: Path) -> Tenant:
    """The tenant that a TOML document describes; see `load_tenant`.

    Args:
        table: the document, with dates as ISO text.
        path: where it was read; its stem is the name, relative paths start at its folder.
    """
    where = document.display(path)
    wrong = violations("tenant", dict(table))
    if not wrong and not paths.NAME.fullmatch(path.stem):
        wrong = [meaning("", f"expected a file name such as clinic-7.toml, got {path.name!a}")]
    if wrong:
        raise ConfigError(document.lines(where, wrong))
    ehr = _ehr(table, path, where)
    wrong = list(_violations(table, ehr))
    if wrong:
        raise ConfigError(document.lines(where, wrong))
    tenant = _built(table, path, ehr)
    wrong = list(_exposed(tenant))
    if wrong:
        raise ConfigError(document.lines(where, wrong))
    return tenant


def _ehr(table: Mapping[str, Any], path: Path, where: str) -> EhrFile:
    name = str(table["ehr"])
    own = path.parent / name
    try:
        ehr = load_ehr(str(own) if paths.is_path(name) else name)
    except ConfigError as error:
        raise ConfigError(f"{where}: ehr: {error}") from None
    if "fhir_base" not in table:
        return ehr
    try:
        return with_base(ehr, str(table["fhir_base"]))
    except ConfigError as error:
        raise ConfigError(f"{where}: fhir_base: {error}") from None


def _violations(table: Mapping[str, Any], ehr: EhrFile) -> Iterator[Violation]:
    yield from _client(table, ehr)
    yield from _patients(table["patients"])
    yield from _schedule(table["schedule"])
    login = table.get("login", {})
    if "password" in login and "username" not in login:
        yield meaning("login.username", "missing; a password is given")
    if "login" in table and "vault" not in table:
        yield meaning("vault", "missing; refresh tokens are kept in it, encrypted")
    store = table.get("store", "")
    is_url = store.startswith(("postgres:", "postgresql:"))
    if is_url and ("@" in store or "password" in store):
        yield meaning("store", "expected no credentials in the URL; use a reference such as env:X")


def _client(table: Mapping[str, Any], ehr: EhrFile) -> Iterator[Violation]:
    needed = ehr.auth.kind is AuthKind.SMART
    if "client" not in table:
        if needed:
            yield meaning("client", "missing; expected: the name of a client of the EHR file")
        elif "login" in table:
            yield meaning(
                "login", f"auth.kind of the EHR is {ehr.auth.kind}: nobody signs in there"
            )
        return
    client = ehr.client(table["client"])
    if client is None:
        yield unknown_name("client", "client", table["client"], (each.name for each in ehr.clients))
    elif needed and Grant.CLIENT_CREDENTIALS not in client.grants and "login" not in table:
        yield meaning("login", f"missing; {client.name} signs in as a person")


def _exposed(tenant: Tenant) -> Iterator[Violation]:
    """Reports are shown around and uploaded; what is private must not lie among them."""
    reports = paths.reports_dir().resolve()
    for key, path in (("store", tenant.store), ("vault.path", tenant.vault.path)):
        if isinstance(path, Path) and path.resolve().is_relative_to(reports):
            yield meaning(key, f"expected a place outside {reports}; it holds private data")


def _patients(patients: Mapping[str, Any]) -> Iterator[Violation]:
    needs = {Discover.LISTED: "ids", Discover.GROUP: "group"}
    needed = needs.get(Discover(patients["discover"]))
    if needed is not None and needed not in patients:
        yield meaning(f"patients.{needed}", f"missing; discover {patients['discover']} needs it")
    for kind, key in needs.items():
        if key in patients and key != needed:
            yield meaning(f"patients.{key}", f"only discover {kind} takes it")


def _schedule(schedule: Mapping[str, Any]) -> Iterator[Violation]:
    if ("daily" in schedule) == ("every_seconds" in schedule):
        yield meaning("schedule", "expected one of daily and every_seconds")
    if "until" in schedule and "daily" not in schedule:
        yield meaning("schedule.until", "only daily takes it")
    try:
        ZoneInfo(schedule.get("zone", "UTC"))
    except (ValueError, OSError, LookupError):
        expected = "expected an IANA time zone such as America/New_York"
        yield meaning("schedule.zone", f"{expected}, got {schedule['zone']!a}")


def _built(table: Mapping[str, Any], path: Path, ehr: EhrFile) -> Tenant:
    folder = path.absolute().parent
    home = paths.data_dir() / "tenants" / path.stem
    client = ehr.client(table["client"]) if "client" in table else None
    same = ("title", "patients", "schedule", "resources", "batch_size", "outbox", "sync")
    given = {key: table[key] for key in same if key in table}
    extra: dict[str, Any] = {
        "name": path.stem,
        "path": path,
        "ehr": ehr,
        "client": client,
        "scopes": _scopes(table, ehr, client),
        "store": _store(table.get("store"), folder, home),
        "vault": build(
            Vault, {"path": str(home / "vault.sqlite"), **table.get("vault", {})}, folder
        ),
        "strategy": Strategy(table["strategy"]) if "strategy" in table else ehr.sync.strategy,
    }
    if "login" in table:
        login = {"driver": DriverKind.REFRESH_TOKEN.value, **table["login"]}
        extra["login"] = build(Login, login, folder, name=path.stem)
    return build(Tenant, given, folder, **extra)


def _scopes(table: Mapping[str, Any], ehr: EhrFile, client: OAuthClient | None) -> tuple[str, ...]:
    given = table.get("scopes")
    if given is not None:
        return tuple(given.split() if isinstance(given, str) else given)
    if client is None:
        return ()
    if "login" not in table:
        return client.scopes
    launches = (each.scopes for each in ehr.launches if each.client == client.name)
    return next(launches, client.scopes)


def _store(given: str | None, folder: Path, home: Path) -> Path | str | SecretRef:
    if given is None:
        return home / "store.sqlite"
    if given.startswith(("postgres:", "postgresql:")):
        return given
    return reference(given, folder) or folder / Path(given).expanduser()
