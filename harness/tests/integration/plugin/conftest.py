"""A tiny EHR on loopback, and pytest runs of sample suites against it as processes of their own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from importlib.metadata import entry_points
from pathlib import Path
from typing import Any, TypeAlias

import pytest

ROOT = Path(__file__).resolve().parents[4]
METADATA = {"resourceType": "CapabilityStatement", "fhirVersion": "4.0.1"}
CONFIGURATION = {"token_endpoint": "http://127.0.0.1/token", "capabilities": ["launch-standalone"]}


@dataclass
class Ehr:
    """What the tiny EHR answers: path -> (status, media type, body or JSON value)."""

    base: str
    answers: dict[str, tuple[int, str, Any]] = field(default_factory=dict)
    requests: list[str] = field(default_factory=list)

    def answer(
        self, path: str, value: Any, status: int = 200, kind: str = "application/json"
    ) -> None:
        self.answers[path] = (status, kind, value)


@pytest.fixture
def ehr() -> Iterator[Ehr]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def _serve(self) -> None:
            size = int(self.headers.get("Content-Length") or 0)
            self.rfile.read(size)
            path = self.path.partition("?")[0].removeprefix("/fhir")
            tiny.requests.append(f"{self.command} {path}")
            status, kind, value = tiny.answers.get(
                f"{self.command} {path}", tiny.answers.get(path, (404, "application/json", {}))
            )
            body = value if isinstance(value, bytes) else json.dumps(value).encode()
            self.send_response(status)
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        do_GET = do_POST = do_PUT = do_DELETE = _serve  # noqa: N815 - the library's names

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        server.daemon_threads = True
        tiny = Ehr(f"http://127.0.0.1:{server.server_address[1]}/fhir")
        tiny.answer("/metadata", METADATA, kind="application/fhir+json")
        tiny.answer("/.well-known/smart-configuration", CONFIGURATION)
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        yield tiny
        server.shutdown()
        thread.join()


@dataclass(frozen=True)
class Ran:
    """How a run ended."""

    status: int
    out: str
    err: str
    made: Path | None

    @property
    def folder(self) -> Path:
        """The folder of the run."""
        assert self.made is not None, self.out + self.err
        return self.made

    @property
    def summary(self) -> dict[str, Any]:
        summary: dict[str, Any] = json.loads((self.folder / "summary.json").read_text())
        return summary

    @property
    def words(self) -> dict[str, str]:
        """Verdict by the name of the check's function."""
        return {
            each["check"].partition("::")[2].removeprefix("test_"): each["verdict"]
            for each in self.summary["verdicts"]
        }

    @property
    def last_line(self) -> str:
        return self.out.strip().splitlines()[-1]

    def results(self) -> dict[str, dict[str, Any]]:
        """Allure results by full name."""
        files = (self.folder / "allure-results").glob("*-result.json")
        found = [json.loads(each.read_text()) for each in files]
        return {each["fullName"]: each for each in found}


def plugin_arguments() -> list[str]:
    """Name the plugin, unless it is installed: naming it a second time crashes pytest."""
    installed = any(each.name == "harness" for each in entry_points(group="pytest11"))
    return [] if installed else ["-p", "harness.plugin"]


def environment(**extra: str) -> dict[str, str]:
    path = os.pathsep.join(filter(None, (str(ROOT), os.environ.get("PYTHONPATH"))))
    return {**os.environ, "PYTHONPATH": path, "COLUMNS": "120", **extra}


@dataclass(frozen=True)
class Project:
    """A folder with suites and EHR files, in which pytest is run."""

    folder: Path
    ehr: Ehr

    def suite(self, text: str, name: str = "smart/test_sample.py") -> Path:
        path = self.folder / "suites" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        head = (
            '"""SMART App Launch, Conformance, "Using .well-known".\n\nLink.\n"""\n'
            "import pytest\n"
            "from harness import Exchange, act, applies_if, configured, expect, permitted\n"
            "from harness import prerequisite, supported_if, verifies\n"
            "from harness.errors import *\n\n"
        )
        path.write_text(head + text)
        return path

    def ehr_file(self, text: str = "", **values: Any) -> str:
        path = self.folder / "fixtures" / "ehrs" / "tiny.toml"
        path.parent.mkdir(parents=True, exist_ok=True)
        head = {"title": "Tiny", "fhir_base": self.ehr.base, "data": "synthetic", **values}
        lines = [f"{name} = {json.dumps(value)}" for name, value in head.items()]
        lines += ["", "[auth]", 'kind = "smart"', "", text]
        path.write_text("\n".join(lines))
        return "tiny"

    def run(self, *args: str, cwd: Path | None = None, env: dict[str, str] | None = None) -> Ran:
        before = set(self._runs())
        done = subprocess.run(
            [sys.executable, "-m", "pytest", *plugin_arguments(), *args],
            cwd=cwd or self.folder,
            env=environment(**(env or {})),
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        new = sorted(set(self._runs()) - before)
        return Ran(done.returncode, done.stdout, done.stderr, new[0] if new else None)

    def check(self, *args: str, **env: str) -> Ran:
        """Run the sample suites against the tiny EHR."""
        name = "tiny" if (self.folder / "fixtures/ehrs/tiny.toml").exists() else self.ehr_file()
        return self.run(f"--ehr={name}", "--reports=reports", "suites", *args, env=env)

    def _runs(self) -> list[Path]:
        found = (self.folder / "reports").glob("*/*")
        return [each for each in found if each.name != "latest" and each.is_dir()]


Spawn: TypeAlias = Callable[..., subprocess.Popen[str]]


@pytest.fixture
def project(tmp_path: Path, ehr: Ehr) -> Project:
    (tmp_path / "pytest.ini").write_text("[pytest]\n")
    return Project(tmp_path, ehr)


@pytest.fixture
def spawn(project: Project) -> Iterator[Spawn]:
    """Start a run and leave it running."""
    started: list[subprocess.Popen[str]] = []

    def _spawn(*args: str) -> subprocess.Popen[str]:
        process = subprocess.Popen(
            [sys.executable, "-m", "pytest", *plugin_arguments(), *args],
            cwd=project.folder,
            env=environment(PYTHONUNBUFFERED="1"),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            process_group=0,
        )
        started.append(process)
        return process

    yield _spawn
    for process in started:
        if process.poll() is None:
            process.kill()
        process.communicate()
