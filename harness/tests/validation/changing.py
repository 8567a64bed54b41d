"""Changes to a resource, named by the path of what is changed."""

from __future__ import annotations

import copy
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

STEP: Final = re.compile(r"([A-Za-z_][A-Za-z0-9_\-]*)|\[(\d+|\+)\]")
APPENDED: Final = "+"


@dataclass(frozen=True, slots=True)
class Change:
    """What is done to a copy of a resource, in this order.

    Args:
        remove: paths of members and items that go: `component[1].code`.
        replace: by path, the value that comes there. `name[+]` is a new item at the end.
            Everything above the last step has to be there already.
        text: the same with values as JSON text, for what TOML cannot write: null, big numbers.
        rename: by path of a member, its new name.
    """

    remove: Sequence[str] = ()
    replace: Mapping[str, Any] = field(default_factory=dict)
    text: Mapping[str, str] = field(default_factory=dict)
    rename: Mapping[str, str] = field(default_factory=dict)

    def applied(self, resource: Any) -> Any:
        """Returns a changed copy.

        Raises:
            LookupError: a path leads nowhere, so that the change would be none.
        """
        made = copy.deepcopy(resource)
        for path in self.remove:
            parent, last = _parent(made, path)
            del parent[last]
        for path, name in self.rename.items():
            parent, last = _parent(made, path)
            parent[name] = parent.pop(last)
        for path, value in self.replace.items():
            _put(made, path, copy.deepcopy(value))
        for path, value in self.text.items():
            _put(made, path, json.loads(value))
        return made


def steps(path: str) -> tuple[str | int, ...]:
    """Returns member names and indices of a path; the index of `[+]` is `+`."""
    found: list[str | int] = []
    end = 0
    for match in STEP.finditer(path):
        if path[end : match.start()] not in ("", "."):
            break
        end = match.end()
        name, index = match.groups()
        found.append(name or (index if index == APPENDED else int(index)))
    if end != len(path) or not found:
        raise LookupError(f"no path: {path!r}")
    return tuple(found)


def _parent(resource: Any, path: str) -> tuple[Any, Any]:
    *above, last = steps(path)
    for step in above:
        resource = resource[step]
    return resource, last


def _put(resource: Any, path: str, value: Any) -> None:
    parent, last = _parent(resource, path)
    if last == APPENDED:
        parent.append(value)
    else:
        parent[last] = value
