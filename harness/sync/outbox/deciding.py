"""How an entry stands after what was learnt of it. Pure: time is passed in.

Whatever the order of answers, losses and crashes: an entry is only queued again from `sending` when
the EHR surely did not process it, and from `uncertain` when it was looked for and is not there.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta

from harness.sync.outbox.model import Entry, Op, State
from harness.sync.outbox.verdict import Kind, Verdict

MOST_FAILURES = 8
"""After so many in a row an entry is dead: by then almost two hours have gone by."""

REFUSED_FOR = 60.0
"""Seconds to wait after a refusal for load that names none."""

_FIRST, _GROWTH, _LONGEST = 2.0, 4.0, 3600.0


def backoff(failures: int) -> float:
    """Seconds until the next try: 2, 8, 32, up to an hour."""
    return min(_LONGEST, _FIRST * _GROWTH ** max(0, failures - 1))


def after_write(entry: Entry, verdict: Verdict, now: datetime, visible_after: float) -> Entry:
    """How an entry stands after it went out.

    Args:
        entry: as it was being sent.
        verdict: what came.
        now: harness clock.
        visible_after: seconds after which a write whose answer was lost can be looked for.
    """
    if verdict.kind is Kind.LATER:
        seconds = REFUSED_FOR if verdict.wait is None else verdict.wait
        next_at = now + timedelta(seconds=seconds)
        return replace(entry, state=State.QUEUED, next_at=next_at, error=verdict.words)
    if verdict.kind is Kind.DENIED:
        return dead(replace(entry, status=verdict.status), verdict.words)
    answered = replace(entry, state=State.UNCERTAIN, status=verdict.status, next_at=None)
    if verdict.kind is Kind.STORED:
        return replace(
            answered,
            failures=0,
            error=None,
            server_id=verdict.server_id or entry.server_id,
            version=verdict.version or entry.version,
        )
    if answered.answered_well:
        # A page that says 200 and is no answer to the write.
        answered = replace(answered, status=None)
    wait = 0.0 if verdict.kind is Kind.CLASH else visible_after
    return failed(answered, verdict.words, now, at_least=wait, first=wait)


def failed(
    entry: Entry, words: str, now: datetime, *, at_least: float = 0.0, first: float | None = None
) -> Entry:
    """Nothing good came of a try: later again, or never.

    Args:
        entry: it keeps its state, unless this was the last try.
        words: why.
        now: harness clock.
        at_least: seconds to wait.
        first: seconds to wait after the first failure, instead of the backoff.
    """
    failures = entry.failures + 1
    if failures >= MOST_FAILURES:
        return dead(replace(entry, failures=failures), f"{words}{_doubt(entry)}")
    seconds = max(at_least, backoff(failures))
    if first is not None:
        seconds = first if failures == 1 else max(at_least, backoff(failures - 1))
    next_at = now + timedelta(seconds=seconds)
    return replace(entry, failures=failures, next_at=next_at, error=words)


def absent(entry: Entry, now: datetime) -> Entry:
    """It was looked for and is not there: so it may be sent again, unless the EHR has taken it."""
    if entry.answered_well:
        words = f"the EHR answered {entry.status}, and does not show what was written"
        return failed(entry, words, now)
    waits = entry.status is not None and entry.failures > 1
    next_at = now + timedelta(seconds=backoff(entry.failures - 1)) if waits else None
    return replace(entry, state=State.QUEUED, next_at=next_at)


def confirmed(
    entry: Entry, server_id: str | None, version: str | None, note: str | None = None
) -> Entry:
    """It is there; `note` says what is odd about it."""
    return replace(
        entry,
        state=State.CONFIRMED,
        server_id=server_id,
        version=version,
        next_at=None,
        error=None,
        note=note,
    )


def dead(entry: Entry, words: str) -> Entry:
    """It will not be tried again."""
    return replace(entry, state=State.DEAD, next_at=None, error=words)


def _doubt(entry: Entry) -> str:
    if entry.state is not State.UNCERTAIN or entry.op is not Op.CREATE or entry.answered_well:
        return ""
    return "; whether it was stored is not known, look for it at the EHR before it is sent again"
