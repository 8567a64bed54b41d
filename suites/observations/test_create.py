"""FHIR R4, RESTful API, "create", applied to what a remote-monitoring application writes.

http://hl7.org/fhir/R4/http.html#create
"""

from __future__ import annotations

import pytest

from harness import Exchange, applies_if, conforms, expect, prerequisite, verifies
from harness.checks.acts.write import KINDS, Refused, Written

pytestmark = pytest.mark.write

EVERY_KIND = pytest.mark.parametrize("kind", KINDS)


@verifies("fhir/create/status")
@EVERY_KIND
def test_create_answers_201(written: dict[str, Written], kind: str) -> None:
    """A create is answered with 201."""
    expect(written[kind].create).status(201)


@verifies("fhir/create/location")
def test_create_answers_with_the_new_location(created: Exchange) -> None:
    """A create SHALL be answered with a Location that names id and version."""
    expect(created).header("Location", matches=r"Observation/[^/]+/_history/[^/]+$")


@verifies("fhir/create/etag")
def test_create_answers_with_the_version(created: Exchange) -> None:
    """A create SHOULD be answered with an ETag."""
    expect(created).header("ETag", matches=r'^(W/)?".+"$')


@verifies("fhir/create/client-id")
def test_client_chosen_id_is_ignored(client_chosen_id: Written) -> None:
    """A create SHALL ignore an id that the client sent."""
    applies_if(client_chosen_id.create.status < 300, unless="a create with an id is refused")
    conforms(
        client_chosen_id.id != client_chosen_id.sent["id"],
        expected="an id of the server's own",
        actual="the id that the client sent",
        where=client_chosen_id.create.where,
    )


@verifies("fhir/create/stored")
@EVERY_KIND
def test_created_observation_can_be_read(written: dict[str, Written], kind: str) -> None:
    """What was answered with 201 can be read at its new id."""
    expect(written[kind].require_read()).status(200).resource("Observation")


@verifies("fhir/create/meta")
def test_server_fills_in_version_and_time(written: dict[str, Written]) -> None:
    """The server SHALL fill in meta.versionId and meta.lastUpdated."""
    read = written["heart-rate"].require_read()
    prerequisite(read.status == 200, unless="the Observation could not be read")
    expect(read).member("meta.versionId", str).member("meta.lastUpdated", str)


@verifies("fhir/write/content")
@EVERY_KIND
def test_observation_is_read_back_as_written(written: dict[str, Written], kind: str) -> None:
    """What is read back SHOULD be what was written: value, unit, code, time, device."""
    changes = written[kind].changes()
    conforms(
        not changes,
        expected="the content that was written",
        actual="; ".join(changes),
        where=written[kind].require_read().where,
    )


@verifies("fhir/write/content")
def test_device_is_read_back_as_written(written_by_device: Written) -> None:
    """The device that measured SHOULD be read back with the Observation."""
    applies_if(written_by_device.create.status < 300, unless="a create with a device is refused")
    changes = written_by_device.changes_of("device")
    conforms(
        not changes,
        expected="the device that was written",
        actual="; ".join(changes),
        where=written_by_device.require_read().where,
    )


@verifies("harness/write/visible")
@EVERY_KIND
def test_new_observation_is_found_at_once(written: dict[str, Written], kind: str) -> None:
    """An application that writes needs to find what it wrote."""
    prerequisite(written[kind].stored, unless="the Observation was not stored")
    conforms(
        written[kind].visible,
        expected="the new Observation in a search by patient and code",
        actual="it is not found",
    )


@verifies("fhir/create/invalid")
def test_invalid_observation_is_refused(refused: Refused) -> None:
    """A resource without a mandatory element is refused."""
    expect(refused.create).status_between(400, 499)


@verifies("fhir/create/refused-not-stored")
def test_refused_observation_is_not_stored(refused: Refused) -> None:
    """What was refused SHALL NOT be stored."""
    applies_if(refused.create.status >= 400, unless="the Observation was not refused")
    conforms(
        not refused.found_stored,
        expected="no trace of the refused Observation",
        actual="a search finds it",
        where=refused.create.where,
    )
