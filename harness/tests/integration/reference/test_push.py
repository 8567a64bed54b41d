"""Subscriptions of the reference EHR: who is told what, when, and who is not."""

from __future__ import annotations

import argparse
import json
import queue
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import httpx
import pytest

from harness.errors import UsageError
from harness.reference import options
from harness.reference.push import delivery, subscriptions
from harness.tests.integration.reference.fhir_server import Endpoint, FhirServer
from harness.tests.unit.reference.fhir_doubles import weight

Json = dict[str, Any]
HEADERS = {"Content-Type": "application/fhir+json"}
WITHIN = 10.0
ALL = ("patient/Observation.cruds", "patient/Subscription.crud")


@dataclass
class Catcher:
    """An application that is told."""

    url: str
    came: queue.Queue[tuple[str, str, dict[str, str], bytes]] = field(default_factory=queue.Queue)
    statuses: list[int] = field(default_factory=list)

    def next(self) -> tuple[str, str, dict[str, str], bytes]:
        return self.came.get(timeout=WITHIN)

    def rest(self) -> list[str]:
        found = []
        while not self.came.empty():
            found.append(self.came.get()[1])
        return found


@pytest.fixture
def catcher() -> Iterator[Catcher]:
    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            size = int(self.headers.get("Content-Length", 0))
            headers = {name.lower(): value for name, value in self.headers.items()}
            made.came.put((self.command, self.path, headers, self.rfile.read(size)))
            self.send_response(made.statuses.pop(0) if made.statuses else 200)
            self.end_headers()

        do_PUT = do_POST  # noqa: N815 - the name that the standard library looks for

        def log_message(self, *_: object) -> None:
            """Nothing is printed."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    made = Catcher(f"http://127.0.0.1:{server.server_port}")
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield made
    server.shutdown()
    thread.join()
    server.server_close()


@dataclass
class Subscriber:
    """A client that subscribes, and writes."""

    endpoint: Endpoint
    client: httpx.Client
    patient: str

    def ask(self, url: str, **changes: Any) -> httpx.Response:
        channel = {"type": "rest-hook", "endpoint": url, **changes.pop("channel", {})}
        sent = {
            "resourceType": "Subscription",
            "status": "requested",
            "reason": "Test",
            "criteria": f"Observation?patient={self.patient}&code=http://loinc.org|29463-7",
            "channel": {name: value for name, value in channel.items() if value is not None},
            **changes,
        }
        return self.client.post("Subscription", content=json.dumps(sent), headers=HEADERS)

    def subscribed(self, url: str, **changes: Any) -> Json:
        """A Subscription that is active."""
        made = self.ask(url, **changes).json()
        return self.until(made["id"], "active")

    def until(self, identity: str, status: str) -> Json:
        deadline = time.monotonic() + WITHIN
        while time.monotonic() < deadline:
            found: Json = self.client.get(f"Subscription/{identity}").json()
            if found["status"] == status:
                return found
        raise AssertionError(found)

    def put(self, resource: Json, **headers: str) -> httpx.Response:
        path = f"Subscription/{resource['id']}"
        content = json.dumps(resource)
        return self.client.put(path, content=content, headers=HEADERS | headers)

    def write(self, **changes: Any) -> Json:
        body = json.dumps(weight(self.patient, **changes))
        answer = self.client.post("Observation", content=body, headers=HEADERS)
        assert answer.status_code == 201
        return dict(answer.json())


@pytest.fixture
def subscriber(endpoint: Endpoint) -> Subscriber:
    patient = endpoint.ehr.store.patient_ids()[0]
    return Subscriber(endpoint, endpoint.client(*ALL, patient=patient), patient)


def issue(answer: httpx.Response) -> tuple[int, str]:
    return answer.status_code, answer.json()["issue"][0]["expression"][0]


def test_what_meets_the_criteria_is_told_and_nothing_else(
    subscriber: Subscriber, catcher: Catcher
) -> None:
    plain = subscriber.subscribed(f"{catcher.url}/plain", channel={"header": ["X-Secret: s 1"]})
    subscriber.subscribed(f"{catcher.url}/full/", channel={"payload": "application/fhir+json"})
    code = {"coding": [{"system": "http://loinc.org", "code": "8302-2"}]}
    subscriber.write(code=code)
    other = subscriber.endpoint.ehr.store.patient_ids()[1]
    elsewhere = subscriber.endpoint.client()
    body = json.dumps(weight(other))
    assert elsewhere.post("Observation", content=body, headers=HEADERS).status_code == 201
    written = subscriber.write()

    first, second = sorted((catcher.next(), catcher.next()))
    assert (first[0], first[1], first[3]) == ("POST", "/plain", b"")
    assert first[2]["x-secret"] == "s 1"
    assert second[:2] == ("PUT", f"/full/Observation/{written['id']}")
    assert second[2]["content-type"] == "application/fhir+json"
    assert json.loads(second[3]) == written
    assert catcher.rest() == []
    assert plain["meta"]["versionId"] == "2"


def test_updates_are_told_and_deletions_are_not(subscriber: Subscriber, catcher: Catcher) -> None:
    subscriber.subscribed(catcher.url, channel={"payload": "application/fhir+json"})
    written = subscriber.write()
    path = f"Observation/{written['id']}"
    amended = json.dumps(written | {"status": "amended"})
    assert subscriber.client.put(path, content=amended, headers=HEADERS).status_code == 200
    assert subscriber.client.delete(path).status_code == 204
    subscriber.write()
    told = [json.loads(catcher.next()[3]) for _ in range(3)]
    assert [each["status"] for each in told] == ["final", "amended", "final"]


def test_what_was_undone_is_not_told(subscriber: Subscriber, catcher: Catcher) -> None:
    subscriber.subscribed(catcher.url, channel={"payload": "application/fhir+json"})
    bundle = {
        "resourceType": "Bundle",
        "type": "transaction",
        "entry": [
            {"resource": weight(subscriber.patient), "request": {"method": "POST", "url": url}}
            for url in ("Observation", "Nothing")
        ],
    }
    answer = subscriber.client.post("", content=json.dumps(bundle), headers=HEADERS)
    assert answer.status_code >= 400
    written = subscriber.write()
    assert catcher.next()[1] == f"/Observation/{written['id']}"
    assert catcher.rest() == []


def test_it_is_off_deleted_or_over_at_its_end(subscriber: Subscriber, catcher: Catcher) -> None:
    off = subscriber.subscribed(f"{catcher.url}/off")
    gone = subscriber.subscribed(f"{catcher.url}/gone")
    ended = subscriber.subscribed(f"{catcher.url}/ended", end="2026-11-21T08:30:00Z")
    subscriber.subscribed(f"{catcher.url}/stays")
    assert subscriber.put(off | {"status": "off"}).json()["status"] == "off"
    assert subscriber.put(off, **{"If-Match": 'W/"1"'}).status_code == 412
    path = f"Subscription/{gone['id']}"
    assert subscriber.client.delete(path).status_code == 204
    assert subscriber.client.get(path).status_code == 410
    subscriber.endpoint.ehr.clock.advance(3600)
    subscriber.write()
    assert catcher.next()[1] == "/stays"
    assert catcher.rest() == []
    assert subscriber.until(ended["id"], "off")

    again = subscriber.put(off)
    assert again.json()["status"] == "requested"
    subscriber.until(off["id"], "active")
    subscriber.write()
    assert sorted(catcher.next()[1] for _ in range(2)) == ["/off", "/stays"]


def test_an_endpoint_is_tried_again_and_then_given_up(
    subscriber: Subscriber, catcher: Catcher
) -> None:
    made = subscriber.subscribed(catcher.url)
    catcher.statuses += [503, 302]
    subscriber.write()
    assert [catcher.next()[0] for _ in range(3)] == ["POST"] * 3
    catcher.statuses += [500] * (1 + len(delivery.WAITS))
    subscriber.write()
    failed = subscriber.until(made["id"], "error")
    assert failed["error"] == "a notification was not taken: status 500"
    catcher.rest()
    subscriber.write()
    again = subscriber.put({k: v for k, v in failed.items() if k != "error"} | {"status": "active"})
    assert again.json()["status"] == "requested"
    assert "error" not in subscriber.until(made["id"], "active")
    assert catcher.rest() == []


def test_nobody_answers_at_a_closed_port(subscriber: Subscriber) -> None:
    made = subscriber.subscribed("http://127.0.0.1:9/")
    subscriber.write()
    failed = subscriber.until(made["id"], "error")
    assert failed["error"].startswith("a notification was not taken: no answer (")


@pytest.mark.parametrize(
    ("changes", "expression"),
    [
        ({"channel": {"type": "websocket"}}, "Subscription.channel.type"),
        ({"channel": {"endpoint": "https://app.example/hook"}}, "Subscription.channel.endpoint"),
        ({"channel": {"endpoint": "http://u:p@127.0.0.1/"}}, "Subscription.channel.endpoint"),
        ({"channel": {"endpoint": "ftp://127.0.0.1/"}}, "Subscription.channel.endpoint"),
        ({"channel": {"endpoint": "http://127.0.0.1:x/"}}, "Subscription.channel.endpoint"),
        ({"channel": {"endpoint": None}}, "Subscription.channel.endpoint"),
        ({"channel": {"payload": "application/fhir+xml"}}, "Subscription.channel.payload"),
        ({"channel": {"header": ["A: b\r\nC: d"]}}, "Subscription.channel.header[0]"),
        ({"channel": {"header": ["A: b", "Host: c"]}}, "Subscription.channel.header[1]"),
        ({"criteria": "Observation?nothing=1"}, "Subscription.criteria"),
        ({"criteria": "Observation?subject:Patient.name=a"}, "Subscription.criteria"),
        ({"criteria": "Nothing?a=b"}, "Subscription.criteria"),
    ],
)
def test_what_is_not_done_is_refused_with_its_element(
    subscriber: Subscriber, changes: Json, expression: str
) -> None:
    answer = subscriber.ask("http://127.0.0.1:9/", **changes)
    assert issue(answer) == (422, expression)


def test_a_subscription_reaches_no_further_than_its_token(
    subscriber: Subscriber, catcher: Catcher
) -> None:
    client, patient = subscriber.endpoint.client, subscriber.patient
    other = subscriber.endpoint.ehr.store.patient_ids()[1]
    assert subscriber.ask(catcher.url, criteria=f"Observation?patient={other}").status_code == 403
    assert subscriber.ask(catcher.url, criteria="Condition?code=1").status_code == 403
    blind = Subscriber(subscriber.endpoint, client("patient/*.rs", patient=patient), patient)
    assert blind.ask(catcher.url).status_code == 403

    made = subscriber.subscribed(catcher.url, criteria="Observation?code=29463-7")
    path = f"Subscription/{made['id']}"
    stranger = client(*ALL, patient=patient, client_id="another")
    assert stranger.get(path).status_code == 404
    assert stranger.delete(path).status_code == 404
    body = json.dumps(weight(other))
    assert client().post("Observation", content=body, headers=HEADERS).status_code == 201
    subscriber.write()
    assert catcher.next()[0] == "POST"
    assert catcher.rest() == []


def test_granular_scopes_hold_for_what_is_told(endpoint: Endpoint, catcher: Catcher) -> None:
    patient = endpoint.ehr.store.patient_ids()[0]
    category = "http://terminology.hl7.org/CodeSystem/observation-category|laboratory"
    scopes = f"patient/Observation.rs?category={category}", "patient/Subscription.crud"
    narrow = Subscriber(endpoint, endpoint.client(*scopes, patient=patient), patient)
    narrow.subscribed(catcher.url, channel={"payload": "application/fhir+json"})
    writer = Subscriber(endpoint, endpoint.client(), patient)
    system, _, code = category.partition("|")
    writer.write()
    seen = writer.write(category=[{"coding": [{"system": system, "code": code}]}])
    assert json.loads(catcher.next()[3])["id"] == seen["id"]
    assert catcher.rest() == []


def test_batches_hold_no_subscription_and_there_are_not_too_many(
    subscriber: Subscriber, monkeypatch: pytest.MonkeyPatch
) -> None:
    entry = {"resource": {"resourceType": "Subscription"}}
    entry |= {"request": {"method": "POST", "url": "Subscription"}}
    bundle = {"resourceType": "Bundle", "type": "batch", "entry": [entry]}
    answer = subscriber.client.post("", content=json.dumps(bundle), headers=HEADERS).json()
    assert answer["entry"][0]["response"]["status"].startswith("422")
    monkeypatch.setattr(subscriptions, "MOST", 1)
    assert subscriber.ask("http://127.0.0.1:9/").status_code == 201
    assert subscriber.ask("http://127.0.0.1:9/").status_code == 422


def test_the_capability_statement_declares_what_is_offered(
    subscriber: Subscriber, server: FhirServer
) -> None:
    def declared(client: httpx.Client) -> list[Json]:
        rest = client.get("metadata").json()["rest"][0]
        return [each for each in rest["resource"] if each["type"] == "Subscription"]

    (found,) = declared(subscriber.client)
    codes = [each["code"] for each in found["interaction"]]
    assert codes == ["read", "create", "update", "delete"]
    without = server.endpoint("subscription-not-offered")
    client = without.client()
    assert declared(client) == []
    assert client.get("Subscription/1").status_code == 404


VARIANTS: dict[str, Callable[[Subscriber], bool]] = {
    "subscription-active-at-once": lambda asking: (
        asking.ask("http://127.0.0.1:9/").json()["status"] == "active"
    ),
    "subscription-websocket-only": lambda asking: (
        asking.ask("http://127.0.0.1:9/").status_code == 422
    ),
    "subscription-without-payload-only": lambda asking: (
        asking.ask("http://127.0.0.1:9/").status_code == 201
        and asking.ask(
            "http://127.0.0.1:9/", channel={"payload": "application/fhir+json"}
        ).status_code
        == 422
    ),
}


@pytest.mark.parametrize("variant", VARIANTS)
def test_variants_differ_as_they_say(server: FhirServer, variant: str) -> None:
    for names, differs in (((variant,), True), ((), False)):
        endpoint = server.endpoint(*names)
        patient = endpoint.ehr.store.patient_ids()[0]
        asking = Subscriber(endpoint, endpoint.client(*ALL, patient=patient), patient)
        assert VARIANTS[variant](asking) is differs


def test_further_origins_are_named_at_start(server: FhirServer) -> None:
    parser = argparse.ArgumentParser()
    options.add_options(parser)
    named = ["--notify", "https://app.example:443/", "--notify", "http://10.0.0.7:8080"]
    origins = options.settings(parser.parse_args(named)).notify
    assert origins == ("https://app.example", "http://10.0.0.7:8080")
    with pytest.raises(UsageError, match="is no origin"):
        options.settings(parser.parse_args(["--notify", "https://app.example/hook"]))
    endpoint = server.endpoint()
    endpoint.ehr.push = subscriptions.Subscriptions(origins)
    patient = endpoint.ehr.store.patient_ids()[0]
    asking = Subscriber(endpoint, endpoint.client(*ALL, patient=patient), patient)
    assert asking.ask("https://app.example/hook").status_code == 201
    assert issue(asking.ask("https://app.example:8443/hook"))[0] == 422
