"""A reference EHR inside the test's own process, and a person's tenant of it, on one clock.

Time goes by when the test says so, for both sides: days, expiry and daylight saving cost nothing.
Harms of `wire` strike between the two, as before a real socket.

    home = Home(tmp_path)
    account = home.sync(Harm(lose_answer(), on=TOKEN, times=1))
    assert home.stored() == home.truth()
"""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Iterable
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from functools import lru_cache
from pathlib import Path
from typing import Any

import httpx

from harness.config.tenant import Tenant, load_tenant
from harness.http.clock import Clock, ManualClock
from harness.http.exchange import Headers, Request, Response
from harness.http.transport import Answer, Transport
from harness.reference.app import DEFAULT, InstanceApp, Reference
from harness.reference.clients import registered
from harness.reference.clock import InstanceClock
from harness.reference.credentials import Credentials
from harness.reference.fhir.store import Store
from harness.reference.instance import Instance
from harness.reference.oauth.id_token import IssuerKey
from harness.reference.people import people
from harness.scheduler import jobs
from harness.smart.discovery import discover
from harness.smart.entropy import system_entropy
from harness.smart.stored import Stored
from harness.smart.vault import new_key
from harness.sync.access.connect import sender, vault_of
from harness.sync.access.grant import Grant, grant_of
from harness.sync.access.login import keep, sign_in
from harness.sync.access.meter import Meter
from harness.sync.account import Account
from harness.sync.verify.verification import Verification
from harness.tests.chaos.wire import Chaos, Harm, method, url

BEGIN = datetime(2026, 1, 12, 15, tzinfo=UTC)
PUBLIC = "https://ehr.example.org"
TOKEN = method("POST", "/oauth/token")
"""Requests to the token endpoint."""

FHIR = url("/r4/", "patient=")
"""Searches, and by the reference EHR's links their further pages."""

PERSON = """
[login]
driver = "form"
username = "other"
password = "env:REFERENCE_OTHER_PASSWORD"
"""

_TENANT = """
title = "{name}"
ehr = "ehr.toml"
client = "{client}"
resources = ["Patient", "Observation", "Condition"]
store = "{name}.sqlite"
scopes = "{scopes}"
[patients]
discover = "{discover}"
[schedule]
daily = "{daily}"
until = "{until}"
zone = "America/New_York"
[vault]
path = "{name}.vault"
key = "env:KEY"
{login}
"""
_EHR = """
title = "In this process"
fhir_base = "https://ehr.example.org/r4"
data = "synthetic"
[auth]
kind = "smart"
{auth}
[limits]
requests_per_second = 500
burst = 50
page_size = 20
{more}
[[clients]]
name = "person"
id = "harness-symmetric"
auth = "client_secret_basic"
secret = "env:REFERENCE_CLIENT_SECRET"
redirect_uri = "http://127.0.0.1:8765/callback"
[[clients]]
name = "person-by-key"
id = "harness-asymmetric"
auth = "private_key_jwt"
key = "env:REFERENCE_PRIVATE_KEY"
redirect_uri = "http://127.0.0.1:8765/callback"
[[clients]]
name = "backend"
id = "harness-backend-secret"
auth = "client_secret_basic"
secret = "env:REFERENCE_BACKEND_SECRET"
grants = ["client_credentials"]
scopes = "system/*.rs"
"""
SCOPES = (
    "launch/patient openid fhirUser offline_access"
    " patient/Patient.rs patient/Observation.rs patient/Condition.rs"
)


class ServerTime(InstanceClock):
    """The EHR's time: the test's, and `ahead` of it."""

    def __init__(self, clock: ManualClock) -> None:
        super().__init__()
        self.clock = clock
        self.ahead = timedelta()

    def now(self) -> datetime:
        return self.clock.now() + self.ahead


class Inside:
    """A transport into an application of this process; its answers bear the EHR's own date."""

    def __init__(self, app: Reference, clock: Clock, time: ServerTime) -> None:
        self._wire = httpx.ASGITransport(app=app)
        self._clock = clock
        self._time = time

    async def send(self, request: Request, *, max_bytes: int) -> Answer:
        del max_bytes
        outgoing = httpx.Request(
            request.method, request.url, headers=list(request.headers), content=request.body
        )
        came = await self._wire.handle_async_request(outgoing)
        body = await came.aread()
        fields = [(name.decode(), value.decode("latin-1")) for name, value in came.headers.raw]
        fields.append(("Date", format_datetime(self._time.now(), usegmt=True)))
        response = Response(came.status_code, Headers(tuple(fields)), body)
        return Answer(response, self._clock.now(), 0.0)

    async def aclose(self) -> None:
        await self._wire.aclose()


@lru_cache
def _shared() -> tuple[Credentials, IssuerKey]:
    return Credentials.from_environment({}), IssuerKey.generate()


