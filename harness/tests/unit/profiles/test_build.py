from __future__ import annotations

import json
import os
import re
from pathlib import Path
from typing import Any

import pytest

from harness.cli import main
from harness.errors import ExitStatus
from harness.profiles.build import build
from harness.profiles.package import read
from harness.profiles.structure import profiles_of
from harness.spec.definitions import R4, Definitions, folder_of, load, opened, shipped
from harness.spec.definitions.encode import profile_row
from harness.spec.definitions.model import Profile
from harness.tests.unit.profiles.making import (
    OWN,
    URL,
    base_types,
    element,
    packed,
    profile,
    written,
)

OFFICIAL = os.environ.get("HARNESS_FHIR_PACKAGES")
"""A folder with the official archives, which are no part of the project; read before the
environment is cleaned for the tests."""


@pytest.fixture
def places(tmp_path: Path) -> list[Path]:
    """A small R4, and a guide that builds on it."""
    system = {
        "resourceType": "CodeSystem",
        "url": "http://hl7.org/fhir/states",
        "content": "complete",
        "concept": [{"code": "on"}, {"code": "off"}],
    }
    states = {
        "resourceType": "ValueSet",
        "url": f"{URL}ValueSet/states",
        "compose": {"include": [{"system": "http://hl7.org/fhir/states"}]},
    }
    binding = {"strength": "required", "valueSet": f"{URL}ValueSet/states"}
    said = [
        element("Thing", 0, "*"),
        element("Thing.status", 1, "1", "code", binding=binding, fixedCode="on"),
    ]
    core = packed([*base_types(), system], name=R4[0], version=R4[1])
    guide = packed([profile("lamp", "Thing", said), states], name="example.guide")
    return [
        written(tmp_path, core, "core.tgz"),
        written(tmp_path, guide, "guide.tgz"),
    ]


def run(*words: Any) -> int:
    return main(["profiles", "build", *map(str, words)])


def test_the_tables_of_several_packages_are_written_and_read(
    places: list[Path], tmp_path: Path
) -> None:
    out = tmp_path / "tables"
    assert run(*reversed(places), "--out", out) == ExitStatus.OK
    folders = [folder_of(*R4, out), folder_of("example.guide", "1.0.0", out)]
    definitions = Definitions.read([opened(each) for each in folders])
    assert [each.name for each in definitions.packages] == [R4[0], "example.guide"]
    lamp = definitions.profiles[OWN + "lamp"]
    assert lamp.root.children["status"].fixed == "on"
    states = definitions.value_sets[f"{URL}ValueSet/states"]
    assert states.codes == {"http://hl7.org/fhir/states": frozenset({"on", "off"})}


def test_the_same_packages_give_the_same_bytes(places: list[Path], tmp_path: Path) -> None:
    for name in ("one", "two"):
        run(*(places if name == "one" else reversed(places)), "--out", tmp_path / name)
    one, two = (
        {file.relative_to(tmp_path / name): file.read_bytes() for file in files}
        for name in ("one", "two")
        for files in [sorted((tmp_path / name).rglob("*.json"))]
    )
    assert one == two


def test_a_check_passes_where_nothing_changed(places: list[Path], tmp_path: Path) -> None:
    run(*places, "--out", tmp_path / "out")
    assert run(*places, "--out", tmp_path / "out", "--check") == ExitStatus.OK


