"""Allure results and `summary.json` of a sync run: what came, what it cost, what is missing.

Everything comes from the account, which holds neither PHI nor secrets.
"""

from __future__ import annotations

from collections.abc import Mapping
from hashlib import md5
from itertools import islice
from pathlib import Path
from typing import Any
from uuid import uuid4

from allure_commons.logger import AllureFileLogger
from allure_commons.model2 import (
    Attachment,
    Label,
    Parameter,
    StatusDetails,
    TestResult,
    TestStepResult,
)

from harness.errors import ExitStatus
from harness.reporting import folders
from harness.reporting.evidence import printable
from harness.sync.account import Account, summed
from harness.sync.model import Counts
from harness.sync.telling import listed, pretty, span

RESULTS = "allure-results"
MOST = 100
"""Lines of one step; `summary.json` has them all."""

_STATUS = {ExitStatus.OK: "passed", ExitStatus.INCOMPLETE: "failed"}


def write(account: Account, root: Path) -> Path:
    """Write the report of a run and let `latest` point to it.

    Args:
        account: of a run that has ended.
        root: the folder of all reports; the run's own is `tenants/TENANT/RUN` below it.

    Returns:
        The folder of the run.

    Raises:
        UsageError, OSError: it cannot be written.
    """
    folder = folders.create(root / "tenants", account.tenant, account.run)
    logger: Any = AllureFileLogger(str(folder / RESULTS))  # type: ignore[no-untyped-call]  # allure has no types
    text = printable("\n".join(account.lines()))
    attachment = f"{uuid4()}-attachment.txt"
    logger.report_attached_data(text.encode(), attachment)
    logger.report_result(_result(account, attachment))
    unfinished = folder / ".summary.json"
    unfinished.write_text(pretty(account.as_json()) + "\n", encoding="utf-8")
    unfinished.replace(folder / "summary.json")
    folders.point_latest(folder)
    return folder


def _result(account: Account, attachment: str) -> TestResult:
    identity = f"sync/{account.tenant}"
    start, stop = _milliseconds(account)
    missing = listed("missing:", summed(account.missing))
    reason = printable("\n".join([account.reason or "", *missing]).strip())
    result = TestResult(
        uuid=str(uuid4()),
        name=f"sync of {account.tenant}",
        fullName=identity,
        testCaseId=_digest(identity),
        historyId=_digest(identity),
        status=_STATUS.get(account.exit_status, "broken"),
        statusDetails=StatusDetails(message=reason) if reason else None,
        # What a person reads first; four spaces keep the columns of its table.
        description=printable("\n".join(f"    {line}" for line in account.lines())),
        start=start,
        stop=stop,
    )
    result.steps = [
        *_types(account, start, stop),
        _cost(account, start, stop),
        *_remarks(account, start, stop),
    ]
    result.parameters = [
        Parameter(name="patients", value=f"{account.patients:,}", excluded=True),
        Parameter(name="took", value=span(account.seconds), excluded=True),
    ]
    result.attachments = [Attachment(name="account", source=attachment, type="text/plain")]
    result.labels = [
        Label(name=name, value=value)
        for name, value in (
            ("epic", "sync"),
            ("feature", account.tenant),
            ("suite", account.tenant),
            ("tag", account.status.value),
            ("framework", "fhir-harness"),
        )
    ]
    return result


def _types(account: Account, start: int, stop: int) -> list[TestStepResult]:
    """One step per type; it failed if something of the type is missing."""
    types = dict.fromkeys([*account.by_type, *(each.type for each in account.missing)])
    steps = []
    for type_ in types:
        missing = [each for each in account.missing if each.type == type_]
        counts = account.by_type.get(type_, Counts())
        numbers = {
            "new": counts.new,
            "changed": counts.changed,
            "unchanged": counts.unchanged,
            "deleted": counts.deleted,
            "pages": counts.pages,
            "missing": len(missing),
        }
        step = _step(type_, numbers, start, stop)
        if missing:
            step.status = "failed"
            step.statusDetails = StatusDetails(message=printable("\n".join(summed(missing))))
        steps.append(step)
    return steps


def _cost(account: Account, start: int, stop: int) -> TestStepResult:
    traffic = account.traffic
    permitted = "unbounded" if traffic.permitted is None else f"{traffic.permitted:.1f}"
    numbers = {
        "requests": traffic.requests,
        "refusals": traffic.refusals,
        "seconds waited": round(traffic.waited, 1),
        "permitted per second": permitted,
        "achieved per second": round(account.rate, 1),
    }
    return _step("requests", numbers, start, stop)


def _remarks(account: Account, start: int, stop: int) -> list[TestStepResult]:
    """What the EHR remarked, and what ended there: steps only where there is something to tell."""
    ended = {f"{each.type} {each.id} of {each.patient}": each.reason for each in account.gone}
    merged = {each.patient: each.reason for each in account.merged}
    found = account.validation.flaws if account.validation else ()
    flaws = {f"{each.path} ({each.rule}): expected {each.expected}": each.count for each in found}
    told = {
        "the EHR remarks": account.notes,
        "gone at the EHR": ended,
        "patients who ended": merged,
        "not valid": flaws,
    }
    return [_step(name, values, start, stop) for name, values in told.items() if values]


def _step(name: str, numbers: Mapping[str, object], start: int, stop: int) -> TestStepResult:
    parameters = [
        Parameter(name=printable(key), value=printable(str(value)))
        for key, value in islice(numbers.items(), MOST)
    ]
    step = TestStepResult(name=printable(name), status="passed", start=start, stop=stop)
    step.parameters = parameters
    return step


def _milliseconds(account: Account) -> tuple[int, int]:
    return int(account.started.timestamp() * 1000), int(account.ended.timestamp() * 1000)


def _digest(text: str) -> str:
    return md5(text.encode(), usedforsecurity=False).hexdigest()
