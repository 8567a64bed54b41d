"""What the client makes up by chance: state, nonce, PKCE verifier, jti.

Live, it is unpredictable. In a replay it is what the recording shows in its place, in the same
order for each act, so that what was sent and what was echoed are equal again.
"""

from __future__ import annotations

import base64
import secrets
from collections import defaultdict, deque
from collections.abc import Iterable
from dataclasses import dataclass
from threading import Lock

from harness.errors import UsageError
from harness.http.evidence import current_act


@dataclass(frozen=True, slots=True)
class Draw:
    """One value as unpadded base64url, and the act that drew it."""

    act: str
    value: str


class Entropy:
    """Gives as many bytes as it is asked for, and remembers what it gave.

    Args:
        replayed: the draws of a recording, redacted; None draws from the system.
    """

    def __init__(self, replayed: Iterable[Draw] | None = None) -> None:
        self._lock = Lock()
        self._drawn: list[Draw] = []
        self._replayed: dict[str, deque[str]] | None = None
        if replayed is not None:
            self._replayed = defaultdict(deque)
            for draw in replayed:
                self._replayed[draw.act].append(draw.value)

    def __call__(self, size: int) -> bytes:
        """`size` bytes.

        Raises:
            UsageError: the recording has no further value for this act.
        """
        if self._replayed is not None:
            return self._again(current_act.get(), size)
        value = secrets.token_bytes(size)
        with self._lock:
            self._drawn.append(Draw(current_act.get(), _encode(value)))
        return value

    def token(self, size: int = 32) -> str:
        """`size` bytes as unpadded base64url: 43 characters for 32 bytes (RFC 7636 section 4.1)."""
        return _encode(self(size))

    @property
    def drawn(self) -> tuple[Draw, ...]:
        """What was drawn so far, in order: secrets, to be redacted before they leave memory."""
        with self._lock:
            return tuple(self._drawn)

    def _again(self, act: str, size: int) -> bytes:
        queue = self._replayed[act] if self._replayed is not None else deque[str]()
        value = queue.popleft() if queue else ""
        again = base64.urlsafe_b64decode(value + "=" * (-len(value) % 4))
        if len(again) != size:
            raise UsageError(
                f"replay: act {act!r} draws {size} bytes by chance, which the recording has not",
                hint="the recording is of another version of the checks; record again",
            )
        return again


def _encode(value: bytes) -> str:
    return base64.urlsafe_b64encode(value).rstrip(b"=").decode("ascii")
