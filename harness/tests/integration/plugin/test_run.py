"""Secrets, interrupts, writes, replay, and what a person sees."""

from __future__ import annotations

import json
import re
import secrets
import signal

import pytest

from harness.tests.integration.plugin.conftest import Project, Spawn
from harness.tests.integration.plugin.test_verdicts import (
    ADVICE,
    MEDIA_TYPE,
    PASSING,
    SHOULD,
    WORDS,
)

SIGNED_IN = (
    "@act\nasync def grant(run):\n"
    "    secret = run.secrets.resolve(run.ehr.client('app').secret).reveal()\n"
    "    return await run.http.post_form(run.ehr.fhir_base + '/token', {'client_secret': secret})\n"
    "\n@act\nasync def read(run, grant):\n"
    "    token = grant.json_object()['access_token']\n"
    "    return await run.http.get(run.ehr.fhir_base + '/Patient/1', bearer=token)\n\n"
)
CLIENT = (
    '[[clients]]\nname = "app"\nid = "app"\nauth = "client_secret_post"\n'
    'secret = "env:TINY_SECRET"\nredirect_uri = "http://127.0.0.1:8765/callback"\n'
)


@pytest.fixture
def token(project: Project) -> str:
    value = secrets.token_urlsafe(32)
    project.ehr.answer("/token", {"access_token": value, "token_type": "Bearer"})
    project.ehr.answer("/Patient/1", {"resourceType": "Patient", "id": "1"})
    project.ehr_file(CLIENT)
    return value


def test_no_report_holds_a_secret(project: Project, token: str) -> None:
    project.suite(
        SIGNED_IN + MEDIA_TYPE + "def test_says_it(grant, read):\n"
        '    """It SHALL be told apart."""\n'
        "    expect(read).status(200)\n"
        "    expect(grant).that(False, expected='x', actual=grant.body.decode())\n"
    )
    password = secrets.token_urlsafe(24)
    ran = project.check(TINY_SECRET=password)
    assert ran.status == 1, ran.out + ran.err
    everything = ran.out + ran.err
    assert everything.startswith(f"secrets to {project.ehr.base.removesuffix('/fhir')} and")
    for file in ran.folder.rglob("*"):
        if file.is_file():
            everything += file.read_text(errors="replace")
    assert token not in everything
    assert password not in everything
    assert "access_token-1-redacted" in everything
    assert "Bearer $TOKEN" in everything


def test_3_a_leaking_report_is_removed(project: Project, token: str) -> None:
    project.suite(
        SIGNED_IN + MEDIA_TYPE + "def test_leaks(grant):\n"
        '    """It SHALL stay in memory."""\n'
        "    from pathlib import Path\n"
        "    folder = next(Path('reports/tiny').glob('2*'))\n"
        "    (folder / 'own.txt').write_text(grant.json_object()['access_token'])\n"
    )
    ran = project.check(TINY_SECRET=secrets.token_urlsafe(24))
    assert ran.status == 3, ran.out + ran.err
    assert not (ran.folder / "own.txt").exists()
    assert ran.summary["defects"] == ["own.txt held a secret, and was removed"]


def test_a_missing_secret_is_not_configured(project: Project, token: str) -> None:
    project.suite(PASSING + SIGNED_IN + MEDIA_TYPE + 'def test_it(read):\n    """It SHALL."""\n')
    ran = project.check()
    assert (ran.status, ran.words["it"]) == (0, "not configured")
    assert "env:TINY_SECRET: not found in the environment" in ran.out


HANGING = (
    PASSING + "@act\nasync def slow(run):\n"
    "    import anyio\n"
    "    await run.http.get(run.ehr.fhir_base + '/slow')\n"
    "    await anyio.sleep_forever()\n\n"
    + f'{MEDIA_TYPE}def test_slow(slow):\n    """It SHALL end."""\n'
)


