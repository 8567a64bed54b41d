"""Writes are journalled before they are sent, and undone in reverse order whatever fails."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import anyio
import pytest

from harness.checks.scratch import Journal, Scratch, created_id
from harness.checks.undoing import identifiers
from harness.config.ehr import AuthSpec, EhrFile, Environment, Permit
from harness.errors import EhrUnreachable, NotPermitted
from harness.http.exchange import Exchange, Headers, Request, Response


def answer(status: int, body: Any = None, location: str | None = None) -> Exchange:
    headers = Headers((("Location", location),) if location else ())
    response = Response(status, headers, json.dumps(body or {}).encode())
    return Exchange(1, "a", Request("POST", "https://x/y"), response, datetime.now(UTC), 0.1)


@dataclass
class Server:
    """Answers what it is told; knows what the journal said when it was asked."""

    journal: Path
    answers: dict[str, Any] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)
    numbers: int = 0

    def _answer(self, what: str, default: Exchange) -> Exchange:
        self.asked.append(what)
        lines = self.journal.read_text().splitlines() if self.journal.exists() else []
        if not what.startswith(("GET", "undo")) and not self.undoing:
            assert json.loads(lines[-1])["event"] == "sent"
        found = self.answers.get(what, default)
        if isinstance(found, Exception):
            raise found
        assert isinstance(found, Exchange)
        return found

    undoing: bool = False

    async def read(self, kind: str, identity: str) -> Exchange:
        return self._answer(f"GET {identity}", answer(200, {"resourceType": kind, "id": identity}))

    async def create(self, resource: Any) -> Exchange:
        self.numbers += 1
        place = f"https://x/Observation/{self.numbers}/_history/1"
        return self._answer(f"POST {self.numbers}", answer(201, location=place))

    async def update(self, resource: Any, *, if_match: str | None = None) -> Exchange:
        note = f" {resource['status']}" if "status" in resource else ""
        return self._answer(f"PUT {resource['id']}{note}", answer(200))

    async def delete(self, kind: str, identity: str) -> Exchange:
        return self._answer(f"DELETE {identity}", answer(204))


def ehr(*permit: Permit, environment: Environment = Environment.SANDBOX) -> EhrFile:
    auth = AuthSpec()
    return EhrFile("x", "X", "https://x", auth, permit=frozenset(permit), environment=environment)


@pytest.fixture
def server(tmp_path: Path) -> Server:
    return Server(tmp_path / "journal.jsonl")


def undo(scratch: Scratch, server: Server) -> list[str]:
    server.undoing = True
    server.asked.clear()
    return anyio.run(scratch.undo)


OBSERVATION = {"resourceType": "Observation"}


def test_what_was_created_is_deleted_in_reverse_order(server: Server) -> None:
    scratch = Scratch(ehr(Permit.WRITE), Journal(server.journal))
    for _ in range(3):
        anyio.run(scratch.create, server, OBSERVATION)
    assert undo(scratch, server) == []
    assert server.asked == ["DELETE 3", "DELETE 2", "DELETE 1"]
    assert undo(scratch, server) == []
    assert server.asked == []
    events = [json.loads(each)["event"] for each in server.journal.read_text().splitlines()]
    assert events == ["sent", "done"] * 3 + ["undone"] * 3


def test_one_that_cannot_be_undone_does_not_stop_the_others(server: Server) -> None:
    server.answers = {
        "DELETE 3": EhrUnreachable("gone"),
        "DELETE 2": answer(405),
        "PUT 2 entered-in-error": answer(200),
        "DELETE 1": answer(405),
        "PUT 1 entered-in-error": answer(403),
    }
    scratch = Scratch(ehr(Permit.WRITE), Journal(server.journal))
    for _ in range(3):
        anyio.run(scratch.create, server, OBSERVATION)
    assert undo(scratch, server) == [
        "Observation/3: gone",
        "Observation/1: DELETE: 405, entered-in-error: 403",
    ]


def test_a_create_without_an_answer_is_listed(server: Server) -> None:
    server.answers = {"POST 1": EhrUnreachable("gone")}
    scratch = Scratch(ehr(Permit.WRITE), Journal(server.journal))
    with pytest.raises(EhrUnreachable):
        anyio.run(scratch.create, server, {**OBSERVATION, "identifier": [{"value": "i"}]})
    left = undo(scratch, server)
    assert left == ["Observation (its id is unknown): the server did not say where it put it"]
    sent = json.loads(server.journal.read_text().splitlines()[0])
    assert (sent["event"], sent["identifier"]) == ("sent", [{"value": "i"}])


def test_a_refused_create_leaves_nothing_to_undo(server: Server) -> None:
    server.answers = {"POST 1": answer(422)}
    scratch = Scratch(ehr(Permit.WRITE), Journal(server.journal))
    anyio.run(scratch.create, server, OBSERVATION)
    assert undo(scratch, server) == []
    assert server.asked == []


def test_an_update_of_what_was_there_is_put_back(server: Server) -> None:
    scratch = Scratch(ehr(Permit.WRITE), Journal(server.journal))
    anyio.run(scratch.update, server, {**OBSERVATION, "id": "old"})
    assert undo(scratch, server) == []
    assert server.asked == ["PUT old"]


def test_only_what_this_run_created_is_deleted(server: Server) -> None:
    scratch = Scratch(ehr(Permit.WRITE), Journal(server.journal))
    anyio.run(scratch.create, server, OBSERVATION)
    anyio.run(scratch.delete, server, "Observation", "1")
    with pytest.raises(NotPermitted, match="not created by this run"):
        anyio.run(scratch.delete, server, "Observation", "99")
    assert undo(scratch, server) == []
    assert server.asked == []


@pytest.mark.parametrize("file", [ehr(), ehr(Permit.WRITE, environment=Environment.PRODUCTION)])
def test_nothing_is_sent_or_journalled_without_a_permit(server: Server, file: EhrFile) -> None:
    with pytest.raises(NotPermitted):
        anyio.run(Scratch(file, Journal(server.journal)).create, server, OBSERVATION)
    assert (server.asked, server.journal.exists()) == ([], False)


@pytest.mark.parametrize(
    ("exchange", "expected"),
    [
        (answer(201, location="https://x/r4/Observation/7/_history/2"), "7"),
        (answer(201, location="Observation/7"), "7"),
        (answer(201, {"resourceType": "Observation", "id": "8"}), "8"),
        (answer(201, {"resourceType": "Patient", "id": "8"}), None),
        (answer(201, location="https://x/Observation/"), None),
        (answer(201), None),
    ],
)
def test_the_id_of_what_was_created_is_found(exchange: Exchange, expected: Any) -> None:
    assert created_id(exchange, "Observation") == expected


OWN = {**OBSERVATION, "identifier": [{"system": "urn:x", "value": "own"}]}


@pytest.mark.parametrize(
    ("identifier", "asked"), [("own", ["GET 7", "DELETE 7"]), ("o", ["GET 7"])]
)
def test_what_was_there_before_is_deleted_only_if_it_is_ours(
    server: Server, identifier: str, asked: list[str]
) -> None:
    there = {**OWN, "id": "7", "identifier": [{"system": "urn:x", "value": identifier}]}
    server.answers = {"GET 7": answer(200, there)}
    scratch = Scratch(ehr(Permit.WRITE), Journal(server.journal))

    async def send() -> Exchange:
        return answer(200, there)

    anyio.run(scratch.created, server, OWN, send)
    assert undo(scratch, server) == []
    assert server.asked == asked


def test_each_entry_of_a_batch_is_undone_by_itself(server: Server) -> None:
    entries = [{"status": "201", "location": "Observation/7"}, {"status": "400 Bad Request"}]
    bundle = {"resourceType": "Bundle", "entry": [{"response": each} for each in entries]}
    scratch = Scratch(ehr(Permit.WRITE), Journal(server.journal))

    async def send() -> Exchange:
        return answer(200, bundle)

    anyio.run(scratch.bundle, server, [OWN, OWN], send)
    assert undo(scratch, server) == []
    assert server.asked == ["DELETE 7"]


def test_what_was_stored_though_refused_is_undone_once_it_is_known(server: Server) -> None:
    server.answers = {"POST 1": answer(422)}
    scratch = Scratch(ehr(Permit.WRITE), Journal(server.journal))
    anyio.run(scratch.create, server, OWN)
    for _ in range(2):
        scratch.adopt(server, {**OWN, "id": "8"})
    assert undo(scratch, server) == []
    assert server.asked == ["DELETE 8"]


def test_a_write_by_other_means_to_what_was_there_is_put_back(server: Server) -> None:
    scratch = Scratch(ehr(Permit.WRITE), Journal(server.journal))

    async def patch() -> Exchange:
        return answer(200)

    async def patched() -> None:
        await scratch.updated(server, OBSERVATION, patch, identity="old")

    anyio.run(patched)
    assert undo(scratch, server) == []
    assert server.asked == ["PUT old"]


def test_a_write_that_could_not_be_begun_keeps_no_undoing_waiting(server: Server) -> None:
    scratch = Scratch(ehr(Permit.WRITE), Journal(server.journal))

    async def send() -> Exchange:
        return answer(200)

    async def begun_and_undone() -> list[str]:
        with pytest.raises(KeyError):
            await scratch.bundle(server, [OBSERVATION, {}], send)
        with anyio.fail_after(5):
            return await scratch.undo()

    assert anyio.run(begun_and_undone) == [
        "Observation (its id is unknown): the server did not say where it put it"
    ]


@pytest.mark.parametrize("junk", [7, "x", [7, None, []], {"value": []}, [{}]])
def test_identifiers_of_any_shape_are_no_defect(junk: Any) -> None:
    assert all(isinstance(each, dict) for each in identifiers({"identifier": junk}))


@pytest.mark.parametrize("way", ["create", "update", "bundle"])
def test_a_run_that_is_cut_off_ends_the_write_under_way_and_begins_no_other(
    server: Server, way: str
) -> None:
    scratch = Scratch(ehr(Permit.WRITE), Journal(server.journal))
    under_way, let_go = anyio.Event(), anyio.Event()
    sent: list[str] = []

    async def send() -> Exchange:
        sent.append(way)
        under_way.set()
        await let_go.wait()
        return answer(201, location=f"https://x/Observation/{len(sent)}")

    async def one_after_the_other() -> None:
        resource = {"resourceType": "Observation", "id": "1"}
        for _ in range(3):
            if way == "create":
                await scratch.created(server, resource, send)
            elif way == "update":
                await scratch.updated(server, resource, send)
            else:
                await scratch.bundle(server, [resource], send)

    async def cut_off() -> None:
        async with anyio.create_task_group() as acts:
            acts.start_soon(one_after_the_other)
            await under_way.wait()
            acts.cancel_scope.cancel()
            let_go.set()

    server.undoing = True
    anyio.run(cut_off)
    assert sent == [way]
    assert len(scratch.written) == 1
