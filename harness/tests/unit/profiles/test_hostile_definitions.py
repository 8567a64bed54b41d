"""Definitions that somebody has tampered with: never an exception, now or when they are read."""

from __future__ import annotations

import json
from copy import deepcopy
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.errors import UsageError
from harness.profiles.derive import derive
from harness.profiles.package import Manifest, Package, by_type
from harness.profiles.typed import checked
from harness.spec.definitions import Definitions
from harness.spec.definitions.model import Element, TypeRef
from harness.tests.unit.profiles.making import URL, base_types, element, invariant, profile
from harness.tests.unit.profiles.test_search import statement

FLAG = {"url": "http://hl7.org/fhir/us/core/StructureDefinition/uscdi-requirement"}
BY = {"discriminator": [{"type": "value", "path": "code"}], "rules": "open", "ordered": False}
RESOURCES: list[dict[str, Any]] = [
    profile(
        "one",
        "Thing",
        [
            element("Thing", 0, "*", constraint=[invariant("a-1")]),
            element(
                "Thing.kind",
                1,
                "*",
                "Coding",
                mustSupport=True,
                extension=[FLAG | {"valueBoolean": True}],
                binding={"strength": "required", "valueSet": f"{URL}ValueSet/v|1"},
                slicing=BY,
            ),
            element("Thing.kind", 0, "1", "Coding", id_="Thing.kind:x", sliceName="x"),
            element("Thing.kind.code", 1, "1", "code", id_="Thing.kind:x.code", fixedCode="x"),
            element("Thing.owner", type=[{"code": "Reference", "targetProfile": ["http://a|1"]}]),
        ],
        context=[{"type": "element", "expression": "Thing"}],
    ),
    profile(
        "two",
        "Thing",
        differential=[{"path": "Thing.valueCode", "min": 1}, {"path": "Thing.part.name"}],
        base="http://example.org/fhir/StructureDefinition/one",
    ),
    {
        "resourceType": "CodeSystem",
        "url": f"{URL}CodeSystem/c",
        "content": "complete",
        "concept": [{"code": "a", "concept": [{"code": "b"}]}, {"code": "c"}],
    },
    {
        "resourceType": "ValueSet",
        "url": f"{URL}ValueSet/v",
        "compose": {
            "include": [
                {
                    "system": f"{URL}CodeSystem/c",
                    "filter": [{"property": "concept", "op": "is-a", "value": "a"}],
                },
                {"system": "http://x", "concept": [{"code": "1"}]},
            ],
            "exclude": [{"valueSet": ["http://gone"]}],
        },
    },
    {
        "resourceType": "SearchParameter",
        "url": f"{URL}SearchParameter/s",
        "code": "s",
        "type": "token",
        "base": ["Thing"],
        "comparator": ["eq"],
        "_comparator": [None],
        "multipleOr": True,
    },
    {"resourceType": "CapabilityStatement", **statement()},
]
ODD = st.sampled_from(
    [None, True, 0, -1, 1.5, 10**30, "", "x", "*", "a.b", "\ud800", [], ["x"], [None], {}, {"a": 1}]
)


def below() -> Definitions:
    types = Package(Manifest("hl7.fhir.r4.core", "4.0.1"), "0", by_type(base_types()))
    return Definitions.read([derive(types, None).source()])


BELOW = below()


def places(value: Any, at: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """Ways to everything in a value."""
    inner = dict(enumerate(value)) if isinstance(value, list) else value
    found = [at]
    for key, each in inner.items() if isinstance(inner, dict) else ():
        found += places(each, (*at, key))
    return found


PLACES = [(number, *way) for number, each in enumerate(RESOURCES) for way in places(each) if way]


def derived(resources: list[Any]) -> Definitions:
    """What becomes of a package with these, every row of it read."""
    package = Package(Manifest("p", "1"), "1", by_type(resources))
    tables = derive(package, BELOW)
    json.dumps(tables.files()).encode()
    definitions = Definitions.read([tables.source()])
    for each in (definitions.profiles, definitions.value_sets, definitions.servers):
        dict(each)
    for row in definitions.profiles.values():
        checked(row)
    return definitions


@given(st.lists(st.tuples(st.sampled_from(PLACES), ODD), min_size=1, max_size=4))
def test_whatever_stands_in_a_definition_it_costs_itself_alone(
    changes: list[tuple[tuple[Any, ...], Any]],
) -> None:
    resources: Any = deepcopy(RESOURCES)
    for way, odd in changes:
        place = resources
        try:
            for step in way[:-1]:
                place = place[step]
            place[way[-1]] = odd
        except (TypeError, IndexError, KeyError):  # an earlier change took it away
            continue
    derived(resources)


def test_untouched_they_are_all_used() -> None:
    definitions = derived(RESOURCES)
    assert definitions.packages[0].problems == ()
    assert len(definitions.profiles) == 2
    assert len(definitions.servers) == 1


def test_what_is_nested_beyond_reason_is_left_out() -> None:
    deep: Any = "x"
    for _ in range(900):
        deep = [deep]
    said = profile("deep", "Thing", [element("Thing"), element("Thing.kind", patternCoding=deep)])
    derived([said])
    levels = profile("levels", "Thing", [element(".".join(["Thing", *["part"] * 70]))])
    assert "70 levels deep" in derived([levels]).packages[0].problems[0].replace("71", "70")


def test_a_guide_cannot_change_the_types_of_fhir() -> None:
    own = [each | {"snapshot": {"element": [element("Thing")]}} for each in base_types()]
    definitions = derived(own)
    assert not definitions.types


def test_a_hierarchy_of_many_levels_is_followed_in_no_time() -> None:
    chain = [
        {"code": str(number), "property": [{"code": "parent", "valueCode": str(number - 1)}]}
        for number in range(20_000)
    ]
    system = RESOURCES[2] | {"concept": chain}
    part = {
        "system": system["url"],
        "filter": [{"property": "concept", "op": "is-a", "value": "1"}],
    }
    values = RESOURCES[3] | {"compose": {"include": [part]}}
    codes = derived([system, values]).value_sets[f"{URL}ValueSet/v"].codes[system["url"]]
    assert codes is not None
    assert len(codes) == 19_999


@pytest.mark.parametrize("wrong", [{"minimum": True}, {"maximum": "1"}, {"types": ("code",)}])
def test_a_member_of_another_type_is_named(wrong: dict[str, Any]) -> None:
    with pytest.raises(TypeError, match=f"{next(iter(wrong))} of Element is something else"):
        checked(Element("x", **wrong))
    assert checked(Element("x", types=(TypeRef("code"),)))


def test_a_resource_without_a_url_is_no_definition() -> None:
    assert by_type([{"resourceType": "ValueSet"}, {"resourceType": 3, "url": "x"}]) == {}
    with pytest.raises(UsageError):
        Manifest.of(b"[" * 100_000, "here")
