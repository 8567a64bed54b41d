from decimal import Decimal
from time import perf_counter
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.validation.values.primitives import CHECKS, LARGEST_INTEGER

RIGHT: dict[str, list[Any]] = {
    "boolean": [True, False],
    "integer": [0, -1, 2**31 - 1, -(2**31)],
    "positiveInt": [1, 2**31 - 1],
    "unsignedInt": [0, 2**31 - 1],
    "decimal": [0, 7, 7.1, -0.5, 1e-9, 10**20, Decimal("1.50"), Decimal("1e999")],
    "string": ["a", "a\nb", " leading", "tab\there", "é", "\u00a0", "😀", " "],
    "markdown": ["# a\r\n\r\n* b"],
    "code": ["final", "a b", "vital-signs", "8480-6", "<=", "mm[Hg]"],
    "id": ["a", "A-1.b", "x" * 64],
    "oid": ["urn:oid:1.2.3", "urn:oid:2.16.840.1.113883", "urn:oid:0.0"],
    "uuid": ["urn:uuid:c757873d-ec9a-4326-a141-556f43239520"],
    "uri": [
        "http://hl7.org/fhir",
        "urn:ietf:rfc:3986",
        "urn:oid:1.2",
        "urn:uuid:C757873D-ec9a-4326-a141-556f43239520",
        "relative/part",
        "#",
        "mailto:a@example.org",
    ],
    "url": ["https://example.org/a?b=c", "Binary/1"],
    "canonical": ["http://example.org/ValueSet/a|1.0", "#a", "urn:oid:1.2|3"],
    "date": ["2023", "2023-02", "2023-02-28", "2024-02-29", "2000-02-29", "0001-12-31"],
    "dateTime": [
        "2023",
        "2023-12",
        "2023-12-31",
        "2024-02-29T00:00:00Z",
        "2023-12-31T23:59:60Z",
        "2023-12-31T23:59:59.123456789+14:00",
        "2023-12-31T00:00:00-13:59",
    ],
    "instant": ["2023-12-31T23:59:59Z", "2015-02-07T13:28:17.239+02:00"],
    "time": ["00:00:00", "23:59:60", "12:30:00.5"],
    "base64Binary": ["QQ==", "QUI=", "QUJD", "QUJD\nQUJD", "QUJD QQ==", "+/+/"],
    "xhtml": ['<div xmlns="http://www.w3.org/1999/xhtml">a</div>'],
}

WRONG: dict[str, list[Any]] = {
    "boolean": ["true", 1, 0, None, "", [], {}],
    "integer": ["1", 1.0, True, 2**31, -(2**31) - 1, None],
    "positiveInt": [0, -1, 2**31, "1", 1.5, True],
    "unsignedInt": [-1, 2**31, "0", 0.0, False],
    "decimal": ["7.1", float("nan"), float("inf"), float("-inf"), True, None, [1], Decimal("sNaN")],
    "string": ["", 5, None, True, "a\x00", "a\x0b", "\x1b[0m", "\ud800", ["a"]],
    "markdown": ["", 5, "\x07"],
    "code": ["\ud800", "", " a", "a ", "a  b", "a\tb", "a\nb", 1, " "],
    "id": ["", "a" * 65, "a_b", "a b", "é", "a/b", "a\n", 1],
    "oid": ["1.2.3", "urn:oid:3.1", "urn:oid:1", "urn:oid:1.02", "urn:oid:1.", "URN:OID:1.2"],
    "uuid": ["urn:uuid:C757873D-EC9A-4326-A141-556F43239520", "urn:uuid:1", "c757873d"],
    "uri": ["", "a b", " http://a", "http://a\n", "urn:oid:x", "urn:uuid:12", "http://\x00", 1],
    "url": ["http://a b", "", "http://\udfff"],
    "canonical": ["http://a |1", ""],
    "date": [
        "",
        "2023-02-30",
        "2023-02-29",
        "1900-02-29",
        "2023-04-31",
        "2023-13",
        "2023-00",
        "2023-01-00",
        "2023-1-1",
        "0000",
        "0000-01-01",
        "23",
        "2023-01-01T00:00:00Z",
        "02/20/1987",
        "2023-01-01\n",
        "२०२३",
        2023,
    ],
    "dateTime": [
        "2023-01-01T10:00:00",
        "2023-01-01T10:00Z",
        "2023-01-01T24:00:00Z",
        "2023-01-01T25:00:00Z",
        "2023-01-01T10:60:00Z",
        "2023-01-01T10:00:61Z",
        "2023-01-01T10:00:00+14:01",
        "2023-01-01T10:00:00+15:00",
        "2023-01-01T10:00:00+0100",
        "2023-01-01T10:00:00.Z",
        "2023-01-01 10:00:00Z",
        "2023-01-01t10:00:00z",
        "2023-02-30T10:00:00Z",
        "2023-01T10:00:00Z",
        "",
        20230101,
    ],
    "instant": ["2023", "2023-01-01", "2023-01-01T10:00:00", "2023-02-30T10:00:00Z"],
    "time": ["24:00:00", "12:30", "12:30:61", "1:00:00", "12:30:00Z", ""],
    "base64Binary": ["", " ", "Q", "QQ", "QQ=", "QQ===", "====", "Q=Q=", "EQH/..AgME", "QU JD", 5],
    "xhtml": ["", "text", 5, None, "<div>a</div>"],
}


