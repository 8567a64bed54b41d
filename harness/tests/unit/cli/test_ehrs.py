from __future__ import annotations

import json
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import pytest
from joserfc.jwk import RSAKey

from harness.cli import main
from harness.config.ehr import AuthKind, ClientAuth, Strategy
from harness.config.load import load_ehr
from harness.errors import ExitStatus

METADATA: dict[str, Any] = {
    "resourceType": "CapabilityStatement",
    "fhirVersion": "4.0.1",
    "software": {"name": 'An "EHR"\x07\n[auth]'},
    "rest": [
        {
            "mode": "server",
            "resource": [
                {
                    "type": "Observation",
                    "interaction": [{"code": "read"}, {"code": "create"}],
                    "searchParam": [{"name": "patient"}, {"name": "_lastUpdated"}],
                }
            ],
        }
    ],
}
CONFIGURATION: dict[str, Any] = {
    "authorization_endpoint": "{base}/authorize",
    "token_endpoint": "{base}/token",
    "capabilities": ["launch-ehr", "permission-offline", 'x"\n]\nkind = "none"'],
    "scopes_supported": ["openid", "offline_access"],
    "token_endpoint_auth_methods_supported": ["private_key_jwt", "client_secret_basic"],
    "grant_types_supported": ["authorization_code", "client_credentials"],
}


class Server:
    """A server on loopback that answers from `answers`: path -> JSON value."""

    def __init__(self) -> None:
        answers: dict[str, Any] = {}
        self.answers = answers

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                value = answers.get(self.path)
                body = json.dumps(value).encode()
                self.send_response(404 if value is None else 200)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, format: str, *args: object) -> None:  # noqa: A002 -- its name
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.base = f"http://127.0.0.1:{self._server.server_port}/r4"
        self._thread = Thread(target=self._server.serve_forever, args=(0.01,))
        self._thread.start()

    def close(self) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()


@pytest.fixture
def server() -> Iterator[Server]:
    running = Server()
    running.answers["/r4/metadata"] = METADATA
    text = json.dumps(CONFIGURATION).replace("{base}", running.base)
    running.answers["/r4/.well-known/smart-configuration"] = json.loads(text)
    yield running
    running.close()


@pytest.fixture(autouse=True)
def _elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("EPIC_CLIENT_ID", "EPIC_USERNAME", "EPIC_PASSWORD"):
        monkeypatch.delenv(name, raising=False)


def file_for(base: str, folder: Path) -> Path:
    path = folder / "own.toml"
    path.write_text(f'title = "Own"\nfhir_base = "{base}"\n[auth]\nkind = "smart"\n')
    return path


def test_the_table_has_a_row_per_file_with_its_readiness(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert main(["ehrs"]) == ExitStatus.OK
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].split() == [
        "NAME",
        "TITLE",
        "BASE",
        "AUTH",
        "ENVIRONMENT",
        "PERMIT",
        "READY",
    ]
    ready = {line.split()[0]: line.split()[-1] for line in lines[1:]}
    assert ready["reference"] == "yes"
    assert ready["cerner-open"] == "yes"
    assert ready["epic-sandbox"] == "no"


