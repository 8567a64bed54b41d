"""Files on their way, from servers that cut, redirect, and mean harm."""

from __future__ import annotations

import asyncio
import shutil
import stat
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from harness.config.ehr import Limits
from harness.errors import HostileInput
from harness.fhir.bulk.client import Arrived, Broken, BulkClient, Fetched, LinkGone, NotGiven
from harness.fhir.bulk.landing import Caps, DiskFull, Landing
from harness.http.client import HttpClient
from harness.http.clock import ManualClock
from harness.http.evidence import Evidence
from harness.http.exchange import Headers, Request, Response
from harness.http.inflow import Receive
from harness.http.limiter import HostLimiters
from harness.http.transport import Answer, NoAnswerError

BASE = "https://ehr.example/r4"
HERE, THERE = "https://ehr.example/files/1", "https://storage.example/1?signature=x"
NOW = datetime(2026, 5, 1, tzinfo=UTC)
BODY = b'{"a":1}\n{"a":2}\n{"a":3}\n'

Server = Callable[[Request], Response]


class Wire:
    """Streams what a function of the request answers; cuts bodies after `cut` bytes."""

    def __init__(self, serve: Server, cut: list[int] | None = None) -> None:
        self.serve, self.cut = serve, cut or []
        self.asked: list[Request] = []

    async def send(self, request: Request, *, max_bytes: int) -> Answer:
        self.asked.append(request)
        return Answer(self.serve(request), NOW, 0.0)

    async def download(self, request: Request, receive: Receive, *, max_bytes: int) -> Answer:
        self.asked.append(request)
        response = self.serve(request)
        take = receive(Response(response.status, response.headers))
        if take is None:
            return Answer(response, NOW, 0.0)
        keep = self.cut.pop(0) if self.cut else len(response.body)
        for at in range(0, min(keep, len(response.body)), 5):
            take(response.body[at : min(at + 5, keep)])
        if keep < len(response.body):
            raise NoAnswerError("protocol", "the connection was reset")
        return Answer(Response(response.status, response.headers), NOW, 0.0)

    async def aclose(self) -> None:
        pass

    def bearers(self) -> list[str | None]:
        return [each.headers.get("Authorization") for each in self.asked]


class Tokens:
    def __init__(self) -> None:
        self.given = 1

    async def access_token(self) -> str:
        return f"token-{self.given}"

    async def renew(self, rejected: str) -> None:
        self.given += 1


def bulk(wire: Wire) -> BulkClient:
    clock = ManualClock(NOW)
    http = HttpClient(
        base=BASE,
        evidence=Evidence(),
        limiter=HostLimiters(Limits(requests_per_second=1e6), clock),
        clock=clock,
        transport=wire,
    )
    return BulkClient(http, BASE, Tokens())


def fetch(wire: Wire, folder: Path, url: str = HERE, *, token: bool = True) -> Fetched:
    landing = Landing(folder / "1.ndjson", Caps(1000))
    return asyncio.run(bulk(wire).download(url, landing, with_token=token))


def gives(body: bytes = BODY, status: int = 200, **headers: str) -> Server:
    fields = tuple((name.replace("_", "-"), value) for name, value in headers.items())
    return lambda _request: Response(status, Headers(fields), body)


def ranged(body: bytes = BODY, etag: str = '"v1"') -> Server:
    """A server that can go on in the middle."""

    def serve(request: Request) -> Response:
        asked, same = request.headers.get("Range"), request.headers.get("If-Range")
        fields = [("ETag", etag)]
        if asked is None or same != etag:
            return Response(200, Headers(tuple(fields)), body)
        begin = int(asked.removeprefix("bytes=").rstrip("-"))
        if begin >= len(body):
            return Response(416, Headers((("Content-Range", f"bytes */{len(body)}"),)))
        fields.append(("Content-Range", f"bytes {begin}-{len(body) - 1}/{len(body)}"))
        return Response(206, Headers(tuple(fields)), body[begin:])

    return serve


def on_disk(folder: Path) -> bytes:
    return (folder / "1.ndjson").read_bytes()


# -- whole and cut


