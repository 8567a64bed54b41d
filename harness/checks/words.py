"""The words of a check: what it verifies, and when it is not judged.

A check that cannot be judged says why with one of five words; a bare `pytest.skip()` is refused.
"""

from __future__ import annotations

from typing import Any, NoReturn

import pytest

from harness.checks.expect import tell
from harness.errors import (
    NotApplicable,
    NotConfigured,
    NotConformant,
    NotPermitted,
    NotSupported,
    PrerequisiteFailed,
)

MARK = "verifies"


def verifies(requirement: str) -> Any:
    """The requirement that a check, or one of its parameter sets, judges.

    Args:
        requirement: an id of the catalogue, such as `smart/discovery/media-type`.

    Returns:
        A mark: a decorator for a check, or the `marks` of a `pytest.param`.
    """
    return getattr(pytest.mark, MARK)(requirement)


def applies_if(condition: object, *, unless: str) -> None:
    """Go on where the requirement binds this server.

    Raises:
        NotApplicable: it does not; `unless` says why.
    """
    if not condition:
        raise NotApplicable(unless)


def supported_if(condition: object, *, unless: str) -> None:
    """Go on where the server claims the optional feature.

    Raises:
        NotSupported: it does not; `unless` says what is missing.
    """
    if not condition:
        raise NotSupported(unless)


def configured(condition: object, *, unless: str) -> None:
    """Go on where the EHR file says how.

    Raises:
        NotConfigured: it does not; `unless` names what to add to it.
    """
    if not condition:
        raise NotConfigured(unless)


def permitted(condition: object, *, unless: str) -> None:
    """Go on where the EHR file permits it.

    Raises:
        NotPermitted: it does not; `unless` names the permit.
    """
    if not condition:
        raise NotPermitted(unless)


def prerequisite(condition: object, *, unless: str) -> None:
    """Go on where what this stands on went well; that it went well is judged by another check.

    Raises:
        PrerequisiteFailed: it did not; `unless` says what failed.
    """
    if not condition:
        raise PrerequisiteFailed(unless)


def attestation(what: str) -> NoReturn:
    """No machine can judge this: a person attests it in the EHR file.

    Args:
        what: what that person must have seen.

    Raises:
        NotConfigured: always; where the EHR file has the attestation the verdict is `attested`.
    """
    raise NotConfigured(f"a person has to attest: {what}")


def fact(text: str) -> None:
    """Tell what was measured or found, whatever the verdict will be; it stands in every report.

    Args:
        text: one line, in words and figures of our own; nothing of what the server sent.
    """
    tell(text)


def conforms(condition: object, *, expected: str, actual: str, where: str | None = None) -> None:
    """Judge something that is no part of a single exchange.

    Args:
        condition: holds where the server conforms.
        expected: all that is acceptable.
        actual: what came instead.
        where: the request it came from, where there is one.

    Raises:
        NotConformant: the condition does not hold.
    """
    if not condition:
        raise NotConformant(expected, actual, where)
