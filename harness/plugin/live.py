"""The run at work: one event loop in a portal thread, the HTTP client, the acts."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import CancelledError, Future
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

from anyio.from_thread import BlockingPortal, start_blocking_portal

from harness.checks.acting import Registry, Run
from harness.checks.runner import ActRunner, Outcome
from harness.checks.scratch import Journal, Scratch
from harness.config.ehr import DataKind, SecretRef
from harness.http.client import HttpClient
from harness.http.clock import Clock, ManualClock, SystemClock
from harness.http.entropy import Entropy
from harness.http.evidence import Evidence
from harness.http.hook import Hooks
from harness.http.limiter import HostLimiters
from harness.http.recording import UNPACED, ReplayTransport
from harness.http.redaction import Redactor
from harness.http.transport import Bounds, Transport
from harness.plugin.target import Target
from harness.plugin.timekeeping import ActClock

_TICK = 0.2


@dataclass(slots=True)
class _Wire:
    """Time, chance and transport: live, or of a recording."""

    clock: Clock
    entropy: Entropy
    transport: Transport | None = None


class Live:
    """Acts against the target; made in pytest's thread, works in the portal's.

    Args:
        target: what to act against.
        registry: the acts.
        folder: where the journal of writes goes.
        given: outcomes known already, which are not acted again.
    """

    def __init__(
        self,
        target: Target,
        registry: Registry,
        folder: Path,
        *,
        given: Mapping[str, Outcome] | None = None,
    ) -> None:
        self.target = target
        self.evidence = Evidence()
        self.redactor = Redactor(
            real=target.ehr.data is DataKind.REAL, replaying=target.recorded is not None
        )
        wire = _wire(target)
        kept = target.recorded[0].about.get("readings", ()) if target.recorded else ()
        self.clock = ActClock(wire.clock, kept)
        self.entropy = wire.entropy
        self.http = _client(target, self.evidence, wire)
        came = target.recorded[0].about.get("arrivals", ()) if target.recorded else None
        self.hooks = Hooks(self.evidence, wire.clock, came)
        journal = Journal(None if target.recorded else folder / "journal.jsonl")
        self.scratch = Scratch(target.ehr, journal)
        run = Run(
            ehr=target.ehr,
            versions=target.versions,
            http=self.http,
            secrets=target.secrets,
            clock=self.clock,
            entropy=wire.entropy,
            redactor=self.redactor,
            scratch=self.scratch,
            hooks=self.hooks,
        )
        self._runner = ActRunner(registry, run, exchanges_of=self.evidence.of, given=given)
        self._stack = ExitStack()
        self._portal: BlockingPortal | None = None
        self._tasks: list[Future[None]] = []

    @property
    def outcomes(self) -> Mapping[str, Outcome]:
        """What came of the acts so far."""
        return MappingProxyType(dict(self._runner.outcomes))

    def begin(self, names: Iterable[str]) -> None:
        """Let the named acts, and what they need, run in the background."""
        if self._portal is None:
            self._portal = self._stack.enter_context(start_blocking_portal())
        task = self._portal.start_task_soon(self._runner.act, list(names))
        task.add_done_callback(self._ended)
        self._tasks.append(task)

    def wait(self, names: Iterable[str], tick: Callable[[], None] = lambda: None) -> None:
        """Block until each named act has an outcome.

        Args:
            names: acts that were begun.
            tick: called now and then while waiting, to show progress.

        Raises:
            RuntimeError: running acts itself failed, which is a defect of the harness.
        """
        for name in names:
            while True:
                try:
                    self._runner.wait(name, _TICK)
                    break
                except TimeoutError:
                    tick()
                except CancelledError:
                    raise RuntimeError(f"act {name} has no outcome") from self._failure()

    def end(self) -> list[str]:
        """Cut off what is still running, undo all writes, close everything.

        Returns:
            What was left behind on the server, one line each.
        """
        if self._portal is None:
            return []
        for task in self._tasks:
            task.cancel()
        try:
            return self._portal.call(self._finish)
        finally:
            self._stack.close()
            self._portal = None

    async def _finish(self) -> list[str]:
        try:
            return await self.scratch.undo()
        finally:
            await self.http.aclose()

    def _ended(self, task: Future[None]) -> None:
        if task.cancelled() or task.exception() is not None:
            self._runner.cut_off()

    def _failure(self) -> BaseException | None:
        ended = (task for task in self._tasks if task.done() and not task.cancelled())
        return next((task.exception() for task in ended if task.exception()), None)


def _wire(target: Target) -> _Wire:
    if target.recorded is None:
        return _Wire(SystemClock(advance=target.advance), Entropy())
    kept, _ = target.recorded
    clock = ManualClock(kept.clock)
    return _Wire(clock, Entropy(kept.drawn), ReplayTransport(kept, clock))


def _client(target: Target, evidence: Evidence, wire: _Wire) -> HttpClient:
    limits = target.ehr.limits if target.recorded is None else UNPACED
    return HttpClient(
        base=target.ehr.fhir_base,
        evidence=evidence,
        limiter=HostLimiters(limits, wire.clock),
        clock=wire.clock,
        tls=target.ehr.tls,
        headers=_headers(target),
        extra_origins=frozenset(target.ehr.auth.extra_origins),
        bounds=Bounds.of(target.ehr.limits),
        transport=wire.transport,
    )


def _headers(target: Target) -> dict[str, str]:
    secrets = target.secrets
    return {
        name: secrets.resolve(value).reveal() if isinstance(value, SecretRef) else value
        for name, value in target.ehr.headers.items()
    }
