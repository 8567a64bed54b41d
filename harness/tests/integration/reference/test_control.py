"""The control listener and the rate limit that it sets."""

from __future__ import annotations

from email.utils import parsedate_to_datetime
from typing import Any

import pytest

from harness.reference.process import ReferenceFailed
from harness.tests.integration.reference.conftest import NewApp, NewInstance
from harness.tests.reference_process import App, Running

SCOPE = "launch/patient patient/*.rs"


def test_control_is_refused_without_the_secret(app: App, reference: Running) -> None:
    url = f"{reference.ready['control']}/instances"
    assert app.machine.get(url).status_code == 401
    assert app.machine.get(url, headers={"authorization": "Bearer x"}).status_code == 401


def test_control_is_not_on_the_public_listener(app: App, reference: Running) -> None:
    secret = reference.ready["control_secret"]
    headers = {"authorization": f"Bearer {secret}"}
    assert app.machine.get(f"{app.issuer}/instances", headers=headers).status_code == 404


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"name": "Upper"},
        {"name": "../x"},
        {"name": "n", "faults": "scope-missing"},
        {"name": "n", "faults": ["no-such-fault"]},
        {"name": "n", "variants": ["scope-missing"]},
        {"name": "n", "rate": 0},
        {"name": "n", "rate": "fast"},
        {"name": "n", "burst": 0},
        {"name": "n", "retry_after": "soon"},
        {"name": "n", "smart": "3.0.0"},
        {"name": "n", "smart": ["2.0.0"]},
    ],
)
def test_a_wrong_instance_is_refused(reference: Running, body: dict[str, Any]) -> None:
    with pytest.raises(ReferenceFailed, match="400"):
        reference.control("POST", "/instances", body)


def test_an_unknown_fault_is_answered_with_the_nearest_name(reference: Running) -> None:
    with pytest.raises(ReferenceFailed, match="state-not-echoed"):
        reference.instance("n", faults=["state-not-echoes"])


def test_an_instance_comes_and_goes(reference: Running, app: App) -> None:
    base = reference.instance("comes-and-goes")["fhir_base"]
    known = {each["name"]: each["smart"] for each in reference.control("GET", "/instances")}
    assert known["comes-and-goes"] == "2.0.0"
    assert app.machine.get(f"{base}/metadata").status_code == 200
    assert reference.control("DELETE", "/instances/comes-and-goes") is None
    assert app.machine.get(f"{base}/metadata").status_code == 404


def test_the_default_instance_stays(reference: Running) -> None:
    with pytest.raises(ReferenceFailed, match="409"):
        reference.control("DELETE", "/instances/default")


def test_the_faults_are_listed(reference: Running) -> None:
    assert {"name", "part", "cause", "alters", "trips"} == set(
        reference.control("GET", "/faults")[0]
    )


def test_the_variants_are_listed(reference: Running) -> None:
    listed = reference.control("GET", "/variants")[0]
    assert {"name", "part", "difference", "liberty", "url", "together", "leaves_out"} == set(listed)


def test_an_instance_tells_how_often_its_variants_were_met(
    reference: Running, app: App, new_instance: NewInstance
) -> None:
    met = {"bundle-without-total", "configuration-with-charset"}
    made = new_instance(variants=sorted(met))
    app.machine.get(f"{made['fhir_base']}/.well-known/smart-configuration")
    counted = reference.control("GET", f"/instances/{made['name']}/variants")
    assert counted == {"bundle-without-total": 0, "configuration-with-charset": 1}


def test_a_write_of_another_application_is_seen_in_its_instance_alone(
    reference: Running, new_app: NewApp, new_instance: NewInstance
) -> None:
    one, two = new_instance(), new_instance()
    patient = reference.ready["users"][0]["patients"][0]
    observation = {
        "resourceType": "Observation",
        "status": "final",
        "code": {"coding": [{"system": "http://loinc.org", "code": "8867-4"}]},
        "subject": {"reference": f"Patient/{patient}"},
    }
    written = reference.control("POST", f"/instances/{one['name']}/resources", observation)
    truth = {
        instance["name"]: {
            each["id"]
            for each in reference.control(
                "GET", f"/instances/{instance['name']}/resources/Observation?patient={patient}"
            )
        }
        for instance in (one, two)
    }
    assert truth[one["name"]] - truth[two["name"]] == {written["id"]}
    app = new_app(fhir_base=one["fhir_base"])
    token = app.launch("patient", SCOPE)["access_token"]
    assert app.get(f"Observation/{written['id']}", token).status_code == 200


