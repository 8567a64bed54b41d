"""The files of an export come back as they were written, whole and in any part."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.reference.bulk import spool as module
from harness.reference.bulk.spool import Spool

LINES = st.lists(
    st.tuples(
        st.sampled_from(["Observation", "Patient", "deleted"]),
        st.binary(max_size=40).filter(lambda line: b"\n" not in line),
    ),
    max_size=60,
)


def _filled(lines: list[tuple[str, bytes]], most: int) -> Spool:
    made = Spool(most)
    for section, line in lines:
        made.add(section, "Bundle" if section == "deleted" else section, line)
    made.finish()
    return made


@pytest.fixture(scope="module", autouse=True)
def _small_blocks() -> Iterator[None]:
    """So that a few lines already make several."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "BLOCK", 64)
        yield


@given(LINES, st.integers(1, 7))
def test_what_was_written_is_read_in_order(lines: list[tuple[str, bytes]], most: int) -> None:
    spool = _filled(lines, most)
    for section in {section for section, _ in lines}:
        files = [one for one in spool.files.values() if one.name.startswith(f"{section}-")]
        content = b"".join(b"".join(spool.read(one, 0, one.size)) for one in files)
        assert content == b"".join(line + b"\n" for each, line in lines if each == section)
        assert all(one.count <= most for one in files)
        assert sum(one.count for one in files) == sum(each == section for each, _ in lines)
    assert list(spool.files) == list(dict.fromkeys(spool.files))


@given(LINES, st.integers(0, 3000), st.integers(0, 3000))
def test_any_part_is_that_part_of_the_whole(
    lines: list[tuple[str, bytes]], start: int, stop: int
) -> None:
    spool = _filled(lines, 1000)
    for one in spool.files.values():
        whole = b"".join(spool.read(one, 0, one.size))
        assert len(whole) == one.size
        assert b"".join(spool.read(one, start, min(stop, one.size))) == whole[start:stop]


def test_files_are_numbered_by_section() -> None:
    spool = _filled([("Patient", b"{}")] * 3 + [("deleted", b"{}")], 2)
    assert list(spool.files) == ["Patient-1.ndjson", "Patient-2.ndjson", "deleted-1.ndjson"]
    assert [one.kind for one in spool.files.values()] == ["Patient", "Patient", "Bundle"]


def test_reading_goes_on_while_others_write() -> None:
    spool = Spool(1000)
    for _ in range(40):
        spool.add("Patient", "Patient", b"x" * 10)
    reading = spool.read(spool.files["Patient-1.ndjson"], 0, 10_000)
    first = next(reading)
    spool.add("Goal", "Goal", b"y" * 100)
    spool.finish()
    assert set(first + b"".join(reading)) == set(b"x\n")
