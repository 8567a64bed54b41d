import gzip
import io
import tarfile
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.errors import HarnessError, HostileInput, UsageError
from harness.profiles import archive
from harness.profiles.archive import Bounds
from harness.tests.unit.profiles.making import archive as made


def read(folder: Path, raw: bytes, bounds: Bounds = archive.DEFAULT) -> dict[str, bytes]:
    place = folder / "package.tgz"
    place.write_bytes(raw)
    return dict(archive.files(place, bounds))


def member(name: str, kind: bytes = tarfile.REGTYPE, link: str = "") -> tarfile.TarInfo:
    info = tarfile.TarInfo(name)
    info.type = kind
    info.linkname = link
    return info


def test_files_come_with_their_paths(tmp_path: Path) -> None:
    files = {"package/package.json": b"{}", "package/other/x.json": b"[]"}
    assert read(tmp_path, made(files)) == files


def test_what_lies_beside_the_package_is_moved_into_it(tmp_path: Path) -> None:
    assert read(tmp_path, made({"./package/a": b"1", "other/b": b"2", "c": b"3"})) == {
        "package/a": b"1",
        "package/other/b": b"2",
        "package/c": b"3",
    }


def test_an_archive_that_was_inflated_on_its_way_is_read_as_well(tmp_path: Path) -> None:
    assert read(tmp_path, made({"package/a": b"1"}, mode="w")) == {"package/a": b"1"}


@pytest.mark.parametrize(
    "name",
    [
        "../outside",
        "package/../../outside",
        "/etc/passwd",
        "package\\..\\outside",
        "C:/outside",
        "package/line\nbreak",
        "package/" + "x" * 500,
    ],
)
def test_a_path_that_leads_out_or_cannot_be_one_is_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(HostileInput, match="leads out"):
        read(tmp_path, made({name: b"x"}))


@pytest.mark.parametrize(
    "odd",
    [
        member("package/link", tarfile.SYMTYPE, "/etc/passwd"),
        member("package/hard", tarfile.LNKTYPE, "package/package.json"),
        member("package/device", tarfile.CHRTYPE),
        member("package/block", tarfile.BLKTYPE),
        member("package/pipe", tarfile.FIFOTYPE),
    ],
    ids=lambda each: each.name,
)
def test_what_is_no_file_is_refused(tmp_path: Path, odd: tarfile.TarInfo) -> None:
    with pytest.raises(HostileInput, match="link, a device"):
        read(tmp_path, made({"package/package.json": b"{}"}, odd))


def test_a_folder_is_nothing_of_its_own(tmp_path: Path) -> None:
    assert read(tmp_path, made({}, member("package/sub", tarfile.DIRTYPE))) == {}


def test_a_bomb_is_refused_before_it_is_inflated(tmp_path: Path) -> None:
    raw = made({"package/a": bytes(40 * 2**20)})
    assert len(raw) < 2**18
    with pytest.raises(HostileInput, match="beyond all measure"):
        read(tmp_path, raw, Bounds(ratio=20))


def test_one_file_may_only_be_so_large(tmp_path: Path) -> None:
    with pytest.raises(HostileInput, match=r"5,000 bytes, over 4,096"):
        read(tmp_path, made({"package/a": bytes(5000)}), Bounds(file=4096))


def test_a_header_that_claims_gigabytes_is_not_believed(tmp_path: Path) -> None:
    info = member("package/a", tarfile.XHDTYPE)
    info.size = 2**33
    raw = gzip.compress(info.tobuf(tarfile.GNU_FORMAT) + bytes(1024))
    with pytest.raises(HostileInput, match=r"8,589,934,592 bytes, over"):
        read(tmp_path, raw)


def test_only_so_many_files_are_taken(tmp_path: Path) -> None:
    files = {f"package/{number}": b"" for number in range(11)}
    with pytest.raises(HostileInput, match="more than 10 files"):
        read(tmp_path, made(files), Bounds(files=10))


NONE = {
    "nothing": b"",
    "a zip": b"PK\x03\x04 a zip",
    "gzip of no tar": gzip.compress(b"no tar"),
    "no gzip": b"\x1f\x8bx",
}


@pytest.mark.parametrize("raw", NONE.values(), ids=NONE)
def test_what_is_no_archive_is_said_to_be_none(tmp_path: Path, raw: bytes) -> None:
    with pytest.raises(UsageError, match=r"package\.tgz: (expected|not a package)"):
        read(tmp_path, raw)


def test_a_file_that_is_not_there_is_told_in_one_line(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="No such file"):
        dict(archive.files(tmp_path / "none.tgz"))


def test_an_archive_that_is_cut_off_is_no_package(tmp_path: Path) -> None:
    whole = made({"package/a": b"a" * 5000, "package/b": bytes(range(256)) * 64})
    with pytest.raises(UsageError):
        read(tmp_path, whole[: len(whole) // 2])


@given(st.binary(max_size=600), st.integers(0, 10_000))
def test_damage_is_refused_and_never_a_traceback(
    tmp_path_factory: pytest.TempPathFactory, noise: bytes, at: int
) -> None:
    whole = io.BytesIO()
    with tarfile.open(fileobj=whole, mode="w") as tar:
        info = tarfile.TarInfo("package/package.json")
        info.size = 2
        tar.addfile(info, io.BytesIO(b"{}"))
    raw = bytearray(whole.getvalue())
    at %= len(raw)
    raw[at : at + len(noise)] = noise
    place = tmp_path_factory.getbasetemp() / "damaged.tgz"
    place.write_bytes(gzip.compress(bytes(raw), 1))
    try:
        for name, _ in archive.files(place):
            assert name.startswith("package/")
    except HarnessError:
        pass
