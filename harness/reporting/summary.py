"""`summary.json`: the run, every verdict, counts and completeness, for machines.

The form is described by `summary.schema.json` beside this module; `version` changes with it.
"""

from __future__ import annotations

import json
import platform
import sys
from importlib.metadata import PackageNotFoundError, version
from importlib.resources import files
from pathlib import Path
from typing import Any

from harness import __version__
from harness.checks.verdict import Verdict
from harness.reporting.account import About, Account

FORMAT = "fhir-harness summary"
VERSION = 1
PACKAGES = ("pytest", "allure-pytest", "httpx", "anyio", "joserfc", "fhir.resources")


def summary(account: Account) -> dict[str, Any]:
    """The account of a run as JSON values."""
    whole = account.completeness
    return {
        "format": FORMAT,
        "version": VERSION,
        "run": _run(account.about, account),
        "ehr": _ehr(account.about),
        "specifications": {
            "us_core": account.about.versions.us_core,
            "smart": account.about.versions.smart,
            "bulk": account.about.versions.bulk,
        },
        "status": {"code": account.status.value, "name": account.status.name.lower()},
        "complete": {
            "complete": whole.complete,
            "shalls": whole.shalls,
            "not_judged": dict(whole.open),
            "text": str(whole),
        },
        "counts": account.counts,
        "verdicts": [_verdict(each) for each in account.verdicts],
        "failed_acts": [{"act": each.name, "reason": each.reason} for each in account.failed_acts],
        "left_behind": list(account.left_behind),
        "defects": list(account.defects),
    }


def schema() -> dict[str, Any]:
    """The JSON Schema of `summary.json`."""
    text = files("harness.reporting").joinpath("summary.schema.json").read_text("utf-8")
    published: dict[str, Any] = json.loads(text)
    return published


def write(account: Account, path: Path) -> None:
    """Write `summary.json`; it appears under its name only when complete."""
    text = json.dumps(summary(account), indent=2, ensure_ascii=False)
    unfinished = path.with_name(f".{path.name}")
    unfinished.write_text(f"{text}\n", encoding="utf-8")
    unfinished.replace(path)


def installed() -> dict[str, str]:
    """Versions of what judges: the harness, Python and the packages that matter."""
    found = {"fhir-harness": __version__, "python": platform.python_version()}
    for name in PACKAGES:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found | {"platform": sys.platform}


def _run(about: About, account: Account) -> dict[str, Any]:
    return {
        "id": about.run,
        "started_at": about.started_at.isoformat(),
        "ended_at": account.ended_at.isoformat(),
        "seconds": round(account.seconds, 3),
        "options": dict(about.options),
        "replay_of": about.replayed,
        "deselected": account.deselected,
        "cut_off": account.cut_off,
        "packages": dict(about.packages),
    }


def _ehr(about: About) -> dict[str, Any]:
    ehr = about.ehr
    return {
        "name": ehr.name,
        "title": ehr.title,
        "fhir_base": ehr.fhir_base,
        "environment": ehr.environment.value,
        "data": ehr.data.value,
        "permit": sorted(each.value for each in ehr.permit),
    }


def _verdict(verdict: Verdict) -> dict[str, Any]:
    check = verdict.check
    return {
        "check": check.id,
        "title": check.title,
        "suite": check.suite,
        "section": check.section,
        "requirement": check.requirement.id,
        "level": verdict.level,
        "link": verdict.link,
        "verdict": verdict.word.value,
        "reason": verdict.reason,
        "expected": verdict.expected,
        "actual": verdict.actual,
        "where": verdict.where,
        "root": verdict.root,
        "facts": list(verdict.facts),
        "exchanges": [each.number for each in verdict.evidence],
        "seconds": round(verdict.seconds, 6),
    }
