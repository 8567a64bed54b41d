"""Extensions: each is judged by the profile that its `url` names, wherever it stands.

https://hl7.org/fhir/R4/extensibility.html
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

from harness.spec.definitions.model import Profile
from harness.validation.findings import Rule, Severity
from harness.validation.sources import Sources
from harness.validation.telling import told
from harness.validation.walking.fields import Walk
from harness.validation.walking.judging import DEEPEST, Judging
from harness.validation.walking.keys import keys
from harness.validation.walking.paths import Path, bare

_MOST_REMEMBERED = 5000
_ANYWHERE = frozenset({"Element", "Resource"})


class Extensions:
    """Walks over extensions.

    Args:
        of_type: the walk over objects of a type.
        sources: the definitions.
        profiled: what a profile asks.
    """

    __slots__ = ("_known", "_of_type", "_profiled", "_profiles", "_values")

    def __init__(
        self, of_type: Callable[[str], Walk], sources: Sources, profiled: Callable[[str], Walk]
    ) -> None:
        self._of_type = of_type
        value = sources.types["Extension"].root.children["value[x]"]
        self._values = frozenset(key.name for key in keys(value))
        self._profiles = sources.profiles
        self._profiled = profiled
        self._known: dict[str, _Definition] = {}

    def walk(self, standing: frozenset[str], modifier: bool) -> Walk:  # noqa: FBT001 - two kinds
        """The walk over extensions that stand on something.

        Args:
            standing: what that is, in the words of extension contexts: `Patient`, `HumanName`.
            modifier: whether they are modifier extensions.
        """
        base, known, values = self._of_type("Extension"), self._known, self._values
        nested = "Extension" in standing

        def judge(node: Any, path: Path, run: Judging) -> None:
            if run.depth >= DEEPEST:
                run.error(Rule.JSON, path, f"at most {DEEPEST} levels of recursion", node)
                return
            run.depth += 1
            base(node, path, run)
            if ("extension" in node) is not values.isdisjoint(node) and "url" in node:
                _either(node, path, run)
            url = node.get("url")
            if url.__class__ is str and url:
                found = known.get(url) or self._find(url)
                if found.profile is not None:
                    if found.contexts and found.contexts.isdisjoint(standing):
                        _in_place(url, found.contexts, path, run)
                    found.profile(node, path, run)
                    if "extension" in node:
                        _inner(found.parts, node["extension"], path, run, url)
                elif not nested:
                    _unknown(url, path, run, modifier=modifier)
            run.depth -= 1

        return judge

    def _find(self, url: str) -> _Definition:
        profile = self._profiles.get(url)
        if profile is None or profile.type != "Extension":
            found = _Definition(None, frozenset(), frozenset())
        else:
            contexts = frozenset(profile.context)
            found = _Definition(
                self._profiled(url),
                frozenset() if contexts & _ANYWHERE else contexts,
                frozenset(_parts(profile)),
            )
        if len(self._known) < _MOST_REMEMBERED:
            self._known[url] = found
        return found


class _Definition(NamedTuple):
    """What is known of an extension.

    Attributes:
        profile: what its definition asks; None where there is none.
        contexts: where it may stand; empty where that is anywhere.
        parts: the relative URLs of extensions that it may hold.
    """

    profile: Walk | None
    contexts: frozenset[str]
    parts: frozenset[str]


def _parts(profile: Profile) -> Iterator[str]:
    array = profile.root.children.get("extension")
    for piece in array.slicing.slices.values() if array and array.slicing else ():
        url = piece.children.get("url")
        if url is not None and isinstance(url.fixed, str):
            yield url.fixed


def _inner(parts: frozenset[str], values: Any, path: Path, run: Judging, url: str) -> None:
    """Judges relative URLs: they stand for what the definition of the extension around them has."""
    for index, value in enumerate(values if isinstance(values, list) else ()):
        name = value.get("url") if isinstance(value, dict) else None
        if isinstance(name, str) and name and name not in parts and ":" not in name:
            at = (((path, "extension"), index), "url")
            expected = f"one of {', '.join(sorted(parts))}" if parts else "an absolute URL"
            run.error(Rule.EXTENSION, at, expected, name, url)


def _either(node: dict[str, Any], path: Path, run: Judging) -> None:
    run.add(
        Severity.ERROR,
        Rule.INVARIANT,
        path,
        "either extensions or a value[x], not both or none",
        "both" if "extension" in node else "none",
        None,
        "ext-1",
    )


def _in_place(url: str, contexts: frozenset[str], path: Path, run: Judging) -> None:
    """Judges contexts that name an element, now that the names of types did not suffice."""
    array = path[0]
    holder = None if array is None else array[0]
    if holder is None or run.top is None:
        return
    inner = bare(holder, run.top)
    here = f"{_kind(run)}.{inner}" if inner else ""
    last = inner.rpartition(".")[2]
    for context in contexts:
        if "://" in context and last == "extension":
            # In another extension, of which the path does not say the url.
            return
        kind, _, element = context.replace("[x]", "").partition(".")
        if f"{kind}.{element}" == here:
            return
        # An element of a data type: which type the holder's own holder has is not in the path.
        if last and kind != _kind(run) and element.endswith(last):
            return
    expected = f"{url} stands on {', '.join(sorted(contexts))}"
    actual = here or f"on {_kind(run)}"
    run.add_error(Rule.EXTENSION, path, expected, actual, url)


def _unknown(url: str, path: Path, run: Judging, *, modifier: bool) -> None:
    if ":" not in url:
        run.error(Rule.EXTENSION, (path, "url"), "an absolute URL outside of extensions", url)
    elif modifier:
        run.add(
            Severity.WARNING,
            Rule.EXTENSION,
            path,
            "a modifier extension that is known, because it may change what the resource means",
            told(url),
        )


def _kind(run: Judging) -> Any:
    return run.scope.resource.get("resourceType")
