"""How the Bulk Data export of one instance behaves, within what the IG leaves open."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any

from harness.reference.throttle import RetryAfter

DAY = 24 * 60 * 60


@dataclass(frozen=True, slots=True)
class BulkOptions:
    """The behaviour of one instance; all seconds are of its own clock.

    Args:
        polls: how often a status is 202 before it may be 200.
        seconds: how long an export takes at least.
        retry_after: how a status of 202 or 429 says when to come back.
        poll_seconds: a status that is asked for sooner again is refused with 429; 0 for never.
        file_size: the most resources in one file.
        page_size: the most files in one manifest, which then links to the next (IG 3.0.0);
            0 for all in one.
        ranges: whether a part of a file may be asked for.
        presigned: whether files lie at another origin behind signed links, without a token.
        link_seconds: how long a signed link works; 0 for as long as the files are there.
        expiry: how long status and files are kept once the export may be ready.
        one_at_a_time: whether a client must delete its job before it starts another.
        backfill: whether an export of a Group with `_since` holds all of who joined since then.
    """

    polls: int = 0
    seconds: float = 0
    retry_after: RetryAfter = RetryAfter.SECONDS
    poll_seconds: float = 0
    file_size: int = 10_000
    page_size: int = 0
    ranges: bool = True
    presigned: bool = False
    link_seconds: float = 0
    expiry: float = DAY
    one_at_a_time: bool = False
    backfill: bool = True

    @classmethod
    def checked(cls, given: Mapping[str, Any]) -> BulkOptions:
        """Options from what a control request or a command line gives.

        Raises:
            ValueError: a name is not known, or its value is of the wrong kind or out of range.
        """
        known = {one.name: one for one in fields(cls)}
        taken: dict[str, Any] = {}
        for name, value in given.items():
            if name not in known:
                raise ValueError(f"{name!r} is none of {', '.join(known)}")
            taken[name] = _value(name, value, known[name].default)
        return cls(**taken)


def _value(name: str, value: Any, default: Any) -> Any:
    if isinstance(default, RetryAfter):
        return RetryAfter(value)
    if isinstance(default, bool):
        if value not in (True, False):
            raise ValueError(f"{name} must be true or false")
        return bool(value)
    whole = name in {"polls", "file_size", "page_size"}
    least = 1 if name == "file_size" else 0
    number = isinstance(value, int | float) and not isinstance(value, bool)
    if not number or not least <= value < math.inf or (whole and value != int(value)):
        kind = "a whole number" if whole else "a number"
        raise ValueError(f"{name} must be {kind} of at least {least}")
    return int(value) if whole else value
