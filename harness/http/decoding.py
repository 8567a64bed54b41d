"""Content codings, bounded: a small answer must not grow beyond its cap when decompressed."""

from __future__ import annotations

import zlib

from harness.errors import HostileInput

ACCEPTED = "gzip"
"""What requests ask for; `identity` is always acceptable (RFC 9110 section 12.5.3)."""

_ANY_ZLIB_HEADER = 47  # zlib's own convention: detect gzip or zlib by the header


class UndecodableError(Exception):
    """The body is not in the coding that the response declares."""


def inflater_of(coding: str | None) -> zlib._Decompress | None:
    """What undoes `coding`, the value of `Content-Encoding`; None where nothing is to be undone.

    Raises:
        UndecodableError: a coding that was not asked for, or more than one.
    """
    coding = (coding or "identity").strip().lower()
    if coding not in ("identity", "gzip", "x-gzip", "deflate"):
        raise UndecodableError(f"Content-Encoding {coding[:40]!r}, where gzip was asked for")
    return None if coding == "identity" else inflater()


def inflater() -> zlib._Decompress:
    """What undoes gzip and deflate; a gzip file of several members needs one for each."""
    return zlib.decompressobj(_ANY_ZLIB_HEADER)


class Body:
    """Collects a body chunk by chunk, decoded.

    Args:
        coding: the value of `Content-Encoding`, if any.
        max_bytes: after decoding.
        where: names the request in messages.

    Raises:
        UndecodableError: a coding that was not asked for, or more than one.
    """

    def __init__(self, coding: str | None, *, max_bytes: int, where: str) -> None:
        self._inflate = inflater_of(coding)
        self._max_bytes = max_bytes
        self._where = where
        self._parts: list[bytes] = []
        self._size = 0
        self._received = False

    def feed(self, chunk: bytes) -> None:
        """Take the next chunk as it came.

        Raises:
            HostileInput: more than `max_bytes` after decoding.
            UndecodableError: not in the declared coding.
        """
        self._received = self._received or bool(chunk)
        if self._inflate is None:
            self._keep(chunk)
            return
        try:
            while chunk:
                # One byte beyond the room is enough to know, and nothing more is ever inflated.
                self._keep(self._inflate.decompress(chunk, self._max_bytes - self._size + 1))
                chunk = self._inflate.unused_data
                if chunk:
                    # A gzip file may have several members (RFC 1952 section 2.2).
                    self._inflate = inflater()
        except zlib.error as error:
            raise UndecodableError(f"a body that does not decompress: {error}") from None

    def content(self) -> bytes:
        """The whole body.

        Raises:
            UndecodableError: it ended in the middle.
        """
        if self._inflate is not None and self._received and not self._inflate.eof:
            raise UndecodableError("a compressed body that ends in the middle")
        return b"".join(self._parts)

    def _keep(self, part: bytes) -> None:
        self._size += len(part)
        if self._size > self._max_bytes:
            raise HostileInput(
                f"{self._where}: expected at most {self._max_bytes} bytes after decoding, got more"
            )
        self._parts.append(part)
