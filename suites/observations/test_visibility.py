"""FHIR R4, Search: what was written is found, at once and as long as it is there.

http://hl7.org/fhir/R4/search.html#conformance
"""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from harness import conforms, prerequisite, verifies
from harness.checks.acts.observing import KINDS, Written, of_kind
from harness.checks.acts.outside import AUTHORS, by
from harness.checks.acts.write import FORMS, PATIENCE
from harness.checks.found import Found

pytestmark = pytest.mark.write


@verifies("harness/write/visible")
@pytest.mark.parametrize("kind", KINDS)
def test_new_observation_is_found_at_once(written: dict[str, Written], kind: str) -> None:
    """An application that writes needs to find what it wrote."""
    done = of_kind(written, kind)
    done.require_taken()
    prerequisite(done.stored, unless="the Observation was not stored")
    conforms(
        done.visible,
        expected="the new Observation in a search by patient, category and date",
        actual="it is not found",
    )


@verifies("harness/write/visible")
def test_new_observation_is_found_within_seconds(indexed: Written) -> None:
    """Where a search does not find it at once, an application needs to know how long it takes."""
    prerequisite(indexed.stored, unless="the Observation was not stored")
    conforms(
        indexed.seconds is not None,
        expected=f"the new Observation in a search by patient and code within {PATIENCE:g} seconds",
        actual="it is not found",
    )


@verifies("harness/write/visible")
@pytest.mark.parametrize("form", FORMS)
def test_new_observation_is_found_by(new_by_category: dict[str, Written], form: str) -> None:
    """A new Observation is to be found in every form of search that US Core asks for."""
    done = new_by_category[form]
    prerequisite(done.stored, unless="the Observation was not stored")
    conforms(done.visible, expected=f"it in a search by {form}", actual="it is not found")


@verifies("harness/write/remembered")
def test_updated_observation_is_still_found(search_after_update: Found, indexed: Written) -> None:
    """An update is not to take an Observation out of the searches that found it."""
    conforms(
        indexed.id in search_after_update.ids,
        expected="the Observation in the search that found it before",
        actual="it is found no longer",
        where=search_after_update.where,
    )


@verifies("harness/write/remembered")
def test_observation_is_still_found_at_the_end(remembered: Written) -> None:
    """An Observation that nobody changed is to be found until it is deleted."""
    conforms(
        remembered.visible,
        expected="the Observation in the search that found it before",
        actual="it is found no longer",
    )


@verifies("harness/write/others")
@pytest.mark.parametrize("author", AUTHORS)
def test_observation_of_another_author_is_read(
    written_by_others: Mapping[str, Written], author: str
) -> None:
    """What others wrote about the patient is to be read and found by this application."""
    done = by(written_by_others, author)
    conforms(
        done.stored and done.visible,
        expected="their Observation, by read and by search",
        actual=done.shown,
        where=done.require_read().where,
    )
