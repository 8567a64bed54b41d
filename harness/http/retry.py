"""When to send again, and after how long: pure, with time and chance passed in.

A repetition must be harmless: safe methods (RFC 9110 section 9.2.1) may be repeated when no answer
came, any method when the server says that it did not process the request (429). A write that
timed out may have been processed, so it is never repeated here.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from functools import lru_cache
from typing import Any

from harness.http.exchange import Exchange, Headers

SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})
FLOOR = 0.1
"""Seconds waited at least, also where an EHR says `Retry-After: 0`."""

_TRANSIENT = frozenset({502, 503, 504})
_SECONDS = re.compile(r"\d{1,15}(?:\.\d{0,9})?|\.\d{1,9}", re.ASCII)
_MS_BEFORE_NEXT = re.compile(rb'_msBeforeNext\\*"\s*:\s*(\d{1,12})')
_THROTTLE_WORDS = re.compile(
    rb"throttl|rate.?limit|over.?rate|over.?qps|queries per second|too many requests", re.IGNORECASE
)
_DAY_IS_SPENT = "4135"
"""Epic: the most documents of a day were queried; "Please try again tomorrow"."""
_AGREES = (-1.0, 2.0)
"""Seconds by which our clock and a `Date` of whole seconds may differ, and agree."""
_EPOCH_SECONDS, _EPOCH_MILLISECONDS = 1e9, 1e12
_BODY_LOOKED_AT = 65536
_EDGE = 4096
_DAY = b'"4135"'
"""Where outcomes stand among entries: first or last. Looking at whole pages would cost too much."""


@dataclass(frozen=True, slots=True)
class Policy:
    """How often, and how long.

    Attributes:
        attempts: tries in all while the server answers with a refusal or a transient status.
        attempts_unanswered: tries in all while no answer comes.
        base: ceiling of the first wait without a hint; doubles with each attempt.
        cap: ceiling of every wait without a hint.
        max_retry_after: a longer hint is not waited for; the refusal is the result.
    """

    attempts: int = 5
    attempts_unanswered: int = 3
    base: float = 0.5
    cap: float = 30.0
    max_retry_after: float = 60.0


@dataclass(frozen=True, slots=True)
class Retry:
    """Send again after `wait` seconds."""

    wait: float


def retry_after(headers: Headers, now: datetime, body: bytes = b"") -> float | None:
    """How many seconds the server asks to wait, in whichever way it says so.

    `Retry-After` as seconds or HTTP-date (RFC 9110 section 10.2.3; the date is read against the
    response's own `Date` where that contradicts our clock, so a wrong clock does no harm),
    `x-ms-retry-after-ms` (Azure),
    `RateLimit` and `RateLimit-Reset` (IETF drafts), `X-RateLimit-Reset` as seconds or epoch, and
    `_msBeforeNext` or a rate-limit-reset extension in an OperationOutcome (Medplum).

    Returns:
        Seconds, never negative; None when nothing usable was said.
    """
    hints = _hints(headers, _server_time(headers, now), body)
    return next((max(0.0, hint) for hint in hints if hint is not None), None)


def is_refusal(exchange: Exchange) -> bool:
    """Whether the server refused for load, without processing the request.

    429; 503 that says when to return or speaks of throttling; 403 that speaks of throttling
    (athenahealth); any answer whose OperationOutcome says that the day's share is used up (Epic).
    """
    status = exchange.status
    if status == 429:  # noqa: PLR2004 - Too Many Requests, RFC 6585 section 4
        return True
    if status == 503 and "Retry-After" in exchange.headers:  # noqa: PLR2004 - Service Unavailable
        return True
    if status in (403, 503):
        return _THROTTLE_WORDS.search(exchange.body[:_BODY_LOOKED_AT]) is not None
    return is_day_spent(exchange.body)


def is_day_spent(body: bytes) -> bool:
    """Whether an OperationOutcome, alone or in a Bundle, says to come back tomorrow (Epic 4135)."""
    if body.find(_DAY, 0, _EDGE) < 0 and body.find(_DAY, -_EDGE) < 0:
        return False
    try:
        value: Any = json.loads(body)
        resources = [value, *(entry.get("resource") for entry in value.get("entry", ()))]
        issues = [
            issue
            for each in resources
            if isinstance(each, dict) and each.get("resourceType") == "OperationOutcome"
            for issue in each.get("issue", ())
        ]
        codes = [
            coding.get("code") for i in issues for coding in i.get("details", {}).get("coding", ())
        ]
    except (ValueError, AttributeError, TypeError, KeyError, RecursionError):
        return False
    return _DAY_IS_SPENT in codes


def hints_in(outcome: object) -> float | None:
    """Seconds that an OperationOutcome asks to wait; None where it says nothing."""
    found = _from_body(json.dumps(outcome).encode())
    return next((max(0.0, hint) for hint in found if hint is not None), None)


def _server_time(headers: Headers, now: datetime) -> datetime:
    """The server's time: ours where both agree, because a `Date` has whole seconds."""
    said = http_date(headers.get("Date"))
    if said is None or _AGREES[0] <= (now - said).total_seconds() < _AGREES[1]:
        return now
    return said


def decide(
    exchange: Exchange,
    *,
    repeatable: bool,
    policy: Policy,
    now: datetime,
    chance: Callable[[], float],
) -> Retry | None:
    """Whether an answered request is sent again.

    Args:
        exchange: the last attempt; its `attempt` counts.
        repeatable: whether the request may be processed twice.
        policy: how often, and how long.
        now: harness clock, used when the response has no `Date`.
        chance: a number from 0.0 to 1.0; full jitter.

    Returns:
        None when the exchange is the result.
    """
    refused = is_refusal(exchange)
    if refused and is_day_spent(exchange.body):
        return None
    again = exchange.status in (403, 429) if refused else False
    again = again or (repeatable and (refused or exchange.status in _TRANSIENT))
    if not again or exchange.attempt >= policy.attempts:
        return None
    hint = retry_after(exchange.headers, now, exchange.body)
    if hint is None:
        return Retry(backoff(exchange.attempt, policy, chance))
    return Retry(max(FLOOR, hint)) if hint <= policy.max_retry_after else None


def decide_unanswered(
    kind: str,
    attempt: int,
    *,
    repeatable: bool,
    policy: Policy,
    chance: Callable[[], float],
) -> Retry | None:
    """Whether a request without an answer is sent again.

    An unknown name and an untrusted certificate do not heal within a run; a time-out is tried
    once more only, because each costs the whole time allowed.
    """
    allowed = {
        "refused": policy.attempts_unanswered,
        "protocol": policy.attempts_unanswered,
        "timeout": min(2, policy.attempts_unanswered),
    }.get(kind, 1)
    if not repeatable or attempt >= allowed:
        return None
    return Retry(backoff(attempt, policy, chance))


def backoff(attempt: int, policy: Policy, chance: Callable[[], float]) -> float:
    """Full jitter: anything up to `base * 2 ** (attempt - 1)`, at most `cap`, at least `FLOOR`."""
    return max(FLOOR, chance() * min(policy.cap, policy.base * 2.0 ** (attempt - 1)))


def _hints(headers: Headers, now: datetime, body: bytes) -> Iterator[float | None]:
    for value in headers.get_all("Retry-After"):
        yield _seconds_or_date(value.strip(), now)
    milliseconds = _number(headers.get("x-ms-retry-after-ms"))
    yield milliseconds / 1000 if milliseconds is not None else None
    yield from _from_body(body[:_BODY_LOOKED_AT])
    yield _structured_reset(headers.get("RateLimit"))
    for name in ("RateLimit-Reset", "X-RateLimit-Reset", "X-Rate-Limit-Reset"):
        yield reset_in(headers.get(name), now)


def _seconds_or_date(value: str, now: datetime) -> float | None:
    # The SMART bulk data server writes an epoch where seconds belong.
    seconds = reset_in(value, now)
    if seconds is not None:
        return seconds
    moment = http_date(value)
    return (moment - now).total_seconds() if moment else None


def _number(value: str | None) -> float | None:
    value = (value or "").strip()
    return float(value) if _SECONDS.fullmatch(value) else None


@lru_cache(maxsize=8)  # the answers of a second have the same
def http_date(value: str | None) -> datetime | None:
    """An HTTP-date (RFC 9110 section 5.6.7), in UTC; None where it is none."""
    try:
        moment = parsedate_to_datetime(value) if value else None
    except (ValueError, IndexError, OverflowError):
        return None
    if moment is None:
        return None
    try:
        return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
    except OverflowError:
        return None


def reset_in(value: str | None, now: datetime) -> float | None:
    """Seconds until a reset that is given as seconds, or as an epoch in seconds or milliseconds."""
    number = _number(value)
    if number is None or number < _EPOCH_SECONDS:
        return number
    epoch = number / 1000 if number >= _EPOCH_MILLISECONDS else number
    return epoch - now.timestamp()


def _structured_reset(value: str | None) -> float | None:
    """The `t` of `"requests";r=0;t=12`, the longest where several policies are spent."""
    spent = []
    for item in (value or "").split(","):
        parameters = dict(p.strip().partition("=")[::2] for p in item.split(";")[1:])
        seconds = _number(parameters.get("t"))
        if parameters.get("r", "0") == "0" and seconds is not None:
            spent.append(seconds)
    return max(spent, default=None)


def _from_body(body: bytes) -> Iterator[float | None]:
    if found := _MS_BEFORE_NEXT.search(body):
        yield int(found.group(1)) / 1000
    if b"rate-limit-reset" in body:
        yield _reset_extension(body)


def _reset_extension(body: bytes) -> float | None:
    try:
        outcome: Any = json.loads(body)
        extensions: list[Any] = [
            each
            for holder in (outcome, *outcome.get("issue", []))
            for each in holder.get("extension", [])
            if each["url"].endswith("rate-limit-reset")
        ]
        values = [v for each in extensions for n, v in each.items() if n.startswith("value")]
        return next((_number(str(value)) for value in values), None)
    except (ValueError, AttributeError, TypeError, KeyError, RecursionError):
        return None
