"""`harness validate` from its arguments to its output and exit status."""

from __future__ import annotations

import gzip
import io
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from fhir.resources.R4B.operationoutcome import OperationOutcome

from harness.cli import main
from harness.errors import ExitStatus

WEIGHT: dict[str, Any] = {
    "resourceType": "Observation",
    "id": "weight",
    "meta": {
        "profile": ["http://hl7.org/fhir/us/core/StructureDefinition/us-core-body-weight|6.1.0"]
    },
    "text": {
        "status": "generated",
        "div": '<div xmlns="http://www.w3.org/1999/xhtml">72.5 kg</div>',
    },
    "status": "final",
    "category": [
        {
            "coding": [
                {
                    "system": "http://terminology.hl7.org/CodeSystem/observation-category",
                    "code": "vital-signs",
                }
            ]
        }
    ],
    "code": {"coding": [{"system": "http://loinc.org", "code": "29463-7"}]},
    "subject": {"reference": "Patient/a"},
    "effectiveDateTime": "2026-01-02T08:00:00-05:00",
    "valueQuantity": {
        "value": 72.5,
        "unit": "kg",
        "system": "http://unitsofmeasure.org",
        "code": "kg",
    },
}


def weight(**changed: Any) -> bytes:
    return json.dumps({**WEIGHT, **changed}).encode()


class _Stdin:
    def __init__(self, data: bytes) -> None:
        self.buffer = io.BytesIO(data)


@pytest.mark.parametrize("extra", [[], ["--fast"]])
def test_a_valid_resource_is_valid(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], extra: list[str]
) -> None:
    file = tmp_path / "weight.json"
    file.write_bytes(weight())
    assert main(["validate", str(file), *extra]) == ExitStatus.OK
    assert "1 resource by FHIR R4 and US Core 6.1.0: valid" in capsys.readouterr().out


@pytest.mark.parametrize("extra", [[], ["--fast"]])
def test_an_invalid_line_is_told_with_its_number(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], extra: list[str]
) -> None:
    lines = [weight(), weight(status="done"), b"{", weight(subject={"reference": "Device/a"})]
    for name, data in (("a.ndjson", b"\n".join(lines)), ("a.gz", gzip.compress(b"\n".join(lines)))):
        file = tmp_path / name
        file.write_bytes(data)
        assert main(["validate", str(file), *extra]) == ExitStatus.NOT_CONFORMANT
        out = capsys.readouterr().out
        assert f"{file}:2  Observation/weight" in out
        assert "Observation.status" in out
        assert f"{file}:3  no resource" in out
        assert f"{file}:4  Observation/weight" in out
        assert "4 resources by FHIR R4 and US Core 6.1.0: 3 not valid" in out


def test_standard_input_is_read(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "stdin", _Stdin(weight() + b"\n" + weight(id="b")))
    assert main(["validate", "-"]) == ExitStatus.OK
    assert "2 resources" in capsys.readouterr().out


