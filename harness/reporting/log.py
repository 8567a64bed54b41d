"""`run.log`: what was sent when, and what was said of it; one line each, redacted."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from harness.http.exchange import Exchange
from harness.reporting.account import Account
from harness.reporting.evidence import printable, title


def write(account: Account, exchanges: Iterable[Exchange], path: Path) -> None:
    """Write the log of a run."""
    about = account.about
    lines = [
        f"{about.started_at.isoformat()} run {about.run} of {about.ehr.name}",
        f"base {about.ehr.fhir_base}, secrets to {about.endpoints}",
    ]
    for each in exchanges:
        where = f"act {each.act}, {each.seconds:.3f} s, attempt {each.attempt}"
        size = f"{len(each.body)} bytes {each.media_type or ''}".rstrip()
        lines.append(f"{each.started_at.isoformat()} {title(each)}, {size}, {where}")
    for verdict in account.verdicts:
        reason = f": {verdict.reason}" if verdict.reason else ""
        lines.append(f"verdict {verdict.check.id} {verdict.word}{reason}")
        lines += [f"fact {verdict.check.id} {each}" for each in verdict.facts]
    lines += [f"act {each.name} failed: {each.reason}" for each in account.failed_acts]
    lines += [f"left behind: {each}" for each in account.left_behind]
    lines.append(f"{account.ended_at.isoformat()} status {account.status.value}")
    lines.append(str(account.completeness))
    text = "\n".join(printable(" ".join(each.split())) for each in lines)
    path.write_text(f"{text}\n", encoding="utf-8")
