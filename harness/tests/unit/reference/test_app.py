"""How a request finds its instance, without a socket."""

from __future__ import annotations

from datetime import UTC, datetime

import anyio
import httpx
import pytest

from harness.reference.app import DEFAULT, Reference
from harness.reference.clients import registered
from harness.reference.credentials import Credentials
from harness.reference.fhir.store import Store
from harness.reference.oauth.id_token import IssuerKey
from harness.reference.people import people

CREDENTIALS = Credentials.from_environment({})
KEY = IssuerKey.generate()


def reference(public_url: str, patients: int = 3) -> Reference:
    store = Store.seeded(1, patients, datetime(2026, 1, 1, tzinfo=UTC))
    made = Reference(
        public_url, store, registered(CREDENTIALS, ()), people(store, CREDENTIALS), KEY
    )
    made.add(DEFAULT)
    return made


def get(app: Reference, path: str, **parameters: str) -> httpx.Response:
    async def ask() -> httpx.Response:
        transport = httpx.ASGITransport(app, raise_app_exceptions=False)
        async with httpx.AsyncClient(transport=transport, base_url="http://ehr") as client:
            return await client.get(path, params=parameters)

    return anyio.run(ask)


@pytest.mark.parametrize("path", ["/sandbox/r4/metadata", "/r4/metadata"])
def test_a_proxy_may_take_off_the_path_of_the_public_url_or_not(path: str) -> None:
    assert get(reference("https://ehr.invalid/sandbox"), path).status_code == 200


def test_the_cookie_is_bound_to_the_path_and_to_tls_of_the_public_url() -> None:
    app = reference("https://ehr.invalid/sandbox")
    response = get(
        app,
        "/oauth/authorize",
        client_id="harness-public",
        redirect_uri="harness.app:/callback",
        response_type="code",
        state="s",
        scope="openid",
        aud="https://ehr.invalid/sandbox/r4",
        code_challenge="E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM",
        code_challenge_method="S256",
    )
    assert response.status_code == 200
    assert "Path=/sandbox;" in response.headers["set-cookie"]
    assert "Secure" in response.headers["set-cookie"]


def test_an_unknown_instance_is_not_found() -> None:
    assert get(reference("http://ehr"), "/i/nobody/r4/metadata").status_code == 404


@pytest.mark.parametrize("path", ["/", "/nothing", "/oauth/nothing", "/i/", "//", "/r4x"])
def test_a_path_that_is_not_served_is_not_found(path: str) -> None:
    assert get(reference("http://ehr"), path).status_code == 404


def test_a_defect_is_an_internal_error_without_its_details(
    caplog: pytest.LogCaptureFixture,
) -> None:
    app = reference("http://ehr")

    def broken(*_: object) -> None:
        raise ZeroDivisionError("secret detail")

    app.apps[DEFAULT]._gate.app = broken  # type: ignore[assignment]  # breaks the protocol
    response = get(app, "/r4/metadata")
    assert response.status_code == 500
    assert response.json()["resourceType"] == "OperationOutcome"
    assert "secret" not in response.text
    assert "a defect of the reference EHR" in caplog.text


def test_an_instance_of_one_patient_still_has_its_people() -> None:
    app = reference("http://ehr", patients=1)
    assert {len(person.patients) for person in app.people.values()} == {1}


def test_instances_share_data_and_nothing_that_is_written() -> None:
    app = reference("http://ehr")
    one, two = app.add("one"), app.add("two")
    now = datetime(2026, 1, 2, tzinfo=UTC)
    patient = one.store.patient_ids()[0]
    one.store.put_as_other(
        {
            "resourceType": "Observation",
            "id": "new",
            "status": "final",
            "code": {"text": "x"},
            "subject": {"reference": f"Patient/{patient}"},
        },
        now,
    )
    assert one.store.current("Observation", "new")
    assert two.store.current("Observation", "new") is None
    assert one.ledger is not two.ledger
    assert one.clock is not two.clock
    assert one.throttle is not two.throttle


def test_a_single_worker_lets_all_but_the_first_wait(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("harness.reference.gate.ONE_TAKES", 0.05)
    app = reference("http://ehr")
    app.add(DEFAULT, frozenset({"throttle-serves-one-by-one"}))

    async def crowd() -> float:
        started = anyio.current_time()
        transport = httpx.ASGITransport(app)
        async with (
            httpx.AsyncClient(transport=transport, base_url="http://ehr") as client,
            anyio.create_task_group() as tasks,
        ):
            for _ in range(3):
                tasks.start_soon(client.get, "/r4/metadata")
        return anyio.current_time() - started

    assert anyio.run(crowd) >= 0.1