def test_a_bundle_is_told_by_its_entries(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    entries = [
        {"fullUrl": "https://e.org/Observation/a", "resource": {**WEIGHT, "id": "a"}},
        {
            "fullUrl": "https://e.org/Observation/b",
            "resource": {**WEIGHT, "id": "b", "status": "?"},
        },
    ]
    file = tmp_path / "bundle.json"
    file.write_text(
        json.dumps({"resourceType": "Bundle", "type": "collection", "entry": entries}, indent=1)
    )
    assert main(["validate", str(file)]) == ExitStatus.NOT_CONFORMANT
    out = capsys.readouterr().out
    assert f"{file}  Observation/b" in out
    assert "Bundle.entry[1].resource.status" in out


def test_a_folder_is_read_with_all_that_looks_like_resources(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "below").mkdir()
    (tmp_path / "below" / "a.json").write_bytes(weight())
    (tmp_path / "b.ndjson.gz").write_bytes(gzip.compress(weight() + b"\n" + weight()))
    (tmp_path / "notes.txt").write_text("no resource")
    assert main(["validate", str(tmp_path)]) == ExitStatus.OK
    assert "3 resources" in capsys.readouterr().out


def test_a_script_gets_json_lines(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "a.json"
    file.write_bytes(weight(status="done"))
    assert main(["validate", "--format", "json", str(file)]) == ExitStatus.NOT_CONFORMANT
    *found, last = map(json.loads, capsys.readouterr().out.splitlines())
    assert [each["path"] for each in found] == ["Observation.status"]
    assert last["summary"]["invalid"] == 1


def test_fhir_software_gets_operation_outcomes(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "a.ndjson"
    file.write_bytes(weight(status="done") + b"\n" + weight() + b"\n" + weight(id="?"))
    assert main(["validate", "--format", "outcome", str(file)]) == ExitStatus.NOT_CONFORMANT
    lines = capsys.readouterr().out.splitlines()
    made = [OperationOutcome.model_validate_json(each) for each in lines]
    assert [each.issue[0].expression for each in made] == [
        ["Observation.status"],
        ["Observation.id"],
    ]


def test_an_asked_for_profile_is_held_against_everything(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    url = "http://hl7.org/fhir/us/core/StructureDefinition/us-core-heart-rate"
    file = tmp_path / "a.json"
    file.write_bytes(weight())
    for extra in ([], ["--fast"]):
        assert main(["validate", "--profile", url, str(file), *extra]) == ExitStatus.NOT_CONFORMANT
        assert url in capsys.readouterr().out


def test_a_profile_that_nobody_declares_is_chosen_by_type_category_and_code(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "a.json"
    wrong = {**WEIGHT["valueQuantity"], "code": "t"}
    file.write_bytes(weight(meta={"versionId": "1"}, valueQuantity=wrong))
    for extra in ([], ["--fast"]):
        assert main(["validate", str(file), *extra]) == ExitStatus.NOT_CONFORMANT
        assert "us-core-body-weight" in capsys.readouterr().out
        assert main(["validate", "--no-select", str(file), *extra]) == ExitStatus.OK
        capsys.readouterr()


def test_must_support_that_no_resource_had_is_listed(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "a.ndjson"
    patient = {
        "resourceType": "Patient",
        "name": [{"family": "Frost"}],
        "gender": "female",
        "identifier": [{"system": "http://example.org", "value": "1"}],
    }
    file.write_bytes(weight() + b"\n" + json.dumps(patient).encode())
    assert main(["validate", "--must-support", "--fast", str(file)]) == ExitStatus.OK
    out = capsys.readouterr().out
    assert "us-core-body-weight: every must-support element was there" in out
    assert "us-core-patient: " in out
    assert "must-support elements were in no resource" in out
    assert "\n  Patient.birthDate\n" in out
    assert "\n  Patient.gender\n" not in out


def test_profiles_of_a_package_can_be_declared(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HARNESS_CACHE", str(tmp_path / "cache"))
    url = "http://example.org/StructureDefinition/firm-weight"
    package = tmp_path / "one" / "package"
    package.mkdir(parents=True)
    about = {"name": "org.example", "version": "1.0.0", "fhirVersions": ["4.0.1"]}
    (package / "package.json").write_text(json.dumps(about))
    root = {"id": "Observation", "path": "Observation"}
    issued = {"id": "Observation.issued", "path": "Observation.issued", "min": 1}
    profile = {
        "resourceType": "StructureDefinition",
        "url": url,
        "name": "FirmWeight",
        "title": "Firm weight",
        "status": "active",
        "version": "1.0.0",
        "kind": "resource",
        "abstract": False,
        "type": "Observation",
        "baseDefinition": "http://hl7.org/fhir/StructureDefinition/Observation",
        "derivation": "constraint",
        "differential": {"element": [root, issued]},
    }
    (package / "StructureDefinition-firm-weight.json").write_text(json.dumps(profile))
    file = tmp_path / "a.json"
    file.write_bytes(weight(meta={"profile": [url]}))
    for extra in ([], ["--fast"]):
        words = ["validate", "--package", str(tmp_path / "one"), str(file), *extra]
        assert main(words) == ExitStatus.NOT_CONFORMANT
        out = capsys.readouterr().out
        assert "Observation.issued" in out
        assert url in out


@pytest.mark.parametrize(
    ("argv", "words"),
    [
        (["nowhere.json"], "cannot be read"),
        (["."], "no file to validate"),
        (["--us-core", "9.9.9", "-"], "no version '9.9.9'"),
        (["--profile", "http://e.org/nope", "-"], "not among the definitions"),
        (["--limit", "-1", "-"], "whole number"),
        (["--package", "org.example.nowhere#1.0.0", "-"], "neither ships nor is installed"),
        ([], "FILE"),
    ],
)
def test_wrong_usage_is_said_in_one_line(
    argv: list[str],
    words: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "stdin", _Stdin(b"{}"))
    assert main(["validate", *argv]) == ExitStatus.USAGE
    captured = capsys.readouterr()
    assert words in captured.err
    assert captured.err.count("\n") == 1
    assert not captured.out


def test_nothing_to_validate_is_never_valid(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "empty.ndjson"
    file.write_bytes(b"\n \n")
    assert main(["validate", str(file)]) == ExitStatus.USAGE
    assert "nothing to validate" in capsys.readouterr().err


def test_without_the_engine_fast_says_so_and_finds_the_same(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("harness.validation.fast.filters.jsonschema_rs", None)
    file = tmp_path / "a.json"
    file.write_bytes(weight(status="done"))
    assert main(["validate", "--fast", str(file)]) == ExitStatus.NOT_CONFORMANT
    out = capsys.readouterr().out
    assert "fhir-harness[fast]" in out
    assert "Observation.status" in out


@pytest.mark.parametrize("status", ["final", "done"])
def test_a_terminal_is_told_how_far_it_is(
    status: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    err = Terminal()
    seconds = iter(range(100_000))
    monkeypatch.setattr(sys, "stderr", err)
    monkeypatch.setattr("time.monotonic", lambda: float(next(seconds)))
    file = tmp_path / "a.ndjson"
    file.write_bytes(b"\n".join([weight(status=status)] * 300))
    assert main(["validate", str(file)]) == (status != "final")
    assert "resources" in err.getvalue()
    assert "100 %" in err.getvalue()
    assert err.getvalue().endswith("\r\x1b[K")


def test_a_closed_pipe_ends_it_quietly(tmp_path: Path) -> None:
    file = tmp_path / "a.ndjson"
    file.write_bytes(b"\n".join([weight(status="done")] * 5000))
    code = "import sys; from harness.cli import main; sys.exit(main())"
    words = [sys.executable, "-c", code, "validate", "--limit", "0", str(file)]
    with subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.readline()
        process.stdout.close()
        assert process.stderr.read() == b""
        assert process.wait() == 141


def test_one_resource_needs_no_heavy_library(tmp_path: Path) -> None:
    file = tmp_path / "a.json"
    file.write_bytes(weight())
    code = (
        "import sys; from harness.cli import main; main(['validate', sys.argv[1]]); "
        "print([m for m in sys.modules if m in ('httpx', 'jsonschema', 'jsonschema_rs', 'pytest', "
        "'rich', 'anyio', 'asyncio', 'cryptography', 'fhir')], file=sys.stderr)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, str(file)], capture_output=True, text=True, check=True
    )
    assert done.stderr.strip() == "[]"
