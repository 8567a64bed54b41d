"""A run against the reference EHR that it starts itself, however it ends."""

from __future__ import annotations

import json
import os
import re
import signal
import urllib.error
import urllib.request
from collections.abc import Callable
from pathlib import Path

import pytest

from harness.reference.process import Running
from harness.tests.integration.plugin.conftest import Project, Spawn
from harness.tests.integration.plugin.test_verdicts import MEDIA_TYPE

WRITING_AND_HANGING = (
    MEDIA_TYPE
    + 'def test_created(created):\n    """It SHALL."""\n    expect(created).status(201)\n\n'
    + "@act(last=True)\nasync def forever(run):\n"
    "    import anyio\n    await anyio.sleep_forever()\n\n"
    + MEDIA_TYPE
    + 'def test_forever(forever):\n    """It SHALL."""\n'
)


def answers(base: str) -> bool:
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with opener.open(f"{base}/metadata", timeout=5) as response:
            return bool(response.status == 200)
    except OSError:
        return False


@pytest.fixture
def hanging(project: Project, spawn: Spawn) -> Callable[[], tuple[int, str, Path]]:
    """Starts a run that has written and now waits; gives its pid, FHIR base and folder."""

    def start() -> tuple[int, str, Path]:
        project.suite(WRITING_AND_HANGING)
        process = spawn("--ehr=reference", "--reports=reports", "suites", "-v", "-s")
        base = ""
        for line in process.stdout or ():
            found = re.match(r"base +(\S+)", line)
            base = found.group(1) if found else base
            if line.startswith("passed"):
                break
        assert answers(base)
        return process.pid, base, next((project.folder / "reports/reference").glob("2*"))

    return start


def test_ctrl_c_undoes_what_was_written_and_ends_the_reference(
    hanging: Callable[[], tuple[int, str, Path]],
) -> None:
    pid, base, folder = hanging()
    # As a terminal does: the whole group is interrupted, not only pytest.
    os.killpg(pid, signal.SIGINT)
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 2
    summary = json.loads((folder / "summary.json").read_text())
    assert summary["left_behind"] == []
    journal = [json.loads(each) for each in (folder / "journal.jsonl").read_text().splitlines()]
    events = [each["event"] for each in journal]
    assert events.count("sent") == events.count("undone") > 0
    assert not answers(base)


def test_a_killed_run_leaves_no_reference_behind(
    hanging: Callable[[], tuple[int, str, Path]],
) -> None:
    pid, base, folder = hanging()
    os.kill(pid, signal.SIGKILL)
    os.waitpid(pid, 0)
    for _ in range(100):
        if not answers(base):
            break
    assert not answers(base)
    # What it wrote stands in the journal, for whoever cleans up.
    sent = json.loads((folder / "journal.jsonl").read_text().splitlines()[0])
    assert (sent["event"], sent["method"], sent["type"]) == ("sent", "POST", "Observation")


def test_the_bundled_suites_run_from_an_empty_folder(project: Project) -> None:
    ran = project.run("--ehr=reference", "--reports=reports", "-m", "smart", "-q")
    assert ran.status == 0, ran.out + ran.err
    assert ran.last_line == "complete: yes"
    assert ran.summary["run"]["deselected"] > 0


BACKEND = """
[[clients]]
name = "backend"
id = "harness-backend"
auth = "private_key_jwt"
key = "env:REFERENCE_PRIVATE_KEY"
grants = ["client_credentials"]
scopes = "system/*.rs"
"""


@pytest.mark.parametrize(("patients", "word"), [(["p1-ee5c8c"], "passed"), ([], "not configured")])
def test_where_nobody_launches_a_backend_client_reads_the_patient_that_the_file_names(
    project: Project, reference: Running, patients: list[str], word: str
) -> None:
    name = project.ehr_file(BACKEND, fhir_base=reference.fhir_base, patients=patients)
    options = f"--ehr={name}", "--reports=reports", "-m", "smart", "-k", "backend_token"
    ran = project.run(*options, env={**reference.credentials})
    assert ran.words["backend_token_reads_one_patient"] == word, ran.out + ran.err
