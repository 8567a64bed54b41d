"""Many strings at once: found are exactly those that `str.find` finds, one by one."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from harness.http.needles import LONG, Needles

narrow = st.text("ab", min_size=1, max_size=LONG + 9)
wide = st.text(min_size=1, max_size=LONG + 9)


@given(st.lists(narrow | wide, max_size=8), st.lists(narrow | wide, max_size=8), st.data())
def test_what_is_there_is_found_where_it_is(
    needles: list[str], others: list[str], data: st.DataObject
) -> None:
    parts = data.draw(st.lists(st.sampled_from([*needles, *others, "x"]), max_size=12))
    text = "".join(parts)
    expected: dict[int, str] = {}
    for start in range(len(text)):
        here = [each for each in needles if text.startswith(each, start)]
        if here:
            expected[start] = max(here, key=len)
    assert Needles(needles).found(text) == sorted(expected.items())


def test_nothing_is_found_where_nothing_is_sought() -> None:
    assert Needles().found("any text at all") == []
