"""FHIR R4, RESTful API, "update" and "Managing Resource Contention".

http://hl7.org/fhir/R4/http.html#update
"""

from __future__ import annotations

import pytest

from harness import Exchange, conforms, expect, prerequisite, verifies
from harness.checks.acts.write import Updated

pytestmark = pytest.mark.write


@verifies("fhir/update/status")
def test_update_answers_200(updated: Updated) -> None:
    """An update of an existing resource is answered with 200."""
    expect(updated.update).status(200)


@verifies("fhir/update/version")
def test_update_makes_a_new_version(updated: Updated) -> None:
    """An update makes a new version: versionId and lastUpdated change."""
    prerequisite(updated.update.status == 200, unless="the update was not accepted")
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
    prerequisite(updated.update.status == 200, unless="the update was not accepted")
    changes = updated.changes()
    conforms(
        not changes,
        expected="the content of the update",
        actual="; ".join(changes),
        where=updated.read.where,
    )


@verifies("fhir/update/stale-if-match")
def test_stale_update_is_refused(stale_update: Exchange) -> None:
    """An update with an If-Match that is not the current version is refused."""
    expect(stale_update).status(412, 409)
