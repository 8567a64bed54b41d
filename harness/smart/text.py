"""Text from an EHR, made fit for a message to a person."""

from __future__ import annotations

LONGEST = 200


def plain(text: object, limit: int = LONGEST) -> str:
    """`text` in one line without control characters, at most `limit` characters."""
    line = " ".join(str(text)[: limit * 4].split())
    shown = "".join(c if c.isprintable() else "\N{REPLACEMENT CHARACTER}" for c in line)
    return shown if len(shown) <= limit else shown[: limit - 1] + "…"
