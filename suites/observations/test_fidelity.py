"""FHIR R4, RESTful API, "Transactional Integrity": what is read is what was written.

http://hl7.org/fhir/R4/http.html#transactional-integrity
"""

from __future__ import annotations

import pytest

from harness import applies_if, conforms, verifies
from harness.checks.acts.observing import KINDS, Written, of_kind, resource_of
from harness.checks.acts.write import LETTERS
from harness.checks.found import objects

pytestmark = pytest.mark.write

EVERY_KIND = pytest.mark.parametrize("kind", KINDS)
DETAILS = ("method", "performer", "meta.tag")


@verifies("fhir/write/content")
@EVERY_KIND
def test_observation_is_read_back_as_written(written: dict[str, Written], kind: str) -> None:
    """What is read back SHOULD be what was written: value, unit, code, components, time."""
    done = of_kind(written, kind)
    changes = done.changes()
    conforms(
        not changes,
        expected="the content that was written",
        actual="; ".join(changes),
        where=done.require_read().where,
    )


@verifies("fhir/write/additions")
@EVERY_KIND
def test_nothing_is_added_to_a_measurement(written: dict[str, Written], kind: str) -> None:
    """What the application did not measure is not to be in what is read back."""
    done = of_kind(written, kind)
    additions = done.additions()
    conforms(
        not additions,
        expected="no more than was written",
        actual=f"added: {', '.join(additions)}",
        where=done.require_read().where,
    )


@verifies("fhir/write/digits")
def test_decimal_keeps_its_digits(written: dict[str, Written]) -> None:
    """178.0 is not 178: the precision of a decimal is to be kept."""
    done = of_kind(written, "body-height")
    digits = done.digits_read
    applies_if(digits is not None, unless="the value was not read back")
    conforms(
        digits is None or digits.endswith(".0"),
        expected="the value with its digits: 178.0",
        actual=f"{digits}",
        where=done.require_read().where,
    )


@verifies("fhir/write/letters")
def test_text_keeps_its_letters(lettered: Written) -> None:
    """Text SHALL be exchanged as UTF-8, so that no letter is replaced by another."""
    applies_if(lettered.accepted, unless="a create with a remark is refused")
    notes = objects(resource_of(lettered.require_read()).get("note"))
    kept = [str(each.get("text")) for each in notes]
    applies_if(kept, unless="the remark was not kept")
    conforms(
        any(LETTERS in each for each in kept),
        expected=f"the remark as it was written: {LETTERS}",
        actual="a remark with other letters",
        where=lettered.require_read().where,
    )


@verifies("fhir/write/content")
def test_device_is_read_back_as_written(written_by_device: Written) -> None:
    """The device that measured SHOULD be read back with the Observation."""
    _unchanged(written_by_device, "device")


@verifies("fhir/write/content")
@pytest.mark.parametrize("element", DETAILS)
def test_detail_is_read_back_as_written(written_by_device: Written, element: str) -> None:
    """How and by whom it was measured SHOULD be read back with the Observation."""
    _unchanged(written_by_device, element)


def _unchanged(done: Written, element: str) -> None:
    applies_if(done.accepted, unless="a create with all that a home monitor knows is refused")
    changes = done.changes_of(element)
    conforms(
        not changes,
        expected=f"the {element} that was written",
        actual="; ".join(changes),
        where=done.require_read().where,
    )