def test_2_an_interrupted_run_still_tells_what_it_knows(project: Project, spawn: Spawn) -> None:
    project.suite(HANGING)
    name = project.ehr_file()
    process = spawn(f"--ehr={name}", "--reports=reports", "suites", "-v")
    for line in process.stdout or ():
        if line.startswith("passed"):
            break
    process.send_signal(signal.SIGINT)
    out, _ = process.communicate(timeout=30)
    assert process.returncode == 2, out
    folder = next((project.folder / "reports" / "tiny").glob("2*"))
    summary = json.loads((folder / "summary.json").read_text())
    assert [each["verdict"] for each in summary["verdicts"]] == ["passed", "not run"]
    assert summary["status"] == {"code": 2, "name": "interrupted"}
    assert not (folder.parent / "latest").exists()
    assert "Traceback" not in out


WRITING = (
    "class Writer:\n"
    "    def __init__(self, run):\n"
    "        self.run = run\n"
    "    async def create(self, resource):\n"
    "        url = self.run.ehr.fhir_base + '/' + resource['resourceType']\n"
    "        return await self.run.http.post_json(url, resource)\n"
    "    async def update(self, resource):\n"
    "        url = f\"{self.run.ehr.fhir_base}/{resource['resourceType']}/{resource['id']}\"\n"
    "        return await self.run.http.put_json(url, resource)\n"
    "    async def delete(self, kind, identity):\n"
    "        return await self.run.http.delete(f'{self.run.ehr.fhir_base}/{kind}/{identity}')\n"
    "    async def read(self, kind, identity):\n"
    "        return await self.run.http.get(f'{self.run.ehr.fhir_base}/{kind}/{identity}')\n\n"
    "@act\nasync def posted(run):\n"
    "    return await run.scratch.create(Writer(run), {'resourceType': 'Observation',\n"
    "        'identifier': [{'system': 'urn:x', 'value': 'one'}]})\n\n"
    f'{MEDIA_TYPE}def test_created(posted):\n    """It SHALL."""\n    expect(posted).status(201)\n'
)


def test_what_was_created_is_deleted_at_the_end(project: Project) -> None:
    project.suite(WRITING)
    project.ehr.answer("POST /Observation", {"resourceType": "Observation", "id": "7"}, status=201)
    project.ehr.answer("DELETE /Observation/7", {}, status=200)
    project.ehr_file(permit=["write"])
    ran = project.check()
    assert ran.status == 0, ran.out + ran.err
    assert project.ehr.requests[-1] == "DELETE /Observation/7"
    journal = [json.loads(each) for each in (ran.folder / "journal.jsonl").read_text().splitlines()]
    assert [each["event"] for each in journal] == ["sent", "done", "undone"]
    assert journal[0]["identifier"] == [{"system": "urn:x", "value": "one"}]


def test_what_cannot_be_undone_is_listed(project: Project) -> None:
    project.suite(WRITING)
    project.ehr.answer("POST /Observation", {"resourceType": "Observation", "id": "7"}, status=201)
    project.ehr.answer("DELETE /Observation/7", {}, status=405)
    project.ehr.answer("PUT /Observation/7", {}, status=403)
    project.ehr_file(permit=["write"])
    ran = project.check()
    left = ["Observation/7: DELETE: 405, entered-in-error: 403"]
    assert ran.summary["left_behind"] == left
    assert left[0] in ran.out


def test_nothing_is_written_without_a_permit(project: Project) -> None:
    project.suite(PASSING + WRITING)
    ran = project.check()
    assert ran.words["created"] == "not permitted"
    assert not any(each.startswith("POST") for each in project.ehr.requests)


