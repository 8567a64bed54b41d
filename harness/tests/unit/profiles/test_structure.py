from __future__ import annotations

from typing import Any

import pytest

from harness.profiles.structure import profiles_of, types_of
from harness.spec.definitions.encode import TYPES
from harness.spec.definitions.model import (
    UNBOUNDED,
    Binding,
    Constraint,
    Discriminator,
    Element,
    Profile,
    Strength,
    Type,
    TypeRef,
)
from harness.tests.unit.profiles.making import OWN, URL, base_types, element, invariant, profile

THING = TYPES + "Thing"


@pytest.fixture(scope="module")
def types() -> dict[str, Type]:
    problems: list[str] = []
    found = types_of(base_types(), problems)
    assert problems == []
    return found


def root_of(types: dict[str, Type], *structures: dict[str, Any]) -> Element:
    """What the last of these profiles says."""
    problems: list[str] = []
    found = profiles_of(structures, types, {}, problems)
    assert problems == []
    return found[structures[-1]["url"]].root


def narrowing(types: dict[str, Type], *elements: dict[str, Any]) -> Element:
    return root_of(types, profile("one", "Thing", [element("Thing", 0, "*"), *elements]))


def test_a_type_has_its_elements_and_those_that_it_inherits(types: dict[str, Type]) -> None:
    part = types["Thing"].root.children["part"]
    assert list(part.children) == ["name", "part"]
    assert (part.minimum, part.maximum, part.array) == (0, UNBOUNDED, True)
    assert part.children["part"].same_as == "Thing.part"
    assert part.types == (TypeRef("BackboneElement"),)
    assert types["Thing"].root.children["owner"].types[0].targets == (THING, TYPES + "Other")


def test_a_primitive_has_no_child_value(types: dict[str, Type]) -> None:
    assert list(types["code"].root.children) == ["id", "extension"]


def test_versions_of_canonical_urls_are_left_out(types: dict[str, Type]) -> None:
    kind = types["Thing"].root.children["kind"]
    assert kind.binding == Binding(Strength.EXAMPLE, f"{URL}ValueSet/things")


def test_an_invariant_of_a_type_is_not_said_again_where_it_is_used(types: dict[str, Type]) -> None:
    snapshot = types["Thing"].root.children["part"]
    assert snapshot.constraints == (Constraint("thg-1", "error", "true", "thg-1"),)
    said = narrowing(
        types,
        element(
            "Thing.part",
            0,
            "*",
            "BackboneElement",
            constraint=[
                invariant("ele-1", "mended by a later publisher"),
                invariant("thg-1", "mended as well"),
                invariant("own-1", "name = 'x'"),
            ],
        ),
    )
    assert [each.key for each in said.children["part"].constraints] == ["own-1"]


def test_what_a_profile_leaves_as_it_is_does_not_appear(types: dict[str, Type]) -> None:
    said = narrowing(
        types,
        element("Thing.status", 1, "1", "code"),
        element("Thing.kind", 0, "*", "Coding"),
        element("Thing.part", 0, "*", "BackboneElement"),
        element("Thing.part.name", 1, "1", "code"),
    )
    assert said == Element("Thing")


def test_what_it_narrows_is_all_that_there_is(types: dict[str, Type]) -> None:
    said = narrowing(
        types,
        element("Thing.status", 1, "1", "code", mustSupport=True),
        element("Thing.kind", 1, "*", "Coding", maxLength=7),
        element("Thing.part", 0, "0", "BackboneElement"),
        element("Thing.part.name", 1, "1", "code", fixedCode="x"),
        element("Thing.value[x]", 1, "1", "code"),
    )
    assert said.children == {
        "status": Element("status", must_support=True),
        "kind": Element("kind", minimum=1, longest=7),
        "part": Element("part", maximum=0, children={"name": Element("name", fixed="x")}),
        "value[x]": Element("value[x]", minimum=1, types=(TypeRef("code"),)),
    }


def test_a_child_of_a_data_type_is_compared_with_the_data_type(types: dict[str, Type]) -> None:
    said = narrowing(
        types,
        element("Thing.kind", 0, "*", "Coding"),
        element("Thing.kind.system", 1, "1", "uri"),
        element("Thing.kind.code", 0, "1", "code"),
    )
    assert said.children["kind"].children == {"system": Element("system", minimum=1)}


def test_a_child_behind_a_content_reference_is_compared_with_what_it_refers_to(
    types: dict[str, Type],
) -> None:
    said = narrowing(
        types,
        element("Thing.part.part", 0, "*", contentReference="#Thing.part"),
        element("Thing.part.part.name", 1, "1", "code", patternCode="y"),
    )
    name = said.children["part"].children["part"].children["name"]
    assert name == Element("name", pattern="y")


