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
    """What an archive inflates to, refused where it becomes too much.

    The archive's reader asks for as much at a time as a header claims, so one request is bounded
    as well.
    """

    def __init__(self, raw: BinaryIO, total: int, once: int) -> None:
        self._inflated = gzip.GzipFile(fileobj=raw)
        self._left = total
        self._once = once

    def read(self, size: int) -> bytes:
        if size > self._once + tarfile.BLOCKSIZE:
            raise HostileInput(f"a file of {size:,} bytes in a package, over {self._once:,}")
        chunk = self._inflated.read(size)
        self._left -= len(chunk)
        if self._left < 0:
            raise HostileInput("a package that inflates beyond all measure")
        return chunk


def _files(archive: str, inflated: _Bounded, bounds: Bounds) -> Iterator[tuple[str, bytes]]:
    # A stream is never sought in, so what a header says cannot lead anywhere else.
    with tarfile.open(fileobj=cast("BinaryIO", inflated), mode="r|", errorlevel=2) as tar:
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
