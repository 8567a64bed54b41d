from __future__ import annotations

from pathlib import Path

import pytest

from harness.config import paths
from harness.config.load import load_ehr
from harness.errors import ConfigError
from harness.tests.unit.config.conftest import SMALL


@pytest.fixture
def workplace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "fixtures" / "ehrs"
    folder.mkdir(parents=True)
    (folder / "own.toml").write_text(SMALL)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_own_files_are_found_before_those_that_ship(workplace: Path) -> None:
    (workplace / "fixtures" / "ehrs" / "reference.toml").write_text(SMALL)
    assert load_ehr("reference").title == "An EHR"
    assert paths.names("ehrs")["reference"].is_relative_to(workplace)


def test_files_that_ship_are_found_from_any_folder(workplace: Path) -> None:
    assert load_ehr("reference").title == "Reference EHR"
    assert {"own", "reference", "epic-sandbox"} <= set(paths.names("ehrs"))


@pytest.mark.parametrize(
    "name", ["Own", "own_", "-own", "..", "own\n", "", "a" * 64, "own.TOML", "\uff4fwn"]
)
def test_a_name_that_is_none_is_refused(workplace: Path, name: str) -> None:
    with pytest.raises(ConfigError, match="is no name of a file under ehrs"):
        paths.find("ehrs", name)


def test_a_name_never_leaves_its_folder(workplace: Path) -> None:
    (workplace / "outside.toml").write_text(SMALL)
    with pytest.raises(ConfigError, match="no file"):
        paths.find("ehrs", "../outside")


def test_a_path_is_recognised_by_its_ending_or_a_separator(workplace: Path) -> None:
    (workplace / "other.toml").write_text(SMALL)
    assert load_ehr("other.toml").name == "other"
    assert load_ehr("./other.toml").name == "other"
    with pytest.raises(ConfigError, match="no file"):
        load_ehr("missing.toml")


def test_an_unknown_name_says_where_was_looked_and_what_is_near(workplace: Path) -> None:
    with pytest.raises(ConfigError) as caught:
        paths.find("ehrs", "refrence")
    assert str(workplace / "fixtures" / "ehrs") in caught.value.message
    assert str(paths.fixtures_dir() / "ehrs") in caught.value.message
    assert caught.value.hint == "did you mean 'reference'?"


def test_a_wheel_carries_suites_and_fixtures_inside_the_package(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    package = tmp_path / "site-packages" / "harness"
    monkeypatch.setattr(paths, "_PACKAGE", package)
    monkeypatch.chdir(tmp_path)
    assert paths.suites_dir() == package / "_suites"
    assert paths.fixtures_dir() == package / "_fixtures"
    assert paths.reports_dir() == tmp_path / "reports"


def test_private_data_lives_where_the_user_or_the_platform_says(tmp_path: Path) -> None:
    assert paths.data_dir({"HARNESS_DATA": str(tmp_path)}) == tmp_path
    platform = paths.data_dir({"XDG_DATA_HOME": str(tmp_path)})
    assert platform.name == "fhir-harness"


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"title = \xff", "line 1: expected UTF-8"),
        (b"a = 1\n" * 200_000, "larger than"),
        (b"a = " + b"[" * 5000, "nested too deep"),
        (b"a" + b".a" * 400 + b" = 1", "nested too deep"),
        (b"a = " + b"9" * 5000, "not TOML"),
    ],
)
def test_a_file_beyond_its_bounds_is_refused(tmp_path: Path, content: bytes, words: str) -> None:
    path = tmp_path / "x.toml"
    path.write_bytes(content)
    with pytest.raises(ConfigError, match=words):
        load_ehr(str(path))


def test_private_folders_are_private_from_the_first_missing_one(tmp_path: Path) -> None:
    deepest = tmp_path / "a/b/c"
    paths.make_private(deepest)
    for each in (deepest, deepest.parent, deepest.parent.parent):
        assert each.stat().st_mode & 0o777 == 0o700
