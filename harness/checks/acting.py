"""Acts: what is done once per run against the EHR, and by whom.

    @act
    async def well_known(run: Run) -> Exchange:
        return await run.http.get(f"{run.ehr.fhir_base}/.well-known/smart-configuration")

The parameters after `run` name the acts that it needs. An act returns a value, or raises one of the
five words of a skip, which then holds for every check that stands on it. What a check has to judge,
a refusal by the server included, is a value.
"""

from __future__ import annotations

import inspect
from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, TypeVar, overload

from harness.errors import UsageError
from harness.spec.requirements import did_you_mean

if TYPE_CHECKING:
    from harness.checks.scratch import Scratch
    from harness.config.ehr import EhrFile, Permit
    from harness.config.secrets import Secrets
    from harness.http.client import HttpClient
    from harness.http.clock import Clock
    from harness.http.hook import Hooks
    from harness.http.redaction import Redactor
    from harness.smart.entropy import Entropy
    from harness.spec.requirements import ChosenVersions

RESERVED = frozenset({"ehr", "versions", "run", "request", "self"})
"""Names that cannot be acts: values that every check may take, and pytest's own."""

Coroutine = TypeVar("Coroutine", bound=Callable[..., Awaitable[object]])


@dataclass(frozen=True, slots=True)
class Run:
    """What an act gets.

    Attributes:
        ehr: the endpoint.
        versions: the versions of the specifications judged against.
        http: the only sender.
        secrets: resolves the references of the EHR file.
        clock: the time of the run; recorded, and the same when replayed.
        entropy: the source of states, nonces and identifiers.
        redactor: pseudonymises whatever leaves memory.
        scratch: writes that are undone at the end.
        hooks: listens for what the EHR sends of its own accord.
    """

    ehr: EhrFile
    versions: ChosenVersions
    http: HttpClient
    secrets: Secrets
    clock: Clock
    entropy: Entropy
    redactor: Redactor
    scratch: Scratch
    hooks: Hooks

    def permits(self, permit: Permit) -> bool:
        """Whether the EHR file permits it."""
        return self.ehr.permits(permit)


@dataclass(frozen=True, slots=True)
class Act:
    """A registered act; `needs` are the acts whose values it takes, in order.

    A need with the default None is `optional`: where it is not applicable, not configured or not
    supported, the act goes on with None. `after` names acts that, where they are part of the run,
    have to be finished first; a `last` act waits for every other one that is not.
    """

    name: str
    function: Callable[..., Awaitable[object]]
    needs: tuple[str, ...]
    optional: frozenset[str] = frozenset()
    after: tuple[str, ...] = ()
    last: bool = False


@dataclass(slots=True)
class Registry:
    """Acts by name."""

    acts: dict[str, Act] = field(default_factory=dict)

    def add(
        self,
        function: Callable[..., Awaitable[object]],
        *,
        after: tuple[str, ...] = (),
        last: bool = False,
    ) -> None:
        """Register a coroutine function under its own name; see `Act`.

        Raises:
            UsageError: it is no coroutine function, or its name is taken.
        """
        name = getattr(function, "__name__", repr(function))
        if not inspect.iscoroutinefunction(function):
            raise UsageError(f"act {name!r}: expected a coroutine function (async def)")
        signature = inspect.signature(function).parameters
        parameters = list(signature)
        if not parameters or parameters[0] != "run":
            raise UsageError(f"act {name!r}: expected 'run' as the first parameter")
        if name in RESERVED:
            raise UsageError(f"act {name!r}: the name is reserved")
        taken = self.acts.get(name)
        if taken is not None and _origin(taken.function) != _origin(function):
            places = f"{_origin(taken.function)} and {_origin(function)}"
            raise UsageError(f"act {name!r} is defined twice: in {places}")
        optional = frozenset(each for each, spec in signature.items() if spec.default is None)
        self.acts[name] = Act(name, function, tuple(parameters[1:]), optional, after, last)

    def plan(self, names: Iterable[str]) -> tuple[Act, ...]:
        """The named acts with all they need, needs first.

        Raises:
            UsageError: an unknown name, with the nearest known one, or a cycle.
        """
        planned: dict[str, Act] = {}
        for name in names:
            self._visit(name, (), planned)
        return tuple(planned.values())

    def _visit(self, name: str, path: tuple[str, ...], planned: dict[str, Act]) -> None:
        if name in planned:
            return
        if name in path:
            raise UsageError(f"acts need each other: {' -> '.join((*path, name))}")
        if name not in self.acts:
            asker = f"act {path[-1]!r} needs {name!r}: " if path else ""
            raise UsageError(f"{asker}no act {name!r}{did_you_mean(name, self.acts)}")
        for need in self.acts[name].needs:
            self._visit(need, (*path, name), planned)
        planned[name] = self.acts[name]

    def below(self, name: str) -> frozenset[str]:
        """The act and everything that it stands on."""
        return frozenset(each.name for each in self.plan([name]))

    def view(self) -> Mapping[str, Act]:
        """The registered acts, read-only."""
        return MappingProxyType(self.acts)


REGISTRY = Registry()


@overload
def act(function: Coroutine) -> Coroutine: ...
@overload
def act(*, after: tuple[str, ...] = ..., last: bool = ...) -> Callable[[Coroutine], Coroutine]: ...
def act(
    function: Coroutine | None = None, *, after: tuple[str, ...] = (), last: bool = False
) -> Coroutine | Callable[[Coroutine], Coroutine]:
    """Register a coroutine function as an act of that name; see `Act` for `after` and `last`.

    Raises:
        UsageError: see `Registry.add`.
    """

    def register(each: Coroutine) -> Coroutine:
        REGISTRY.add(each, after=after, last=last)
        return each

    return register if function is None else register(function)


def _origin(function: Callable[..., Any]) -> str:
    code = getattr(function, "__code__", None)
    return f"{code.co_filename}:{code.co_firstlineno}" if code else repr(function)
