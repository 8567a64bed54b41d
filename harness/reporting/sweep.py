"""The last look: no report holds a secret of the run, in any disguise."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path

from harness.http.encodings import SHORTEST, disguises


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


def _needles(secrets: Iterable[str], public: str) -> list[bytes]:
    found = {
        each
        for secret in secrets
        if len(secret) >= SHORTEST and secret not in public
        for each in disguises(secret)
        # Some simulators carry a client's secret inside the URL of their FHIR base.
        if each not in public
    }
    return [each.encode("utf-8", "surrogateescape") for each in sorted(found)]


def _holds(file: Path, needles: list[bytes]) -> bool:
    content = file.read_bytes()
    return any(each in content for each in needles)
