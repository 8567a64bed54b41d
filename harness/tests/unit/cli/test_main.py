from __future__ import annotations

import argparse
import os
import subprocess
import sys
from collections.abc import Callable
from importlib.util import find_spec
from types import ModuleType
from typing import Any

import pytest

from harness import __version__, cli
from harness.cli import Command, main
from harness.config.paths import reports_dir, suites_dir
from harness.errors import EhrUnreachable, ExitStatus, SyncIncomplete


@pytest.fixture
def command(monkeypatch: pytest.MonkeyPatch) -> Callable[[Callable[..., int]], None]:
    """Makes `harness probe` call the function given."""

    def install(function: Callable[..., int]) -> None:
        def register(subparsers: Any) -> None:
            subparsers.add_parser("probe").set_defaults(run=function)

        module = ModuleType("harness.cli.probe")
        module.__spec__ = find_spec("harness.cli.ehrs")
        module.register = register  # type: ignore[attr-defined]
        monkeypatch.setitem(sys.modules, "harness.cli.probe", module)
        monkeypatch.setitem(cli.COMMANDS, "probe", Command("probe", "a probe"))

    return install


def raising(error: BaseException) -> Callable[[argparse.Namespace], int]:
    def run(_: argparse.Namespace) -> int:
        raise error

    return run


def test_help_lists_the_commands_that_are_installed(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--help"]) == ExitStatus.OK
    out = capsys.readouterr().out
    assert "list, check and write EHR files" in out
    assert "{" not in out


def test_help_imports_no_command_and_no_heavy_library() -> None:
    code = (
        "import sys; from harness.cli import main; main(['--help']); "
        "print([m for m in sys.modules if m.startswith('harness.cli.') or "
        "m in ('httpx', 'jsonschema', 'pytest', 'rich', 'anyio', 'starlette')], file=sys.stderr)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stderr.strip() == "[]"


def test_version_is_that_of_the_package(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--version"]) == ExitStatus.OK
    assert capsys.readouterr().out == f"harness {__version__}\n"


def test_no_command_is_a_usage_error(capsys: pytest.CaptureFixture[str]) -> None:
    assert main([]) == ExitStatus.USAGE
    assert "COMMAND" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("argv", "words"),
    [
        (["erhs"], "no command 'erhs' (did you mean 'ehrs'?)"),
        (["ehrs", "chek"], "invalid choice: 'chek'"),
        (["ehrs", "check"], "NAME"),
        (["ehrs", "--jsn"], "--jsn"),
        (["ehrs", "check", "Nope"], "is no name"),
        (["ehrs", "new", "..", "--url", "https://a.example"], "is no name"),
        (["--nope"], "--nope"),
        (["run", "-m", "smart"], "expected --ehr=NAME"),
    ],
)
def test_wrong_usage_is_one_line_and_status_4(
    capsys: pytest.CaptureFixture[str], argv: list[str], words: str
) -> None:
    assert main(argv) == ExitStatus.USAGE
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("harness")
    assert words in line


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (EhrUnreachable("https://a.example: no answer"), 6),
        (SyncIncomplete("two patients missing"), 7),
        (KeyboardInterrupt(), 2),
        (ZeroDivisionError("a secret could be quoted here"), 3),
    ],
)
def test_what_ends_a_command_is_one_line_and_its_own_status(
    capsys: pytest.CaptureFixture[str],
    command: Callable[[Callable[..., int]], None],
    error: BaseException,
    status: int,
) -> None:
    command(raising(error))
    assert main(["probe"]) == status
    (line,) = capsys.readouterr().err.splitlines()
    assert "Traceback" not in line
    assert "a secret" not in line


def test_a_missing_optional_package_is_named(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def missing(_: str) -> ModuleType:
        raise ModuleNotFoundError("No module named 'keyring'", name="keyring")

    monkeypatch.setattr(cli, "import_module", missing)
    assert main(["ehrs"]) == ExitStatus.USAGE
    assert "the package 'keyring' is not installed" in capsys.readouterr().err


def test_a_command_whose_module_is_not_there_is_no_command(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(cli.COMMANDS, "later", Command("not_written_yet", "later"))
    assert main(["later"]) == ExitStatus.USAGE
    assert "no command 'later'" in capsys.readouterr().err


def test_the_status_of_a_command_is_passed_on(
    command: Callable[[Callable[..., int]], None],
) -> None:
    command(lambda _: ExitStatus.INCOMPLETE)
    assert main(["probe"]) == ExitStatus.INCOMPLETE


def test_a_reader_that_goes_away_causes_no_traceback() -> None:
    code = "import sys; from harness.cli import main; sys.exit(main(['ehrs', 'schema']))"
    read, write = os.pipe()
    os.close(read)
    done = subprocess.run(
        [sys.executable, "-c", code], stdout=write, stderr=subprocess.PIPE, text=True, check=False
    )
    os.close(write)
    assert done.stderr == ""
    assert done.returncode == 141


def test_run_passes_every_option_on_to_pytest(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[str] = []

    def fake(args: list[str]) -> int:
        seen.extend(args)
        return 5

    monkeypatch.setattr(pytest, "main", fake)
    assert main(["run", "--ehr=reference", "-m", "smart", "-x", "--version"]) == 5
    assert seen[0] == str(suites_dir())
    assert seen[1:3] == ["-o", f"cache_dir={reports_dir() / '.pytest_cache'}"]
    assert seen[3:] == ["--ehr=reference", "-m", "smart", "-x", "--version"]


def test_run_explains_itself(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["run", "--help"]) == ExitStatus.OK
    assert "--ehr=reference" in capsys.readouterr().out
