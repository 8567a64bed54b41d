from __future__ import annotations

import json
import shutil
import tarfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from harness.errors import HostileInput, UsageError
from harness.profiles.install import cache_of, install, installed, reference, versions
from harness.profiles.versions import chosen
from harness.tests.unit.profiles.making import archive, base_types, packed, written


@pytest.fixture
def cache(tmp_path: Path) -> Path:
    return tmp_path / "home" / "packages"


def names(folder: Path) -> list[str]:
    return sorted(each.relative_to(folder).as_posix() for each in folder.rglob("*"))


def test_a_package_lies_where_other_tools_look_for_it(cache: Path, tmp_path: Path) -> None:
    files = packed(base_types()[:1]) | {"package/other/spec.internals": b"x"}
    done = install(written(tmp_path, files), cache)
    assert done.folder == cache / "example.package#1.0.0"
    assert done.folder == installed("example.package", "1.0.0", cache)
    assert names(done.folder) == [
        "package",
        "package/.index.json",
        "package/StructureDefinition-0.json",
        "package/other",
        "package/other/spec.internals",
        "package/package.json",
    ]
    assert names(cache)[0].startswith("example.package#1.0.0")


def test_an_index_is_written_where_there_is_none(cache: Path, tmp_path: Path) -> None:
    folder = install(written(tmp_path, packed(base_types()[:1])), cache).folder
    index = json.loads((folder / "package/.index.json").read_text())
    assert index["index-version"] == 2
    assert index["files"] == [
        {
            "filename": "StructureDefinition-0.json",
            "resourceType": "StructureDefinition",
            "url": "http://hl7.org/fhir/StructureDefinition/Element",
            "kind": "complex-type",
            "type": "Element",
        }
    ]
    own = packed([], name="own.index") | {"package/.index.json": b"{}"}
    folder = install(written(tmp_path, own), cache).folder
    assert (folder / "package/.index.json").read_text() == "{}"


def test_a_folder_is_copied_whether_it_is_the_package_or_holds_it(
    cache: Path, tmp_path: Path
) -> None:
    first = install(written(tmp_path, packed([], name="a")), cache).folder
    for place in (first, first / "package"):
        done = install(place, tmp_path / f"copy{len(place.parts)}")
        assert names(done.folder) == names(first)


def test_links_in_a_folder_are_refused(cache: Path, tmp_path: Path) -> None:
    place = install(written(tmp_path, packed([])), tmp_path / "first").folder
    (place / "package" / "link.json").symlink_to("/etc/passwd")
    with pytest.raises(HostileInput, match="got a link"):
        install(place, cache)
    assert names(cache) == []


@pytest.mark.parametrize(
    ("raw", "error"),
    [
        (archive({**packed([]), "package/../../../escaped": b"x"}), HostileInput),
        (archive({"package/x.json": b"{}"}), UsageError),
        (archive(packed([], fhirVersions=["5.0.0"])), UsageError),
        (archive({**packed([]), "package/a/b": b"1", "package/a": b"2"}), UsageError),
        (b"nothing", UsageError),
        (archive(packed([]))[:-40], UsageError),
    ],
    ids=["path", "no manifest", "R5", "file and folder", "no archive", "cut off"],
)
def test_what_cannot_be_installed_leaves_nothing(
    raw: bytes, error: type[Exception], cache: Path, tmp_path: Path
) -> None:
    place = tmp_path / "package.tgz"
    place.write_bytes(raw)
    with pytest.raises(error):
        install(place, cache)
    assert names(cache) == []
    assert not (tmp_path / "escaped").exists()


def test_one_file_twice_with_other_contents_is_refused(cache: Path, tmp_path: Path) -> None:
    info = tarfile.TarInfo("package/package.json")
    (tmp_path / "p.tgz").write_bytes(archive(packed([]), info))
    with pytest.raises(HostileInput, match="there twice"):
        install(tmp_path / "p.tgz", cache)


def test_a_package_has_to_be_the_one_that_was_wanted(cache: Path, tmp_path: Path) -> None:
    place = written(tmp_path, packed([]))
    with pytest.raises(UsageError, match=r"expected other#1.0.0, got example.package#1.0.0"):
        install(place, cache, wanted=("other", "1.0.0"))
    with pytest.raises(UsageError, match=r"expected example.package#2.0.0"):
        install(place, cache, wanted=("example.package", "2.0.0"))
    assert install(place, cache, wanted=("example.package", "latest")).folder.exists()


