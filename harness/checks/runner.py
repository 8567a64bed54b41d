"""Runs acts once each, concurrently, and keeps what came of them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import Future
from dataclasses import dataclass

import anyio

from harness.checks.acting import Act, Registry, Run
from harness.errors import (
    ConfigError,
    HarnessError,
    NotApplicable,
    NotConfigured,
    NotSupported,
    PrerequisiteFailed,
    Skip,
)
from harness.http.evidence import current_act
from harness.http.exchange import Exchange


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of an act: a value, or a stored failure.

    Attributes:
        act: its name.
        value: what it returned; None where it failed.
        error: why it has no value.
        root: the act whose failure this is; itself, or one that it needs.
        exchanges: what it sent and got, in order.
        seconds: how long it took.
    """

    act: str
    value: object = None
    error: Exception | None = None
    root: str | None = None
    exchanges: tuple[Exchange, ...] = ()
    seconds: float = 0.0

    @property
    def failed_itself(self) -> bool:
        """Whether the failure began here, and is no skip."""
        return self.root == self.act and not isinstance(self.error, Skip)


class ActRunner:
    """Runs acts with all they need; each at most once.

    Args:
        registry: where acts are found.
        run: what they get.
        exchanges_of: the exchanges filed under an act.
        given: outcomes known already, which are not acted again.
    """

    def __init__(
        self,
        registry: Registry,
        run: Run,
        *,
        exchanges_of: Callable[[str], Iterable[Exchange]],
        given: Mapping[str, Outcome] | None = None,
    ) -> None:
        self._registry = registry
        self._run = run
        self._exchanges_of = exchanges_of
        self._futures: dict[str, Future[Outcome]] = {}
        self._done: dict[str, anyio.Event] = {}
        for name, outcome in (given or {}).items():
            self._future(name).set_result(outcome)

    @property
    def outcomes(self) -> Mapping[str, Outcome]:
        """What is known by now."""
        return {name: f.result() for name, f in self._futures.items() if _finished(f)}

    async def act(self, names: Iterable[str]) -> None:
        """Run the named acts and their needs; returns when all of them have an outcome.

        Raises:
            UsageError: an unknown name or a cycle; nothing has been sent then.
        """
        plan = [each for each in self._registry.plan(names) if each.name not in self._done]
        plan = [each for each in plan if not _finished(self._future(each.name))]
        self._done |= {each.name: anyio.Event() for each in plan}
        async with anyio.create_task_group() as tasks:
            for each in plan:
                tasks.start_soon(self._perform, each, name=f"act {each.name}")

    def wait(self, name: str, timeout: float | None = None) -> Outcome:
        """Block, outside the event loop, until the act has an outcome.

        Raises:
            TimeoutError: not within `timeout` seconds.
            concurrent.futures.CancelledError: the run was cut off.
        """
        return self._future(name).result(timeout)

    def cut_off(self) -> None:
        """Let nobody wait any longer for what has no outcome yet."""
        for future in self._futures.values():
            future.cancel()

    def _future(self, name: str) -> Future[Outcome]:
        return self._futures.setdefault(name, Future())

    async def _perform(self, act: Act) -> None:
        for need in self._before(act):
            if not _finished(self._future(need)):
                await self._done[need].wait()
        needs = [self._future(need).result() for need in act.needs]
        blocked = next((need for need in needs if _blocks(act, need)), None)
        outcome = _blocked(act, blocked) if blocked else await self._attempt(act, needs)
        self._future(act.name).set_result(outcome)
        self._done[act.name].set()

    def _before(self, act: Act) -> tuple[str, ...]:
        """What has to be finished first: needs, and what comes earlier where it is acted at all."""
        if act.last:
            acts = self._registry.view()
            earlier = (name for name in self._done if not acts[name].last)
            return (*act.needs, *earlier, *(name for name in act.after if name in self._done))
        return (*act.needs, *(name for name in act.after if name in self._done))

    async def _attempt(self, act: Act, needs: list[Outcome]) -> Outcome:
        current_act.set(act.name)
        clock = self._run.clock
        started = clock.monotonic()
        value: object = None
        error: Exception | None = None
        try:
            value = await act.function(self._run, *(need.value for need in needs))
        except ConfigError as missing:
            error = NotConfigured(str(missing))
        except Exception as failure:  # noqa: BLE001 - stored, and classified by `judge`
            error = _root_of(failure)
        return Outcome(
            act.name,
            value,
            error,
            root=act.name if error is not None else None,
            exchanges=tuple(self._exchanges_of(act.name)),
            seconds=clock.monotonic() - started,
        )


def _root_of(failure: Exception) -> Exception:
    """What went wrong, where an act asks for several things at once: the worst of them."""
    if not isinstance(failure, ExceptionGroup):
        return failure
    inner = [_root_of(each) for each in failure.exceptions]
    return next((each for each in inner if not isinstance(each, HarnessError)), inner[0])


def _finished(future: Future[Outcome]) -> bool:
    return future.done() and not future.cancelled()


_MISSING = (NotApplicable, NotConfigured, NotSupported)
"""How an optional need may be missing: nobody did anything wrong."""


def _blocks(act: Act, need: Outcome) -> bool:
    if need.act in act.optional and isinstance(need.error, _MISSING):
        return False
    return need.error is not None


def _blocked(act: Act, need: Outcome) -> Outcome:
    if isinstance(need.error, Skip):
        error: Exception = type(need.error)(need.error.reason)
    else:
        error = PrerequisiteFailed(f"act {need.act} failed: {one_line(need.error)}")
    return Outcome(act.name, error=error, root=need.root)


def one_line(error: BaseException | None) -> str:
    """An exception as one line: its type and text."""
    text = " ".join(str(error).split())
    return f"{type(error).__name__}: {text}" if text else type(error).__name__
