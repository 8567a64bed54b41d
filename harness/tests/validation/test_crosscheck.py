"""Validators of other make say the same of mutants by chance, or it is known why not."""

from __future__ import annotations

from harness.tests.validation import peers
from harness.tests.validation.chance import drawn
from harness.tests.validation.crosscheck import (
    LONG,
    corpus,
    differences,
    explained,
    unversioned,
)

NUMBER = 20_000 if LONG else 1_500


def test_every_difference_to_other_validators_has_an_explanation() -> None:
    judges = {name: unversioned(judge) for name, judge in peers.at_hand()}
    assert "fhir.resources (R4B)" in judges
    reasons, left = explained(differences(drawn(corpus(), NUMBER, seed=7), judges))
    assert left == []
    assert reasons.total() > NUMBER / 20
