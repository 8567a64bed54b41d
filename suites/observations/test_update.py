"""FHIR R4, RESTful API, "update" and "Managing Resource Contention".

http://hl7.org/fhir/R4/http.html#update
"""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from harness import Exchange, applies_if, conforms, expect, prerequisite, verifies
from harness.checks.acts.updates import CORRECTIONS, Raced, Updated, correction
from harness.fhir.capability import Capability

pytestmark = pytest.mark.write


@verifies("fhir/update/status")
def test_update_answers_200(updated: Updated) -> None:
    """An update of an existing resource is answered with 200."""
    expect(updated.update).status(200)


@verifies("fhir/update/version")
def test_update_makes_a_new_version(updated: Updated) -> None:
    """An update makes a new version: versionId and lastUpdated change."""
    prerequisite(updated.accepted, unless="the update was not accepted")
    same = updated.unchanged_meta()
    conforms(
        not same,
        expected="another versionId and a later lastUpdated",
        actual=f"unchanged: {', '.join(same)}",
        where=updated.read.where,
    )


@verifies("fhir/write/content")
def test_update_is_read_back_as_written(updated: Updated) -> None:
    """What is read back SHOULD be what was written last."""
    prerequisite(updated.accepted, unless="the update was not accepted")
    changes = updated.changes()
    conforms(
        not changes,
        expected="the content of the update",
        actual="; ".join(changes),
        where=updated.read.where,
    )


@verifies("fhir/update/correction")
@pytest.mark.parametrize("status", CORRECTIONS)
def test_correction_is_stored(corrections: Mapping[str, Updated], status: str) -> None:
    """An application that corrects needs the correction stored, with its status."""
    done = correction(corrections, status)
    expect(done.update).status(200, 201)
    expect(done.read).status(200).member("status", equals=status)


@verifies("fhir/update/stale-if-match")
def test_stale_update_is_refused(stale_update: Updated) -> None:
    """An update with an If-Match that is not the current version is refused."""
    expect(stale_update.update).status(412, 409)


@verifies("fhir/update/stale-if-match")
def test_stale_update_with_a_strong_etag_is_refused(stale_strong_update: Updated) -> None:
    """A version that is not the current one is no better as a strong ETag."""
    expect(stale_strong_update.update).status(412, 409, 400)


@verifies("fhir/update/if-match-refused")
def test_refused_update_changes_nothing(stale_update: Updated) -> None:
    """An update that was refused SHALL NOT be done."""
    applies_if(stale_update.update.status >= 400, unless="the update was not refused")
    conforms(
        stale_update.untouched,
        expected="the Observation as it was before",
        actual="it was changed",
        where=stale_update.read.where,
    )


@verifies("fhir/update/if-match-current")
def test_update_of_the_current_version_is_accepted(updated: Updated) -> None:
    """An update with the ETag that the server itself gave SHALL be accepted."""
    conforms(
        updated.update.status not in (409, 412),
        expected="the update accepted: If-Match is the current version",
        actual=f"status {updated.update.status}",
        where=updated.update.where,
    )


@verifies("fhir/update/strong-etag")
def test_strong_etag_names_the_same_version(strong_update: Updated) -> None:
    """Gateways make strong ETags of weak ones; the version is the same."""
    expect(strong_update.update).status(200, 201)


@verifies("fhir/update/race")
def test_no_accepted_update_is_lost(raced: Raced) -> None:
    """Of two updates based on the same version one SHALL be refused."""
    conforms(
        len(raced.winners) < 2 and not raced.lost,
        expected="no more than one update accepted, and that one read back",
        actual=raced.outcome,
        where=raced.updates[0].where,
    )


@verifies("fhir/update/honest")
def test_update_without_if_match_is_done_or_refused(blind_update: Updated) -> None:
    """What is answered with success SHALL be done, and what is refused SHALL NOT."""
    accepted = blind_update.accepted
    conforms(
        blind_update.done if accepted else blind_update.untouched,
        expected="the update stored" if accepted else "the Observation as it was before",
        actual="another content",
        where=blind_update.read.where,
    )


@verifies("fhir/update/id-mismatch")
def test_update_with_another_id_is_refused(mismatched_update: Updated) -> None:
    """An update whose resource has another id than the URL SHALL be refused with 400."""
    expect(mismatched_update.update).status(400)


@verifies("fhir/update/unknown")
def test_update_creates_nothing(unknown_update: Exchange, capability: Capability) -> None:
    """A server that declares no updateCreate SHALL NOT create by an update."""
    declared = capability.flag("Observation", "updateCreate")
    applies_if(declared is False, unless="updateCreate is not declared as false")
    expect(unknown_update).status_between(400, 499)