def test_a_replay_gives_the_same_verdicts_without_a_request(project: Project, token: str) -> None:
    project.suite(WORDS + SIGNED_IN + MEDIA_TYPE + 'def test_it(read):\n    """It SHALL."""\n')
    live = project.check("--record", TINY_SECRET=secrets.token_urlsafe(24))
    assert live.status == 1, live.out + live.err
    asked = len(project.ehr.requests)
    again = project.run(f"--replay={live.folder}", "--reports=reports", "suites")
    assert again.status == live.status, again.out + again.err
    assert again.words == live.words
    assert len(project.ehr.requests) == asked
    assert token not in (live.folder / "recording.jsonl").read_text()


def test_a_replay_selects_what_was_recorded_and_judges_as_strictly(project: Project) -> None:
    project.suite(PASSING + ADVICE + SHOULD)
    project.suite(PASSING.replace("test_good", "test_other"), "bulk/test_other.py")
    live = project.check("--record", "--strict-should", "-m", "smart")
    assert (live.status, live.words) == (1, {"good": "passed", "should": "failed"})
    again = project.run(f"--replay={live.folder}", "--reports=reports", "suites")
    assert (again.status, again.words) == (live.status, live.words), again.out + again.err


def test_a_base_on_the_command_line_replaces_that_of_the_file(project: Project) -> None:
    project.suite(PASSING)
    name = project.ehr_file(fhir_base="https://ehr.example/r4")
    ran = project.run(
        f"--ehr={name}", f"--ehr-url={project.ehr.base}", "--reports=reports", "suites"
    )
    assert (ran.status, ran.summary["ehr"]["fhir_base"]) == (0, project.ehr.base)
    assert ran.made.parent.name == "tiny" if ran.made else False


def test_4_recording_is_refused_with_real_data(project: Project) -> None:
    project.suite(PASSING)
    project.ehr_file(data="real")
    ran = project.check("--record")
    assert ran.status == 4
    assert "--record is refused: tiny says data = 'real'" in ran.err


def test_with_real_data_no_body_leaves_memory(project: Project, token: str) -> None:
    project.suite(
        SIGNED_IN + MEDIA_TYPE + 'def test_it(read):\n    """It SHALL."""\n'
        "    expect(read).member('name', equals='Smith')\n"
    )
    project.ehr.answer("/Patient/1", {"resourceType": "Patient", "name": "Doe-Recognisable"})
    project.ehr_file(CLIENT, data="real")
    ran = project.check(TINY_SECRET=secrets.token_urlsafe(24))
    assert ran.words == {"it": "failed"}
    files = [each.read_text() for each in ran.folder.rglob("*") if each.is_file()]
    assert "Doe-Recognisable" not in ran.out + "".join(files)
    assert "actual    a string" in ran.out


def test_a_person_reads_header_sections_failures_and_totals(project: Project) -> None:
    project.suite(WORDS)
    out = project.check().out
    assert out.startswith("secrets to nobody: no credentials are configured")
    assert re.search(r"\[11/11\] smart  SMART App Launch, .*: 2 passed, 2 failed, 1 advised", out)
    assert "1. It SHALL be XML." in out
    assert "expected  media type application/xml" in out
    assert "actual    application/json" in out
    assert "where     GET /fhir/.well-known/smart-configuration, exchange 2" in out
    assert "again     curl -i -H 'Accept: application/json' http://127.0.0.1" in out
    assert "\x1b" not in out


def test_quiet_and_verbose(project: Project) -> None:
    project.suite(PASSING)
    quiet = project.check("-q").out.strip().splitlines()
    assert quiet[0].startswith("1 passed in")
    assert quiet[-1] == "complete: yes"
    assert "passed              smart/test_sample.py::test_good" in project.check("-v").out
    assert "\x1b[" in project.check("--color=yes").out


def test_a_url_alone_runs_what_needs_no_credentials(project: Project) -> None:
    project.suite(PASSING + WRITING)
    ran = project.run(f"--ehr-url={project.ehr.base}", "--reports=reports", "suites")
    assert ran.words == {"good": "passed", "created": "not permitted"}
    assert ran.summary["ehr"]["environment"] == "production"
