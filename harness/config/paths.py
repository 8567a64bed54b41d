"""Where things are: in a clone, in an installed wheel, and on this machine.

EHR and tenant files are looked up by NAME in `./fixtures/` first, then in the files that ship.
"""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

from harness.config.schema import nearest, shown
from harness.errors import ConfigError

NAME = re.compile(r"[a-z0-9][a-z0-9-]{0,62}")
"""What an EHR file or a tenant may be called."""

_PACKAGE = Path(__file__).resolve().parents[1]


def suites_dir() -> Path:
    """The bundled suites: `suites/` beside the package in a clone, inside it in a wheel."""
    return _shipped("suites")


def fixtures_dir() -> Path:
    """The bundled EHR files, tenant files and resources."""
    return _shipped("fixtures")


def reports_dir() -> Path:
    """Where runs write their reports: `./reports`, in a clone that of the clone."""
    clone = _PACKAGE.parent / "reports"
    return clone if _is_clone() else Path.cwd() / "reports"


def data_dir(environ: Mapping[str, str] = os.environ) -> Path:
    """Where what must be kept private lives: tenant stores and vaults, never under reports.

    `HARNESS_DATA` if it is set, else the platform's folder for application data.
    """
    if chosen := environ.get("HARNESS_DATA"):
        return Path(chosen).expanduser().absolute()
    if sys.platform == "darwin":
        return Path.home() / "Library" / "Application Support" / "fhir-harness"
    base = environ.get("XDG_DATA_HOME")
    return (Path(base) if base else Path.home() / ".local" / "share") / "fhir-harness"


def make_private(folder: Path) -> None:
    """Make a folder, and every missing one above it, for its owner alone.

    Raises:
        OSError: it cannot be made.
    """
    # `parents=True` would give those above the mode of the umask.
    missing = [each for each in (folder, *folder.parents) if not each.exists()]
    for each in reversed(missing):
        each.mkdir(mode=0o700, exist_ok=True)


def find(kind: str, name_or_path: str) -> Path:
    """The file that `name_or_path` means.

    Args:
        kind: `ehrs` or `tenants`.
        name_or_path: a NAME, or a path, which ends in `.toml` or contains a separator.

    Raises:
        ConfigError: no such file, with every place looked in and the nearest name.
    """
    if is_path(name_or_path):
        path = Path(name_or_path)
        if "\0" in name_or_path or not path.is_file():
            raise ConfigError(f"no file {shown(name_or_path)}", hint=_no_path(kind, name_or_path))
        return path
    if not NAME.fullmatch(name_or_path):
        raise ConfigError(
            f"{shown(name_or_path)} is no name of a file under {kind}",
            hint="lower-case letters, digits and hyphens; or a path that ends in .toml",
        )
    for folder in _folders(kind):
        path = folder / f"{name_or_path}.toml"
        if path.is_file():
            return path
    known = list(names(kind))
    near = nearest(name_or_path, known) or f"; known: {', '.join(known) or 'none'}"
    places = " and ".join(str(folder) for folder in _folders(kind))
    raise ConfigError(f"no file {name_or_path}.toml in {places}", hint=near.removeprefix("; "))


def names(kind: str) -> dict[str, Path]:
    """Every file under `ehrs` or `tenants` by NAME, sorted; the working folder's own win."""
    found: dict[str, Path] = {}
    for folder in _folders(kind):
        for path in sorted(folder.glob("*.toml")):
            if NAME.fullmatch(path.stem):
                found.setdefault(path.stem, path)
    return dict(sorted(found.items()))


def is_path(name_or_path: str) -> bool:
    """Whether a file is meant by its path rather than by its NAME."""
    return name_or_path.endswith(".toml") or "/" in name_or_path or os.sep in name_or_path


def _no_path(kind: str, name_or_path: str) -> str:
    if kind == "ehrs" and "://" in name_or_path:
        return "a URL goes to --ehr-url"
    return "a path was looked for, because of its slash or its .toml; a NAME has neither"


def _folders(kind: str) -> Iterator[Path]:
    own = Path.cwd() / "fixtures" / kind
    shipped = fixtures_dir() / kind
    yield own
    if shipped.resolve() != own.resolve():
        yield shipped


def _is_clone() -> bool:
    return (_PACKAGE.parent / "pyproject.toml").is_file() and (_PACKAGE.parent / "suites").is_dir()


def _shipped(folder: str) -> Path:
    beside = _PACKAGE.parent / folder
    return beside if _is_clone() else _PACKAGE / f"_{folder}"
