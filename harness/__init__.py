"""Conformance and sync test harness for (g)(10) / SMART on FHIR endpoints.

What a check is written with is re-exported here, lazily, so that importing the pytest plugin costs
nothing where the harness is only installed.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"

_PUBLIC = {
    "Exchange": "harness.http.exchange",
    "act": "harness.checks.acting",
    "applies_if": "harness.checks.words",
    "configured": "harness.checks.words",
    "conforms": "harness.checks.words",
    "expect": "harness.checks.expect",
    "fact": "harness.checks.words",
    "permitted": "harness.checks.words",
    "prerequisite": "harness.checks.words",
    "supported_if": "harness.checks.words",
    "verifies": "harness.checks.words",
}

__all__ = [
    "Exchange",
    "__version__",
    "act",
    "applies_if",
    "configured",
    "conforms",
    "expect",
    "fact",
    "permitted",
    "prerequisite",
    "supported_if",
    "verifies",
]

if TYPE_CHECKING:
    from harness.checks.acting import act
    from harness.checks.expect import expect
    from harness.checks.words import (
        applies_if,
        configured,
        conforms,
        fact,
        permitted,
        prerequisite,
        supported_if,
        verifies,
    )
    from harness.http.exchange import Exchange


def __getattr__(name: str) -> Any:
    if name in _PUBLIC:
        return getattr(import_module(_PUBLIC[name]), name)
    raise AttributeError(f"module 'harness' has no attribute {name!r}")
