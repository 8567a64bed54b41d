"""What the person at a login would choose: the patient, and the scopes to decline."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from urllib.parse import unquote

from harness.smart.drivers.page import Control
from harness.smart.scopes import Scope

_SEPARATORS = re.compile(r"[\s,;'\"()\[\]]+")


@dataclass(frozen=True, slots=True)
class Choices:
    """Decisions that pages of the authorization server ask for.

    Attributes:
        patient: id (or name as shown) of the patient to choose; None takes the first.
        decline: scopes to leave out of the consent, or a predicate on them.
        deny: refuse the whole request.
    """

    patient: str | None = None
    decline: frozenset[str] | Callable[[Scope], bool] = frozenset()
    deny: bool = False

    def declined(self, requested: Iterable[str]) -> tuple[Scope, ...]:
        """Those of the requested scopes that are to be declined."""
        scopes = [Scope.parse(text) for text in requested]
        if callable(self.decline):
            return tuple(scope for scope in scopes if self.decline(scope))
        return tuple(scope for scope in scopes if scope.text in self.decline)


def names_scope(control: Control, scope: Scope, requested: Iterable[str]) -> bool:
    """Whether a checkbox stands for `scope`: by its text, else by the resource type alone."""
    spelled = _spelled(control, requested)
    return scope.text in spelled if spelled else _names_type(control, scope)


def is_scope(control: Control, requested: Iterable[str]) -> bool:
    """Whether a checkbox stands for any of the requested scopes."""
    wanted = tuple(requested)
    return bool(_spelled(control, wanted)) or any(
        _names_type(control, Scope.parse(text)) for text in wanted
    )


def names_patient(text: str, patient: str) -> bool:
    """Whether `text` contains the patient's id (or name) as a word of its own."""
    word = rf"(?<![\w.-]){re.escape(patient)}(?![\w-])"
    return re.search(word, unquote(text), re.IGNORECASE) is not None


def names_any(text: str, names: Iterable[str]) -> bool:
    """Whether `text` contains one of the names as a word of its own."""
    return any(names_patient(text, name) for name in names)


def _parts(control: Control) -> tuple[str, ...]:
    return (control.value, control.name, control.id, control.text)


def _spelled(control: Control, requested: Iterable[str]) -> set[str]:
    """Those of the requested scopes that the checkbox spells out."""
    words = {word for part in _parts(control) for word in _SEPARATORS.split(unquote(part))}
    return {text for text in requested if _spells(words, text)}


def _names_type(control: Control, scope: Scope) -> bool:
    if scope.type in (None, "*"):
        return False
    typed = re.compile(rf"(?<![A-Za-z]){scope.type}s?(?![A-Za-z])", re.IGNORECASE)
    return any(typed.search(part) for part in _parts(control))


def _spells(words: set[str], scope: str) -> bool:
    endings = (f":{scope}", f".{scope}", f"-{scope}", f"_{scope}", f"={scope}")
    return any(word == scope or word.endswith(endings) for word in words)
