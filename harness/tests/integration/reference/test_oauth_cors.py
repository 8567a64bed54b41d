"""Cross-origin requests: what an app in a browser may read, and what no other page may."""

from __future__ import annotations

from urllib.parse import urlsplit

import pytest

from harness.tests.integration.reference.conftest import NewApp, NewInstance
from harness.tests.reference_process import App

ORIGIN = {"origin": "https://app.invalid"}
PUBLIC = (
    "r4/.well-known/smart-configuration",
    ".well-known/openid-configuration",
    "r4/metadata",
    "oauth/jwks",
    "style/smart_v1.json",
)


@pytest.fixture
def modern(new_app: NewApp, new_instance: NewInstance) -> App:
    return new_app(fhir_base=new_instance(smart="2.2.0")["fhir_base"])


@pytest.mark.parametrize("path", PUBLIC)
def test_what_is_public_is_read_from_any_origin(modern: App, path: str) -> None:
    response = modern.machine.get(f"{modern.issuer}/{path}", headers=ORIGIN)
    assert response.status_code == 200
    assert response.headers["access-control-allow-origin"] == "*"
    assert "access-control-allow-credentials" not in response.headers


@pytest.mark.parametrize(
    ("path", "method", "header"),
    [
        *((path, "GET", "accept") for path in PUBLIC),
        ("oauth/token", "POST", "content-type"),
        ("oauth/revoke", "POST", "content-type"),
        ("r4/Observation", "GET", "authorization"),
        ("r4/Observation", "POST", "authorization, content-type, if-none-exist"),
        ("r4/Observation/1", "PUT", "authorization, content-type, if-match"),
    ],
)
def test_a_preflight_is_granted_without_a_token(
    modern: App, path: str, method: str, header: str
) -> None:
    asked = {
        **ORIGIN,
        "access-control-request-method": method,
        "access-control-request-headers": header,
    }
    response = modern.machine.options(f"{modern.issuer}/{path}", headers=asked)
    assert response.status_code == 200
    assert response.headers["access-control-allow-origin"] == "*"
    assert method in response.headers["access-control-allow-methods"]
    allowed = response.headers["access-control-allow-headers"].lower()
    assert set(header.split(", ")) <= set(allowed.split(", "))


def test_a_public_client_in_a_browser_reads_its_token_and_its_data(modern: App) -> None:
    modern.machine.headers.update(ORIGIN)
    code = modern.authorize("patient", "launch/patient patient/*.rs")["code"]
    response = modern.exchange(code)
    assert response.headers["access-control-allow-origin"] == "*"
    token = response.json()
    read = modern.get(f"Patient/{token['patient']}", token["access_token"])
    assert read.headers["access-control-allow-origin"] == "*"
    refused = modern.exchange("BAD_CODE")
    assert refused.headers["access-control-allow-origin"] == "*", "an error is read as well"


@pytest.mark.parametrize("path", ["oauth/authorize", "launch", "manage", "portal/login"])
def test_no_origin_reads_what_a_person_sees(modern: App, path: str) -> None:
    response = modern.machine.get(f"{modern.issuer}/{path}", headers=ORIGIN)
    assert "access-control-allow-origin" not in response.headers


@pytest.mark.parametrize("smart", ["1.0.0", "2.0.0", "2.2.0"])
def test_every_published_url_is_absolute_and_of_the_issuer(
    new_app: NewApp, new_instance: NewInstance, smart: str
) -> None:
    app = new_app(fhir_base=new_instance(smart=smart)["fhir_base"])
    configuration = app.get(".well-known/smart-configuration").json()
    urls = [configuration[each] for each in configuration if each.endswith("_endpoint")]
    assert len(urls) == 5
    assert all(urlsplit(each).scheme == "http" and each.startswith(app.issuer) for each in urls)
