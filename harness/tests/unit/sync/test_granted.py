"""What no scope covers is not asked for, and said to be missing."""

from __future__ import annotations

import pytest

from harness.smart.scopes import Scope, ScopeSet
from harness.sync.access.granted import NotGranted, not_covered, require

TYPES = ("Patient", "Observation")


@pytest.mark.parametrize(
    ("scope", "missing"),
    [
        ("patient/Patient.rs patient/Observation.rs", ()),
        ("patient/Patient.r patient/Patient.s patient/Observation.s", ()),
        ("patient/Patient.read user/Observation.read", ()),
        ("patient/*.read", ()),
        ("system/*.rs", ()),
        ("Patient.read Patient.search Observation.Search", ()),
        ("patient/Patient.rs patient/Observation.rs?category=laboratory", ()),
        ("patient/Patient.rs", ("Observation",)),
        ("patient/Patient.r patient/Observation.rs", ("Patient",)),
        ("patient/Patient.rs patient/Observation.write", ("Observation",)),
        ("patient/Patient.rs patient/Observation.sr", ()),
        ("openid offline_access", ()),
        ("", ()),
    ],
)
def test_scopes_tell_which_types_can_be_searched(scope: str, missing: tuple[str, ...]) -> None:
    assert not_covered(TYPES, ScopeSet.parse(scope)) == missing


def test_what_the_server_does_not_say_is_tried() -> None:
    assert not_covered(TYPES, None) == ()


def test_resources_that_were_granted_and_are_not_named_any_more_are_missed() -> None:
    left, gone = ScopeSet.parse("openid"), (Scope.parse("patient/Observation.rs"),)
    assert not_covered(TYPES, left, gone) == TYPES
    with pytest.raises(NotGranted, match=r"took back patient/Observation\.rs"):
        require("Observation", left, gone)
    with pytest.raises(NotGranted, match="Patient is not asked for: no granted scope covers it"):
        require("Patient", left, gone)