def test_slices_hang_at_what_they_slice_and_stay_though_they_say_nothing(
    types: dict[str, Type],
) -> None:
    slicing = {"discriminator": [{"type": "value", "path": "code"}], "rules": "closed"}
    said = narrowing(
        types,
        element("Thing.kind", 0, "*", "Coding", slicing=slicing),
        element("Thing.kind", 0, "*", "Coding", id_="Thing.kind:any", sliceName="any"),
        element("Thing.kind", 1, "1", "Coding", id_="Thing.kind:v2.1", sliceName="v2.1"),
        element("Thing.kind.code", 0, "1", "code", id_="Thing.kind:v2.1.code", fixedCode="a"),
        element("Thing.kind", 0, "1", "Coding", id_="Thing.kind:v2.1/in", sliceName="v2.1/in"),
    ).children["kind"]
    assert said.slicing is not None
    assert said.slicing.discriminators == (Discriminator("value", "code"),)
    assert said.slicing.rules == "closed"
    assert list(said.slicing.slices) == ["any", "v2.1"]
    assert said.slicing.slices["any"] == Element("kind")
    second = said.slicing.slices["v2.1"]
    assert (second.minimum, second.maximum) == (1, 1)
    assert second.children["code"].fixed == "a"
    assert second.slicing is not None
    assert list(second.slicing.slices) == ["in"]


def test_slicing_without_slices_says_nothing_unless_it_is_closed(types: dict[str, Type]) -> None:
    by = [{"type": "value", "path": "url"}]
    opened = element("Thing.extension", 0, "*", "Extension", slicing={"discriminator": by})
    assert narrowing(types, opened) == Element("Thing")
    closed = element("Thing.extension", 0, "*", "Extension", slicing={"rules": "closed"})
    assert narrowing(types, closed).children["extension"].slicing is not None


def test_must_support_of_types_and_targets_is_kept(types: dict[str, Type]) -> None:
    flag = {
        "url": f"{TYPES}elementdefinition-type-must-support",
        "valueBoolean": True,
    }
    said = narrowing(
        types,
        element(
            "Thing.owner",
            type=[
                {
                    "code": "Reference",
                    "extension": [flag],
                    "targetProfile": [TYPES + "Thing", TYPES + "Other|4.0.1"],
                    "_targetProfile": [None, {"extension": [flag]}],
                }
            ],
        ),
    )
    assert said.children["owner"].types == (
        TypeRef(
            "Reference",
            targets=(THING, TYPES + "Other"),
            must_support=True,
            must_support_targets=(TYPES + "Other",),
        ),
    )


def test_uscdi_is_a_flag_only_where_it_is_true(types: dict[str, Type]) -> None:
    url = "http://hl7.org/fhir/us/core/StructureDefinition/uscdi-requirement"

    flags = [[{"url": url, "valueBoolean": value}] for value in (True, False)]
    yes, no = (
        narrowing(types, element("Thing.status", 1, "1", "code", extension=flag)) for flag in flags
    )
    assert yes.children["status"].uscdi
    assert no == Element("Thing")


def test_further_bindings_are_kept_with_their_purpose(types: dict[str, Type]) -> None:
    further = {
        "url": "http://hl7.org/fhir/tools/StructureDefinition/additional-binding",
        "extension": [
            {"url": "purpose", "valueCode": "current"},
            {"url": "valueSet", "valueCanonical": "http://example.org/new|2"},
        ],
    }
    most = {
        "url": f"{TYPES}elementdefinition-maxValueSet",
        "valueCanonical": "http://example.org/most",
    }
    said = narrowing(
        types,
        element(
            "Thing.kind",
            0,
            "*",
            "Coding",
            binding={
                "strength": "extensible",
                "valueSet": "http://example.org/old",
                "extension": [further, most],
            },
        ),
    )
    assert said.children["kind"].binding == Binding(
        Strength.EXTENSIBLE,
        "http://example.org/old",
        "http://example.org/most",
        (("current", "http://example.org/new"),),
    )


def test_an_extension_tells_where_it_may_stand(types: dict[str, Type]) -> None:
    def context(*said: tuple[str, str]) -> tuple[str, ...]:
        contexts = [{"type": kind, "expression": where} for kind, where in said]
        one = profile("e", "Extension", [element("Extension")], context=contexts)
        return profiles_of([one], types, {}, [])[OWN + "e"].context

    assert context(("element", "Thing"), ("extension", "http://x|1")) == ("Thing", "http://x")
    assert context(("element", "Thing"), ("fhirpath", "Thing.part.exists()")) == ()


def test_a_definition_that_is_malformed_costs_itself_alone(types: dict[str, Type]) -> None:
    broken = [
        profile("nothing", "Thing", [{}]),
        profile("text", "Thing", ["Thing"]),  # type: ignore[list-item]
        profile("deep", "Thing", [element(".".join(["Thing"] * 5000))]),
        profile("odd", "Thing", [element("Thing"), element("Thing.kind", 0, "many")]),
    ]
    whole = profile("whole", "Thing", [element("Thing")])
    problems: list[str] = []
    found = profiles_of([*broken, whole], types, {}, problems)
    assert list(found) == [OWN + "whole"]
    assert len(problems) == 4
    assert problems[0].startswith(f"StructureDefinition {OWN}nothing: cannot be used")


