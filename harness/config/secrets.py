"""Secrets: resolved late, kept out of sight, compared in constant time."""

from __future__ import annotations

import hmac
import os
import stat
from collections.abc import Iterable, Mapping
from importlib import import_module
from pathlib import Path
from typing import NoReturn

from harness.config.ehr import SecretRef
from harness.errors import ConfigError

_MAX_BYTES = 1 << 16
_HIDDEN = "<secret>"


class Secret:
    """A value that no repr, str, format, pickle or JSON shows; only `reveal` does."""

    __slots__ = ("_value",)
    __hash__ = None  # type: ignore[assignment]  # a hash of a secret would be one more copy of it

    def __init__(self, value: str) -> None:
        self._value = value

    def reveal(self) -> str:
        """The value itself, for the one request that needs it."""
        return self._value

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Secret):
            return NotImplemented
        return hmac.compare_digest(self._value.encode(), other._value.encode())

    def __repr__(self) -> str:
        return _HIDDEN

    __str__ = __repr__

    def __format__(self, _: str) -> str:
        return _HIDDEN

    def __reduce_ex__(self, _: object) -> NoReturn:
        raise TypeError("a secret cannot be pickled")

    def __copy__(self) -> Secret:
        return self

    def __deepcopy__(self, _: object) -> Secret:
        return self


class Secrets:
    """Resolves references, and remembers what it gave out so that it can be redacted.

    Args:
        environ: the environment variables.
        overrides: values for `env` references that win over the environment; how a run hands in
            the secrets of the reference EHR that it started.
    """

    def __init__(
        self, environ: Mapping[str, str], overrides: Mapping[str, str] | None = None
    ) -> None:
        self._environ = environ
        self._overrides = overrides or {}
        self._resolved: dict[str, None] = {}

    def resolve(self, ref: SecretRef) -> Secret:
        """The secret that `ref` refers to.

        Raises:
            ConfigError: there is none, or it may be read by others; names each place looked in.
        """
        value = self._value(ref)
        self._resolved[value] = None
        return Secret(value)

    def text(self, value: str | SecretRef) -> str:
        """What is no secret, though it may be kept like one: a client id, a user name.

        It is not part of `resolved`: redacting a user name such as `FHIR` would blot out reports.

        Raises:
            ConfigError: as `resolve`.
        """
        return self._value(value) if isinstance(value, SecretRef) else value

    def missing(self, refs: Iterable[tuple[str, SecretRef]]) -> list[tuple[str, str]]:
        """Key path and reason of each reference that cannot be resolved."""
        found = []
        for path, ref in refs:
            try:
                self._value(ref)
            except ConfigError as error:
                found.append((path, str(error)))
        return found

    @property
    def resolved(self) -> tuple[str, ...]:
        """Every secret resolved so far, for redaction."""
        return tuple(self._resolved)

    def __repr__(self) -> str:
        return f"<Secrets, {len(self._resolved)} resolved>"

    def _value(self, ref: SecretRef) -> str:
        value = {"env": self._env, "file": _file, "keyring": _keyring}[ref.scheme](ref.name)
        if not value:
            raise ConfigError(f"{ref}: found, but empty")
        return value

    def _env(self, name: str) -> str:
        value = self._overrides.get(name, self._environ.get(name))
        if value is None:
            looked = "the run's own secrets and the environment" if self._overrides else None
            raise ConfigError(
                f"env:{name}: not found in {looked or 'the environment'}",
                hint=f"set the variable {name}",
            )
        return value


def _file(name: str) -> str:
    path = Path(name).expanduser()
    try:
        with path.open("rb") as file:
            mode = os.fstat(file.fileno()).st_mode
            raw = file.read(_MAX_BYTES + 1)
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else "not a possible path"
        raise ConfigError(f"file:{name}: cannot be read: {reason}") from None
    if mode & (stat.S_IROTH | stat.S_IWOTH):
        raise ConfigError(
            f"file:{name}: open to every user of this machine (mode {stat.S_IMODE(mode):04o})",
            hint=f"chmod 600 {name}",
        )
    if len(raw) > _MAX_BYTES:
        raise ConfigError(f"file:{name}: larger than {_MAX_BYTES} bytes")
    try:
        text = raw.decode("utf-8")
    except UnicodeDecodeError:
        raise ConfigError(f"file:{name}: expected UTF-8 text") from None
    return text.removesuffix("\n").removesuffix("\r")


def _keyring(name: str) -> str:
    service, _, user = name.rpartition("/")
    try:
        keyring = import_module("keyring")
    except ModuleNotFoundError:
        raise ConfigError(
            f"keyring:{name}: the package keyring is not installed",
            hint="pip install 'fhir-harness[keyring]'",
        ) from None
    try:
        value: str | None = keyring.get_password(service, user)
    except Exception as error:  # noqa: BLE001 -- each backend of the keyring raises its own kinds
        kind = type(error).__name__
        raise ConfigError(f"keyring:{name}: the keyring refused: {kind}") from None
    if value is None:
        raise ConfigError(
            f"keyring:{name}: no entry {user!r} of service {service!r} in the keyring",
            hint=f"keyring set {service} {user}",
        )
    return value
