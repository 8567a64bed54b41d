"""How the reference EHR starts, says that it is ready, and ends."""

from __future__ import annotations

import json
import os
import signal
import stat
import subprocess
import sys
import time
from pathlib import Path

import httpx
import pytest

from harness.reference.process import ReferenceFailed, start
from harness.tests.reference_process import App

COMMAND = [sys.executable, "-m", "harness.reference", "--patients=3"]


def run(*options: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*COMMAND, *options], capture_output=True, text=True, check=False, timeout=30
    )


def test_it_is_ready_soon_and_says_all_that_a_user_needs() -> None:
    before = time.monotonic()
    with start(patients=20) as running:
        assert time.monotonic() - before < 10  # 2 on an idle machine; tests share theirs
        assert running.ready["event"] == "ready"
        assert running.ready["pid"] == running.process.pid
        assert running.ready["fhir_base"] == f"{running.ready['public_url']}/r4"
        assert {each["username"] for each in running.ready["users"]} == {
            "patient",
            "family",
            "other",
            "clinician",
        }
        assert json.loads(running.credentials["REFERENCE_PRIVATE_KEY"])["kty"] == "RSA"
        others = {user["username"]: set(user["patients"]) for user in running.ready["users"]}
        assert not others["other"] & (others["patient"] | others["family"])


def test_it_ends_with_its_standard_input() -> None:
    running = start(patients=3)
    assert running.stop() == 0
    assert running.stop() == 0


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_it_ends_on_a_signal(number: signal.Signals) -> None:
    with start(patients=3) as running:
        running.process.send_signal(number)
        assert running.process.wait(10) == 0


