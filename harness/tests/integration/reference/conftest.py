"""Apps that launch against the session's reference EHR, and instances of it with faults."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterator
from typing import Any

import httpx
import pytest

from harness.tests.integration.reference.fhir_server import Endpoint, FhirServer, serving
from harness.tests.reference_process import App, Running

NewApp = Callable[..., App]
NewInstance = Callable[..., dict[str, Any]]


@pytest.fixture
def new_app(reference: Running) -> Iterator[NewApp]:
    """Makes apps: `new_app(client_id="harness-public", fhir_base=...)`, each with a browser."""
    apps: list[App] = []

    def make(client_id: str = "harness-public", fhir_base: str | None = None) -> App:
        apps.append(App(fhir_base or reference.fhir_base, reference.credentials, client_id))
        return apps[-1]

    yield make
    for app in apps:
        app.close()


@pytest.fixture
def app(new_app: NewApp) -> App:
    """A public app against the faultless instance."""
    return new_app()


@pytest.fixture
def new_instance(reference: Running) -> Iterator[NewInstance]:
    """Makes instances: `new_instance("fault", rate=1, ...)`; they are removed afterwards."""
    names: list[str] = []

    def make(*faults: str, **what: Any) -> dict[str, Any]:
        names.append(f"test-{secrets.token_hex(6)}")
        return reference.instance(names[-1], faults=list(faults), **what)

    yield make
    for name in names:
        reference.control("DELETE", f"/instances/{name}")


@pytest.fixture(scope="module")
def server() -> Iterator[FhirServer]:
    """The FHIR interface alone, served over a socket."""
    with serving() as running:
        yield running


@pytest.fixture
def endpoint(server: FhirServer) -> Endpoint:
    """A new instance of it without faults."""
    return server.endpoint()


@pytest.fixture
def client(endpoint: Endpoint) -> httpx.Client:
    """A client that may do everything there."""
    return endpoint.client()


@pytest.fixture
def patient(endpoint: Endpoint) -> str:
    """One of its patients."""
    return endpoint.ehr.store.patient_ids()[0]
