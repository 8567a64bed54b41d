"""Writing from an application and from the command line, against the reference EHR."""

from __future__ import annotations

import asyncio
import json
import re
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from harness.api import KeyTaken, Outbox, WriteDied, queue
from harness.config.paths import fixtures_dir
from harness.config.tenant import load_tenant
from harness.errors import UsageError
from harness.fhir.observations import Measured, body_weight, glucose_series, heart_rate
from harness.reference.process import Running
from harness.tests.integration.sync_site import Site

SCOPES = 'scopes = "system/Patient.rs system/Observation.cruds"\n'
ENABLED = "outbox = { enabled = true }\n"


ABSENT = {"dataAbsentReason": {"text": "error"}}
"""What an EHR refuses beside a value (obs-6), and a schema does not see."""


class Clinic:
    """A tenant that may write."""

    def __init__(self, folder: Path, running: Running, name: str, head: str = ENABLED) -> None:
        self.site = Site(folder, running)
        self.running, self.name = running, name
        base = str(running.instance(name)["fhir_base"])
        found = running.control("GET", f"/instances/{name}/resources/Patient")
        self.patients = sorted(each["id"] for each in found)
        ids = json.dumps(self.patients[:2])
        patients = f'discover = "listed"\nids = {ids}'
        self.file = self.site.backend(name, base, patients=patients)
        self.file.write_text(head + SCOPES + self.file.read_text())

    def rate(self, number: int = 1, value: int = 72, patient: int = 0) -> dict[str, Any]:
        at = datetime(2026, 3, 1, 12, tzinfo=UTC) + timedelta(minutes=number)
        measured = Measured(self.patients[patient], at, ("urn:test", f"m{number}"))
        return heart_rate(measured, value)

    def written(self) -> dict[str, str]:
        """Versions by id of what was added."""
        path = f"/instances/{self.name}/resources/Observation"
        world = self.running.control("GET", "/instances/default/resources/Observation")
        known = {each["id"] for each in world}
        found = self.running.control("GET", path)
        return {each["id"]: each["version"] for each in found if each["id"] not in known}

    def write(self, *words: str) -> tuple[int, dict[str, Any]]:
        status, out, err = self.site.command("write", "--tenant", str(self.file), "--json", *words)
        assert out, err
        value: dict[str, Any] = json.loads(out)
        return status, value

    def ndjson(self, *resources: dict[str, Any]) -> str:
        path = self.site.folder / "readings.ndjson"
        path.write_text("\n".join(map(json.dumps, resources)))
        return str(path)


def test_an_application_submits_corrects_and_retracts(
    tmp_path: Path, reference: Running, monkeypatch: pytest.MonkeyPatch
) -> None:
    clinic = Clinic(tmp_path, reference, "api")
    for name, value in clinic.site.environment().items():
        monkeypatch.setenv(name, value)

    async def session() -> list[str | None]:
        async with Outbox.open(str(clinic.file)) as outbox:
            first = await outbox.submit(clinic.rate(1))
            again = await outbox.submit(clinic.rate(1))
            assert (first.new, again.new, first.entry) == (True, False, again.entry)
            with pytest.raises(KeyTaken):
                await outbox.submit(clinic.rate(1, 99))
            with pytest.raises(UsageError, match="none of tenant"):
                await outbox.submit(clinic.rate(2, patient=3))
            with pytest.raises(UsageError, match="not valid FHIR"):
                await outbox.submit(clinic.rate(3) | {"status": 7})
            written = await outbox.confirmed(first, 30)
            fixed = await outbox.correct(first, clinic.rate(1, 71))
            gone = await outbox.retract(first)
            found = [await outbox.confirmed(each, 30) for each in (fixed, gone)]
            assert {each.id for each in found} == {written.id}
            bad = await outbox.submit(clinic.rate(4) | ABSENT)
            with pytest.raises(WriteDied):
                await outbox.confirmed(bad, 30)
            with pytest.raises(TimeoutError):
                await outbox.confirmed(await outbox.submit(clinic.rate(5)), 0)
            return [written.version, *(each.version for each in found)]

    assert asyncio.run(session()) == ["1", "2", "3"]
    assert "3" in clinic.written().values()


def test_what_is_queued_elsewhere_is_delivered_by_whoever_is_open(
    tmp_path: Path, reference: Running, monkeypatch: pytest.MonkeyPatch
) -> None:
    clinic = Clinic(tmp_path, reference, "elsewhere")
    for name, value in clinic.site.environment().items():
        monkeypatch.setenv(name, value)
    series = Measured(clinic.patients[0], datetime(2026, 3, 1, tzinfo=UTC), ("urn:test", "series"))

    async def session() -> None:
        async with Outbox.open(str(clinic.file)) as one, Outbox.open(str(clinic.file)) as other:
            receipts = [await other.submit(each) for each in glucose_series(series, [90, 95, 101])]
            receipts.append(await asyncio.to_thread(queue, str(clinic.file), clinic.rate(7)))
            for each in receipts:
                assert (await one.confirmed(each, 30)).id == (await other.confirmed(each, 30)).id

    asyncio.run(session())
    assert len(clinic.written()) == 4


