"""FHIR R4, RESTful API, "create", refusals: what is wrong is refused, explained and not stored.

http://hl7.org/fhir/R4/http.html#create
"""

from __future__ import annotations

import pytest

from harness import applies_if, conforms, expect, prerequisite, verifies
from harness.checks.acts.access import FORBIDDEN
from harness.checks.acts.invalid import CASES, DOUBTFUL, Refused
from harness.checks.acts.observing import Written

pytestmark = pytest.mark.write


@verifies("fhir/create/invalid")
@pytest.mark.parametrize("case", CASES)
def test_invalid_observation_is_refused(refusals: dict[str, Refused], case: str) -> None:
    """What is no FHIR, or no Observation, is refused with a status of the 400s."""
    expect(refusals[case].create).status_between(400, 499)


@verifies("fhir/create/refusal-outcome")
def test_refusals_are_explained(refusals: dict[str, Refused]) -> None:
    """A refused write SHOULD be explained by an OperationOutcome."""
    refused = {name: each for name, each in refusals.items() if each.create.status >= 400}
    applies_if(refused, unless="nothing is refused")
    silent = [name for name, each in refused.items() if not each.issues]
    conforms(not silent, expected="an OperationOutcome", actual=f"none for {', '.join(silent)}")


@verifies("fhir/create/refusal-element")
def test_refusals_name_the_element(refusals: dict[str, Refused]) -> None:
    """An application needs to know which element is wrong."""
    wrong = {name: each for name, each in refusals.items() if each.create.status != FORBIDDEN}
    about = {name: each for name, each in wrong.items() if each.element and each.issues}
    applies_if(about, unless="no refusal has an OperationOutcome")
    vague = [name for name, each in about.items() if not each.names_the_element]
    conforms(
        not vague,
        expected="the element, in expression or in words",
        actual=f"not named for {', '.join(vague)}",
    )


@verifies("fhir/create/refused-not-stored")
def test_refused_observation_is_not_stored(refusals: dict[str, Refused]) -> None:
    """What was refused SHALL NOT be stored."""
    refused = {name: each for name, each in refusals.items() if each.create.status >= 400}
    applies_if(refused, unless="nothing is refused")
    stored = [name for name, each in refused.items() if each.found_stored]
    conforms(
        not stored,
        expected="no trace of the refused Observations",
        actual=f"a search finds {', '.join(stored)}",
    )


@verifies("fhir/create/unknown-content")
@pytest.mark.parametrize("case", DOUBTFUL)
def test_doubtful_observation_is_refused_or_kept(doubtful: dict[str, Written], case: str) -> None:
    """What a server does not want it is to refuse; what it accepts it is to keep as it came."""
    done = doubtful[case]
    prerequisite(done.create.status < 500, unless=f"the server fails: {done.create.status}")
    applies_if(done.accepted, unless="it is refused, which is a good answer")
    changes = done.changes_of(DOUBTFUL[case].element or "")
    conforms(
        not changes,
        expected="a refusal, or the content that was written",
        actual=f"accepted, and {'; '.join(changes)}",
        where=done.require_read().where,
    )
