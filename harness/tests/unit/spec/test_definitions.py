"""The definitions that ship, as their reader gives them."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from harness.errors import UsageError
from harness.spec.definitions import R4, TABLES, load, shipped
from harness.spec.definitions.model import UNBOUNDED, Element, Kind, Strength, TypeRef
from harness.spec.definitions.server import Expectation

CORE = "hl7.fhir.us.core"
VERSIONS = ["3.1.1", "4.0.0", "5.0.1", "6.1.0", "7.0.0", "8.0.0"]
PROFILE = "http://hl7.org/fhir/us/core/StructureDefinition/"
SYSTEM = "http://terminology.hl7.org/CodeSystem/"


def test_fhir_r4_and_six_versions_of_us_core_ship() -> None:
    assert shipped() == (R4, *((CORE, version) for version in VERSIONS))


def test_a_package_that_does_not_ship_is_refused_with_what_helps() -> None:
    with pytest.raises(UsageError, match=r"hl7.fhir.us.core#9.9.9: .*6.1.0.*profiles install"):
        load(CORE, "9.9.9")


def test_every_resource_and_data_type_of_r4_is_there() -> None:
    kinds = [load(*R4).types[name].kind for name in load(*R4).types]
    assert (
        kinds.count(Kind.RESOURCE),
        kinds.count(Kind.COMPLEX),
        kinds.count(Kind.PRIMITIVE),
    ) == (148, 41, 20)


def test_types_of_fhirpath_are_named_as_fhir_does() -> None:
    types = load(*R4).types
    assert types["Observation"].root.children["id"].types == (TypeRef("id"),)
    assert types["Quantity"].root.children["id"].types == (TypeRef("string"),)
    assert types["Extension"].root.children["url"].types == (TypeRef("uri"),)
    assert types["Narrative"].root.children["div"].types == (TypeRef("xhtml"),)
    named = {
        ref.code for each in types.values() for ref in _refs(each.root) if not ref.code.isalnum()
    }
    assert named == set()


def test_a_primitive_has_its_regex_and_no_value() -> None:
    id_ = load(*R4).types["id"]
    assert id_.regex == r"[A-Za-z0-9\-\.]{1,64}"
    assert list(id_.root.children) == ["id", "extension"]


def test_an_element_of_a_type_says_how_often_where_and_what() -> None:
    observation = load(*R4).types["Observation"].root
    status, category = observation.children["status"], observation.children["category"]
    assert (status.minimum, status.maximum, status.array) == (1, 1, False)
    assert (category.minimum, category.maximum, category.array) == (0, UNBOUNDED, True)
    assert status.binding is not None
    assert status.binding.strength is Strength.REQUIRED
    component = observation.children["component"].children
    assert component["referenceRange"].same_as == "Observation.referenceRange"
    assert [each.key for each in observation.constraints if each.key.startswith("obs")] == [
        "obs-6",
        "obs-7",
    ]


def test_an_invariant_of_a_data_type_stands_there_alone() -> None:
    types = load(*R4).types
    assert "ele-1" in {each.key for each in types["Quantity"].root.constraints}
    assert types["Observation"].root.children["value[x]"].constraints == ()


def test_a_profile_says_only_what_its_type_does_not() -> None:
    root = load(CORE, "6.1.0").profiles[f"{PROFILE}us-core-blood-pressure"].root
    assert "method" not in root.children
    component = root.children["component"]
    assert (component.minimum, component.maximum, component.types) == (2, None, ())
    assert component.slicing is not None
    assert list(component.slicing.slices) == ["systolic", "diastolic"]
    systolic = component.slicing.slices["systolic"].children
    assert systolic["code"].pattern == {
        "coding": [{"system": "http://loinc.org", "code": "8480-6"}]
    }
    assert systolic["value[x]"].children["code"].fixed == "mm[Hg]"


def test_what_a_base_profile_says_is_included() -> None:
    profile = load(CORE, "6.1.0").profiles[f"{PROFILE}us-core-body-weight"]
    assert profile.base == f"{PROFILE}us-core-vital-signs"
    assert "vs-2" in {each.key for each in profile.root.constraints}


def test_must_support_reaches_types_and_targets() -> None:
    profiles = load(CORE, "6.1.0").profiles
    lab = profiles[f"{PROFILE}us-core-observation-lab"].root.children["value[x]"]
    assert [each.code for each in lab.types if each.must_support] == [
        "Quantity",
        "CodeableConcept",
        "string",
    ]
    member = profiles[f"{PROFILE}us-core-careteam"].root.children["participant"].children["member"]
    assert f"{PROFILE}us-core-practitionerrole" in member.types[0].must_support_targets


@pytest.mark.parametrize("version", VERSIONS)
def test_what_a_guide_says_of_must_support_in_words_is_about_elements_that_there_are(
    version: str,
) -> None:
    definitions = load(CORE, version)
    spoken = [each for each in definitions.profiles.values() if each.support.choices]
    assert spoken
    for profile in definitions.profiles.values():
        type_ = definitions.types[profile.type].root
        said = profile.support
        elements = [each.element for each in (*said.added, *said.withdrawn)]
        elements += [name for each in said.choices for name in each.elements]
        for element in elements:
            name = element.partition(".")[0].partition(":")[0]
            known = {each.removesuffix("[x]") for each in type_.children}
            assert any(name.startswith(each) for each in known), (profile.url, element)


@pytest.mark.parametrize("version", VERSIONS)
def test_race_ethnicity_and_birth_sex_are_known_in_every_version(version: str) -> None:
    definitions = load(CORE, version)
    extension = definitions.profiles[f"{PROFILE}us-core-race"].root.children["extension"]
    assert extension.slicing is not None
    value = extension.slicing.slices["ombCategory"].children["value[x]"]
    race = definitions.value_sets[_bound(value)]
    omb = ["1002-5", "2028-9", "2054-5", "2076-8", "2106-3"]
    assert race.codes["urn:oid:2.16.840.1.113883.6.238"] == frozenset(omb)
    assert race.complete is (version != "8.0.0")
    sex = definitions.profiles[f"{PROFILE}us-core-birthsex"].root.children["value[x]"]
    assert definitions.value_sets[_bound(sex)].codes[
        f"{SYSTEM}v3-AdministrativeGender"
    ] == frozenset("FM")


@pytest.mark.parametrize("version", VERSIONS)
def test_every_profile_that_a_version_refers_to_is_there_or_known_to_be_elsewhere(
    version: str,
) -> None:
    definitions = load(CORE, version)
    named = {
        url
        for profile in definitions.profiles.values()
        for ref in _refs(profile.root)
        for url in (*ref.profiles, *ref.targets)
    }
    types = {f"http://hl7.org/fhir/StructureDefinition/{name}" for name in definitions.types}
    missing = {url for url in named - types - definitions.profiles.keys() if "us/core" in url}
    assert missing == set()


@pytest.mark.parametrize("version", VERSIONS)
def test_servers_are_expected_to_search_observations_by_patient_and_category(version: str) -> None:
    url = "http://hl7.org/fhir/us/core/CapabilityStatement/us-core-server"
    server = load(CORE, version).servers[url]
    observation = server.resources["Observation"]
    assert observation.interactions["read"] is Expectation.SHALL
    combined = {each.required: each.expectation for each in observation.combinations}
    assert combined["patient", "category"] is Expectation.SHALL
    assert observation.revincludes == {
        "Provenance:target": None if version == "3.1.1" else Expectation.SHALL
    }


def test_a_search_parameter_says_what_it_takes() -> None:
    url = "http://hl7.org/fhir/us/core/SearchParameter/us-core-observation-date"
    date = load(CORE, "6.1.0").search_parameters[url]
    assert (date.code, date.kind, date.bases) == ("date", "date", ("Observation",))
    assert date.comparators["gt"] is Expectation.SHALL
    assert date.multiple_and.expectation is Expectation.SHOULD


@pytest.mark.parametrize("file", sorted(TABLES.glob("*/*.json")), ids=lambda each: each.parent.name)
def test_tables_are_json_and_sorted(file: Path) -> None:
    rows = json.loads(file.read_text("utf-8"))
    assert file.name == "package.json" or list(rows) == sorted(rows)


def _bound(value: Element) -> str:
    """Older versions bind the one type that they leave of a choice, newer ones the choice."""
    if value.slicing:
        (value,) = value.slicing.slices.values()
    assert value.binding
    return value.binding.value_set


def _refs(element: Element) -> Iterator[TypeRef]:
    for each in _elements(element):
        yield from each.types


@pytest.mark.parametrize("version", VERSIONS)
def test_what_was_withdrawn_is_flagged_in_the_definition(version: str) -> None:
    for profile in load(CORE, version).profiles.values():
        for said in profile.support.withdrawn:
            found = _at(profile.root, said.element)
            flagged = found.must_support or found.uscdi
            assert flagged, (profile.url, said.element)
            targets = {url for ref in found.types for url in ref.targets}
            assert targets >= set(said.targets), (profile.url, said.element)


@pytest.mark.parametrize("version", VERSIONS)
def test_every_required_binding_leads_to_a_value_set(version: str) -> None:
    definitions = load(CORE, version)
    roots = [each.root for each in definitions.profiles.values()]
    roots += [each.root for each in definitions.types.values()]
    needed = {
        each.binding.value_set
        for root in roots
        for each in _elements(root)
        if each.binding and each.binding.strength is Strength.REQUIRED
    }
    assert needed <= definitions.value_sets.keys()


def _at(element: Element, path: str) -> Element:
    for step in path.split("."):
        name, _, slice_ = step.partition(":")
        element = element.children[name]
        if slice_:
            assert element.slicing
            element = element.slicing.slices[slice_]
    return element


def _elements(element: Element) -> Iterator[Element]:
    yield element
    slices = element.slicing.slices if element.slicing else {}
    for each in (*element.children.values(), *slices.values()):
        yield from _elements(each)