def test_a_tenant_that_does_not_say_so_writes_nothing(tmp_path: Path, reference: Running) -> None:
    clinic = Clinic(tmp_path, reference, "off", head="")
    file = clinic.ndjson(clinic.rate())
    status, _, err = clinic.site.command("write", "--tenant", str(clinic.file), file)
    assert status == 4
    assert err.strip().endswith(
        "writing is switched off (where this application may write, add [outbox]"
        " with enabled = true to the file)"
    )
    assert err.count("\n") == 1
    with pytest.raises(UsageError, match="switched off"):
        queue(str(clinic.file), clinic.rate())


def test_the_command_writes_a_file_and_says_what_became_of_each(
    tmp_path: Path, reference: Running
) -> None:
    clinic = Clinic(tmp_path, reference, "command")
    weight = body_weight(_measured(clinic), 72.5)
    file = clinic.ndjson(clinic.rate(1), clinic.rate(2) | ABSENT, weight)
    status, told = clinic.write(file)
    states = [each["state"] for each in told["entries"]]
    assert (status, states) == (1, ["confirmed", "dead", "confirmed"])
    assert len(clinic.written()) == 2
    assert clinic.write(file)[1]["entries"][0]["entry"] == 1, "the same file again writes nothing"
    assert len(clinic.written()) == 2


def _measured(clinic: Clinic) -> Measured:
    at = datetime(2026, 3, 2, tzinfo=UTC)
    return Measured(clinic.patients[1], at, ("urn:test", "weight"))


def test_a_file_with_one_bad_resource_queues_none(tmp_path: Path, reference: Running) -> None:
    clinic = Clinic(tmp_path, reference, "bad")
    file = clinic.ndjson(clinic.rate(1), clinic.rate(2) | {"status": ["x"]})
    status, _, err = clinic.site.command("write", "--tenant", str(clinic.file), file)
    assert status == 4
    assert "line 2: observation: not valid FHIR: status" in err
    assert clinic.write("--list")[1]["entries"] == []


def test_dead_letters_are_listed_taken_up_and_dropped(tmp_path: Path, reference: Running) -> None:
    clinic = Clinic(tmp_path, reference, "letters")
    clinic.file.write_text(clinic.file.read_text().replace("Observation.cruds", "Observation.rs"))
    status, told = clinic.write(clinic.ndjson(clinic.rate(1), clinic.rate(2)))
    assert (status, told["outbox"]["dead"]) == (1, 2)
    assert [each["entry"] for each in clinic.write("--list", "--dead")[1]["entries"]] == [1, 2]
    assert clinic.write("--drop", "2")[0] == 0
    clinic.file.write_text(clinic.file.read_text().replace("Observation.rs", "Observation.cruds"))
    status, told = clinic.write("--retry", "1")
    assert (status, told["entries"][0]["state"], told["outbox"]["dead"]) == (0, "confirmed", 0)


def test_a_sync_delivers_first_and_then_has_what_it_wrote(
    tmp_path: Path, reference: Running
) -> None:
    clinic = Clinic(tmp_path, reference, "first")
    status, told = clinic.write("--queue-only", clinic.ndjson(clinic.rate(1), clinic.rate(2)))
    assert (status, told["outbox"]["open"]) == (7, 2)
    _, out, _ = clinic.site.command("sync", "status", "--tenant", str(clinic.file))
    assert "outbox: 2 queued" in out
    status, account = clinic.site.sync(clinic.file)
    assert (status, account["outbox"]["confirmed"], account["outbox"]["open"]) == (0, 2, 0)
    stored = {id_ for kind, id_ in clinic.site.stored(clinic.file) if kind == "Observation"}
    assert clinic.written().keys() <= stored


def test_real_data_is_told_by_pseudonyms_and_codes(tmp_path: Path, reference: Running) -> None:
    clinic = Clinic(tmp_path, reference, "real")
    text = (fixtures_dir() / "ehrs" / "reference.toml").read_text()
    (tmp_path / "real.toml").write_text(text.replace('data = "synthetic"', 'data = "real"'))
    scoped = clinic.file.read_text().replace("Observation.cruds", "Observation.rs")
    clinic.file.write_text(scoped.replace('ehr = "reference"', 'ehr = "../real.toml"'))
    file = clinic.ndjson(clinic.rate(1))
    _, out, _ = clinic.site.command("write", "--tenant", str(clinic.file), file)
    assert clinic.patients[0] not in out
    assert re.search(r"of patient-\w{10}: dead: status 403 error forbidden\n", out), out


def test_the_example_of_the_documentation_runs(tmp_path: Path, reference: Running) -> None:
    clinic = Clinic(tmp_path, reference, "example")
    page = (Path(__file__).parents[3] / "docs" / "writing.md").read_text()
    code = page.partition("```python\n")[2].partition("```")[0]
    example = tmp_path / "example.py"
    example.write_text(code)
    ended = subprocess.run(
        [sys.executable, str(example), str(clinic.file), clinic.patients[0]],
        env=clinic.site.environment(),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert ended.returncode == 0, ended.stderr
    assert re.fullmatch(r"at the EHR as Observation/\S+\ncorrected: version 2\n", ended.stdout), (
        ended.stdout
    )
    assert load_tenant(str(clinic.file)).outbox.enabled
