from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from harness.sync.store.rows import text_of
from harness.sync.store.upsert import Change, Known, judge

_NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)
T0 = text_of(_NOON)
LATER = text_of(_NOON + timedelta(minutes=1))


def test_what_is_not_stored_is_new() -> None:
    assert judge(None, Known("1", T0, b"a")) is Change.NEW


def test_the_same_version_with_the_same_bytes_is_no_change() -> None:
    assert judge(Known("1", T0, b"a"), Known("1", T0, b"a")) is Change.UNCHANGED


def test_a_deleted_resource_that_comes_again_is_a_change() -> None:
    assert judge(Known("1", T0, b"a", deleted=True), Known("1", T0, b"a")) is Change.CHANGED


@pytest.mark.parametrize(
    ("stored", "came", "expected"),
    [
        (Known("9", T0, b"a"), Known("10", LATER, b"b"), Change.CHANGED),
        (Known("10", LATER, b"a"), Known("9", T0, b"b"), Change.OLDER),
        # Nodes of a cluster stamp differently; the number decides.
        (Known("1", LATER, b"a"), Known("2", T0, b"b"), Change.CHANGED),
        (Known("x", T0, b"a"), Known("y", LATER, b"b"), Change.CHANGED),
        (Known("x", LATER, b"a"), Known("y", T0, b"b"), Change.OLDER),
        # No versions at all, or a version that is not counted up.
        (Known(None, T0, b"a"), Known(None, LATER, b"b"), Change.CHANGED),
        (Known(None, None, b"a"), Known(None, None, b"b"), Change.CHANGED),
        (Known("1", T0, b"a"), Known("1", T0, b"b"), Change.CHANGED),
        (Known("1", None, b"a"), Known("x", T0, b"b"), Change.CHANGED),
        (Known("²", T0, b"a"), Known("1", LATER, b"b"), Change.CHANGED),
    ],
)
def test_the_newest_version_wins(stored: Known, came: Known, expected: Change) -> None:
    assert judge(stored, came) is expected
