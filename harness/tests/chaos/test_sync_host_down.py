"""A host that is down is asked by one tenant, and left alone by those that follow."""

from __future__ import annotations

import asyncio
import socket
from contextlib import closing
from pathlib import Path

import pytest

from harness.config.tenant import load_tenant
from harness.http.clock import SystemClock
from harness.reference.process import Running
from harness.scheduler import jobs
from harness.smart.entropy import system_entropy
from harness.sync.account import Account
from harness.sync.model import RunStatus
from harness.tests.integration.sync_site import Site


def free_port() -> int:
    """A port of loopback that nobody listens on."""
    with closing(socket.create_server(("127.0.0.1", 0))) as server:
        port: int = server.getsockname()[1]
    return port


def test_the_next_tenant_does_not_knock_and_says_when_it_will(
    tmp_path: Path, reference: Running, monkeypatch: pytest.MonkeyPatch
) -> None:
    site = Site(tmp_path, reference)
    for name, value in site.environment().items():
        monkeypatch.setenv(name, value)
    dead = f"http://127.0.0.1:{free_port()}/r4"
    tenants = [load_tenant(str(site.backend(name, dead))) for name in ("first", "second")]
    process = jobs.Site(site.environment(), SystemClock(), system_entropy)

    async def both() -> list[Account]:
        return [await jobs.sync(tenant, process, "run-1") for tenant in tenants]

    first, second = asyncio.run(both())
    assert (first.status, second.status) == (RunStatus.FAILED, RunStatus.FAILED)
    assert first.traffic.requests > 0
    assert second.traffic.requests == 0
    assert "did not answer a moment ago; it is tried again in" in (second.reason or "")
    assert second.come_back is not None
