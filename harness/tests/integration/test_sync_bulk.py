"""Exports over sockets: files that are streamed, cut and resumed; and servers that mean harm."""

from __future__ import annotations

import asyncio
import gzip
import json
import os
import socket
import tracemalloc
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from unittest.mock import patch

import pytest

from harness.config.tenant import load_tenant
from harness.scheduler import jobs
from harness.smart.entropy import system_entropy
from harness.sync.account import Account
from harness.sync.model import RunStatus
from harness.sync.store.store import Store
from harness.tests.chaos.wire import Hurried
from harness.tests.integration.hostile import (
    Asked,
    Behaviour,
    Hostile,
    bomb,
    endless,
    head,
    hostile,
    redirects,
)

MIB = 1 << 20
NDJSON = "application/fhir+ndjson"
KNOWN = ("store.sqlite", "filed.toml", "ehr.toml")
ETAG = 'ETag: "v1"'

_EHR = """
title = "a server of files"
fhir_base = "{base}"
[auth]
kind = "none"
[limits]
requests_per_second = 1000
burst = 100
[sync]
strategy = "bulk_since"
[sync.bulk]
level = "system"
max_line_mb = 1
max_file_mb = 3
"""
_TENANT = """
title = "tenant"
ehr = "../ehr.toml"
resources = ["Patient", "Observation"]
[patients]
discover = "listed"
ids = ["p1"]
[schedule]
every_seconds = 3600
"""


def observations(count: int) -> bytes:
    lines = (
        json.dumps(
            {
                "resourceType": "Observation",
                "id": f"o{number}",
                "meta": {"versionId": "1", "lastUpdated": "2026-01-01T00:00:00Z"},
                "subject": {"reference": "Patient/p1"},
                "note": [{"text": "x" * 200}],
            }
        )
        for number in range(count)
    )
    return "\n".join(lines).encode() + b"\n"


@dataclass
class Files:
    """A bulk data server whose files behave as told."""

    server: Hostile
    folder: Path
    output: list[dict[str, Any]] = field(default_factory=list)
    ranges: list[str | None] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.server.behaviours |= {
            "/r4/$export": self.kickoff,
            "/jobs/1": self.status,
        }
        (self.folder / "tenants").mkdir()
        (self.folder / "ehr.toml").write_text(_EHR.format(base=self.server.base))
        self.tenant = self.folder / "tenants" / "filed.toml"
        self.tenant.write_text(_TENANT)
        self.data = self.folder / "data"

    def kickoff(self, connection: socket.socket, asked: Asked) -> None:
        connection.sendall(
            head(202, "text/plain", 0, f"Content-Location: {self.server.url}/jobs/1")
        )

    def status(self, connection: socket.socket, asked: Asked) -> None:
        if asked.method == "DELETE":
            connection.sendall(head(202, "text/plain", 0))
            return
        manifest = {
            "transactionTime": "2026-02-01T00:00:00Z",
            "requiresAccessToken": False,
            "output": self.output,
            "error": [],
        }
        body = json.dumps(manifest).encode()
        connection.sendall(head(200, "application/json", len(body)) + body)

    def file(self, behaviour: Behaviour, type_: str = "Observation", path: str = "/f/1") -> None:
        self.server.behaviours[path.partition("?")[0]] = behaviour
        self.output.append({"type": type_, "url": f"{self.server.url}{path}"})

    def ranged(self, body: bytes, cuts: list[int]) -> Behaviour:
        """A file that breaks off after so many bytes of what is left, once for each cut."""

        def behave(connection: socket.socket, asked: Asked) -> None:
            wanted = asked.headers.get("Range")
            self.ranges.append(wanted)
            begin = int(wanted.removeprefix("bytes=").rstrip("-")) if wanted else 0
            rest = body[begin:]
            status = 206 if wanted else 200
            place = f"Content-Range: bytes {begin}-{len(body) - 1}/{len(body)}"
            more = (ETAG, place) if wanted else (ETAG,)
            keep = cuts.pop(0) if cuts else len(rest)
            connection.sendall(head(status, NDJSON, len(rest), *more) + rest[:keep])

        return behave

    def sync(self) -> Account:
        site = jobs.Site(os.environ, Hurried(), system_entropy)
        with patch.dict(os.environ, {"HARNESS_DATA": str(self.data)}):
            return asyncio.run(jobs.sync(load_tenant(str(self.tenant)), site, "run"))

    def holds(self) -> int:
        with Store(self.data / "tenants" / "filed" / "store.sqlite") as store:
            return sum(store.holdings().values())

    def left(self) -> list[str]:
        """Files that lie on the disk besides the store's own."""
        found = (each for each in self.folder.rglob("*") if each.is_file())
        return [each.name for each in found if not each.name.startswith(KNOWN)]


