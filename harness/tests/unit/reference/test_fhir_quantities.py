from __future__ import annotations

from contextlib import suppress
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.reference.fhir.quantities import amount, measured, measures

UCUM = "http://unitsofmeasure.org"
WEIGHT = {"value": 82.4, "unit": "kilogram", "system": UCUM, "code": "kg"}


def found(asked: str, quantity: object = WEIGHT) -> bool:
    known = amount(quantity)
    assert known
    return measures(measured(asked.split("|")), known)


@pytest.mark.parametrize(
    ("asked", "expected"),
    [
        ("82.4", True),
        ("82", True),  # 82 stands for 81.5 up to 82.5
        ("82.0", False),
        ("8e1", True),
        ("83", False),
        ("ne82.4", False),
        ("ne83", True),
        ("gt82.4", False),
        ("ge82.4", True),
        ("lt82.4", False),
        ("le82.4", True),
        ("sa82", True),
        ("eb83", True),
        ("ap80", True),
        ("ap60", False),
        (f"gt80|{UCUM}|kg", True),
        (f"gt80|{UCUM}|[lb_av]", False),
        ("gt80||kg", True),
        ("gt80||kilogram", True),
        (f"gt80|{UCUM}|kilogram", False),
        (f"gt80|{UCUM}", True),
        ("gt80|urn:other|", False),
        ("-5", False),
    ],
)
def test_quantities_are_found_by(asked: str, expected: bool) -> None:  # noqa: FBT001 - a column of the table
    assert found(asked) is expected


@pytest.mark.parametrize("text", ["", "kg", "1,5", "gt", "1|2|3|4", "1e400", "NaN", "٣"])
def test_what_is_no_number_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="number"):
        measured(text.split("|"))


@pytest.mark.parametrize("element", [None, 7, {}, {"value": "7"}, {"value": True}, []])
def test_what_has_no_number_cannot_be_found(element: object) -> None:
    assert amount(element) is None


@given(st.text(max_size=30))
def test_any_text_is_a_number_or_refused(text: str) -> None:
    with suppress(ValueError):
        measured(text.split("|"))


@given(
    st.decimals(allow_nan=False, allow_infinity=False, places=3, min_value=-9999, max_value=9999)
)
def test_a_number_finds_itself(number: Decimal) -> None:
    quantity = {"value": number}
    assert found(f"{number:f}", quantity)
    assert found(f"ge{number:f}", quantity)
    assert not found(f"ne{number:f}", quantity)