def test_a_check_names_each_definition_that_differs(
    places: list[Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out"
    run(*places, "--out", out)
    folder = folder_of("example.guide", "1.0.0", out)
    profiles = (folder / "profiles.json").read_text()
    (folder / "profiles.json").write_text(profiles.replace('"on"', '"off"'))
    (folder / "value-sets.json").unlink()
    (folder / "more.json").write_text("{}")
    types = folder_of(*R4, out) / "types.json"
    kept = [line for line in types.read_text().split("\n") if not line.startswith('"Thing"')]
    types.write_text("\n".join([*kept[:-1], '"Other":{}', "}"]))
    capsys.readouterr()
    assert run(*places, "--out", out, "--check") == ExitStatus.NOT_CONFORMANT
    core, guide = f"{R4[0]}-{R4[1]}", "example.guide-1.0.0"
    assert capsys.readouterr().out.splitlines() == [
        f"{core}/types.json: Other is there, and should not be",
        f"{core}/types.json: Thing is missing",
        f"{guide}/more.json: is there, and should not be",
        f"{guide}/profiles.json: {OWN}lamp differs",
        f"{guide}/value-sets.json: is missing",
    ]


def test_what_is_no_longer_derived_is_removed(places: list[Path], tmp_path: Path) -> None:
    out = tmp_path / "out"
    folder = folder_of("example.guide", "1.0.0", out)
    folder.mkdir(parents=True)
    (folder / "servers.json").write_text("{}")
    run(*places, "--out", out)
    assert not (folder / "servers.json").exists()


def test_a_guide_alone_builds_on_the_tables_that_ship(places: list[Path], tmp_path: Path) -> None:
    (tables,) = build([places[1]])
    assert tables.origin.name == "example.guide"


@pytest.mark.parametrize(
    ("files", "said"),
    [
        ({"package/x.json": b"{}"}, "expected a FHIR package"),
        ({"package/package.json": b"[]"}, "expected a JSON object"),
        ({"package/package.json": b'{"name":"../x","version":"1.0.0"}'}, "a package's name"),
        ({"package/package.json": b'{"name":"x","version":"a/b"}'}, "expected a version"),
        (packed([], fhirVersions=["5.0.0"]), "expected a package of FHIR R4"),
        (packed([]) | {"package/X-1.json": b"{"}, "expected JSON"),
    ],
)
def test_what_is_no_package_of_fhir_r4_is_refused(
    files: dict[str, bytes],
    said: str,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert run(written(tmp_path, files), "--out", tmp_path / "out") == ExitStatus.USAGE
    assert said in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


def test_an_output_that_cannot_be_written_is_named(
    places: list[Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "file").write_text("")
    assert run(*places, "--out", tmp_path / "file") == ExitStatus.USAGE
    assert "cannot be written" in capsys.readouterr().err


def test_the_tables_that_ship_are_what_the_official_packages_say(
    capsys: pytest.CaptureFixture[str],
) -> None:
    folder = Path(OFFICIAL or "/nowhere")
    wanted = [folder / f"{name}-{version}.tgz" for name, version in shipped()]
    missing = [file.name for file in wanted if not file.is_file()]
    if missing:
        pytest.skip(f"HARNESS_FHIR_PACKAGES names no folder with {', '.join(missing)}")
    status = run(*wanted, "--check")
    assert capsys.readouterr().out == ""
    assert status == ExitStatus.OK


def test_a_guide_says_the_same_without_its_snapshots() -> None:
    """The publisher's own snapshots are the measure of what is put together from differentials."""
    file = Path(OFFICIAL or "/nowhere") / "hl7.fhir.us.core-3.1.1.tgz"
    if not file.is_file():
        pytest.skip(f"HARNESS_FHIR_PACKAGES names no folder with {file.name}")
    structures = read(file).of("StructureDefinition")
    bare = [{name: each[name] for name in each if name != "snapshot"} for each in structures]
    below = load(*R4)
    whole, own = (profiles_of(each, below.types, below.profiles, []) for each in (structures, bare))
    differing = [url for url in whole if without_rules(whole[url]) != without_rules(own[url])]
    assert {url.rpartition("/")[2] for url in differing} == {
        "us-core-patient",  # the differential binds an extension that holds its binding itself
        "us-core-pulse-oximetry",  # slices repeat must-support of what they slice
    }


def without_rules(profile: Profile) -> str:
    """A profile as text; publishers close the slicing of a choice, which is open by default."""
    return re.sub(r'"rules": "\w+"', "", json.dumps(profile_row(profile)))
