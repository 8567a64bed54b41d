"""FHIR R4, RESTful API, "delete".

http://hl7.org/fhir/R4/http.html#delete
"""

from __future__ import annotations

import pytest

from harness import Exchange, applies_if, conforms, expect, prerequisite, verifies
from harness.checks.acts.observing import Written
from harness.checks.acts.updates import Updated
from harness.checks.acts.versions import Deleted

pytestmark = pytest.mark.write


@verifies("fhir/delete/status")
def test_delete_is_answered_with_success(deleted: Deleted) -> None:
    """A delete SHOULD be answered with 200, 202 or 204."""
    expect(deleted.delete).status(200, 202, 204)


@verifies("fhir/delete/gone")
def test_deleted_observation_is_gone(deleted: Deleted) -> None:
    """What was deleted is answered with 410, or 404 where deletions are not tracked."""
    _deleted(deleted)
    expect(deleted.read).status(410, 404)


@verifies("fhir/delete/search")
def test_deleted_observation_is_not_found(deleted: Deleted, indexed: Written) -> None:
    """What was deleted SHALL be found by no search."""
    _deleted(deleted)
    applies_if(indexed.visible, unless="what is new is not found at once, in no search")
    conforms(
        deleted.id not in deleted.search.ids,
        expected="no deleted Observation among the matches",
        actual="it is found",
        where=deleted.search.where,
    )


@verifies("fhir/delete/again")
def test_deleting_again_is_no_error(deleted: Deleted) -> None:
    """An application that lost the answer deletes again."""
    prerequisite(deleted.delete.status < 300, unless="it was not deleted")
    expect(deleted.again).status(200, 202, 204, 404, 410)


@verifies("fhir/delete/stale")
def test_stale_delete_is_refused(stale_delete: Updated) -> None:
    """A delete that is based on an older version would take a correction with it."""
    expect(stale_delete.update).status(412, 409, 400, 405)


@verifies("fhir/delete/version")
def test_version_of_a_deleted_observation_can_be_read(deleted_version: Exchange) -> None:
    """What was shown to a clinician once can still be shown."""
    expect(deleted_version).status(200)


def _deleted(deleted: Deleted) -> None:
    status = deleted.delete.status
    prerequisite(status < 300, unless="it was not deleted")
    applies_if(status != 202, unless="the delete was only taken on, and need not be done yet")
