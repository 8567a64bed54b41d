"""Scopes in the words of the consent page."""

from __future__ import annotations

from harness.reference.access import ResourceScope

_FIXED = {
    "openid": "Know that it is you who signs in",
    "fhirUser": "Know which person in the record you are",
    "launch": "Know what you were looking at when you opened it",
    "launch/patient": "Know which patient you chose",
    "launch/encounter": "Know which visit you chose",
    "offline_access": "Keep its access when you are not using it, until you withdraw it",
    "online_access": "Keep its access for as long as you are signed in",
}
_WHOSE = {"patient": "of the chosen patient", "user": "that you may see", "system": "of everybody"}
_VERBS = (("r", "read"), ("s", "search"), ("c", "create"), ("u", "change"), ("d", "delete"))


def describe(scope: str) -> str:
    """One line for a person, such as `Read, search: Observation of the chosen patient`."""
    if scope in _FIXED:
        return _FIXED[scope]
    parsed = ResourceScope.parse(scope)
    if parsed is None:
        return scope
    verbs = ", ".join(word for letter, word in _VERBS if letter in parsed.permissions)
    what = "everything" if parsed.resource_type == "*" else parsed.resource_type
    only = "".join(
        f", only {name} {value.rpartition('|')[2]}" for name, value in parsed.constraint.items()
    )
    return f"{verbs.capitalize()}: {what} {_WHOSE[parsed.level]}{only}"
