"""The EHR file as frozen dataclasses: one file describes one endpoint.

`harness.config.load` reads and checks TOML against `schemas/ehr.schema.json` and builds these.
Secrets stay references (`env:`, `file:`, `keyring:`) until `harness.config.secrets` resolves them.
What a file leaves out is unknown and stays None; it is never taken for false.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import date, time
from enum import StrEnum
from pathlib import Path

from harness.config.bulk import BulkSpec

EMBEDDED = "reference"
"""The EHR file of the reference EHR that a run starts itself, with secrets of its own."""


class AuthKind(StrEnum):
    """How the FHIR API is protected."""

    NONE = "none"
    BASIC = "basic"
    SMART = "smart"


class ClientAuth(StrEnum):
    """How a client proves itself at the token endpoint, by its registered OAuth name."""

    NONE = "none"
    SECRET_BASIC = "client_secret_basic"
    SECRET_POST = "client_secret_post"
    PRIVATE_KEY_JWT = "private_key_jwt"


class Grant(StrEnum):
    """OAuth grant types a client may use."""

    AUTHORIZATION_CODE = "authorization_code"
    REFRESH_TOKEN = "refresh_token"
    CLIENT_CREDENTIALS = "client_credentials"


class LaunchKind(StrEnum):
    """The two launches of SMART App Launch."""

    STANDALONE = "standalone"
    EHR = "ehr"


class AuthorizeMethod(StrEnum):
    """How the authorization request is sent; POST is SMART's `authorize-post`."""

    GET = "get"
    POST = "post"


class DriverKind(StrEnum):
    """How a login is driven: see `harness.smart.drivers`."""

    FORM = "form"
    BROWSER = "browser"
    MANUAL = "manual"
    REFRESH_TOKEN = "refresh_token"


class LaunchSource(StrEnum):
    """Who starts an EHR launch."""

    URL = "url"
    FORM = "form"
    BROWSER = "browser"
    MANUAL = "manual"


class Permit(StrEnum):
    """What may be done to the EHR beyond reading."""

    WRITE = "write"
    NEGATIVE_AUTH = "negative_auth"
    REVOKE = "revoke"
    LOAD = "load"
    WAIT = "wait"


class Environment(StrEnum):
    """In production only reading is possible, whatever `permit` says."""

    SANDBOX = "sandbox"
    PRODUCTION = "production"


class DataKind(StrEnum):
    """With real data, bodies stay out of evidence and recording is refused."""

    SYNTHETIC = "synthetic"
    REAL = "real"


class Strategy(StrEnum):
    """How changes are found: what a sync asks for."""

    LAST_UPDATED = "last_updated"
    DATE_WINDOW = "date_window"
    FULL_HASH = "full_hash"
    BULK_SINCE = "bulk_since"


_REFERENCE = re.compile(r"(env):([A-Za-z_][A-Za-z0-9_]*)|(file):(.+)|(keyring):(.+/[^/]+)")


@dataclass(frozen=True, slots=True)
class SecretRef:
    """A reference to a secret: `env:NAME`, `file:PATH` or `keyring:SERVICE/NAME`."""

    scheme: str
    name: str

    def __str__(self) -> str:
        return f"{self.scheme}:{self.name}"

    @classmethod
    def parse(cls, text: str) -> SecretRef | None:
        """The reference that `text` spells; None where it spells none."""
        found = _REFERENCE.fullmatch(text)
        return cls(*filter(None, found.groups())) if found else None


@dataclass(frozen=True, slots=True)
class OAuthClient:
    """A client registered at the EHR. `id` may itself be a secret reference."""

    name: str
    id: str | SecretRef
    auth: ClientAuth = ClientAuth.NONE
    grants: tuple[Grant, ...] = (Grant.AUTHORIZATION_CODE, Grant.REFRESH_TOKEN)
    redirect_uri: str | None = None
    launch_uri: str | None = None
    """Where an EHR starts the application; None means `launch` beside the redirect URI."""
    secret: SecretRef | None = None
    key: SecretRef | None = None
    """A private JWK (JSON) or PEM."""
    alg: str = "RS384"
    kid: str | None = None
    scopes: tuple[str, ...] = ()
    """System scopes for client_credentials."""


