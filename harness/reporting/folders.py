"""Where the reports of runs stand: `reports/NAME/<run>/`, and `latest`."""

from __future__ import annotations

import secrets
from contextlib import suppress
from datetime import datetime
from pathlib import Path

from harness.config import paths
from harness.errors import UsageError

LATEST = "latest"


def reports_root(chosen: str | None) -> Path:
    """The folder that holds all reports; `--reports`, else the default."""
    return Path(chosen).expanduser().absolute() if chosen else paths.reports_dir()


def new_run(now: datetime) -> str:
    """An id for a run: its UTC second, so that runs sort, and chance, so that none collide."""
    return f"{now:%Y%m%dT%H%M%SZ}-{secrets.token_hex(3)}"


def create(root: Path, name: str, run: str) -> Path:
    """Make the folder of a run.

    Raises:
        UsageError: it cannot be made.
    """
    folder = root / name / run
    try:
        folder.mkdir(parents=True)
    except OSError as error:
        hint = "choose another place with --reports DIR"
        raise UsageError(f"{folder}: cannot be made: {error.strerror}", hint=hint) from None
    return folder


def point_latest(folder: Path) -> None:
    """Let `latest` beside a run point to it: a relative link swapped in one step, else a file."""
    latest = folder.parent / LATEST
    spare = folder.parent / f".{LATEST}.{folder.name}"
    try:
        spare.symlink_to(folder.name, target_is_directory=True)
        spare.replace(latest)
    except OSError:
        with suppress(OSError):
            spare.unlink(missing_ok=True)
        spare.write_text(f"{folder.name}\n", encoding="utf-8")
        spare.replace(latest)


def find(run: str | None, chosen: str | None) -> Path:
    """The folder of a run.

    Args:
        run: a path; `NAME/<run>`; `<run>`; or NAME for its latest; None for the latest of all.
        chosen: the folder that holds all reports, if not the default.

    Raises:
        UsageError: there is none.
    """
    root = reports_root(chosen)
    if run is None:
        runs = sorted(_runs(root), key=lambda each: each.name)
        if not runs:
            raise UsageError(f"no run under {root}", hint="pytest --ehr=reference makes one")
        return runs[-1]
    places = [Path(run), root / run, *sorted(root.glob(f"*/{run}"))]
    for place in places:
        if (place / LATEST).exists() or (place / LATEST).is_symlink():
            return _latest(place)
        if place.is_dir() and any(place.iterdir()):
            return place.resolve()
    raise UsageError(f"no run {run!r}", hint=f"looked under {root}")


def _latest(place: Path) -> Path:
    latest = place / LATEST
    if latest.is_dir():
        return latest.resolve()
    try:
        return (place / latest.read_text(encoding="utf-8").strip()).resolve()
    except OSError:
        raise UsageError(f"{place}: no finished run") from None


def _runs(root: Path) -> list[Path]:
    found = [Path(each) for each in root.glob("*/*") if each.name != LATEST]
    return [each for each in found if (each / "summary.json").is_file()]
