"""A tenant's way to its EHR: the sender, the grant, and the reader that asks for pages."""

from __future__ import annotations

import asyncio
import base64
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from hashlib import sha256

from harness.config.ehr import AuthKind, DriverKind, Login, SecretRef
from harness.config.secrets import Secrets
from harness.config.tenant import Tenant
from harness.errors import ConfigError
from harness.fhir.client import FhirClient
from harness.fhir.search import Search
from harness.http.client import HttpClient
from harness.http.exchange import Exchange
from harness.http.origin import relocated
from harness.http.retry import Policy
from harness.http.transport import Bounds
from harness.smart.discovery import discover
from harness.smart.identity import Identity
from harness.smart.scopes import ScopeSet
from harness.smart.session import TokenSession
from harness.smart.vault import Entry, Vault
from harness.sync.access.granted import not_covered, require
from harness.sync.access.meter import Meter
from harness.sync.world import World

UNAUTHORIZED = 401


@dataclass(frozen=True, slots=True)
class Connection:
    """A tenant's grant and FHIR client, and what they cost.

    Attributes:
        meter: counts what is sent.
        session: the grant; None at an EHR that asks for none.
        fhir: asks for pages.
        link_bases: bases that next links name, and that are asked below the FHIR base instead.
    """

    meter: Meter
    session: TokenSession | None
    fhir: FhirClient
    link_bases: tuple[str, ...] = ()

    useless: set[str] = field(default_factory=set, repr=False)
    """Access tokens that were new and that the EHR would not take all the same."""

    covered: dict[str, ScopeSet] = field(default_factory=dict, repr=False)
    """By type, the scopes that were last found to cover it: they change with a token only."""

    async def first(self, type_: str, parameters: Sequence[tuple[str, str]]) -> Exchange:
        """The first page of a search by GET; some EHRs refuse a search by POST (Epic)."""
        search = Search(type_, tuple(parameters))
        return await self._with_token(lambda: self.fhir.search(search), type_)

    async def next(self, url: str, type_: str | None = None) -> Exchange:
        """GET the URL of a further page; `type_` is what the search is for, where it is known."""
        for base in self.link_bases:
            url = relocated(url, base.rstrip("/"), self.fhir.base)
        return await self._with_token(lambda: self.fhir.page(url), type_)

    async def read(self, type_: str, id_: str) -> Exchange:
        """One resource by its id."""
        return await self._with_token(lambda: self.fhir.read(type_, id_), type_)

    def lacks(self, types: Sequence[str]) -> tuple[str, ...]:
        """Those of `types` that no scope of the current token covers."""
        session = self.session
        return not_covered(types, session.granted, session.vanished) if session else ()

    async def _with_token(
        self, ask: Callable[[], Awaitable[Exchange]], type_: str | None
    ) -> Exchange:
        """Ask with the current token; after a 401 once more with a new one.

        Where a new token is not taken either, it is not the token that the EHR minds: so long as
        nothing is answered with that one, no further 401 costs a refresh.

        Raises:
            NotGranted: no scope covers the type.
            HarnessError: no token, no answer, or a URL that must not be asked.
        """
        if self.session is None:
            return await ask()
        await self.session.access_token()
        self._require(type_)
        exchange = await ask()
        sent = _bearer(exchange)
        if exchange.status != UNAUTHORIZED:
            self.useless.discard(sent)
            return exchange
        if sent in self.useless:
            return exchange
        await self.session.renew(sent)
        self._require(type_)
        exchange = await ask()
        if exchange.status == UNAUTHORIZED:
            self.useless.add(_bearer(exchange))
        return exchange

    def _require(self, type_: str | None) -> None:
        if self.session is None or type_ is None:
            return
        granted = self.session.granted
        if granted is not None and self.covered.get(type_) is not granted:
            require(type_, granted, self.session.vanished)
            self.covered[type_] = granted


@asynccontextmanager
async def connection(
    tenant: Tenant, world: World, meter: Meter | None = None
) -> AsyncIterator[Connection]:
    """Open a tenant's way to its EHR; `meter` counts what it costs.

    Raises:
        ConfigError: the tenant has no grant yet, or a secret is missing.
        EhrUnreachable, ProtocolError: where tokens come from could not be found out.
    """
    meter = meter or Meter()
    async with sender(tenant, world, meter) as http:
        session = await _session(tenant, world, http) if _is_smart(tenant) else None
        token = session.access_token if session else None
        try:
            fhir = FhirClient(http, tenant.ehr.fhir_base, token)
            yield Connection(meter, session, fhir, tenant.ehr.sync.link_bases)
        finally:
            if session is not None:
                await session.aclose()


