"""What counts as another patient's data, and what a Provenance refers to."""

from __future__ import annotations

from typing import Any

import pytest

from harness.checks.acts.included import targets


@pytest.mark.parametrize(
    ("target", "expected"),
    [
        ([{"reference": "Observation/1"}], {"Observation/1"}),
        ([{"reference": "https://ehr.example/r4/Observation/1/_history/2"}], {"Observation/1"}),
        ([{"reference": "urn:uuid:53fefa32-fcbb-4ff8-8a92-55ee120877b7"}], set()),
        ([{"identifier": {"value": "1"}}, "none", {"reference": 1}], set()),
        ({"reference": "Observation/1"}, set()),
    ],
)
def test_what_provenance_refers_to_is_read_tolerantly(target: Any, expected: set[str]) -> None:
    assert targets({"resourceType": "Provenance", "target": target}) == expected