def test_it_outlives_a_standard_input_that_is_no_pipe() -> None:
    with subprocess.Popen(
        COMMAND, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout
        assert json.loads(process.stdout.readline())["event"] == "ready"
        assert process.poll() is None
        process.terminate()
        assert process.wait(10) == 0


def test_it_takes_credentials_from_the_environment() -> None:
    environ = {**os.environ, "REFERENCE_PATIENT_PASSWORD": "from-the-environment"}
    with start(patients=3, environ=environ) as running:
        assert running.credentials["REFERENCE_PATIENT_PASSWORD"] == "from-the-environment"
        app = App(running.fhir_base, running.credentials)
        assert app.launch("patient", "launch/patient patient/*.rs")["patient"]
        app.close()


def test_it_writes_credentials_for_a_shell_readable_by_the_owner_only(tmp_path: Path) -> None:
    file = tmp_path / "reference.env"
    file.write_text("older")
    file.chmod(0o644)
    with subprocess.Popen(
        [*COMMAND, f"--env-file={file}"], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as process:
        assert process.stdin
        assert process.stdout
        credentials = json.loads(process.stdout.readline())["credentials"]
        process.stdin.close()
        assert process.wait(10) == 0
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    shell = f". '{file}'; printf %s \"$REFERENCE_PRIVATE_KEY\""
    told = subprocess.run(["/bin/sh", "-c", shell], capture_output=True, text=True, check=True)
    assert told.stdout == credentials["REFERENCE_PRIVATE_KEY"]


def test_nothing_secret_is_in_its_command_line_or_its_log() -> None:
    with subprocess.Popen(
        [*COMMAND, "--verbose"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdin
        assert process.stdout
        assert process.stderr
        ready = json.loads(process.stdout.readline())
        app = App(ready["fhir_base"], ready["credentials"])
        answer = app.launch("patient", "launch/patient offline_access patient/*.rs")
        app.get(f"Patient/{answer['patient']}", answer["access_token"])
        app.close()
        process.stdin.close()
        log = process.stderr.read()
        assert process.wait(10) == 0
    assert "POST /oauth/token 200" in log
    secrets = [*ready["credentials"].values(), ready["control_secret"], app.verifier, app.state]
    secrets += [answer["access_token"], answer["refresh_token"], answer["patient"]]
    assert not [each for each in secrets if each in log]


def test_it_speaks_the_version_and_launches_where_it_is_told_to() -> None:
    uri = "https://app.invalid/start?from=ehr"
    with start(patients=3, smart="1.0.0", launch_uris=[uri]) as running:
        assert running.ready["smart"] == "1.0.0"
        app = App(running.fhir_base, running.credentials)
        response = app.visit("launch", "patient", client_id=app.client_id, launch_uri=uri)
        assert response.headers["location"].startswith(f"{uri}&iss=http%3A")
        assert "permission-v2" not in app.get(".well-known/smart-configuration").text
        app.close()


def test_behind_a_proxy_it_speaks_of_its_public_url() -> None:
    with subprocess.Popen(
        [*COMMAND, "--public-url=https://ehr.invalid/sandbox/", "--port=0"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    ) as process:
        assert process.stdin
        assert process.stdout
        ready = json.loads(process.stdout.readline())
        process.stdin.close()
        assert process.wait(10) == 0
    assert ready["public_url"] == "https://ehr.invalid/sandbox"
    assert ready["fhir_base"] == "https://ehr.invalid/sandbox/r4"


@pytest.mark.parametrize(
    "options",
    [
        ("--fault=no-such-fault",),
        ("--patients=0",),
        ("--port=99999",),
        ("--rate=-1",),
        ("--public-url=ehr.invalid",),
        ("--redirect-uri=javascript:alert(1)",),
        ("--launch-uri=javascript:alert(1)",),
        ("--launch-uri=/launch",),
        ("--env-file=/no/such/folder/file",),
        ("--json",),
    ],
)
def test_a_wrong_option_is_one_line_and_status_4(options: tuple[str, ...]) -> None:
    ended = run(*options)
    assert ended.returncode == 4
    assert ended.stdout == ""
    assert len(ended.stderr.splitlines()) == 1
    assert "Traceback" not in ended.stderr


def test_a_port_in_use_is_a_usage_error() -> None:
    with start(patients=3) as running:
        port = running.ready["public_url"].rpartition(":")[2]
        ended = run(f"--port={port}")
    assert ended.returncode == 4
    assert port in ended.stderr


def test_the_faults_are_listed_for_people_and_for_programs() -> None:
    listed = json.loads(run("--list-faults", "--json").stdout)
    assert listed[0].keys() == {"name", "part", "cause", "alters", "trips"}
    text = run("--list-faults").stdout
    assert all(each["name"] in text and each["cause"] in text for each in listed)
    untripped = {line.split()[0] for line in text.splitlines() if "(tripping nothing yet)" in line}
    assert untripped == {each["name"] for each in listed if not each["trips"]}


def test_the_variants_are_listed_for_people_and_for_programs() -> None:
    listed = json.loads(run("--list-variants", "--json").stdout)
    assert listed[0].keys() >= {"name", "part", "difference", "liberty", "url"}
    text = run("--list-variants").stdout
    assert all(each["name"] in text and each["difference"] in text for each in listed)


def test_the_default_instance_can_have_variants() -> None:
    with start(patients=3, variants=["configuration-with-charset"]) as running:
        answer = httpx.get(f"{running.fhir_base}/.well-known/smart-configuration")
    assert answer.headers["content-type"] == "application/json; charset=utf-8"


def test_a_start_that_fails_says_so() -> None:
    with pytest.raises(ReferenceFailed, match="exit status 4"):
        start(faults=["no-such-fault"])


def test_the_harness_command_runs_the_same_server() -> None:
    program = "import sys; from harness.cli import main; sys.exit(main(sys.argv[1:]))"
    with subprocess.Popen(
        [sys.executable, "-c", program, "reference", "--patients=3"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    ) as process:
        assert process.stdin
        assert process.stdout
        assert json.loads(process.stdout.readline())["event"] == "ready"
        process.stdin.close()
        assert process.wait(10) == 0
