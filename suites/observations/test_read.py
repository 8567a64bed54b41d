"""FHIR R4, RESTful API, "read".

http://hl7.org/fhir/R4/http.html#read
"""

from __future__ import annotations

from harness import Exchange, expect, verifies


@verifies("fhir/read/id")
def test_read_answers_with_the_resource_asked_for(observation_read: Exchange) -> None:
    """The returned resource SHALL have the id that was asked for."""
    asked = observation_read.request.url.rsplit("/", 1)[1]
    expect(observation_read).status(200).resource("Observation").member("id", equals=asked)


@verifies("fhir/media-type")
def test_read_answers_with_fhir_json(observation_read: Exchange) -> None:
    """JSON resources SHALL be exchanged as application/fhir+json."""
    expect(observation_read).media_type("application/fhir+json")


@verifies("fhir/read/not-modified")
def test_what_the_client_has_is_not_sent_again(read_again: Exchange) -> None:
    """A server that declares conditionalRead SHOULD answer 304 to the ETag of what is current."""
    expect(read_again).status(304)


@verifies("fhir/read/unknown")
def test_read_of_an_unknown_id_is_not_found(unknown_read: Exchange) -> None:
    """A read of an unknown id is answered with 404; 403 tells no less to a stranger."""
    expect(unknown_read).status(404, 410, 403)


@verifies("fhir/error/outcome")
def test_refusal_is_explained(unknown_read: Exchange) -> None:
    """An error SHOULD be explained by an OperationOutcome."""
    expect(unknown_read).resource("OperationOutcome")
