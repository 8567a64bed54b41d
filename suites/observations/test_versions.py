"""FHIR R4, RESTful API, "vread" and "history".

http://hl7.org/fhir/R4/http.html#vread, http://hl7.org/fhir/R4/http.html#history
"""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from harness import Exchange, conforms, expect, prerequisite, verifies
from harness.checks.acts.observing import compared, resource_of
from harness.checks.acts.versions import History, Version

pytestmark = pytest.mark.write


@verifies("fhir/vread/version")
@pytest.mark.parametrize("which", ["first", "newest"])
def test_version_is_the_one_asked_for(versions_read: Mapping[str, Version], which: str) -> None:
    """A vread SHALL answer with the version that was asked for, and its content."""
    version = versions_read[which]
    expect(version.read).status(200).member("meta.versionId", equals=version.wanted)
    changes = [str(each) for each in compared(resource_of(version.then), version.read).differences]
    conforms(
        not changes,
        expected="the content that this version had when it was the newest",
        actual="; ".join(changes),
        where=version.read.where,
    )


@verifies("fhir/vread/unknown")
def test_unknown_version_is_not_found(unknown_version: Exchange) -> None:
    """A version that there never was is answered with 404."""
    expect(unknown_version).status(404, 410)


@verifies("fhir/history/bundle")
def test_history_says_what_was_done(history: History) -> None:
    """A history SHALL be a Bundle of type history whose entries have a request."""
    expect(history.exchange).status(200).resource("Bundle").member("type", equals="history")
    bare = [each for each in history.methods if each not in ("POST", "PUT", "PATCH", "DELETE")]
    conforms(
        not bare,
        expected="request.method of every entry",
        actual=f"missing or wrong in {len(bare)} entries",
        where=history.exchange.where,
    )


@verifies("fhir/history/complete")
def test_history_holds_every_version(history: History) -> None:
    """A history SHALL hold every version, the oldest last."""
    prerequisite(history.exchange.status == 200, unless="there is no history")
    seen = [each for each in reversed(history.versions) if each in history.seen]
    conforms(
        seen == list(history.seen),
        expected=f"the versions {', '.join(reversed(history.seen))}, in this order",
        actual=", ".join(history.versions) or "none",
        where=history.exchange.where,
    )


@verifies("fhir/history/deletion")
def test_history_shows_a_deletion(deleted_history: History) -> None:
    """A history SHALL include that the resource was deleted."""
    conforms(
        deleted_history.exchange.status in (404, 410) or "DELETE" in deleted_history.methods,
        expected="an entry whose request is a DELETE",
        actual=", ".join(deleted_history.methods) or "no entry",
        where=deleted_history.exchange.where,
    )
