from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Any

import pytest

from harness.errors import UsageError
from harness.profiles import library
from harness.profiles.install import install
from harness.profiles.library import at_hand, definitions, definitions_of, kept_in
from harness.spec.definitions import R4, load
from harness.tests.unit.profiles.making import OWN, element, packed, profile, written

CORE = "http://hl7.org/fhir/us/core/StructureDefinition/us-core-patient"


@pytest.fixture
def environ(tmp_path: Path) -> dict[str, str]:
    return {"HARNESS_FHIR_CACHE": str(tmp_path / "fhir"), "HARNESS_CACHE": str(tmp_path / "kept")}


def put(folder: Path, environ: dict[str, str], *profiles: dict[str, Any], **said: Any) -> Path:
    """Install a package of these profiles."""
    place = written(folder, packed(profiles, **said))
    return install(place, Path(environ["HARNESS_FHIR_CACHE"]), replace=True).folder


def citizen(base: str | None = None) -> dict[str, Any]:
    active = {"path": "Patient.active", "min": 1}
    return profile("citizen", "Patient", differential=[active], base=base)


def test_what_ships_needs_no_installation(environ: dict[str, str]) -> None:
    assert definitions("hl7.fhir.us.core#6.1.0", environ) is load("hl7.fhir.us.core", "6.1.0")
    assert definitions("hl7.fhir.us.core#6.1.x", environ) is load("hl7.fhir.us.core", "6.1.0")
    assert definitions("hl7.fhir.us.core", environ) is load("hl7.fhir.us.core", "8.0.0")


def test_an_installed_package_stands_on_fhir_r4(tmp_path: Path, environ: dict[str, str]) -> None:
    put(tmp_path, environ, citizen())
    found = definitions("example.package#1.0.0", environ)
    assert [each.name for each in found.packages] == [R4[0], "example.package"]
    assert found.profiles[OWN + "citizen"].root.children["active"].minimum == 1
    assert "Observation" in found.types
    assert found.missing == ()


def test_a_package_stands_on_those_that_it_names(tmp_path: Path, environ: dict[str, str]) -> None:
    needs = {R4[0]: R4[1], "hl7.fhir.us.core": "6.1.x"}
    put(tmp_path, environ, citizen(CORE), name="middle", dependencies=needs)
    upper = profile("upper", "Patient", differential=[], base=OWN + "citizen")
    needs = {"middle": "1.0.0", "gone": "2.0.0"}
    put(tmp_path, environ, upper, name="upper", dependencies=needs)
    found = definitions("upper#1.0.0", environ)
    names = [f"{each.name}#{each.version}" for each in found.packages]
    assert names == ["hl7.fhir.r4.core#4.0.1", "hl7.fhir.us.core#6.1.0", "middle#1.0.0",
                     "upper#1.0.0"]  # fmt: skip
    assert found.missing == ("gone#2.0.0",)
    children = found.profiles[OWN + "upper"].root.children
    assert children["active"].minimum == 1
    assert children["identifier"].minimum == 1


def test_packages_that_name_each_other_end(tmp_path: Path, environ: dict[str, str]) -> None:
    put(tmp_path, environ, name="one", dependencies={"two": "1.0.0"})
    put(tmp_path, environ, name="two", dependencies={"one": "1.0.0"})
    names = [each.name for each in definitions("one#1.0.0", environ).packages]
    assert names == [R4[0], "two", "one"]


def test_a_dependency_of_another_version_of_fhir_is_left_out(
    tmp_path: Path, environ: dict[str, str]
) -> None:
    folder = put(tmp_path, environ, name="texts")
    (folder / "package/package.json").write_text(
        '{"name": "texts", "version": "1.0.0", "fhirVersions": ["5.0.0"]}'
    )
    put(tmp_path, environ, citizen(), dependencies={"texts": "1.0.0"})
    found = definitions("example.package", environ)
    assert found.missing == ("texts#1.0.0",)
    assert OWN + "citizen" in found.profiles


def test_an_archive_or_a_folder_will_do(tmp_path: Path, environ: dict[str, str]) -> None:
    folder = put(tmp_path, environ, citizen())
    for place in (tmp_path / "package.tgz", folder, folder / "package"):
        assert OWN + "citizen" in definitions_of(place, environ).profiles
        assert OWN + "citizen" in definitions(str(place), environ).profiles


