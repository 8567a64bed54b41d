from __future__ import annotations

import pytest

from harness.sync.answers.oddities import odd_among
from harness.sync.model import Received


def received(id_: str, raw: bytes = b"{}") -> Received:
    return Received("Observation", id_, "1", None, raw)


def odd(*page: Received) -> list[str]:
    return [each.id for each in odd_among(page, b",".join(each.raw for each in page))]


def test_nothing_is_odd_in_a_page_that_keeps_to_the_rules() -> None:
    assert odd() == []
    assert odd(received("a.b-C9"), received("x" * 64)) == []


@pytest.mark.parametrize("id_", ["x" * 65, "a_b", "a b", "é", "a/b"])
def test_an_id_that_is_none_is_odd(id_: str) -> None:
    assert odd(received("1"), received(id_), received("2")) == [id_]


@pytest.mark.parametrize("raw", [b'{"a":[null]}', b'{"a":[1, null ,2]}', b'{"a":[1,\nnull]}'])
def test_a_null_in_an_array_is_odd(raw: bytes) -> None:
    assert odd(received("1"), received("2", raw), received("3", b'{"a":null}')) == ["2"]
