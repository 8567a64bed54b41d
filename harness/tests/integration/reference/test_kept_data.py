"""What a reference EHR with a file keeps, however its process ends."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from harness.reference.process import Running, start
from harness.tests.unit.reference.fhir_doubles import weight

RESOURCES = "/instances/{}/resources"
OBSERVATIONS = "/instances/{}/resources/Observation"


def write(running: Running, resource: dict[str, Any], name: str = "default") -> dict[str, Any]:
    return dict(running.control("POST", RESOURCES.format(name), resource))


def truth(running: Running, name: str = "default") -> dict[str, tuple[str, str]]:
    found = running.control("GET", OBSERVATIONS.format(name))
    return {one["id"]: (one["version"], one["lastUpdated"]) for one in found}


@pytest.mark.parametrize("end", ["kill", "stop"])
def test_writes_survive_the_process(tmp_path: Path, end: str) -> None:
    file = tmp_path / "ehr.db"
    with start(patients=3, data=file) as running:
        patient = running.ready["users"][0]["patients"][0]
        first = write(running, weight(patient))
        write(running, weight(patient, id=first["id"], status="amended"))
        write(running, weight(patient, id=f"{patient}-bp-1"))
        running.instance("beside")
        apart = write(running, weight(patient), "beside")
        before = truth(running)
        if end == "kill":
            running.process.kill()
            running.process.wait(10)
    with start(patients=3, data=file) as running:
        assert running.ready["users"][0]["patients"][0] == patient
        assert truth(running) == before
        assert before[first["id"]][0] == "2"
        assert apart["id"] not in before
        assert write(running, weight(patient))["lastUpdated"] > max(
            stamp for _, stamp in before.values()
        )


def test_an_instance_that_replaces_the_default_leaves_the_file_alone(tmp_path: Path) -> None:
    file = tmp_path / "ehr.db"
    with start(patients=3, data=file) as running:
        patient = running.ready["users"][0]["patients"][0]
        kept = write(running, weight(patient))
        running.instance("default")
        lost = write(running, weight(patient))
        assert kept["id"] not in truth(running)
    with start(patients=3, data=file) as running:
        assert kept["id"] in truth(running)
        assert lost["id"] not in truth(running)


@pytest.mark.parametrize(
    ("option", "hint"),
    [("--patients=4", "--seed 1 --patients 3"), ("--seed=2", "--seed 1 --patients 3")],
)
def test_a_file_of_other_patients_is_refused(tmp_path: Path, option: str, hint: str) -> None:
    file = tmp_path / "ehr.db"
    with start(patients=3, data=file):
        pass
    command = [sys.executable, "-m", "harness.reference", "--patients=3", f"--data={file}", option]
    ended = subprocess.run(command, capture_output=True, text=True, check=False, timeout=30)
    assert ended.returncode == 4
    assert hint in ended.stderr
    assert "Traceback" not in ended.stderr


def test_a_file_in_use_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "ehr.db"
    with start(patients=3, data=file):
        command = [sys.executable, "-m", "harness.reference", "--patients=3", f"--data={file}"]
        ended = subprocess.run(command, capture_output=True, text=True, check=False, timeout=30)
    assert ended.returncode == 4
    assert "--data" in ended.stderr
    assert "Traceback" not in ended.stderr
