"""Where a file of an export goes on its way: a private file of our own naming, bounded.

What lies on disk describes itself: beside the bytes stands the validator under which a server would
go on sending the same ones (RFC 9110 section 13.1.5), so that a download can be resumed days later.
"""

from __future__ import annotations

import os
import re
import shutil
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from harness.errors import HarnessError, HostileInput
from harness.http.exchange import Headers, Response
from harness.http.inflow import Take

OK, PARTIAL, UNSATISFIABLE = 200, 206, 416
_CONTENT_RANGE = re.compile(r"bytes (?:(\d{1,18})-\d{1,18}|\*)/(\d{1,18}|\*)", re.ASCII)
_BLOCK = 1 << 16
_LOOK_EVERY = 8 << 20
"""Bytes between two looks at how much room the disk has."""


class DiskFull(HarnessError):
    """A file cannot be written, most often for want of room; nothing about the EHR."""


@dataclass(frozen=True, slots=True)
class Caps:
    """How much one file may take.

    Attributes:
        max_bytes: after decoding.
        keep_free: bytes that stay free on the disk, whatever comes.
    """

    max_bytes: int
    keep_free: int = 256 << 20


@dataclass(slots=True)
class Landing:
    """One file on its way; use `close` whatever happened.

    Args:
        path: where it goes; its folder exists and is private.
        caps: how large it may become.

    Attributes:
        size: bytes that lie there.
        restarted: whether the server began again though some bytes lay there already.
        whole: whether the server said that nothing is missing.
    """

    path: Path
    caps: Caps
    size: int = 0
    restarted: bool = False
    whole: bool = False
    _validator: str | None = None
    _handle: int | None = field(default=None, repr=False)
    _looked: int = 0

    def __post_init__(self) -> None:
        self._validator = _read(self._beside)
        with suppress(FileNotFoundError):
            self.size = _last_line_end(self.path)

    def headers(self, accept: str) -> Headers:
        """What to ask with: the rest, where the server can tell that it is the rest of the same."""
        fields = [("Accept", accept)]
        if self.size:
            fields.append(("Accept-Encoding", "identity"))
            if self._validator is not None:
                fields += [("Range", f"bytes={self.size}-"), ("If-Range", self._validator)]
        return Headers(tuple(fields))

    def receive(self, head: Response) -> Take | None:
        """As `harness.http.inflow.Receive`.

        Raises:
            HostileInput: the server announces more than the cap.
            DiskFull: there is no room for what it announces.
        """
        if head.status == OK:
            self.restarted = self.restarted or self.size > 0
            self._open(head, 0)
            return self._take
        begin, total = _range_of(head)
        if head.status == PARTIAL and begin == self.size:
            self._open(head, begin)
            return self._take
        self.whole = head.status == UNSATISFIABLE and total == self.size > 0
        return None

    def forget(self) -> None:
        """Let the next request ask from the first byte."""
        self._validator = None
        self._beside.unlink(missing_ok=True)

    def close(self, *, whole: bool = False) -> None:
        """Give the file back; with `whole` it survives a power cut from now on."""
        if self._handle is not None:
            if whole:
                os.fsync(self._handle)
            os.close(self._handle)
            self._handle = None
        self.whole = self.whole or whole

    def remove(self) -> None:
        """Leave nothing."""
        self.close()
        self.path.unlink(missing_ok=True)
        self._beside.unlink(missing_ok=True)

    @property
    def is_open(self) -> bool:
        """Whether a body is being taken, or was."""
        return self._handle is not None

    @property
    def _beside(self) -> Path:
        return self.path.with_suffix(".validator")

    def _open(self, head: Response, begin: int) -> None:
        self.close()
        announced = _announced(head)
        if begin + announced > self.caps.max_bytes:
            raise HostileInput(
                f"expected a file of at most {self.caps.max_bytes} bytes, got one of"
                f" {begin + announced}"
            )
        self._room(announced)
        self._handle = _opened(self.path)
        os.ftruncate(self._handle, begin)
        os.lseek(self._handle, begin, os.SEEK_SET)
        self.size = self._looked = begin
        self._validator = _validator(head)
        if self._validator is None:
            self._beside.unlink(missing_ok=True)
        else:
            _write(self._beside, self._validator)

    def _take(self, piece: bytes) -> None:
        if self._handle is None:
            raise ValueError("a body before its head")
        if self.size + len(piece) > self.caps.max_bytes:
            raise HostileInput(f"expected a file of at most {self.caps.max_bytes} bytes, got more")
        if self.size - self._looked > _LOOK_EVERY:
            self._room(0)
            self._looked = self.size
        view = memoryview(piece)
        while view:
            try:
                written = os.write(self._handle, view)
            except OSError as error:
                raise DiskFull(f"{self.path.parent}: {error.strerror}") from None
            view = view[written:]
        self.size += len(piece)

    def _room(self, needed: int) -> None:
        free = shutil.disk_usage(self.path.parent).free
        if free - needed < self.caps.keep_free:
            raise DiskFull(
                f"{self.path.parent}: {free} bytes are free, and {needed} more are to come while"
                f" {self.caps.keep_free} stay free",
                hint="make room; the next run goes on where this one stands",
            )


def _announced(head: Response) -> int:
    value = (head.headers.get("Content-Length") or "").strip()
    return int(value) if value.isascii() and value.isdigit() and len(value) <= 18 else 0  # noqa: PLR2004 - more is no size


def _range_of(head: Response) -> tuple[int | None, int | None]:
    """First byte and whole size that `Content-Range` names."""
    found = _CONTENT_RANGE.fullmatch((head.headers.get("Content-Range") or "").strip())
    if found is None:
        return None, None
    begin, total = found.groups()
    return int(begin) if begin else None, None if total == "*" else int(total)


def _validator(head: Response) -> str | None:
    """What identifies these bytes at the server; None where offsets would be those of a coding."""
    if (head.headers.get("Content-Encoding") or "identity").strip().lower() != "identity":
        return None
    etag = (head.headers.get("ETag") or "").strip()
    if etag.startswith('"') and etag.isprintable():
        return etag
    modified = (head.headers.get("Last-Modified") or "").strip()
    return modified if modified and modified.isprintable() and not etag else None


def _last_line_end(path: Path) -> int:
    """Bytes up to and including the last line end; what follows may be garbage."""
    with path.open("rb") as file:
        end = file.seek(0, os.SEEK_END)
        while end > 0:
            begin = max(0, end - _BLOCK)
            file.seek(begin)
            found = file.read(end - begin).rfind(b"\n")
            if found >= 0:
                return begin + found + 1
            end = begin
    return 0


def _read(path: Path) -> str | None:
    try:
        return path.read_text("latin-1") or None
    except FileNotFoundError:
        return None


def _write(path: Path, text: str) -> None:
    handle = _opened(path)
    os.ftruncate(handle, 0)
    with os.fdopen(handle, "w", encoding="latin-1") as file:
        file.write(text)


def _opened(path: Path) -> int:
    flags = os.O_WRONLY | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC
    try:
        return os.open(path, flags, 0o600)
    except OSError as error:
        raise DiskFull(f"{path}: cannot be written: {error.strerror}") from None
