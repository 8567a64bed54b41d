"""What was learnt of a host, to be remembered from run to run."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any, Self


@dataclass(frozen=True, slots=True)
class Known:
    """What a run learnt of one host; None is what it did not learn.

    Attributes:
        rate: requests per second.
        settled: whether a refusal showed that the host permits no more.
        burst: requests that it lets through at once after quiet.
        per_minute: requests that it lets through in each minute of the clock.
        concurrency: requests under way at a time beyond which nothing is gained, or all refused.
        closed_until: it lets nothing through before; aware.
    """

    rate: float | None = None
    settled: bool = False
    burst: float | None = None
    per_minute: float | None = None
    concurrency: int | None = None
    closed_until: datetime | None = None

    def text(self) -> str:
        """As JSON; `read` reads it."""
        found = {name: value for name, value in asdict(self).items() if value not in (None, False)}
        return json.dumps(found, default=datetime.isoformat)

    @classmethod
    def read(cls, text: str) -> Self:
        """What `text` wrote; what another version wrote and cannot be used is left out."""
        try:
            found: dict[str, Any] = json.loads(text)
            closed = found.get("closed_until")
            return cls(
                rate=_positive(found.get("rate")),
                settled=found.get("settled") is True,
                burst=_positive(found.get("burst")),
                per_minute=_positive(found.get("per_minute")),
                concurrency=int(_positive(found.get("concurrency")) or 0) or None,
                closed_until=datetime.fromisoformat(closed) if closed else None,
            )
        except (ValueError, TypeError, AttributeError):
            return cls()


def _positive(value: object) -> float | None:
    usable = isinstance(value, (int, float)) and not isinstance(value, bool) and value > 0
    return float(value) if usable and isinstance(value, (int, float)) else None
