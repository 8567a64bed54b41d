"""`harness validate` on whatever a file may hold: an answer, one of its statuses, in time."""

from __future__ import annotations

import gzip
import json
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from harness.cli import main
from harness.errors import ExitStatus
from harness.tests.validation.crosscheck import LONG
from harness.tests.validation.mutants import bases

PATIENT = json.dumps(bases()["patient"]).encode()
WEIGHT = json.dumps(bases()["body-weight"]).encode()
DEEP = 200_000
LARGE = 50 * 2**20 if LONG else 2**20
SECONDS = 600
SHOWN = 200_000
"""Bytes of output at most, whatever came in."""


def with_member(resource: bytes, member: bytes) -> bytes:
    return resource[:-1] + b", " + member + b"}"


NOT_VALID: dict[str, Callable[[], bytes]] = {
    "text": lambda: b"this is no JSON",
    "noise": lambda: bytes(range(256)) * 64,
    "half a resource": lambda: PATIENT[: len(PATIENT) // 2],
    "two resources in one line": lambda: PATIENT + PATIENT,
    "a comma too many": lambda: with_member(PATIENT, b'"text": null,'),
    "comments": lambda: b"// a patient\n" + PATIENT,
    "a number alone": lambda: b"42",
    "a string alone": lambda: b'"Patient"',
    "null": lambda: b"null",
    "an array of resources": lambda: b"[" + PATIENT + b"]",
    "UTF-16": lambda: PATIENT.decode().encode("utf-16"),
    "Latin-1": lambda: with_member(PATIENT, '"language": "Zürich"'.encode("latin-1")),
    "half a character": lambda: with_member(PATIENT, rb'"language": "\ud800"'),
    "a member twice": lambda: with_member(PATIENT, b'"gender": "female"'),
    "a member twice, deep within": lambda: PATIENT.replace(
        b'"family"', b'"family": "x", "family"', 1
    ),
    "not a number": lambda: with_member(WEIGHT, b'"valueInteger": NaN'),
    "an infinite number": lambda: with_member(WEIGHT, b'"valueDecimal": -Infinity'),
    "an exponent without end": lambda: with_member(WEIGHT, b'"x": 1e999999999'),
    "a million digits": lambda: with_member(WEIGHT, b'"x": ' + b"9" * 10**6),
    "arrays in arrays": lambda: b"[" * DEEP,
    "arrays in arrays that end": lambda: b"[" * DEEP + b"]" * DEEP,
    "objects in objects": lambda: b'{"a":' * DEEP + b"1" + b"}" * DEEP,
    "a resource with arrays in arrays": lambda: with_member(
        PATIENT, b'"contact": ' + b"[" * DEEP + b"]" * DEEP
    ),
    "NUL bytes": lambda: b"\0" * 10**6,
    "megabytes of white space in a string": lambda: with_member(
        PATIENT, b'"language": "' + b" " * LARGE + b'"'
    ),
    "megabytes of members": lambda: with_member(
        PATIENT, b'"name": [' + b",".join([b'{"family": "x"}'] * (LARGE // 16)) + b', {"use": 1}]'
    ),
    "megabytes without an end of line": lambda: b"a" * LARGE,
    "a line of megabytes between good ones": lambda: (
        WEIGHT + b"\n" + with_member(WEIGHT, b'"x": "' + b"y" * LARGE + b'"') + b"\n" + WEIGHT
    ),
    "half of a gzip file": lambda: gzip.compress(PATIENT)[:-20],
    "something else in gzip": lambda: gzip.compress(b"this is no JSON"),
    "gzip in gzip": lambda: gzip.compress(gzip.compress(PATIENT)),
    "a bomb": lambda: gzip.compress(b" " * 10 * LARGE, 1),
    "a good line and bad ones": lambda: WEIGHT + b"\n{\n\n}\n" + WEIGHT + b"\n[]\n",
}
VALID: dict[str, Callable[[], bytes]] = {
    "a byte order mark": lambda: b"\xef\xbb\xbf" + PATIENT,
    "lines that end in CR LF": lambda: WEIGHT + b"\r\n" + WEIGHT + b"\r\n",
    "empty lines between": lambda: WEIGHT + b"\n\n\n" + WEIGHT,
    "no end of the last line": lambda: WEIGHT + b"\n" + WEIGHT,
    "several lines for one resource": lambda: json.dumps(json.loads(PATIENT), indent=4).encode(),
    "gzip in two members": lambda: gzip.compress(WEIGHT + b"\n") + gzip.compress(WEIGHT),
}


@dataclass
class Command:
    """`harness validate`, called on one file."""

    folder: Path
    output: pytest.CaptureFixture[str]

    def status(self, content: bytes, *options: str) -> int:
        file = self.folder / "input"
        file.write_bytes(content)
        status = main(["validate", *options, str(file)])
        shown = self.output.readouterr()
        assert "Traceback" not in shown.err
        assert len(shown.out) + len(shown.err) < SHOWN
        return status


@pytest.fixture
def command(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Command:
    return Command(tmp_path, capsys)


@pytest.mark.parametrize("options", [(), ("--fast",)], ids=["exact", "fast"])
@pytest.mark.parametrize("kind", NOT_VALID)
def test_what_is_no_valid_resource_is_answered(
    command: Command, kind: str, options: tuple[str, ...]
) -> None:
    status = command.status(NOT_VALID[kind](), *options)
    assert status in {ExitStatus.NOT_CONFORMANT, ExitStatus.USAGE}


@pytest.mark.parametrize("options", [(), ("--fast",)], ids=["exact", "fast"])
@pytest.mark.parametrize("kind", VALID)
def test_what_is_valid_however_it_is_written_is_valid(
    command: Command, kind: str, options: tuple[str, ...]
) -> None:
    assert command.status(VALID[kind](), *options) == ExitStatus.OK


@pytest.mark.parametrize("form", ["json", "outcome"])
def test_output_for_programs_stays_json_whatever_came_in(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], form: str
) -> None:
    for number, make in enumerate(NOT_VALID.values()):
        (tmp_path / f"{number}.json").write_bytes(make())
    assert main(["validate", "--format", form, str(tmp_path)]) != ExitStatus.OK
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) >= len(NOT_VALID)
    assert all(isinstance(json.loads(line), dict) for line in lines)


def test_a_file_that_never_ends_well_ends(tmp_path: Path) -> None:
    """As a process of its own, so that it is not this one that would end."""
    file = tmp_path / "input"
    file.write_bytes(b"".join(make() + b"\n" for make in NOT_VALID.values()))
    code = "import sys; from harness.cli import main; sys.exit(main())"
    done = subprocess.run(
        [sys.executable, "-c", code, "validate", str(file)],
        capture_output=True,
        timeout=SECONDS,
        check=False,
    )
    assert done.returncode in {ExitStatus.NOT_CONFORMANT, ExitStatus.USAGE}
    assert b"Traceback" not in done.stderr
