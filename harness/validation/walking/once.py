"""What is said of the first value that it concerns, and not of a million others."""

from __future__ import annotations

from typing import Any

from harness.validation.findings import Rule, Severity
from harness.validation.telling import told
from harness.validation.walking.fields import Walk
from harness.validation.walking.judging import Judging
from harness.validation.walking.paths import Path


def said_once(
    expected: str,
    profile: str | None,
    rule: Rule = Rule.NOT_CHECKED,
    key: str | None = None,
) -> Walk:
    """A step that tells its first value that `expected` is not judged, here or later."""
    said = False

    def say(value: Any, path: Path, run: Judging) -> None:
        nonlocal said
        if not said:
            said = True
            text = f"{expected} (said once)"
            run.add(Severity.INFORMATION, rule, path, text, told(value), profile, key)

    return say