class TestWithoutASnapshot:
    def test_the_differential_is_all_that_it_says(self, types: dict[str, Type]) -> None:
        said = root_of(
            types,
            profile(
                "short",
                "Thing",
                differential=[{"path": "Thing"}, {"path": "Thing.status", "fixedCode": "on"}],
            ),
        )
        assert said.children == {"status": Element("status", fixed="on")}

    def test_what_its_base_says_is_included(self, types: dict[str, Type]) -> None:
        base = profile(
            "base",
            "Thing",
            [
                element("Thing", 0, "*", constraint=[invariant("a-1")]),
                element("Thing.kind", 1, "*", "Coding", mustSupport=True),
                element("Thing.status", 1, "1", "code", patternCode="on"),
            ],
        )
        upper = profile(
            "upper",
            "Thing",
            differential=[
                {"path": "Thing", "constraint": [invariant("b-1")]},
                {"path": "Thing.kind", "max": "2"},
            ],
            base=base["url"],
        )
        for order in ([base, upper], [upper, base]):
            said = profiles_of(order, types, {}, [])[upper["url"]].root
            assert [each.key for each in said.constraints] == ["a-1", "b-1"]
            assert said.children["kind"] == Element("kind", minimum=1, maximum=2, must_support=True)
            assert said.children["status"].pattern == "on"

    def test_slices_join_those_of_the_base(self, types: dict[str, Type]) -> None:
        slicing = {"discriminator": [{"type": "value", "path": "code"}], "rules": "open"}
        base = profile(
            "base",
            "Thing",
            [
                element("Thing"),
                element("Thing.kind", 0, "*", "Coding", slicing=slicing),
                element("Thing.kind", 0, "1", "Coding", id_="Thing.kind:a", sliceName="a"),
            ],
        )
        more = [
            {"id": "Thing.kind:a", "path": "Thing.kind", "sliceName": "a", "min": 1},
            {"id": "Thing.kind:b", "path": "Thing.kind", "sliceName": "b", "min": 1},
        ]
        upper = profile("upper", "Thing", differential=more, base=base["url"])
        found = profiles_of([upper, base], types, {}, [])[upper["url"]].root
        kind = found.children["kind"].slicing
        assert kind is not None
        assert kind.discriminators == (Discriminator("value", "code"),)
        assert kind.slices == {
            "a": Element("kind", minimum=1, maximum=1),
            "b": Element("kind", minimum=1),
        }

    def test_one_type_of_a_choice_leaves_no_other(self, types: dict[str, Type]) -> None:
        said = root_of(
            types,
            profile(
                "one",
                "Thing",
                differential=[
                    {
                        "id": "Thing.value[x]:valueCoding",
                        "path": "Thing.valueCoding",
                        "min": 1,
                    }
                ],
            ),
        ).children["value[x]"]
        assert (said.minimum, said.types) == (1, (TypeRef("Coding"),))
        assert said.slicing is not None
        assert said.slicing.discriminators == (Discriminator("type", "$this"),)

    def test_two_types_of_a_choice_are_two_slices(self, types: dict[str, Type]) -> None:
        both = [{"path": "Thing.valueCoding"}, {"path": "Thing.valueCode", "fixedCode": "x"}]
        said = root_of(types, profile("two", "Thing", differential=both)).children["value[x]"]
        assert said.types == ()
        assert said.slicing is not None
        assert list(said.slicing.slices) == ["valueCoding", "valueCode"]

    def test_extensions_are_sliced_by_url_though_nothing_says_so(
        self, types: dict[str, Type]
    ) -> None:
        one = {"id": "Thing.extension:e", "path": "Thing.extension", "sliceName": "e", "min": 1}
        said = root_of(types, profile("ext", "Thing", differential=[one])).children["extension"]
        assert said.slicing is not None
        assert said.slicing.discriminators == (Discriminator("value", "url"),)

    def test_a_base_that_is_not_here_is_named(self, types: dict[str, Type]) -> None:
        lost = profile(
            "lost", "Thing", differential=[{"path": "Thing.kind", "min": 1}], base="http://gone"
        )
        problems: list[str] = []
        found = profiles_of([lost], types, {}, problems)
        assert found[lost["url"]].root.children["kind"].minimum == 1
        assert problems == [
            f"StructureDefinition {lost['url']}: what it builds on is not here: http://gone"
        ]

    def test_one_that_builds_on_itself_is_no_profile(self, types: dict[str, Type]) -> None:
        one = profile("one", "Thing", differential=[], base=OWN + "two")
        two = profile("two", "Thing", differential=[], base=OWN + "one")
        problems: list[str] = []
        assert profiles_of([one, two], types, {}, problems) == {}
        assert "it builds on itself" in problems[0]

    def test_a_base_may_be_in_another_package(self, types: dict[str, Type]) -> None:
        below = Profile("http://b", "1", "B", "Thing", THING, Element("Thing", maximum=1))
        upper = profile("upper", "Thing", differential=[], base="http://b")
        found = profiles_of([upper], types, {"http://b": below}, [])
        assert found[upper["url"]].root.maximum == 1
