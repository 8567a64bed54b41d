"""The top level is exactly what the design says, beside hidden files, docs/ and LICENSE."""

import subprocess
import sys

ALLOWED = {
    "LICENSE",
    "README.md",
    "docs",
    "fixtures",
    "harness",
    "pyproject.toml",
    "reports",
    "suites",
    "tox.ini",
}

tracked = subprocess.run(["git", "ls-files"], capture_output=True, text=True, check=True).stdout
found = {line.split("/")[0] for line in tracked.splitlines()}
extra = sorted(name for name in found - ALLOWED if not name.startswith("."))
missing = sorted(ALLOWED - found)
if extra or missing:
    sys.exit(f"top level: not allowed: {extra or 'none'}; missing: {missing or 'none'}")