def test_one_that_is_there_stays_unless_it_is_to_be_replaced(cache: Path, tmp_path: Path) -> None:
    first = install(written(tmp_path, packed([])), cache).folder
    (first / "package" / "mark").write_text("first")
    place = written(tmp_path, packed([]))
    assert (install(place, cache).folder / "package" / "mark").exists()
    assert not (install(place, cache, replace=True).folder / "package" / "mark").exists()
    assert [each.name for each in cache.iterdir()] == ["example.package#1.0.0"]


def test_another_build_of_a_package_that_is_known_is_told(cache: Path, tmp_path: Path) -> None:
    place = written(tmp_path, packed([], name="hl7.fhir.us.core", version="6.1.0"))
    assert "another build" in str(install(place, cache).warning)
    assert install(written(tmp_path, packed([])), cache).warning is None


def test_a_cache_that_cannot_be_written_is_told_in_one_line(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(UsageError, match="cannot be written"):
        install(written(tmp_path, packed([])), tmp_path / "file" / "packages")


def test_where_packages_are_kept_can_be_chosen() -> None:
    assert cache_of({"HARNESS_FHIR_CACHE": "/c"}) == Path("/c")
    assert cache_of({}) == Path.home() / ".fhir" / "packages"


def test_a_package_is_named_with_its_version() -> None:
    assert reference("hl7.fhir.us.core#6.1.0") == ("hl7.fhir.us.core", "6.1.0")
    assert reference("hl7.fhir.us.core@6.1.x") == ("hl7.fhir.us.core", "6.1.x")
    assert reference("hl7.fhir.us.core") == ("hl7.fhir.us.core", "latest")
    for wrong in ("", "a b", "../x#1", "a#../1", "a##1", "x#1#2"):
        with pytest.raises(UsageError, match="expected NAME#VERSION"):
            reference(wrong)
    with pytest.raises(UsageError, match="not published"):
        reference("hl7.fhir.us.core#current")


def test_versions_that_are_there_are_found(cache: Path, tmp_path: Path) -> None:
    for version in ("1.0.0", "1.10.0"):
        install(written(tmp_path, packed([], version=version)), cache)
    (cache / "example.package#broken").mkdir()
    assert sorted(versions("example.package", cache)) == ["1.0.0", "1.10.0"]
    shutil.rmtree(cache)
    assert list(versions("example.package", cache)) == []


@pytest.mark.parametrize(
    ("wanted", "latest", "version"),
    [
        ("1.2.0", None, "1.2.0"),
        ("1.3.0", None, None),
        ("latest", "1.2.0", "1.2.0"),
        ("latest", "9.0.0", None),
        ("latest", None, "2.0.0"),
        ("1.2.x", None, "1.2.10"),
        ("3.0.x", None, None),
        ("2.x", None, None),
    ],
)
def test_the_version_that_is_meant(wanted: str, latest: str | None, version: str | None) -> None:
    known = ["1.2.0", "1.2.9", "1.2.10", "1.2.11-ballot", "2.0.0", "3.0.0-snapshot1", "odd"]
    assert chosen(wanted, known, latest) == version


def test_two_that_install_the_same_at_once_both_have_it(cache: Path, tmp_path: Path) -> None:
    place = written(tmp_path, packed(base_types()))
    with ThreadPoolExecutor(8) as pool:
        folders = {done.folder for done in pool.map(lambda _: install(place, cache), range(24))}
    assert folders == {cache / "example.package#1.0.0"}
    assert [each.name for each in cache.iterdir()] == ["example.package#1.0.0"]


def test_one_that_another_put_there_in_the_meantime_is_taken(
    cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    place = written(tmp_path, packed([]))
    first = install(place, cache).folder
    (first / "package" / "mark").write_text("first")
    real = Path.exists
    monkeypatch.setattr(Path, "exists", lambda path: path != first and real(path))
    assert (install(place, cache).folder / "package" / "mark").read_text() == "first"
