"""The job "sync" of one tenant: leased, kept alive, bounded in time, apart from all others."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol, TypeVar

from harness.config.secrets import Secrets
from harness.config.tenant import Tenant
from harness.errors import HarnessError, UsageError
from harness.http.breaker import Breaker
from harness.http.clock import Clock
from harness.http.limiter import HostLimiters
from harness.http.origin import host_of
from harness.http.transport import WireTransport
from harness.scheduler.leases import LIFE, acquire, owner, release, renew
from harness.smart.entropy import Entropy
from harness.sync.account import Account
from harness.sync.model import Lease
from harness.sync.run import SyncRun
from harness.sync.standing import Progress
from harness.sync.store.database import Place
from harness.sync.store.places import place_of
from harness.sync.store.store import LeaseLost, Store
from harness.sync.world import MakeTransport, World

if TYPE_CHECKING:
    from harness.sync.verify.run import VerifyRun
    from harness.sync.verify.verification import Verification

T_co = TypeVar("T_co", covariant=True)

JOB = "sync"
GRACE = 60.0
"""Seconds that a run gets to finish its pages when its time is up, before it is cancelled."""


@dataclass(slots=True)
class Site:
    """The process that runs jobs: its clock, its secrets, and one limiter per host for all.

    Args:
        environ: where `env:` references are looked up.
        clock: time and waiting.
        entropy: unpredictable bytes.
        transport: the wire; in a test what stands before it.
    """

    environ: Mapping[str, str]
    clock: Clock
    entropy: Entropy
    transport: MakeTransport = WireTransport
    _limiters: dict[str, HostLimiters] = field(default_factory=dict)
    _breakers: dict[str, Breaker] = field(default_factory=dict)

    def world(self, tenant: Tenant, store: Store | None = None) -> World:
        """What one tenant's sync needs; secrets are its own, the limiter is its EHR's.

        `store` tells what earlier runs learnt and spent; None where nothing is synced.
        """
        host = host_of(tenant.ehr.fhir_base)
        if host not in self._limiters:
            limits = tenant.ehr.limits
            self._limiters[host] = HostLimiters(
                limits,
                self.clock,
                remembered=store.rates() if store else None,
                spent=store.spent() if store else None,
                patient=True,
            )
        breaker = self._breakers.setdefault(host, Breaker())
        return World(
            Secrets(self.environ),
            self.clock,
            self.entropy,
            self._limiters[host],
            breaker,
            self.transport,
        )


async def sync(
    tenant: Tenant,
    site: Site,
    name: str,
    *,
    bound: float | None = None,
    on_start: Callable[[SyncRun], None] = lambda _run: None,
    on_progress: Callable[[Progress], None] = lambda _progress: None,
) -> Account:
    """One sync of one tenant, under its lease.

    Args:
        tenant: whose.
        site: this process.
        name: of the run.
        bound: seconds after which it is told to stop, and soon after cancelled; None: no bound.
        on_start: gets the run, so that it can be told to stop.
        on_progress: told after every page.

    Raises:
        LeaseHeld: another process is at it.
        LeaseLost: another process took over in the middle.
        UsageError: the store cannot be used, or a file or secret has to be mended first.
    """

    def begin(store: Store, lease: Lease, world: World) -> SyncRun:
        run = SyncRun(tenant, world, store, lease, name, on_progress)
        on_start(run)
        return run

    return await _leased(tenant, site, begin, bound)


async def verify(
    tenant: Tenant,
    site: Site,
    *,
    mark: bool = False,
    bound: float | None = None,
    on_start: Callable[[VerifyRun], None] = lambda _run: None,
) -> Verification:
    """Compare one tenant's store with its EHR, under the lease of its sync.

    Args:
        tenant: whose.
        site: this process.
        mark: whether what the EHR has no more shall count as deleted in the store.
        bound: seconds after which it is told to stop, and soon after cancelled; None: no bound.
        on_start: gets the run, so that it can be told to stop.

    Raises:
        LeaseHeld: a sync of the tenant is under way.
        LeaseLost: another process took over in the middle.
        UsageError: there is no store yet, or a file or secret has to be mended first.
    """
    from harness.sync.verify.run import VerifyRun

    if not place_of(tenant, site.environ).exists():
        raise UsageError(
            f"tenant {tenant.name}: there is no store to verify yet",
            hint=f"harness sync run --tenant {tenant.name}",
        )

    def begin(store: Store, lease: Lease, world: World) -> VerifyRun:
        run = VerifyRun(tenant, world, store, lease, mark)
        on_start(run)
        return run

    return await _leased(tenant, site, begin, bound)


class _Run(Protocol[T_co]):
    """What runs under a lease: a sync or a verification."""

    @property
    def account(self) -> T_co | None: ...
    def stop(self, reason: str) -> None: ...
    async def run(self) -> T_co: ...


async def _leased(
    tenant: Tenant,
    site: Site,
    begin: Callable[[Store, Lease, World], _Run[T_co]],
    bound: float | None,
) -> T_co:
    """Hold the lease as long as a run takes."""
    place = place_of(tenant, site.environ)
    with Store(place) as store, store.connection.alive(JOB) as others_dead:
        lease = acquire(
            store, tenant.name, JOB, by=owner(), now=site.clock.now(), holder_is_dead=others_dead
        )
        run = begin(store, lease, site.world(tenant, store))
        try:
            async with kept_alive(place, lease, run.stop, site.clock):
                return await _bounded(run, bound)
        finally:
            release(store, lease, site.clock.now())


async def _bounded(run: _Run[T_co], bound: float | None) -> T_co:
    """Run; when time is up, tell it to stop, then cancel it."""
    task = asyncio.create_task(run.run())
    try:
        done, _ = await asyncio.wait({task}, timeout=bound)
        if not done:
            run.stop(f"its time of {bound:.0f} s was up")
            await asyncio.wait({task}, timeout=min(GRACE, bound or GRACE))
    finally:
        if not task.done():
            task.cancel()
            await asyncio.wait({task})
    if task.cancelled() and run.account is not None:
        return run.account
    return task.result()


@asynccontextmanager
async def kept_alive(
    place: Place, lease: Lease, stop: Callable[[str], None], clock: Clock
) -> AsyncIterator[None]:
    """Renew the lease as long as the context lasts; on a connection of its own."""

    async def beat() -> None:
        with Store(place) as store:
            while True:
                await asyncio.sleep(LIFE.total_seconds() / 3)
                renew(store, lease, clock.now())

    def lost(task: asyncio.Task[None]) -> None:
        if not task.cancelled() and task.exception() is not None:
            stop("its lease could not be kept")

    task = asyncio.create_task(beat())
    task.add_done_callback(lost)
    try:
        yield
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError, LeaseLost):
            await task


@dataclass(frozen=True, slots=True)
class Ended:
    """How a tenant's job ended: an account, or one line that says why there is none."""

    tenant: str
    account: Account | None = None
    error: str | None = None


async def isolated(tenant: str, job: Callable[[], Awaitable[Account]]) -> Ended:
    """Run a job so that nothing that goes wrong in it reaches another tenant."""
    try:
        return Ended(tenant, await job())
    except HarnessError as error:
        return Ended(tenant, error=str(error))
    except Exception as error:  # noqa: BLE001 - a defect in one tenant's run must not end the others'
        return Ended(tenant, error=f"a defect of the harness: {type(error).__name__}")
