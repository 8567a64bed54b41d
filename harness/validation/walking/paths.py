"""Where something stands in a resource, as a chain of steps that costs nothing until it is told.

A walk hands down one small tuple per object and item; text is made of it for a finding alone.
"""

from __future__ import annotations

from typing import TypeAlias

from harness.validation.telling import harmless

Path: TypeAlias = "tuple[Path | None, str | int]"
"""What encloses it, and the step from there: an element's name or an index."""

_LONGEST_STEP = 100


def rendered(path: Path) -> str:
    """FHIRPath, indexed: `Observation.component[1].value.ofType(Quantity).unit`.

    A name that no definition knows is shortened and has its control characters replaced.
    """
    if path[0] is None:
        return harmless(str(path[1]))
    steps = []
    here: Path | None = path
    while here is not None:
        here, step = here
        steps.append(
            f"[{step}]" if isinstance(step, int) else f".{harmless(str(step)[:_LONGEST_STEP])}"
        )
    return "".join(reversed(steps))[1:]


def bare(path: Path, top: Path) -> str:
    """The same without indexes and choice types, from below `top` on: `component.value`."""
    steps = []
    here: Path | None = path
    while here is not None and here is not top:
        here, step = here
        if isinstance(step, str):
            steps.append(step.partition(".")[0])
    return ".".join(reversed(steps))