def test_a_file_arrives_for_its_owner_alone(tmp_path: Path) -> None:
    assert fetch(Wire(gives()), tmp_path) == Arrived()
    assert on_disk(tmp_path) == BODY
    assert stat.S_IMODE((tmp_path / "1.ndjson").stat().st_mode) == 0o600


def test_a_cut_file_goes_on_behind_its_last_whole_line(tmp_path: Path) -> None:
    wire = Wire(ranged(), cut=[11])
    assert isinstance(fetch(wire, tmp_path), Broken)
    assert fetch(wire, tmp_path) == Arrived()
    assert [each.headers.get("Range") for each in wire.asked] == [None, "bytes=8-"]
    assert on_disk(tmp_path) == BODY


def test_it_is_fetched_again_where_the_server_has_other_bytes_by_now(tmp_path: Path) -> None:
    assert isinstance(fetch(Wire(ranged(), cut=[11]), tmp_path), Broken)
    other = b'{"b":1}\n'
    assert fetch(Wire(ranged(other, '"v2"')), tmp_path) == Arrived()
    assert on_disk(tmp_path) == other


@pytest.mark.parametrize("server", [gives(), gives(ETag='W/"weak"')])
def test_nothing_is_resumed_without_a_strong_validator(tmp_path: Path, server: Server) -> None:
    wire = Wire(server, cut=[11])
    assert isinstance(fetch(wire, tmp_path), Broken)
    assert fetch(wire, tmp_path) == Arrived()
    assert wire.asked[1].headers.get("Range") is None
    assert wire.asked[1].headers.get("Accept-Encoding") == "identity"
    assert on_disk(tmp_path) == BODY


def test_offsets_of_a_compressed_body_are_not_asked_for(tmp_path: Path) -> None:
    wire = Wire(gives(ETag='"v1"', Content_Encoding="gzip"), cut=[11])
    fetch(wire, tmp_path)
    fetch(wire, tmp_path)
    assert wire.asked[1].headers.get("Range") is None


def test_a_file_that_was_whole_already_stays_as_it_is(tmp_path: Path) -> None:
    fetch(Wire(ranged(), cut=[24]), tmp_path)
    assert fetch(Wire(ranged()), tmp_path) == Arrived()
    assert on_disk(tmp_path) == BODY


def test_a_part_that_was_not_asked_for_is_not_appended(tmp_path: Path) -> None:
    fetch(Wire(ranged(), cut=[11]), tmp_path)

    def serve(request: Request) -> Response:
        if "Range" in request.headers:
            return Response(206, Headers((("Content-Range", "bytes 0-3/4"),)), b"evil")
        return Response(200, Headers(), BODY)

    assert fetch(Wire(serve), tmp_path) == Arrived()
    assert on_disk(tmp_path) == BODY


# -- tokens


def test_a_token_goes_where_the_manifest_demands_it(tmp_path: Path) -> None:
    wire = Wire(gives())
    fetch(wire, tmp_path)
    fetch(wire, tmp_path, token=False)
    assert wire.bearers() == ["Bearer token-1", None]


def test_no_token_goes_to_another_origin_whatever_the_manifest_says(tmp_path: Path) -> None:
    wire = Wire(gives())
    assert fetch(wire, tmp_path, THERE, token=True) == Arrived()
    assert wire.bearers() == [None]


def redirecting(location: str, status: int = 307) -> Server:
    def serve(request: Request) -> Response:
        if request.url == HERE:
            return Response(status, Headers((("Location", location),)))
        return Response(200, Headers(), BODY)

    return serve


def test_a_redirect_to_storage_leaves_the_token_behind(tmp_path: Path) -> None:
    wire = Wire(redirecting(THERE))
    assert fetch(wire, tmp_path) == Arrived()
    assert [each.url for each in wire.asked] == [HERE, THERE]
    assert wire.bearers() == ["Bearer token-1", None]


def test_a_redirect_at_home_keeps_it(tmp_path: Path) -> None:
    wire = Wire(redirecting("2"))
    assert fetch(wire, tmp_path) == Arrived()
    assert wire.bearers() == ["Bearer token-1", "Bearer token-1"]


