"""Each fault of Bulk Data export shows, and a server without it does not behave like that."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import httpx
import pytest

from harness.reference.faults import catalogue
from harness.tests.integration.reference.bulk_client import export
from harness.tests.integration.reference.bulk_probes import OPTIONS, PROBES, BulkProbe
from harness.tests.integration.reference.conftest import NewApp, NewInstance
from harness.tests.integration.reference.fhir_server import FhirServer
from harness.tests.reference_process import Running


@pytest.mark.parametrize("name", PROBES)
def test_a_fault_shows(server: FhirServer, name: str) -> None:
    assert PROBES[name](BulkProbe(server.endpoint(name, **OPTIONS.get(name, {}))))


@pytest.mark.parametrize("name", PROBES)
def test_a_server_without_it_does_not_behave_like_that(server: FhirServer, name: str) -> None:
    assert not PROBES[name](BulkProbe(server.endpoint(**OPTIONS.get(name, {}))))


class Outside:
    """Somebody with the URL of a file, and nothing else, at an instance of the whole EHR."""

    def __init__(self, reference: Running, instance: dict[str, Any], backend: httpx.Client) -> None:
        self.reference = reference
        self.instance = instance
        self.backend = backend
        found = export(backend, "Patient/$export", _type="Goal")
        self.file = str(found["output"][0]["url"])

    def get(self, url: str) -> int:
        with httpx.Client(trust_env=False, verify=False) as stranger:
            return stranger.get(url).status_code


def _guessed(outside: Outside) -> bool:
    bare = outside.file.partition("?")[0]
    with_token = outside.backend.get(outside.file)
    return outside.get(bare) == with_token.status_code == 200


def _outlived(outside: Outside) -> bool:
    outside.reference.advance(3600, outside.instance["name"])
    return outside.get(outside.file) == 200


OUTSIDE: dict[str, Callable[[Outside], bool]] = {
    "bulk-files-open-to-anybody": lambda outside: outside.get(outside.file) == 200,
    "bulk-links-refuse-nothing": _guessed,
    "bulk-links-never-expire": _outlived,
}


@pytest.mark.parametrize("name", OUTSIDE)
@pytest.mark.parametrize("faulty", ["with", "without"])
def test_a_fault_of_who_may_open_files_shows(
    reference: Running, new_instance: NewInstance, new_app: NewApp, name: str, faulty: str
) -> None:
    links = name != "bulk-files-open-to-anybody"
    faults = [name] if faulty == "with" else []
    instance = new_instance(*faults, bulk={"presigned": links, "link_seconds": 60})
    app = new_app("harness-backend", instance["fhir_base"])
    token = app.backend("system/*.rs").json()["access_token"]
    app.machine.headers["Authorization"] = f"Bearer {token}"
    app.machine.base_url = instance["fhir_base"]
    assert OUTSIDE[name](Outside(reference, instance, app.machine)) is (faulty == "with")


def test_every_fault_of_bulk_data_has_its_probe() -> None:
    declared = {fault.name for fault in catalogue().values() if fault.part == "bulk"}
    assert declared == PROBES.keys() | OUTSIDE.keys()
