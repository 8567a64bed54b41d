"""What a sync needs from outside, passed in."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from harness.config.ehr import Tls
from harness.config.secrets import Secrets
from harness.http.breaker import Breaker
from harness.http.clock import Clock
from harness.http.limiter import HostLimiters
from harness.http.transport import Bounds, Transport, WireTransport
from harness.smart.entropy import Entropy

MakeTransport = Callable[[Tls, Bounds, Clock], Transport]
"""What a sender sends through, made of an EHR file's trust and time-outs."""


@dataclass(frozen=True, slots=True)
class World:
    """The outside of one tenant's sync.

    Attributes:
        secrets: resolves the tenant's references.
        clock: time and waiting.
        entropy: for assertions and holders.
        limiters: of the hosts; shared by every tenant of one EHR.
        breaker: of the EHR's host; shared in the same way.
        transport: the wire; in a test what stands before it.
    """

    secrets: Secrets
    clock: Clock
    entropy: Entropy
    limiters: HostLimiters
    breaker: Breaker = field(default_factory=Breaker)
    transport: MakeTransport = WireTransport