def test_a_clock_moves_forward_only(reference: Running, new_instance: NewInstance) -> None:
    path = f"/instances/{new_instance()['name']}/clock"
    before = reference.control("POST", path, {"advance_seconds": 0})["now"]
    assert reference.control("POST", path, {"advance_seconds": 86400})["now"] > before
    with pytest.raises(ReferenceFailed, match="400"):
        reference.control("POST", path, {"advance_seconds": -1})


def test_requests_are_counted_by_route_and_status(
    reference: Running, new_app: NewApp, new_instance: NewInstance
) -> None:
    instance = new_instance()
    app = new_app(fhir_base=instance["fhir_base"])
    for _ in range(3):
        app.get("metadata")
    app.get("Patient/secret-id")
    counts = reference.control("GET", f"/instances/{instance['name']}/requests")
    assert counts["total"] == 4
    by_status = {each["status"]: each["count"] for each in counts["requests"]}
    assert by_status == {200: 3, 401: 1}
    assert "secret-id" not in str(counts)


def test_beyond_the_rate_requests_are_refused_until_the_time_named(
    reference: Running, new_app: NewApp, new_instance: NewInstance
) -> None:
    instance = new_instance(rate=0.01, burst=2)
    app = new_app(fhir_base=instance["fhir_base"])
    answers = [app.get("metadata") for _ in range(3)]
    assert [each.status_code for each in answers] == [200, 200, 429]
    assert 95 <= int(answers[2].headers["retry-after"]) <= 100
    assert answers[2].json()["issue"][0]["code"] == "throttled"
    counts = reference.control("GET", f"/instances/{instance['name']}/requests")
    assert counts["throttled"] == 1
    assert app.token(grant_type="refresh_token", refresh_token="x").status_code == 400


def test_the_time_may_be_named_as_a_date_or_not_at_all(
    new_app: NewApp, new_instance: NewInstance
) -> None:
    dated = new_app(fhir_base=new_instance(rate=0.01, retry_after="date")["fhir_base"])
    refused = [dated.get("metadata") for _ in range(2)][1]
    moment = parsedate_to_datetime(refused.headers["retry-after"])
    sent = parsedate_to_datetime(refused.headers["date"])
    assert 95 <= (moment - sent).total_seconds() <= 103
    silent = new_app(fhir_base=new_instance(rate=0.01, retry_after="none")["fhir_base"])
    refused = [silent.get("metadata") for _ in range(2)][1]
    assert refused.status_code == 429
    assert "retry-after" not in refused.headers


@pytest.mark.parametrize(
    ("fault", "status", "resource_type"),
    [
        ("throttle-without-retry-after", 429, "OperationOutcome"),
        ("throttle-answers-500", 500, "OperationOutcome"),
        ("throttle-answers-empty-bundle", 200, "Bundle"),
    ],
)
def test_a_fault_of_the_rate_limit_shows(
    new_app: NewApp, new_instance: NewInstance, fault: str, status: int, resource_type: str
) -> None:
    app = new_app(fhir_base=new_instance(fault, rate=0.01)["fhir_base"])
    app.get("metadata")
    refused = app.get("metadata")
    assert refused.status_code == status
    assert refused.json()["resourceType"] == resource_type
    assert "retry-after" not in refused.headers


def test_with_its_fault_the_limit_covers_the_token_endpoint(
    new_app: NewApp, new_instance: NewInstance
) -> None:
    app = new_app(fhir_base=new_instance("throttle-on-token-endpoint", rate=0.01)["fhir_base"])
    answers = [app.refresh("x") for _ in range(2)]
    assert [each.status_code for each in answers] == [400, 429]
    assert answers[1].json()["error"] == "temporarily_unavailable"
    assert int(answers[1].headers["retry-after"]) > 0
