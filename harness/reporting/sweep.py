"""The last look: no report holds a secret of the run, in any disguise."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path

from harness.http.encodings import SHORTEST, disguises
from harness.http.needles import Needles


def sweep(files: Iterable[Path], secrets: Iterable[str], public: str = "") -> list[Path]:
    """Remove every file that holds a secret.

    Args:
        files: what was written.
        secrets: live values, as they are.
        public: text of our own; a value that stands in it betrays nothing, and is not looked for.

    Returns:
        The files that were removed.
    """
    needles = _needles(secrets, public)
    hit = [file for file in files if _holds(file, needles)]
    for file in hit:
        file.unlink(missing_ok=True)
    return hit


def written(folder: Path, since: float = 0.0) -> Iterator[Path]:
    """The files below a folder that changed at or after `since` (seconds of the epoch)."""
    for path in sorted(folder.rglob("*")):
        if path.is_file() and not path.is_symlink() and path.stat().st_mtime >= since:
            yield path


def _needles(secrets: Iterable[str], public: str) -> Needles:
    found = {
        each
        for secret in secrets
        if len(secret) >= SHORTEST and secret not in public
        for each in disguises(secret)
        # Some simulators carry a client's secret inside the URL of their FHIR base.
        if each not in public
    }
    return Needles(_as_bytes_show(each.encode("utf-8", "surrogateescape")) for each in found)


def _holds(file: Path, needles: Needles) -> bool:
    return bool(needles.found(_as_bytes_show(file.read_bytes())))


def _as_bytes_show(data: bytes) -> str:
    """One character for each byte, so that what is no UTF-8 is searched as well."""
    return data.decode("latin-1")
