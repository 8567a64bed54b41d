"""What references lead to: how deep, how often, and to whose resources."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping, Sequence
from hashlib import sha256
from typing import Any

import pytest

from harness.errors import EhrUnreachable
from harness.http.exchange import Exchange, Headers, Request, Response
from harness.sync.model import Query, Received
from harness.sync.order import Key
from harness.sync.pull import chase
from harness.sync.pull.chase import Chased, Chaser
from harness.tests.unit.sync.conftest import NOON

BASE = "https://ehr.example/fhir"
QUERY = Query("p", "DiagnosticReport")
PATHS = ("DiagnosticReport.result", "Observation.hasMember", "Encounter.participant.individual")


def resource(type_: str, id_: str, patient: str = "p", **members: Any) -> dict[str, Any]:
    subject = {"reference": f"Patient/{patient}"}
    return {"resourceType": type_, "id": id_, "subject": subject, **members}


def to(*references: str) -> list[dict[str, str]]:
    return [{"reference": each} for each in references]


def received(value: dict[str, Any]) -> Received:
    return Received(value["resourceType"], value["id"], "1", None, json.dumps(value).encode())


class Ehr:
    """Reads resources; only `read` is asked of it here."""

    def __init__(self, *resources: dict[str, Any]) -> None:
        self.held = {(each["resourceType"], each["id"]): each for each in resources}
        self.read_keys: list[str] = []
        self.statuses: dict[str, int] = {}
        self.down = False

    async def read(self, type_: str, id_: str) -> Exchange:
        if self.down:
            raise EhrUnreachable("no answer")
        self.read_keys.append(id_)
        found = self.held.get((type_, id_))
        status = self.statuses.get(id_, 200 if found else 404)
        body = json.dumps(found or {}).encode()
        request = Request("GET", f"{BASE}/{type_}/{id_}")
        return Exchange(1, "sync", request, Response(status, Headers(), body), NOON, 0.0)

    async def first(self, type_: str, parameters: Sequence[tuple[str, str]]) -> Exchange:
        raise NotImplementedError

    async def next(self, url: str, type_: str | None = None) -> Exchange:
        raise NotImplementedError


def chased(
    ehr: Ehr, *page: dict[str, Any], held: Mapping[Key, bytes] | None = None, times: int = 1
) -> Chased:
    async def known(keys: Sequence[Key]) -> Mapping[Key, bytes]:
        return {key: hash_ for key, hash_ in (held or {}).items() if key in keys}

    async def run() -> Chased:
        chaser = Chaser(PATHS, BASE, known)
        for _ in range(times):
            found = await chaser.chase(ehr, QUERY, [received(each) for each in page])
        return found

    return asyncio.run(run())


def ids(found: Chased) -> list[str]:
    return [each.id for each in found.found]


def test_references_of_every_spelling_lead_to_the_same() -> None:
    ehr = Ehr(resource("Observation", "1"))
    places = to(
        "Observation/1",
        f"{BASE}/Observation/1",
        "Observation/1/_history/3",
        "#contained",
        "urn:uuid:0c1a",
        "https://other.example/fhir/Observation/1",
        "Observation/../1",
    )
    assert ids(chased(ehr, resource("DiagnosticReport", "r", result=places))) == ["1"]
    assert ehr.read_keys == ["1"]


def test_references_of_references_are_followed_to_a_depth_and_each_once() -> None:
    chain = [
        resource("Observation", str(n), hasMember=to(f"Observation/{n + 1}", "Observation/0"))
        for n in range(9)
    ]
    ehr = Ehr(*chain)
    report = resource("DiagnosticReport", "r", result=to("Observation/0"))
    assert ids(chased(ehr, report)) == ["0", "1", "2"]
    assert ids(chased(ehr, report, times=2)) == []


def test_a_path_goes_through_arrays_and_objects() -> None:
    ehr = Ehr(resource("Practitioner", "d"))
    participants = [{"individual": {"reference": "Practitioner/d"}}, {"type": []}, None]
    assert ids(chased(ehr, resource("Encounter", "e", participant=participants))) == ["d"]


def test_what_is_held_is_read_again_only_when_what_refers_to_it_changed() -> None:
    ehr = Ehr(resource("Observation", "1"))
    report = resource("DiagnosticReport", "r", result=to("Observation/1"))
    same = sha256(json.dumps(report).encode()).digest()
    target = {("Observation", "1"): b"x"}
    assert ids(chased(ehr, report, held=target)) == []
    assert ids(chased(ehr, report, held={**target, ("DiagnosticReport", "r"): same})) == []
    assert ids(chased(ehr, report, held={**target, ("DiagnosticReport", "r"): b"old"})) == ["1"]


def test_what_cannot_be_read_is_a_flaw_and_what_is_gone_or_foreign_a_note() -> None:
    ehr = Ehr(resource("Observation", "closed"), resource("Observation", "theirs", "q"))
    ehr.statuses["closed"] = 403
    places = to("Observation/closed", "Observation/theirs", "Observation/gone")
    found = chased(ehr, resource("DiagnosticReport", "r", result=places))
    assert (ids(found), found.flaw) == ([], "an Observation that is referred to: status 403")
    assert [note for _, note in found.notes] == [
        "is referred to and belongs to another patient",
        "is referred to and not there",
    ]


def test_no_answer_ends_it_so_that_nothing_of_the_page_is_kept() -> None:
    ehr = Ehr()
    ehr.down = True
    with pytest.raises(EhrUnreachable):
        chased(ehr, resource("DiagnosticReport", "r", result=to("Observation/1")))


def test_a_page_that_refers_to_too_much_is_a_flaw(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(chase, "MOST_READS", 3)
    places = to(*(f"Observation/{n}" for n in range(4)))
    found = chased(Ehr(), resource("DiagnosticReport", "r", result=places))
    assert (found.found, found.flaw) == ([], "more than 3 references on one page")