@dataclass(frozen=True, slots=True)
class Login:
    """An identity that can sign in, and how."""

    name: str
    driver: DriverKind = DriverKind.FORM
    username: str | SecretRef | None = None
    password: SecretRef | None = None
    refresh_token: SecretRef | None = None
    patient: str | None = None
    """The patient to choose where the EHR shows a picker; None takes the first."""
    fields: dict[str, str] = field(default_factory=dict)
    """Names of form fields, where they cannot be guessed: role -> name."""


@dataclass(frozen=True, slots=True)
class LaunchSpec:
    """One launch that the suites may perform."""

    name: str
    kind: LaunchKind
    client: str
    login: str
    scopes: tuple[str, ...]
    source: LaunchSource | None = None
    launch_url: str | None = None
    method: AuthorizeMethod = AuthorizeMethod.GET


@dataclass(frozen=True, slots=True)
class Costs:
    """What each kind of request counts for, where the EHR weighs them."""

    read: float = 1.0
    search: float = 1.0
    write: float = 1.0
    token: float = 1.0


@dataclass(frozen=True, slots=True)
class Peak:
    """Hours in which less is permitted; `until` not after `start` lies on the next day."""

    start: time
    until: time
    zone: str = "UTC"
    requests_per_second: float | None = None
    per_minute: float | None = None


@dataclass(frozen=True, slots=True)
class Limits:
    """What the EHR permits; None means unknown, so the harness stays careful."""

    requests_per_second: float | None = None
    concurrency: int = 4
    burst: int = 5
    page_size: int | None = None
    max_retry_after: float = 60.0
    """Seconds a run may wait on one refusal before it reports `Throttled`."""
    max_wait: float = 0.0
    """Seconds a run may sit out for codes and tokens to expire, where `wait` is permitted."""
    connect_timeout: float = 10.0
    """Seconds for a connection, TLS included."""
    read_timeout: float = 60.0
    """Seconds until the next bytes of an answer."""
    total_timeout: float = 300.0
    """Seconds for a whole answer, however it drips."""
    per_minute: float | None = None
    """Cost per calendar minute, for EHRs that count by the clock."""
    per_day: float | None = None
    """Cost per calendar day."""
    day_zone: str = "UTC"
    """Whose days."""
    costs: Costs = Costs()
    peak: Peak | None = None


@dataclass(frozen=True, slots=True)
class Tls:
    """Trust and client certificate; verification cannot be switched off."""

    ca_file: Path | None = None
    client_cert: Path | None = None
    client_key: Path | None = None
    proxy: str | None = None


@dataclass(frozen=True, slots=True)
class Deviation:
    """A known failure of this EHR: the check is expected to fail, and announced when it passes."""

    check: str
    reason: str
    source: str | None = None
    since: date | None = None


@dataclass(frozen=True, slots=True)
class Attestation:
    """A person's word for a check that no machine can judge."""

    check: str
    by: str
    on: date
    evidence: str


@dataclass(frozen=True, slots=True)
class Fact:
    """Where a value of this file comes from, and when that was read."""

    path: str
    source: str
    on: date


@dataclass(frozen=True, slots=True)
class AuthSpec:
    """How to get a token. Endpoints named here win over discovery."""

    kind: AuthKind = AuthKind.SMART
    username: str | SecretRef | None = None
    password: SecretRef | None = None
    issuer: str | None = None
    authorization_endpoint: str | None = None
    token_endpoint: str | None = None
    introspection_endpoint: str | None = None
    revocation_endpoint: str | None = None
    extra_origins: tuple[str, ...] = ()
    """Further origins that login pages and token requests may use."""
    refresh_names_scope: bool = False
    """Whether a refresh has to repeat the granted scopes; most servers want none."""
    introspects: str | None = None
    """The client that may introspect the tokens of the others; None leaves it to each of them."""


@dataclass(frozen=True, slots=True)
class Versions:
    """Versions of the specifications that a run judges against; None takes the regulatory set."""

    us_core: str | None = None
    smart: str | None = None
    bulk: str | None = None


@dataclass(frozen=True, slots=True)
class WritesSpec:
    """How an application's writes are delivered to this EHR."""

    conditional_create: bool | None = None
    """Whether `If-None-Exist` is honoured; None: what the CapabilityStatement says."""
    identifier_search: bool | None = None
    """Whether a search by identifier is; None: what the CapabilityStatement says."""
    batch: int = 1
    """Creates in one batch, each of another patient."""
    visible_after_seconds: float = 5.0
    """How long after a write whose answer was lost it is looked for."""


