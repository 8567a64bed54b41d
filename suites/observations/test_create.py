"""FHIR R4, RESTful API, "create", applied to what a remote-monitoring application writes.

http://hl7.org/fhir/R4/http.html#create
"""

from __future__ import annotations

from urllib.parse import urljoin

import pytest

from harness import Exchange, applies_if, conforms, expect, prerequisite, verifies
from harness.checks.acts.observing import KINDS, Written, of_kind
from harness.config.ehr import EhrFile
from harness.fhir.capability import Capability

pytestmark = pytest.mark.write

EVERY_KIND = pytest.mark.parametrize("kind", KINDS)


@verifies("fhir/create/declared")
def test_some_observation_is_accepted(written: dict[str, Written]) -> None:
    """A server that declares create of Observation SHALL accept one."""
    refusals = {f"{each.create.status}" for each in written.values() if not each.accepted}
    conforms(
        any(each.accepted for each in written.values()),
        expected="one of the kinds of home measurement accepted",
        actual=f"all of them refused with {' or '.join(sorted(refusals))}",
    )


@verifies("fhir/create/status")
@EVERY_KIND
def test_create_answers_201(written: dict[str, Written], ehr: EhrFile, kind: str) -> None:
    """A create is answered with 201."""
    done = of_kind(written, kind)
    expect(done.create if kind in ehr.writes else done.require_taken()).status(201)


@verifies("fhir/create/location")
def test_create_answers_with_the_new_location(created: Exchange) -> None:
    """A create SHALL be answered with a Location that names the new id."""
    expect(created).header("Location", matches=r"Observation/[^/]+(/_history/[^/]+)?$")


@verifies("fhir/create/location-version")
def test_location_names_the_version_that_is_read(indexed: Written) -> None:
    """Where the server keeps versions, the Location SHALL name the one that is then read."""
    version = indexed.version_read
    applies_if(version is not None, unless="the server keeps no versions")
    applies_if(indexed.create.headers.get("Location"), unless="there is no Location to look at")
    expect(indexed.create).header("Location", matches=rf"/_history/{version}$")


@verifies("fhir/create/location-base")
def test_location_lies_below_the_base(created: Exchange) -> None:
    """An application that follows the Location of a create is to find what it created."""
    location = created.headers.get("Location")
    applies_if(location, unless="there is no Location to look at")
    resources = created.request.url
    expect(created).that(
        urljoin(resources, location or "").lower().startswith(f"{resources}/".lower()),
        expected=f"Location below {resources}",
        actual="Location elsewhere: another origin, or a path outside of the base",
    )


@verifies("fhir/create/etag")
def test_create_answers_with_the_version(created: Exchange, capability: Capability) -> None:
    """A create SHOULD be answered with an ETag, where versions are kept."""
    kept = capability.versioning("Observation") != "no-version"
    applies_if(kept, unless="versioning is no-version for Observation")
    expect(created).header("ETag", matches=r'^(W/)?".+"$')


@verifies("fhir/create/client-id")
def test_client_chosen_id_is_ignored(client_chosen_id: Written) -> None:
    """A create SHALL ignore an id that the client sent."""
    conforms(
        client_chosen_id.id != client_chosen_id.sent["id"],
        expected="an id of the server's own",
        actual="the id that the client sent",
        where=client_chosen_id.create.where,
    )


@verifies("fhir/create/client-meta")
def test_client_chosen_version_is_ignored(client_chosen_id: Written) -> None:
    """A create SHALL ignore meta.versionId and meta.lastUpdated that the client sent."""
    kept = client_chosen_id.kept_meta
    conforms(
        not kept,
        expected="version and time of the server's own",
        actual=f"as the client sent them: {', '.join(kept)}",
        where=client_chosen_id.require_read().where,
    )


@verifies("fhir/create/stored")
@EVERY_KIND
def test_created_observation_can_be_read(written: dict[str, Written], kind: str) -> None:
    """What was answered with 201 can be read at its new id."""
    expect(of_kind(written, kind).require_read()).status(200).resource("Observation")


@verifies("fhir/create/meta")
def test_server_fills_in_version_and_time(indexed: Written, capability: Capability) -> None:
    """The server SHALL fill in meta.lastUpdated, and meta.versionId where versions are kept."""
    read = indexed.require_read()
    prerequisite(read.status == 200, unless="the Observation could not be read")
    filled = expect(read).member("meta.lastUpdated", str)
    if capability.versioning("Observation") != "no-version":
        filled.member("meta.versionId", str)


@verifies("harness/write/last-updated")
def test_last_updated_is_the_time_of_the_write(indexed: Written) -> None:
    """A sync relies on meta.lastUpdated, so it has to be the time of the write."""
    minutes = indexed.minutes_off
    applies_if(minutes is not None, unless="there is no lastUpdated with a zone, or no Date")
    conforms(
        minutes is None or abs(minutes) <= 5,
        expected="lastUpdated within five minutes of the server's own Date",
        actual=f"{minutes} minutes off",
        where=indexed.require_read().where,
    )


@verifies("fhir/read/etag")
def test_etag_of_a_read_names_the_version(indexed: Written) -> None:
    """A read SHOULD carry an ETag with the version id of the resource."""
    version = indexed.version_read
    applies_if(version is not None, unless="the server keeps no versions")
    expect(indexed.require_read()).header("ETag", matches=rf'^(W/)?"{version}"$')