def cases(table: dict[str, list[Any]]) -> list[Any]:
    return [
        pytest.param(kind, value, id=f"{kind}-{number}")
        for kind, values in table.items()
        for number, value in enumerate(values)
    ]


def test_every_primitive_of_the_specification_has_right_and_wrong_values() -> None:
    assert set(CHECKS) == set(RIGHT) == set(WRONG)


@pytest.mark.parametrize(("kind", "value"), cases(RIGHT))
def test_right_values_pass(kind: str, value: Any) -> None:
    assert CHECKS[kind](value) is None


@pytest.mark.parametrize(("kind", "value"), cases(WRONG))
def test_wrong_values_are_told_what_was_expected(kind: str, value: Any) -> None:
    assert CHECKS[kind](value)


def test_a_string_longer_than_a_megabyte_is_refused() -> None:
    assert CHECKS["string"]("a" * 1024 * 1024) is None
    assert "1048576" in str(CHECKS["string"]("a" * (1024 * 1024 + 1)))


def test_a_day_that_does_not_exist_is_told_apart_from_another_format() -> None:
    for kind in ("date", "dateTime"):
        assert "calendar" in str(CHECKS[kind]("2023-02-30"))
        assert "YYYY" in str(CHECKS[kind]("20.02.1987"))
    assert "calendar" in str(CHECKS["instant"]("2023-02-30T10:00:00Z"))
    assert "Z or" in str(CHECKS["dateTime"]("2023-02-28T10:00:00"))


def test_real_days_are_those_of_the_calendar() -> None:
    check = CHECKS["date"]
    for year in (1900, 2000, 2023, 2024):
        leap = year % 4 == 0 and (year % 100 != 0 or year % 400 == 0)
        days = [31, 29 if leap else 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31]
        for month in range(1, 13):
            for day in range(1, 32):
                right = check(f"{year}-{month:02}-{day:02}") is None
                assert right == (day <= days[month - 1])


HOSTILE = ["a" * 10**6, " " * 10**6, "a " * 500_000, "=" * 10**6, "QUJD" * 250_000 + "*"]
HOSTILE += [
    "1." * 500_000,
    "urn:oid:1" + ".1" * 500_000 + ".",
    "2023-01-01T00:00:00." + "1" * 10**6,
]
HOSTILE += ["<" * 10**6, "<!--" * 250_000, "<b>" * 300_000, "\t" * 10**6, "QUJD \n" * 150_000 + "="]
HOSTILE += ["urn:uuid:" * 100_000, "\ud800" * 10**6, "a\x00" * 500_000]


@pytest.mark.parametrize("kind", sorted(CHECKS))
def test_hostile_strings_cost_no_more_than_their_length(kind: str) -> None:
    started = perf_counter()
    for text in HOSTILE:
        CHECKS[kind](text)
        CHECKS[kind]('<div xmlns="http://www.w3.org/1999/xhtml">' + text + "</div>")
    assert perf_counter() - started < 10


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=5,
)


@given(json_values)
def test_no_value_makes_a_check_raise(value: Any) -> None:
    for check in CHECKS.values():
        answer = check(value)
        assert answer is None or isinstance(answer, str)


@given(st.integers())
def test_integers_are_of_32_bits(value: Any) -> None:
    inside = -LARGEST_INTEGER - 1 <= value <= LARGEST_INTEGER
    assert (CHECKS["integer"](value) is None) == inside