@dataclass(frozen=True, slots=True)
class SyncSpec:
    """How changes are found at this EHR."""

    strategy: Strategy | None = None
    """None: a probe decides, type by type."""
    overlap_seconds: int = 300
    categories: tuple[str, ...] = ()
    """Observation categories to fan out over, where the EHR demands one."""
    window_days: int = 30
    """Days before the last sync that a search by clinical date covers again."""
    full_every_days: int | None = None
    """Days after which everything is read again; None: a week with `date_window`, else never."""
    needs: dict[str, str] = field(default_factory=dict)
    """Type -> `category` or `date`, without which the EHR refuses to search."""
    category_codes: dict[str, tuple[str, ...]] = field(default_factory=dict)
    """Type -> the categories to fan out over."""
    dates: dict[str, str] = field(default_factory=dict)
    """Type -> the search parameter of its clinical date."""
    chase: tuple[str, ...] = ()
    """References to be read where no search shows what they name: `DiagnosticReport.result`."""
    offset: str | None = None
    """The parameter that names the first match of a page, at an EHR without next links."""
    link_bases: tuple[str, ...] = ()
    """Bases that next links name in the place of `fhir_base`, such as one behind a proxy."""
    bulk: BulkSpec = BulkSpec()  # noqa: RUF009 - frozen
    writes: WritesSpec = WritesSpec()


@dataclass(frozen=True, slots=True)
class PushSpec:
    """Where this EHR reaches a run that listens for its notifications."""

    listen: str = "127.0.0.1:0"
    """Address and port; port 0 takes a free one."""
    url: str | None = None
    """What leads there from the EHR, such as a tunnel; None: only an EHR on loopback gets there."""
    wait_seconds: float = 10.0
    """How long a notification may take."""


@dataclass(frozen=True, slots=True)
class EhrFile:
    """One endpoint, as described by `fixtures/ehrs/NAME.toml`."""

    name: str
    title: str
    fhir_base: str
    auth: AuthSpec
    path: Path | None = None
    moved_from: str | None = None
    """The base that the file names, where a run replaced it by another."""
    environment: Environment = Environment.SANDBOX
    data: DataKind = DataKind.REAL
    permit: frozenset[Permit] = frozenset()
    writes: tuple[str, ...] = ()
    """Kinds of Observation that an application may write here; none named means all are tried."""
    versions: Versions = Versions()
    headers: dict[str, str | SecretRef] = field(default_factory=dict)
    clients: tuple[OAuthClient, ...] = ()
    logins: tuple[Login, ...] = ()
    launches: tuple[LaunchSpec, ...] = ()
    patients: tuple[str, ...] = ()
    other: LaunchSpec | None = None
    """A launch by a second identity, for isolation probes; its patient is in `other_patient`."""
    other_patient: str | None = None
    limits: Limits = Limits()
    tls: Tls = Tls()
    sync: SyncSpec = SyncSpec()
    push: PushSpec = PushSpec()
    deviations: tuple[Deviation, ...] = ()
    attestations: tuple[Attestation, ...] = ()
    facts: tuple[Fact, ...] = ()

    def permits(self, permit: Permit) -> bool:
        """Whether `permit` holds; never in production."""
        return self.environment is not Environment.PRODUCTION and permit in self.permit

    def client(self, name: str) -> OAuthClient | None:
        """The client called `name`."""
        return next((c for c in self.clients if c.name == name), None)

    def login(self, name: str) -> Login | None:
        """The login called `name`."""
        return next((each for each in self.logins if each.name == name), None)

    def launch(self, name: str) -> LaunchSpec | None:
        """The launch called `name`."""
        return next((each for each in self.launches if each.name == name), None)

    def references(self) -> Iterator[tuple[str, SecretRef]]:
        """Every secret reference of the file, with its key path, in file order."""
        yield from _references("auth", self.auth, ("username", "password"))
        for name, value in self.headers.items():
            if isinstance(value, SecretRef):
                yield f"headers.{name}", value
        for number, client in enumerate(self.clients):
            yield from _references(f"clients[{number}]", client, ("id", "secret", "key"))
        for number, login in enumerate(self.logins):
            names = ("username", "password", "refresh_token")
            yield from _references(f"logins[{number}]", login, names)


def _references(
    path: str, part: AuthSpec | OAuthClient | Login, names: tuple[str, ...]
) -> Iterator[tuple[str, SecretRef]]:
    for name in names:
        value = getattr(part, name)
        if isinstance(value, SecretRef):
            yield f"{path}.{name}", value