def test_an_ehr_file_is_ready_once_its_variables_are_set(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("EPIC_CLIENT_ID", "EPIC_USERNAME", "EPIC_PASSWORD"):
        monkeypatch.setenv(name, "x")
    assert main(["ehrs", "--json"]) == ExitStatus.OK
    rows = {row["name"]: row for row in json.loads(capsys.readouterr().out)}
    assert rows["epic-sandbox"]["ready"] is True
    assert main(["ehrs", "check", "epic-sandbox"]) == ExitStatus.OK


def test_a_broken_file_does_not_hide_the_others(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    folder = tmp_path / "fixtures" / "ehrs"
    folder.mkdir(parents=True)
    (folder / "broken.toml").write_text("title =")
    assert main(["ehrs"]) == ExitStatus.USAGE
    out, err = capsys.readouterr()
    assert "reference" in out
    assert err.startswith("fixtures/ehrs/broken.toml: not TOML")


def test_check_says_what_is_missing_and_what_will_be_skipped(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert main(["ehrs", "check", "epic-sandbox", "--json"]) == ExitStatus.USAGE
    report = json.loads(capsys.readouterr().out)
    assert report["ready"] is False
    assert [each["path"] for each in report["missing"]] == [
        "headers.Epic-Client-ID",
        "clients[0].id",
        "logins[0].username",
        "logins[0].password",
    ]
    assert any("write" in line for line in report["skipped"])


def test_check_tells_a_key_that_cannot_sign(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    path = file_for("https://ehr.example/r4", tmp_path)
    with path.open("a") as file:
        file.write(
            '[[clients]]\nname = "a"\nid = "a"\nauth = "private_key_jwt"\nkey = "env:OWN_KEY"\n'
            'redirect_uri = "https://a.example/cb"\n'
        )
    monkeypatch.setenv("OWN_KEY", "no key at all")
    assert main(["ehrs", "check", str(path)]) == ExitStatus.USAGE
    out = capsys.readouterr().out
    assert "missing  clients[0].key: env:OWN_KEY: " in out
    assert "no key at all" not in out
    monkeypatch.setenv("OWN_KEY", json.dumps(RSAKey.generate_key(2048).as_dict(private=True)))
    assert main(["ehrs", "check", str(path)]) == ExitStatus.OK


def test_check_needs_no_network_by_itself(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["ehrs", "check", "cerner-open"]) == ExitStatus.OK
    assert "ready: yes" in capsys.readouterr().out


def test_check_online_names_the_endpoints_and_where_they_were_found(
    capsys: pytest.CaptureFixture[str], server: Server, tmp_path: Path
) -> None:
    path = file_for(server.base, tmp_path)
    assert main(["ehrs", "check", str(path), "--online"]) == ExitStatus.OK
    out = capsys.readouterr().out
    assert f"FHIR 4.0.1 at {server.base}" in out
    assert f"token_endpoint: {server.base}/token, from smart-configuration" in out


def test_check_online_misses_endpoints_that_nobody_names(
    capsys: pytest.CaptureFixture[str], server: Server, tmp_path: Path
) -> None:
    del server.answers["/r4/.well-known/smart-configuration"]
    path = file_for(server.base, tmp_path)
    assert main(["ehrs", "check", str(path), "--online"]) == ExitStatus.USAGE
    assert "token_endpoint: no source has it" in capsys.readouterr().out


def test_check_online_of_another_fhir_version_is_not_ready(
    capsys: pytest.CaptureFixture[str], server: Server, tmp_path: Path
) -> None:
    server.answers["/r4/metadata"] = METADATA | {"fhirVersion": "3.0.2"}
    path = file_for(server.base, tmp_path)
    assert main(["ehrs", "check", str(path), "--online"]) == ExitStatus.USAGE
    assert "expected fhirVersion 4.0.1, got 3.0.2" in capsys.readouterr().out


def test_check_online_without_an_answer_is_status_6(
    capsys: pytest.CaptureFixture[str], server: Server, tmp_path: Path
) -> None:
    path = file_for("http://127.0.0.1:9/r4", tmp_path)
    assert main(["ehrs", "check", str(path), "--online"]) == ExitStatus.UNREACHABLE
    assert "ready: no" in capsys.readouterr().out


def test_new_writes_a_file_that_lacks_only_secrets(
    capsys: pytest.CaptureFixture[str], server: Server, tmp_path: Path
) -> None:
    assert main(["ehrs", "new", "my-ehr", "--url", f"{server.base}/"]) == ExitStatus.OK
    path = tmp_path / "fixtures" / "ehrs" / "my-ehr.toml"
    assert str(path.relative_to(tmp_path)) in capsys.readouterr().out
    ehr = load_ehr("my-ehr")
    assert ehr.fhir_base == server.base
    assert ehr.title == 'An "EHR" [auth]'
    assert ehr.auth.kind is AuthKind.SMART
    assert ehr.clients[0].auth is ClientAuth.SECRET_BASIC
    assert ehr.launches[0].scopes[-2:] == ("patient/Patient.rs", "patient/Observation.rs")
    assert "offline_access" in ehr.launches[0].scopes
    assert ehr.sync.strategy is Strategy.LAST_UPDATED
    assert ehr.permit == frozenset()
    assert main(["ehrs", "check", "my-ehr", "--json"]) == ExitStatus.USAGE
    missing = {each["path"] for each in json.loads(capsys.readouterr().out)["missing"]}
    references = {key for key, ref in ehr.references() if ref.name.startswith("MY_EHR_")}
    assert missing == references


def test_new_takes_a_name_that_starts_with_a_digit(server: Server) -> None:
    assert main(["ehrs", "new", "3m", "--url", server.base]) == ExitStatus.OK
    assert {ref.name for _, ref in load_ehr("3m").references()} >= {"EHR_3M_CLIENT_ID"}


def test_new_describes_a_server_without_authorization(server: Server, tmp_path: Path) -> None:
    del server.answers["/r4/.well-known/smart-configuration"]
    output = tmp_path / "out"
    argv = ["ehrs", "new", "open", "--url", server.base, "--output", str(output)]
    assert main(argv) == ExitStatus.OK
    ehr = load_ehr(str(output / "open.toml"))
    assert ehr.auth.kind is AuthKind.NONE
    assert ehr.clients == ()


@pytest.mark.parametrize(
    "metadata",
    [
        None,
        [],
        {"fhirVersion": "5.0.0"},
        {"fhirVersion": 4},
        {"resourceType": "Patient"},
    ],
)
def test_new_refuses_what_is_no_r4_server(
    capsys: pytest.CaptureFixture[str], server: Server, tmp_path: Path, metadata: Any
) -> None:
    server.answers["/r4/metadata"] = metadata
    assert main(["ehrs", "new", "a", "--url", server.base]) == ExitStatus.USAGE
    (line,) = capsys.readouterr().err.splitlines()
    assert "GET /r4/metadata" in line
    assert not (tmp_path / "fixtures").exists()


def test_new_survives_a_statement_of_the_wrong_shape(server: Server, tmp_path: Path) -> None:
    server.answers["/r4/metadata"] = {
        "fhirVersion": "4.0.1",
        "software": "x",
        "rest": [None, {"security": [], "resource": [{"type": "Observation", "interaction": 3}]}],
    }
    server.answers["/r4/.well-known/smart-configuration"] = {"capabilities": [1, "launch-ehr"]}
    assert main(["ehrs", "new", "odd", "--url", server.base]) == ExitStatus.OK
    assert load_ehr("odd").auth.kind is AuthKind.SMART


def test_new_never_overwrites(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    folder = tmp_path / "fixtures" / "ehrs"
    folder.mkdir(parents=True)
    (folder / "mine.toml").write_text("mine")
    argv = ["ehrs", "new", "mine", "--url", "https://a.example/r4"]
    assert main(argv) == ExitStatus.USAGE
    assert "exists" in capsys.readouterr().err
    assert (folder / "mine.toml").read_text() == "mine"


@pytest.mark.parametrize("kind", ["ehr", "tenant"])
def test_schema_prints_the_published_schema(capsys: pytest.CaptureFixture[str], kind: str) -> None:
    assert main(["ehrs", "schema", kind]) == ExitStatus.OK
    assert json.loads(capsys.readouterr().out)["$id"] == f"urn:fhir-harness:schema:{kind}:1"
