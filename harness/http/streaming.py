"""Sending for a body that goes elsewhere than into memory: what lies between sender and wire."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Protocol, runtime_checkable

from harness.http.exchange import Request
from harness.http.inflow import Receive
from harness.http.transport import Answer, Transport


@runtime_checkable
class Streams(Protocol):
    """A transport that can hand a body on as it comes."""

    async def download(self, request: Request, receive: Receive, *, max_bytes: int) -> Answer:
        """As `Transport.send`, but the body goes to what `receive` answers."""
        ...


@dataclass(frozen=True, slots=True)
class Receiving:
    """A transport as others are, whose answers have given their bodies away.

    Where the transport below cannot stream, as a recording cannot, the body comes whole.
    """

    transport: Transport
    receive: Receive

    async def send(self, request: Request, *, max_bytes: int) -> Answer:
        """One attempt; see `Transport.send`."""
        if isinstance(self.transport, Streams):
            return await self.transport.download(request, self.receive, max_bytes=max_bytes)
        answer = await self.transport.send(request, max_bytes=max_bytes)
        head = replace(answer.response, body=b"")
        take = self.receive(head)
        if take is None:
            return answer
        take(answer.response.body)
        return replace(answer, response=head)

    async def aclose(self) -> None:
        """Nothing: connections belong to the transport below."""