def sender(tenant: Tenant, world: World, meter: Meter) -> HttpClient:
    """The HTTP client for a tenant's EHR."""
    ehr = tenant.ehr
    bounds = Bounds.of(ehr.limits)
    return HttpClient(
        base=ehr.fhir_base,
        evidence=meter,
        limiter=world.limiters,
        clock=world.clock,
        tls=ehr.tls,
        headers=_headers(tenant, world.secrets),
        extra_origins=frozenset(ehr.auth.extra_origins),
        moved_from=ehr.moved_from,
        bounds=bounds,
        policy=Policy(max_retry_after=ehr.limits.max_retry_after),
        transport=world.transport(ehr.tls, bounds, world.clock),
    )


def vault_of(tenant: Tenant, secrets: Secrets) -> tuple[Vault, Entry]:
    """Where the tenant's refresh token is kept.

    Raises:
        ConfigError: the tenant file names no login or no key for the vault.
    """
    if tenant.login is None:
        raise ConfigError(f"tenant {tenant.name}: has no [login], so there is no refresh token")
    if tenant.vault.key is None:
        raise ConfigError(
            f"tenant {tenant.name}: vault.key is missing; refresh tokens are kept encrypted",
            hint='add key = "env:NAME", "file:PATH" or "keyring:SERVICE/NAME" under [vault]',
        )
    entry = Entry(f"tenant:{tenant.name}", tenant.require_client().name, tenant.login.name)
    return Vault(tenant.vault.path, secrets.resolve(tenant.vault.key)), entry


def _bearer(exchange: Exchange) -> str:
    return (exchange.request.headers.get("Authorization") or "").removeprefix("Bearer ")


def _is_smart(tenant: Tenant) -> bool:
    return tenant.ehr.auth.kind is AuthKind.SMART


def _headers(tenant: Tenant, secrets: Secrets) -> dict[str, str]:
    auth = tenant.ehr.auth
    headers = {
        name: secrets.resolve(value).reveal() if isinstance(value, SecretRef) else value
        for name, value in tenant.ehr.headers.items()
    }
    if auth.kind is AuthKind.BASIC and auth.username and auth.password:
        pair = f"{secrets.text(auth.username)}:{secrets.resolve(auth.password).reveal()}"
        headers["Authorization"] = f"Basic {base64.b64encode(pair.encode()).decode()}"
    return headers


async def _session(tenant: Tenant, world: World, http: HttpClient) -> TokenSession:
    found = await discover(http, tenant.ehr)
    identity = Identity(
        http,
        tenant.require_client(),
        world.secrets,
        found.endpoint("token_endpoint"),
        world.clock,
        world.entropy,
    )
    if tenant.login is None:
        return TokenSession(identity, scopes=tenant.scopes)
    vault, entry = vault_of(tenant, world.secrets)
    await asyncio.to_thread(_seed, vault, entry, tenant.login, world)
    if await asyncio.to_thread(vault.get, entry) is None:
        if tenant.login.driver is not DriverKind.FORM:
            raise ConfigError(
                f"tenant {tenant.name}: nobody has signed in yet; the vault has no refresh token",
                hint=f"harness login --tenant {tenant.name}",
            )
        # Few runs sign in, and what parses forms takes a while to import.
        from harness.sync.access.login import keep, sign_in

        token = await sign_in(tenant, tenant.login, world, http, found)
        await keep(vault, entry, token, world)
    names_scope = tenant.ehr.auth.refresh_names_scope
    return TokenSession(identity, vault, entry, shared=True, names_scope=names_scope)


def _seed(vault: Vault, entry: Entry, login: Login, world: World) -> None:
    """Take over the refresh token that the tenant file refers to, once: it rotates from then on."""
    if login.refresh_token is None:
        return
    token = world.secrets.resolve(login.refresh_token).reveal()
    seed = sha256(token.encode()).hexdigest()
    stored = vault.get(entry)
    if stored is None or (stored.seed is not None and stored.seed != seed):
        vault.put(entry, token, now=world.clock.now(), seed=seed)
