"""Build the wheel and run it elsewhere: from an empty folder, and inside a foreign project."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import venv
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
FOREIGN = """\
[tool.pytest.ini_options]
addopts = ["-q", "--strict-markers", "--strict-config", "-p", "no:cacheprovider"]
testpaths = ["tests"]
markers = ["slow: of the foreign project"]
"""

DEFINITIONS = """\
from harness.spec.definitions import load, shipped
for each in shipped():
    definitions = load(*each)
    print(each, len(definitions.types), len(definitions.profiles), len(definitions.value_sets))
assert len(shipped()) == 7
"""


def call(*command: str | Path, cwd: Path) -> str:
    """Run a command to success, in an environment without this clone on its paths."""
    environ = {k: v for k, v in os.environ.items() if k not in {"PYTHONPATH", "VIRTUAL_ENV"}}
    print("$", " ".join(map(str, command)), flush=True)
    done = subprocess.run(
        list(map(str, command)), cwd=cwd, env=environ, capture_output=True, text=True, check=False
    )
    if done.returncode:
        sys.exit(f"{done.stdout}\n{done.stderr}\nstatus {done.returncode}")
    return done.stdout


def conformance(scripts: Path, folder: Path) -> None:
    """`pytest --ehr=reference` and `harness run` in a folder that knows nothing of the harness."""
    call(scripts / "pytest", "--ehr=reference", "--require-complete", cwd=folder)
    call(scripts / "harness", "run", "--ehr=reference", cwd=folder)
    summary = json.loads((folder / "reports/reference/latest/summary.json").read_text())
    if summary["status"]["code"] != 0:
        sys.exit(f"the wheel's own run ended with {summary['status']}")


def main() -> None:
    """Build once, install into a fresh environment, run in two places."""
    with tempfile.TemporaryDirectory() as name:
        work = Path(name)
        call(sys.executable, "-m", "build", "--wheel", "--outdir", work, ROOT, cwd=work)
        venv.create(work / "venv", with_pip=True)
        scripts = work / "venv" / "bin"
        wheel = next(work.glob("*.whl"))
        constraints = ROOT / ".constraints" / "dev.txt"
        call(scripts / "pip", "install", "--quiet", "-c", constraints, wheel, cwd=work)

        empty = work / "empty"
        empty.mkdir()
        conformance(scripts, empty)

        foreign = work / "foreign"
        (foreign / "tests").mkdir(parents=True)
        (foreign / "pyproject.toml").write_text(FOREIGN)
        (foreign / "tests" / "test_own.py").write_text("def test_own():\n    assert True\n")
        call(scripts / "pytest", cwd=foreign)
        conformance(scripts, foreign)
        print(call(scripts / "harness", "ehrs", cwd=empty))
        print(call(scripts / "python", "-c", DEFINITIONS, cwd=empty))


if __name__ == "__main__":
    main()