class Home:
    """One EHR, one tenant, one clock.

    Args:
        folder: for files.
        begin: the present.
        patients: how many the EHR has.
        faults: of the instance.
        variants: of the instance.
    """

    def __init__(
        self,
        folder: Path,
        *,
        begin: datetime = BEGIN,
        patients: int = 5,
        faults: Iterable[str] = (),
        variants: Iterable[str] = (),
    ) -> None:
        self.folder = folder
        self.clock = ManualClock(begin)
        self.time = ServerTime(self.clock)
        credentials, key = _shared()
        store = Store.seeded(1, patients, begin)
        clients = registered(credentials, ())
        self.reference = Reference(PUBLIC, store, clients, people(store, credentials), key)
        made = self.reference.add(DEFAULT, frozenset(faults), variants=frozenset(variants))
        self.ehr: Instance = replace(made, clock=self.time)
        self.reference.apps[DEFAULT] = InstanceApp(self.ehr)
        self.environ = {**credentials.values, "KEY": new_key()}
        self.process = jobs.Site(self.environ, self.clock, system_entropy)
        self.chaos = Chaos()
        self.runs = 0
        self.path = self.tenant("north")
        self.describe()

    def describe(self, *, auth: str = "", more: str = "") -> None:
        """Write the EHR file; further lines of `[auth]`, and after `[limits]`."""
        (self.folder / "ehr.toml").write_text(_EHR.format(auth=auth, more=more))

    def tenant(self, name: str, **changes: str) -> Path:
        """Write a tenant file: by default of the person who is the EHR's last patient."""
        values = {"client": "person", "scopes": SCOPES, "discover": "launch", "login": PERSON}
        values |= {"daily": "02:00", "until": "04:00"}
        path = self.folder / f"{name}.toml"
        path.write_text(_TENANT.format(name=name, **{**values, **changes}))
        return path

    @property
    def patient(self) -> str:
        """The person's own record: the last one, which is the smallest."""
        return self.ehr.store.patient_ids()[-1]

    def wire(self, *harms: Harm) -> Chaos:
        """Let these harms stand between client and EHR from here on."""

        def inner(_tls: object, _bounds: object, clock: Clock) -> Transport:
            return Inside(self.reference, clock, self.time)

        self.chaos = Chaos(*harms, inner=inner)
        self.process.transport = self.chaos
        return self.chaos

    def loaded(self, path: Path | None = None) -> Tenant:
        """The tenant by its file as it is now."""
        return load_tenant(str(path or self.path))

    def sync(self, *harms: Harm, path: Path | None = None) -> Account:
        """One run through these harms."""
        self.runs += 1
        self.wire(*harms)
        job = jobs.sync(self.loaded(path), self.process, f"run-{self.runs}")
        return asyncio.run(job)

    def verify(self, *harms: Harm, path: Path | None = None) -> Verification:
        """One verification through these harms."""
        self.wire(*harms)
        return asyncio.run(jobs.verify(self.loaded(path), self.process))

    def log_in(self, *harms: Harm) -> None:
        """What `harness login --tenant` does."""
        self.wire(*harms)
        asyncio.run(self._log_in(self.loaded()))

    async def _log_in(self, tenant: Tenant) -> None:
        world = self.process.world(tenant)
        vault, entry = vault_of(tenant, world.secrets)
        assert tenant.login is not None
        async with sender(tenant, world, Meter()) as http:
            found = await discover(http, tenant.ehr)
            token = await sign_in(tenant, tenant.login, world, http, found)
        await keep(vault, entry, token, world)

    def grant(self) -> Grant:
        """As `harness sync status` tells it."""
        found = grant_of(self.loaded(), self.process.world(self.loaded()).secrets)
        assert found is not None
        return found

    def vaulted(self) -> Stored:
        """The row of the vault."""
        vault, entry = vault_of(self.loaded(), self.process.world(self.loaded()).secrets)
        stored = vault.get(entry)
        assert stored is not None
        return stored

    def revoke(self) -> None:
        """End every grant, as the person does on a page of the EHR."""
        for token in self.ehr.ledger.refresh_tokens.values():
            self.ehr.ledger.revoke(token.grant)

    def end_access_tokens(self) -> None:
        """End every access token before its time; refresh tokens stay."""
        for token in self.ehr.ledger.access_tokens.values():
            self.ehr.ledger.revoke_access(token)

    def refreshes(self) -> int:
        """How many token requests the client has sent in the last run."""
        return len([each for each in self.chaos.asked if TOKEN(each)])

    def write(self, resource: dict[str, Any]) -> None:
        """Create or update a resource as another application would."""
        self.ehr.store.put_as_other(resource, self.time.now())

    def observe(self, id_: str, patient: str | None = None, **members: Any) -> None:
        """Write an Observation of the patient."""
        resource = {
            "resourceType": "Observation",
            "id": id_,
            "status": "final",
            "code": {"text": "chaos"},
            "subject": {"reference": f"Patient/{patient or self.patient}"},
        }
        self.write(resource | members)

    def truth(self, *patients: str) -> dict[tuple[str, str], str]:
        """Version by (type, id) of what the EHR has of these patients; by default of the person."""
        return {
            (each.resource_type, each.id): each.version_id
            for type_ in ("Patient", "Observation", "Condition")
            for patient in patients or (self.patient,)
            for each in self.ehr.store.all(type_, patient)
        }

    def stored(self, name: str = "north") -> dict[tuple[str, str], str]:
        """The same of what the store holds."""
        with closing(sqlite3.connect(self.folder / f"{name}.sqlite")) as db:
            rows = db.execute("SELECT type, id, version FROM resources WHERE deleted = 0")
            return {(type_, id_): version for type_, id_, version in rows}
