"""The stream behind `harness validate`: files in, findings out, a summary at the end."""

from __future__ import annotations

import argparse
import os
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final, Self

from harness.cli.validators import Check, Checking, checking
from harness.errors import ExitStatus, UsageError
from harness.garbage import collecting_rarely
from harness.validation.findings import Finding, Severity
from harness.validation.reading.resource import UNREADABLE, read
from harness.validation.reading.streams import Readable, texts
from harness.validation.results.printing import PRINTERS, Ending, Printer, Style
from harness.validation.results.tally import LEVELS, Judged, Tally, plain

_NAMES: Final = (".json", ".ndjson", ".json.gz", ".ndjson.gz")
_QUIET_SECONDS: Final = 2.0
_TELLS_SECONDS: Final = 0.5
_STRIDE: Final = 64
"""Resources between two looks at the clock."""


def run(args: argparse.Namespace) -> int:
    """Validate what the arguments name; the exit status."""
    files = list(_files(args.files))
    judge = checking(args)
    shown = frozenset(LEVELS[: LEVELS.index(Severity(args.severity)) + 1])
    style = Style(shown, args.limit, judge.links, colors=_colors())
    tally, screen = Tally(), _Screen()
    printer = PRINTERS[args.format](screen.write, style)
    with collecting_rarely(after=50_000):
        for file in files:
            with _opened(file) as opened, _Follower(tally, opened, screen) as follow:
                for judged in _judged(opened, judge.check, follow.valid):
                    printer.found(judged, tally.add(judged))
                    follow.tell()
    return _concluded(files, tally, judge, printer)


def _concluded(files: list[str], tally: Tally, judge: Checking, printer: Printer) -> int:
    if not tally.resources:
        named = ", ".join("standard input" if each == "-" else plain(each) for each in files[:3])
        raise UsageError(f"harness validate: there is nothing to validate in {named}")
    printer.end(Ending(tally, judge.by, judge.missing(), judge.remarks))
    return ExitStatus.NOT_CONFORMANT if tally.invalid else ExitStatus.OK


def _files(named: Iterable[str]) -> Iterator[str]:
    """The files that arguments name; folders by what lies in them, in the order of their names."""
    for each in named:
        path = Path(each)
        if each == "-" or not path.is_dir():
            yield each
            continue
        found = sorted(str(one) for one in path.rglob("*") if one.name.lower().endswith(_NAMES))
        if not found:
            raise UsageError(
                f"{plain(each)}: the folder has no file to validate", hint="*.json, *.ndjson, *.gz"
            )
        yield from found


class _Opened:
    """A file that counts what was read of it.

    Attributes:
        name: as it was given; `standard input`.
        size: bytes; None where that is not known.
        done: bytes that were read.
    """

    def __init__(self, name: str, file: Readable, size: int | None = None) -> None:
        self.name, self.size, self.done = name, size, 0
        self._file = file

    def read(self, size: int, /) -> bytes:
        """The next bytes, at most `size`; none at the end."""
        try:
            piece = self._file.read(size)
        except OSError as error:
            raise _unreadable(self.name, error) from None
        self.done += len(piece)
        return piece


@contextmanager
def _opened(name: str) -> Iterator[_Opened]:
    if name == "-":
        yield _Opened("standard input", sys.stdin.buffer)
        return
    try:
        file = Path(name).open("rb")  # noqa: SIM115 - errors of what follows are others
    except OSError as error:
        raise _unreadable(name, error) from None
    with file:
        yield _Opened(name, file, os.fstat(file.fileno()).st_size)


def _unreadable(name: str, error: OSError) -> UsageError:
    return UsageError(f"{plain(name)}: cannot be read: {error.strerror}")


def _judged(file: _Opened, check: Check, valid: Callable[[], None]) -> Iterator[Judged]:
    """Every resource of a file that has findings; of each without `valid` is told."""
    for number, text in texts(file):
        if isinstance(text, Finding):
            yield Judged(file.name, number, UNREADABLE, (text,))
            continue
        value, flaws = read(text)
        if value is not UNREADABLE:
            flaws = (*flaws, *check(value, text)) if flaws else check(value, text)
        if flaws:
            yield Judged(file.name, number, value, flaws)
        else:
            valid()


class _Screen:
    """Standard output, and on a terminal a line that whatever is printed takes the place of."""

    def __init__(self) -> None:
        self.live = sys.stderr.isatty()
        self._passing = False

    def write(self, text: str) -> None:
        """Print."""
        self.wipe()
        sys.stdout.write(text)

    def passing(self, text: str) -> None:
        """A line that the next one replaces."""
        sys.stderr.write(f"\r\x1b[K{text}")
        sys.stderr.flush()
        self._passing = True

    def wipe(self) -> None:
        """Take the line away."""
        if self._passing:
            sys.stderr.write("\r\x1b[K")
            sys.stderr.flush()
            self._passing = False


class _Follower:
    """Counts what is valid, and tells on a terminal how far a long stream is."""

    def __init__(self, tally: Tally, file: _Opened, screen: _Screen) -> None:
        self._tally, self._file, self._screen = tally, file, screen
        self._before, self._began = tally.resources, time.monotonic()
        self._next = self._began + _QUIET_SECONDS

    def valid(self) -> None:
        """One more resource has no findings."""
        self._tally.resources += 1
        self.tell()

    def tell(self) -> None:
        """Say how far it is, once in a while."""
        if not self._screen.live or self._tally.resources % _STRIDE:
            return
        now = time.monotonic()
        if now < self._next:
            return
        self._next = now + _TELLS_SECONDS
        size, tally = self._file.size, self._tally
        share = f", {min(100, 100 * self._file.done // size)} %" if size else ""
        rate = (tally.resources - self._before) / (now - self._began)
        self._screen.passing(
            f"{plain(self._file.name, 40)}: {tally.resources:,} resources, {rate:,.0f}/s,"
            f" {tally.invalid:,} not valid{share}"
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._screen.wipe()


def _colors() -> bool:
    return sys.stdout.isatty() and not os.environ.get("NO_COLOR")
