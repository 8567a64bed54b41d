"""The files of a package's archive, read as if whoever packed it meant harm.

https://confluence.hl7.org/display/FHIR/NPM+Package+Specification: a gzipped tar whose files lie
under `package/`.
"""

from __future__ import annotations

import gzip
import re
import tarfile
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, cast

from harness.errors import HostileInput, UsageError

_STEP = 1 << 16
_GZIP = b"\x1f\x8b"
_NAME = re.compile(r"[^\x00-\x1f\x7f\\:]{1,400}")


@dataclass(frozen=True, slots=True)
class Bounds:
    """What an archive may hold; the largest official packages take a tenth of it.

    Attributes:
        files: how many.
        file: bytes of one.
        total: bytes of all, with what describes them.
        ratio: how many times the archive's own size that may be, beyond the first megabyte.
    """

    files: int = 50_000
    file: int = 64 * 1024 * 1024
    total: int = 1024 * 1024 * 1024
    ratio: int = 200


DEFAULT = Bounds()


HEAD = tarfile.BLOCKSIZE
"""So many bytes tell whether something is an archive."""


def begins(head: bytes) -> bool:
    """Whether an archive begins so, be it gzipped or not."""
    return head.startswith(_GZIP) or head[257:262] == b"ustar"


def files(archive: Path, bounds: Bounds = DEFAULT) -> Iterator[tuple[str, bytes]]:
    """Path and content of each file, in the archive's order; paths are relative, and safe to write.

    What lies beside `package/` is moved into it, as older packages need.

    Raises:
        UsageError: it cannot be read, or is no gzipped tar.
        HostileInput: a path that leads out, a link, a device, or more than `bounds`.
    """
    try:
        with archive.open("rb") as raw:
            limit = min(bounds.total, bounds.ratio * archive.stat().st_size + 2**20)
            yield from _files(archive.name, _Bounded(raw, limit, bounds.file), bounds)
    except OSError as error:
        raise UsageError(
            f"{archive}: not a package: {error.strerror or 'expected a gzipped tar'}"
        ) from None
    except (tarfile.TarError, zlib.error, EOFError, ValueError, OverflowError) as error:
        raise UsageError(
            f"{archive}: expected a gzipped tar, got something else: {error}"
        ) from None


class _Bounded:
    """What an archive inflates to, forwards only, and refused where it becomes too much.

    The reader of the archive asks for as much at a time as a header claims, so one request is
    bounded as well. Some servers inflate an archive on its way, so it may have come as a plain tar.
    """

    def __init__(self, raw: BinaryIO, total: int, once: int) -> None:
        packed = raw.read(2) == _GZIP
        raw.seek(0)
        self._inflated = gzip.GzipFile(fileobj=raw) if packed else raw
        self._total = total
        self._once = once
        self._at = 0
        self._last = b""

    def tell(self) -> int:
        """Where the next byte is from."""
        return self._at

    def seek(self, to: int, _whence: int = 0) -> int:
        """Go on to a later place, or the one byte back that the reader looks at twice."""
        while self._at < to and self.read(min(to - self._at, _STEP)):
            pass
        if to == self._at - 1:
            self._at = to
        elif to < self._at:
            raise HostileInput("a package whose files lie over each other")
        return self._at

    def read(self, size: int) -> bytes:
        """The next bytes."""
        if size > self._once + tarfile.BLOCKSIZE:
            raise HostileInput(f"a package with a file of {size:,} bytes, over {self._once:,}")
        again = self._last if self._at < self._inflated.tell() else b""
        chunk = again + self._inflated.read(size - len(again))
        self._at += len(chunk)
        self._last = chunk[-1:] or self._last
        if self._at > self._total:
            raise HostileInput("a package that inflates beyond all measure")
        return chunk


def _files(archive: str, inflated: _Bounded, bounds: Bounds) -> Iterator[tuple[str, bytes]]:
    with tarfile.open(fileobj=cast("BinaryIO", inflated), mode="r:", errorlevel=2) as tar:
        for number, member in enumerate(tar):
            if number >= bounds.files:
                raise HostileInput(f"{archive}: more than {bounds.files:,} files")
            path = _path(archive, member)
            if member.isdir():
                continue
            if member.size > bounds.file:
                raise HostileInput(
                    f"{archive}: {path}: {member.size:,} bytes, over {bounds.file:,}"
                )
            content = tar.extractfile(member)
            yield path, content.read() if content else b""


def _path(archive: str, member: tarfile.TarInfo) -> str:
    """Where a member goes.

    Raises:
        HostileInput: it is no file or folder, or would lie elsewhere than below `package`.
    """
    shown = ascii(member.name[:120])
    if not (member.isreg() or member.isdir()) or member.issparse():
        raise HostileInput(f"{archive}: {shown}: expected a file, got a link, a device or the like")
    parts = [part for part in member.name.split("/") if part not in ("", ".")]
    if not _NAME.fullmatch(member.name) or member.name.startswith("/") or ".." in parts:
        raise HostileInput(f"{archive}: {shown}: a path that leads out of the package")
    return "/".join(parts if parts[:1] == ["package"] else ["package", *parts])