def test_what_was_derived_is_kept(
    tmp_path: Path, environ: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = put(tmp_path, environ, citizen())
    first = definitions_of(folder, environ)
    monkeypatch.setattr(library, "derive", None)
    again = definitions_of(folder, environ)
    assert again.profiles[OWN + "citizen"] == first.profiles[OWN + "citizen"]
    assert len(list(kept_in(environ).iterdir())) == 1


@pytest.mark.parametrize("what", ["content", "code", "dependency"])
def test_it_is_derived_again_where_anything_under_it_changed(
    what: str, tmp_path: Path, environ: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    put(tmp_path, environ, name="below")
    folder = put(tmp_path, environ, citizen(), dependencies={"below": "1.0.0"})
    definitions_of(folder, environ)
    before = {each.name for each in kept_in(environ).iterdir()}
    if what == "content":
        put(tmp_path, environ, citizen() | {"title": "Other"}, dependencies={"below": "1.0.0"})
    elif what == "code":
        monkeypatch.setattr(library, "derivation", lambda: "other")
    else:
        put(tmp_path, environ, citizen() | {"url": OWN + "x"}, name="below")
    definitions_of(folder, environ)
    assert {each.name for each in kept_in(environ).iterdir()} - before


def test_what_is_kept_and_broken_is_derived_again(tmp_path: Path, environ: dict[str, str]) -> None:
    folder = put(tmp_path, environ, citizen())
    definitions_of(folder, environ)
    (kept,) = kept_in(environ).iterdir()
    (kept / "package.json").write_text("{")
    assert OWN + "citizen" in definitions_of(folder, environ).profiles


def test_where_nothing_can_be_kept_it_works_all_the_same(
    tmp_path: Path, environ: dict[str, str]
) -> None:
    (tmp_path / "kept").write_text("no folder")
    folder = put(tmp_path, environ, citizen())
    assert OWN + "citizen" in definitions_of(folder, environ).profiles


def test_definitions_that_cannot_be_used_are_told_also_by_what_is_kept(
    tmp_path: Path, environ: dict[str, str]
) -> None:
    broken = profile("broken", "Patient", [element("Patient", 0, "many")])
    folder = put(tmp_path, environ, citizen(), broken)
    for _ in range(2):
        (problem,) = definitions_of(folder, environ).packages[-1].problems
        assert problem.startswith(f"StructureDefinition {OWN}broken: cannot be used")


@pytest.mark.parametrize(
    ("package", "said"),
    [
        ("other.package#1.0.0", "neither ships nor is installed in .*: harness profiles install"),
        ("no package", "expected NAME#VERSION"),
        (f"nowhere{os.sep}at.all", "No such file"),
        ("nowhere.tgz", "No such file"),
    ],
)
def test_what_is_not_there_is_told_with_what_helps(
    package: str, said: str, environ: dict[str, str]
) -> None:
    with pytest.raises(UsageError, match=said):
        definitions(package, environ)


def test_a_folder_that_is_no_package_is_told(tmp_path: Path, environ: dict[str, str]) -> None:
    with pytest.raises(UsageError, match="expected a FHIR package"):
        definitions_of(tmp_path, environ)


def test_what_is_at_hand(tmp_path: Path, environ: dict[str, str]) -> None:
    put(tmp_path, environ)
    assert at_hand("example.package", "1.0.x", environ)
    assert at_hand("hl7.fhir.us.core", "6.1.x", environ)
    assert not at_hand("example.package", "2.0.0", environ)


def test_where_tables_are_kept_can_be_chosen(monkeypatch: pytest.MonkeyPatch) -> None:
    assert kept_in({"HARNESS_CACHE": "/c"}) == Path("/c/definitions")
    monkeypatch.setattr(sys, "platform", "linux")
    assert kept_in({"XDG_CACHE_HOME": "/x"}) == Path("/x/fhir-harness/definitions")
    assert kept_in({}) == Path.home() / ".cache/fhir-harness/definitions"
    monkeypatch.setattr(sys, "platform", "darwin")
    assert kept_in({}) == Path.home() / "Library/Caches/fhir-harness/definitions"
