"""FHIR R4, RESTful API, "Conditional create", "Conditional update" and "patch".

http://hl7.org/fhir/R4/http.html#ccreate
"""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from harness import applies_if, conforms, expect, prerequisite, supported_if, verifies
from harness.checks.acts.conditional import Conditional
from harness.checks.acts.observing import Written
from harness.checks.acts.updates import Updated
from harness.fhir.capability import Capability

pytestmark = pytest.mark.write


@verifies("fhir/conditional-create/none")
def test_create_if_none_exists(conditional_creates: Mapping[str, Conditional]) -> None:
    """A conditional create that nothing matches SHALL create."""
    done = conditional_creates["none"]
    expect(done.exchange).status(201)
    expect(done.exchange).that(done.there == 1, expected="one resource", actual=f"{done.there}")


@verifies("fhir/conditional-create/one")
def test_no_duplicate_if_one_exists(
    conditional_creates: Mapping[str, Conditional], indexed: Written
) -> None:
    """A conditional create that one resource matches SHALL create nothing."""
    applies_if(indexed.visible, unless="what is new is not found at once, in no search")
    prerequisite(conditional_creates["none"].there == 1, unless="there is nothing to match")
    done = conditional_creates["one"]
    expect(done.exchange).status(200)
    expect(done.exchange).that(done.there == 1, expected="one resource", actual=f"{done.there}")


@verifies("fhir/conditional-create/many")
def test_create_is_refused_if_several_exist(
    conditional_creates: Mapping[str, Conditional],
) -> None:
    """A conditional create that several resources match SHALL be refused with 412."""
    several = conditional_creates["many"].there > 1
    applies_if(several, unless="a search finds no more than one to match")
    expect(conditional_creates["many"].exchange).status(412)


@verifies("fhir/conditional-update/none")
def test_update_creates_if_none_exists(conditional_updates: Mapping[str, Conditional]) -> None:
    """A conditional update that nothing matches SHALL create."""
    done = conditional_updates["none"]
    expect(done.exchange).status(201)
    expect(done.exchange).that(done.there == 1, expected="one resource", actual=f"{done.there}")


@verifies("fhir/conditional-update/one")
def test_update_changes_the_one_that_exists(
    conditional_updates: Mapping[str, Conditional], indexed: Written
) -> None:
    """A conditional update that one resource matches SHALL update that one."""
    applies_if(indexed.visible, unless="what is new is not found at once, in no search")
    prerequisite(conditional_updates["none"].there == 1, unless="there is nothing to match")
    done = conditional_updates["one"]
    expect(done.exchange).status(200)
    expect(done.exchange).that(done.there == 1, expected="one resource", actual=f"{done.there}")


@verifies("fhir/conditional-update/many")
def test_update_is_refused_if_several_exist(
    conditional_updates: Mapping[str, Conditional],
) -> None:
    """A conditional update that several resources match SHALL be refused with 412."""
    several = conditional_updates["many"].there > 1
    applies_if(several, unless="a search finds no more than one to match")
    expect(conditional_updates["many"].exchange).status(412)


@verifies("fhir/patch/applied")
def test_patch_changes_what_it_names(patches: Mapping[str, Updated]) -> None:
    """A JSON Patch SHALL be applied, and nothing else be changed."""
    done = patches["applied"]
    expect(done.update).status(200, 204)
    changes = done.changes()
    conforms(
        not changes,
        expected="the status patched and the rest as it was",
        actual="; ".join(changes),
        where=done.read.where,
    )


@verifies("fhir/update/stale-if-match")
def test_stale_patch_is_refused(patches: Mapping[str, Updated], capability: Capability) -> None:
    """A patch with an If-Match that is not the current version is refused."""
    versioning = capability.versioning("Observation")
    supported_if(versioning in ("versioned", "versioned-update"), unless="no versions are declared")
    prerequisite(patches["applied"].accepted, unless="no patch is accepted")
    expect(patches["stale"].update).status(412, 409)


@verifies("fhir/patch/atomic")
def test_patch_that_fails_changes_nothing(patches: Mapping[str, Updated]) -> None:
    """A JSON Patch one of whose operations fails SHALL change nothing."""
    done = patches["failing"]
    expect(done.update).status_between(400, 499)
    conforms(
        done.untouched,
        expected="the Observation as it was before",
        actual="it was changed",
        where=done.read.where,
    )
