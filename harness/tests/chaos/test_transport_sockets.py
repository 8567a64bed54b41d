"""What only a socket can show: resets, cut bodies, drips, closed connections, bombs."""

from __future__ import annotations

import gzip
import ssl
import time
from pathlib import Path

import pytest

from harness.config.ehr import Tls
from harness.http.tls import tls_context
from harness.reference.process import Running
from harness.tests.chaos import proxy as wires
from harness.tests.chaos.proxy import Mischief, proxy
from harness.tests.chaos.test_paging_links import complete, incomplete
from harness.tests.chaos.wire import Trial


@pytest.mark.parametrize(
    "mischief",
    [wires.resets, wires.cuts_short, wires.cuts_chunks, wires.without_length],
    ids=["reset", "short", "chunks", "unmeasured"],
)
def test_an_answer_that_breaks_off_is_asked_for_again(
    tmp_path: Path, reference: Running, mischief: Mischief, request: pytest.FixtureRequest
) -> None:
    trial = Trial.small(tmp_path, reference, f"socket-{request.node.callspec.id}")
    with proxy(trial.base) as between:
        trial.through(between.base)
        between.mischief, between.on, between.times = mischief, "/Condition?", 2
        assert complete(trial, trial.sync())
    assert between.times == 0


def test_a_drip_ends_with_the_time_for_an_answer(tmp_path: Path, reference: Running) -> None:
    limits = {"total_timeout": 0.4, "read_timeout": 0.3, "concurrency": 2}
    trial = Trial.small(tmp_path, reference, "socket-drip", limits=limits)
    with proxy(trial.base) as between:
        trial.through(between.base)
        between.mischief, between.on = wires.drips, trial.patients[0]
        began = time.monotonic()
        account = trial.sync()
        assert time.monotonic() - began < 8
        between.mischief = None
        assert incomplete(trial, account, "no complete answer within 0.4 s")


def test_connections_that_were_closed_meanwhile_are_opened_anew(
    tmp_path: Path, reference: Running
) -> None:
    trial = Trial.small(tmp_path, reference, "socket-idle", limits={"concurrency": 1})
    with proxy(trial.base) as between:
        trial.through(between.base)
        between.mischief = wires.closes_after
        assert complete(trial, trial.sync())
        assert between.connections >= 6


def test_connections_are_kept_and_speak_http_1_1(tmp_path: Path, reference: Running) -> None:
    trial = Trial.small(tmp_path, reference, "socket-kept", limits={"concurrency": 1})
    with proxy(trial.base) as between:
        trial.through(between.base)
        assert complete(trial, trial.sync())
    asked = [line for line in between.lines if "/Condition" in line]
    assert len(asked) >= 6
    assert all(line.endswith(" HTTP/1.1") for line in asked)
    assert between.connections <= 3


def test_http_2_with_its_limit_of_streams_is_not_offered() -> None:
    context = tls_context(Tls())
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server.set_alpn_protocols(["h2", "http/1.1"])
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    client = context.wrap_bio(incoming, outgoing, server_hostname="ehr.example")
    with pytest.raises(ssl.SSLWantReadError):
        client.do_handshake()
    assert b"\x02h2" not in outgoing.read()


@pytest.mark.parametrize(
    ("name", "body", "coding", "reason"),
    [
        ("bomb", gzip.compress(b" " * (64 << 20)), "gzip", "bytes after decoding, got more"),
        ("wrong", b'{"resourceType":"Bundle"}', "gzip", "does not decompress"),
        ("unasked", b"x", "br", "where gzip was asked for"),
    ],
)
def test_a_body_in_a_harmful_coding_is_a_gap(
    tmp_path: Path, reference: Running, name: str, body: bytes, coding: str, reason: str
) -> None:
    trial = Trial.small(tmp_path, reference, f"socket-{name}")
    with proxy(trial.base) as between:
        trial.through(between.base)
        between.mischief = wires.sends(body, Content_Encoding=coding)
        between.on = f"patient={trial.patients[0]}"
        account = trial.sync()
        between.mischief = None
        assert incomplete(trial, account, reason)


def test_a_link_goes_over_the_wire_as_it_came(tmp_path: Path, reference: Running) -> None:
    trial = Trial.small(tmp_path, reference, "socket-opaque")
    odd = b"&cookie=a+b%2Bc/d%20e=="
    with proxy(trial.base) as between:
        trial.through(between.base)

        def add(client: object, answer: wires.Raw) -> bool:
            body = answer.body
            at = body.find(b'"relation": "next"')
            at = body.find(b'"relation":"next"') if at < 0 else at
            start = body.find(b'"url"', at) if at >= 0 else -1
            if start >= 0:
                end = body.find(b'"', body.find(b'"', start + 5) + 1)
                body = body[:end] + odd + body[end:]
            return wires.sends(body)(client, answer)  # type: ignore[arg-type]  # a socket

        between.mischief, between.on = add, "/Condition?patient"
        trial.sync()
    assert [line for line in between.lines if f"{odd.decode()} HTTP/1.1" in line]