@pytest.fixture
def files(tmp_path: Path) -> Iterator[Files]:
    with hostile() as server:
        yield Files(server, tmp_path)


def test_a_file_that_is_cut_goes_on_where_its_last_line_ended(files: Files) -> None:
    body = observations(1000)
    files.file(files.ranged(body, [100_001, 50_000, 0]))
    account = files.sync()
    assert account.status is RunStatus.COMPLETE, account.lines()
    assert files.holds() == 1000
    first, *rest = files.ranges
    assert first is None
    starts = [int(str(each).removeprefix("bytes=").rstrip("-")) for each in rest]
    assert all(body[at - 1 : at] == b"\n" for at in starts)
    assert starts == sorted(starts)
    assert starts[0] > 99_000
    assert files.left() == []


def test_a_compressed_file_is_loaded(files: Files) -> None:
    packed = gzip.compress(observations(300))

    def zipped(connection: socket.socket, asked: Asked) -> None:
        connection.sendall(head(200, NDJSON, len(packed), "Content-Encoding: gzip") + packed)

    files.file(zipped)
    assert files.sync().status is RunStatus.COMPLETE
    assert files.holds() == 300


def big(connection: socket.socket, asked: Asked) -> None:
    """A file that says that it has a terabyte."""
    connection.sendall(head(200, NDJSON, 1 << 40) + observations(5))


@pytest.mark.parametrize("behaviour", [endless, bomb(1 << 28), big])
def test_neither_memory_nor_disk_is_filled(files: Files, behaviour: Behaviour) -> None:
    files.file(behaviour, path="/f/evil")
    files.file(files.ranged(observations(50), []))
    tracemalloc.start()
    before = tracemalloc.get_traced_memory()[0]
    account = files.sync()
    peak = tracemalloc.get_traced_memory()[1] - before
    tracemalloc.stop()
    assert account.status is RunStatus.INCOMPLETE
    assert "bytes" in "\n".join(each.reason for each in account.missing)
    assert files.holds() == 50, "the other file is loaded"
    assert files.left() == []
    assert peak < 24 * MIB


def test_a_line_without_an_end_takes_no_memory(files: Files) -> None:
    long = b'{"resourceType":"Observation","id":"' + b"x" * (2 * MIB) + b'"}\n'
    files.file(files.ranged(long + observations(20), []))
    account = files.sync()
    assert "is too long" in "\n".join(each.reason for each in account.missing)
    assert files.holds() == 20


def test_redirects_without_end_are_given_up(files: Files) -> None:
    files.file(redirects("{url}"), path="/f/loop")
    files.file(files.ranged(observations(5), []))
    account = files.sync()
    assert account.status is RunStatus.INCOMPLETE
    assert files.holds() == 5
    assert files.server.asked.count("GET /f/loop") < 12


@pytest.mark.parametrize(
    "type_", ["../../../escaped", "/etc/passwd", "Observation/../../x", "x" * 300, "\x00", "*"]
)
def test_no_name_that_a_server_makes_up_becomes_a_path(files: Files, type_: str) -> None:
    before = {each for each in files.folder.parent.rglob("*") if each.is_file()}
    name = "/f/..%2f..%2f..%2fescaped.ndjson"
    files.file(files.ranged(observations(5), []), type_, f"{name}?name=../../escaped")
    assert files.sync().status is RunStatus.COMPLETE
    after = {each for each in files.folder.parent.rglob("*") if each.is_file()}
    assert [each for each in after - before if not each.name.startswith(KNOWN)] == []
    assert not list(files.folder.parent.rglob("escaped*"))