@pytest.mark.parametrize(
    "place", ["http://169.254.169.254/latest", "https://127.0.0.1/x", "file:///etc/passwd"]
)
def test_neither_files_nor_redirects_lead_inside(tmp_path: Path, place: str) -> None:
    with pytest.raises(HostileInput):
        fetch(Wire(gives()), tmp_path, place)
    with pytest.raises(HostileInput):
        fetch(Wire(redirecting(place)), tmp_path)


def test_redirects_come_to_an_end(tmp_path: Path) -> None:
    wire = Wire(gives(b"", 302, Location=HERE))
    assert isinstance(fetch(wire, tmp_path), NotGiven)
    assert len(wire.asked) < 12


def test_a_rejected_token_is_renewed_once(tmp_path: Path) -> None:
    def serve(request: Request) -> Response:
        good = request.headers.get("Authorization") == "Bearer token-2"
        return Response(200 if good else 401, Headers(), BODY)

    assert fetch(Wire(serve), tmp_path) == Arrived()


def test_a_manifest_that_forgot_to_demand_the_token_does_no_harm(tmp_path: Path) -> None:
    def serve(request: Request) -> Response:
        return Response(200 if "Authorization" in request.headers else 401, Headers(), BODY)

    wire = Wire(serve)
    assert fetch(wire, tmp_path, token=False) == Arrived()
    assert wire.bearers() == [None, "Bearer token-1"]
    assert fetch(Wire(serve), tmp_path, THERE, token=False) == NotGiven("status 401")


# -- refusals


@pytest.mark.parametrize("status", [403, 404, 410])
def test_a_link_that_expired_is_told_apart(tmp_path: Path, status: int) -> None:
    assert fetch(Wire(gives(b"<Error>Request has expired</Error>", status)), tmp_path) == LinkGone(
        status
    )


def test_a_media_type_that_is_refused_is_asked_for_otherwise(tmp_path: Path) -> None:
    def serve(request: Request) -> Response:
        asked = request.headers.get("Accept") or ""
        return Response(200 if "application/ndjson" in asked else 406, Headers(), BODY)

    wire = Wire(serve)
    assert fetch(wire, tmp_path) == Arrived()
    assert wire.asked[0].headers.get("Accept") == "application/fhir+ndjson"
    assert fetch(Wire(gives(b"", 406)), tmp_path) == NotGiven("status 406")


def test_a_refusal_for_load_says_so(tmp_path: Path) -> None:
    fetched = fetch(Wire(gives(b"", 429, Retry_After="4000")), tmp_path)
    assert fetched == NotGiven("status 429", busy=True)


# -- bounds


def test_a_file_beyond_its_cap_is_stopped(tmp_path: Path) -> None:
    with pytest.raises(HostileInput, match="at most 1000"):
        fetch(Wire(gives(b"x" * 2000)), tmp_path)
    assert len(on_disk(tmp_path)) <= 1000


def test_parts_do_not_add_up_beyond_the_cap(tmp_path: Path) -> None:
    body = b"x\n" * 600
    assert isinstance(fetch(Wire(ranged(body), cut=[800]), tmp_path), Broken)
    with pytest.raises(HostileInput, match="at most 1000"):
        fetch(Wire(ranged(body)), tmp_path)
    assert len(on_disk(tmp_path)) <= 1000


def test_an_announced_size_beyond_the_cap_is_not_begun(tmp_path: Path) -> None:
    with pytest.raises(HostileInput, match="one of 5000"):
        fetch(Wire(gives(BODY, Content_Length="5000")), tmp_path)
    assert not (tmp_path / "1.ndjson").exists()


def test_the_disk_keeps_some_room(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def usage(_path: Any) -> Any:
        return SimpleNamespace(total=10**9, used=10**9 - 100, free=100)

    monkeypatch.setattr(shutil, "disk_usage", usage)
    with pytest.raises(DiskFull, match="100 bytes are free"):
        fetch(Wire(gives()), tmp_path)


def test_a_link_in_the_place_of_the_file_is_not_followed(tmp_path: Path) -> None:
    victim = tmp_path / "victim"
    victim.write_bytes(b"precious")
    (tmp_path / "1.ndjson").symlink_to(victim)
    with pytest.raises(DiskFull, match="cannot be written"):
        fetch(Wire(gives()), tmp_path)
    assert victim.read_bytes() == b"precious"
