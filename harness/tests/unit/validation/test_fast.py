"""What the filter accepts has no error; what it does not accept, the exact checker sees."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable, Iterator
from random import Random
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.reference.data.world import World
from harness.spec.definitions import load
from harness.tests.unit.cli.test_validate import WEIGHT
from harness.tests.unit.reference.fhir_doubles import NOW
from harness.validation.fast import accept_filter, filters
from harness.validation.fast import quick as quick_module
from harness.validation.fast.combining import both, leading_to
from harness.validation.fast.filters import Filters
from harness.validation.fast.quick import Quick
from harness.validation.findings import Severity
from harness.validation.selecting.choosing import us_core
from harness.validation.selecting.chosen import RULES
from harness.validation.validator import Validator

jsonschema_rs = pytest.importorskip("jsonschema_rs")

DEFINITIONS = load("hl7.fhir.us.core", "6.1.0")
US_CORE = "http://hl7.org/fhir/us/core/StructureDefinition/us-core-"
BODY_WEIGHT = f"{US_CORE}body-weight"
BLOOD_PRESSURE = f"{US_CORE}blood-pressure"

QUANTITY = {"system": "http://unitsofmeasure.org", "code": "mm[Hg]", "unit": "mmHg"}
PRESSURE: dict[str, Any] = {
    **{
        name: WEIGHT[name]
        for name in ("resourceType", "id", "text", "status", "category", "subject")
    },
    "meta": {"profile": [BLOOD_PRESSURE]},
    "code": {"coding": [{"system": "http://loinc.org", "code": "85354-9"}]},
    "effectiveDateTime": "2026-01-02T08:00:00Z",
    "component": [
        {
            "code": {"coding": [{"system": "http://loinc.org", "code": code}]},
            "valueQuantity": {**QUANTITY, "value": value},
        }
        for code, value in (("8480-6", 120), ("8462-4", 80))
    ],
}


@pytest.fixture(scope="module")
def exact() -> Validator:
    return Validator(DEFINITIONS)


@pytest.fixture(scope="module")
def choosing() -> Validator:
    return Validator(DEFINITIONS, chooser=us_core(DEFINITIONS.profiles))


@pytest.fixture(scope="module")
def quick(choosing: Validator) -> Quick:
    return Quick(choosing.check, DEFINITIONS, chooser=us_core(DEFINITIONS.profiles))


@pytest.fixture(scope="module")
def resources() -> list[dict[str, Any]]:
    world = World(seed=7, patients=3, now=NOW)
    histories = [*world.shared, world.patient(1), *world.records(1), *world.records(2)]
    return [each[-1] for each in histories]


def errors(exact: Validator, resource: Any) -> list[Any]:
    return [each for each in exact.check(resource) if each.severity is Severity.ERROR]


def test_what_is_valid_is_accepted() -> None:
    for resource, profile in ((WEIGHT, BODY_WEIGHT), (PRESSURE, BLOOD_PRESSURE)):
        accept = accept_filter(DEFINITIONS, profile)
        assert accept is not None
        assert accept(resource)
    plain = accept_filter(DEFINITIONS, "Observation")
    assert plain is not None
    assert plain({**WEIGHT, "meta": {"versionId": "1"}})


@pytest.mark.parametrize(
    "changed",
    [
        {"status": "done"},
        {"status": None},
        {"status": ["final"]},
        {"id": "a b"},
        {"id": "x" * 65},
        {"foo": 1},
        {"text": {"status": "generated", "div": "<div>no namespace</div>"}},
        {"text": {"status": "generated"}},
        {"category": []},
        {"category": [{"text": "no code"}]},
        {"category": [WEIGHT["category"][0], WEIGHT["category"][0]]},
        {"code": {"coding": [{"system": "http://loinc.org", "code": "8867-4"}]}},
        {"subject": {"reference": "Device/a"}},
        {"subject": {"reference": "Patient/a b"}},
        {"effectiveDateTime": "2026-02-30"},
        {"effectiveDateTime": "2026-01-02T08:00:00"},
        {"effectiveDateTime": "2026-01"},
        {"valueString": "a second value"},
        {"valueQuantity": {**WEIGHT["valueQuantity"], "value": "72.5"}},
        {"valueQuantity": {**WEIGHT["valueQuantity"], "code": "t"}},
        {"valueQuantity": {"value": 72.5}},
        {"dataAbsentReason": {"coding": [{"code": "unknown"}]}},
        {"meta": {"profile": [BODY_WEIGHT, f"{US_CORE}heart-rate"]}},
        {"meta": {"profile": [BODY_WEIGHT], "tag": [{}]}},
        {"referenceRange": [{}]},
        {"referenceRange": [{"appliesTo": [{"text": "all"}]}]},
        {"note": [{"text": ""}]},
        {"identifier": [{"system": "has spaces in it", "value": "1"}]},
        {"extension": [{"url": "http://e.org/x"}]},
        {"modifierExtension": [{"url": "http://e.org/x", "valueBoolean": True}]},
        {"resourceType": "Patient"},
        {"resourceType": None},
    ],
)
def test_what_has_an_error_is_not_accepted(changed: dict[str, Any], exact: Validator) -> None:
    accept = accept_filter(DEFINITIONS, BODY_WEIGHT)
    assert accept is not None
    assert not accept({**WEIGHT, **changed})


@pytest.mark.parametrize("odd", [None, [], "x", 1, 1.5, float("nan"), {"resourceType": {1}}, b"x"])
def test_whatever_it_is_given_it_does_not_raise(odd: Any, quick: Quick) -> None:
    accept = accept_filter(DEFINITIONS, BODY_WEIGHT)
    assert accept is not None
    assert not accept(odd)
    if not isinstance(odd, bytes):
        assert quick.check(odd if odd != {"resourceType": {1}} else {"resourceType": []})


@pytest.mark.parametrize("character", ["\0", "\b", "\v", "\f", "\x0e", "\x1f"])
@pytest.mark.parametrize("written", [None, orjson.dumps, lambda value: json.dumps(value).encode()])
def test_a_control_character_is_not_accepted(
    character: str, written: Callable[[Any], bytes] | None
) -> None:
    accept = accept_filter(DEFINITIONS, BODY_WEIGHT)
    assert accept is not None
    for text, right in (("a \\ b\t\r\n", True), (f"a {character}", False)):
        resource = {**WEIGHT, "note": [{"text": text}]}
        assert accept(resource, None if written is None else written(resource)) is right


def test_what_came_of_codes_is_remembered_for_those_codes_alone(
    choosing: Validator, quick: Quick
) -> None:
    concept = {"coding": [{"system": "http://e.org", "code": "x"}]}
    variants: list[dict[str, Any]] = [
        {},
        {"method": None},
        {"method": concept},
        {"method": [concept]},
        {"method": []},
        {"interpretation": [concept]},
        {"interpretation": None},
        {"interpretation": concept},
        {"status": None},
        {"status": "done"},
        {"code": None},
        {"meta": {"profile": None}},
        {"meta": {"profile": []}},
        {"meta": {"profile": {}}},
        {"meta": {"profile": BODY_WEIGHT}},
        {"meta": {"profile": [1]}},
    ]
    for changed in (*variants, *reversed(variants)):
        resource = {**WEIGHT, **changed}
        assert list(quick.check(resource)) == errors(choosing, resource)
        assert quick.accepts(resource) <= (not errors(choosing, resource))


def test_profiles_are_chosen_by_nothing_but_what_is_remembered() -> None:
    for rule in RULES:
        members = {rule.member or "category"} if rule.codes else set()
        assert members <= Filters(DEFINITIONS).coded(rule.type).keys()


def test_no_more_is_remembered_than_there_is_room_for(
    choosing: Validator, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(quick_module, "_MOST_REMEMBERED", 3)
    made = Quick(choosing.check, DEFINITIONS)
    for number in range(10):
        assert made.accepts({**WEIGHT, "code": {**WEIGHT["code"], "text": f"{number}"}})
        assert not made.accepts({"resourceType": f"Unknown{number}"})
    assert len(made._remembered) <= 3
    assert list(made._coded) == ["Observation"]


def test_a_filter_that_refuses_everything_is_passed_over_for_a_while() -> None:
    looked_at = []
    made = Quick(lambda resource: looked_at.append(resource) or (), DEFINITIONS)  # type: ignore[func-returns-value]
    rounds = 8 + 256
    for count in range(1, rounds + 1):
        made.check({**WEIGHT, "effectiveDateTime": "2026-02-30"})
        assert len(looked_at) == count
    for _ in range(10):
        assert made.check(WEIGHT) == ()
    assert len(looked_at) == rounds


def test_there_is_no_filter_of_what_holds_other_resources_or_is_unknown() -> None:
    for name in ("Bundle", "Parameters", "Quantity", "Nothing", "http://e.org/profile"):
        assert accept_filter(DEFINITIONS, name) is None


def test_without_the_engine_there_is_no_filter(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(filters, "jsonschema_rs", None)
    assert accept_filter(DEFINITIONS, BODY_WEIGHT) is None


def test_a_second_category_that_another_slice_could_take_is_counted_once(exact: Validator) -> None:
    both_codes = [
        {"coding": [WEIGHT["category"][0]["coding"][0], {"system": "http://e.org", "code": "x"}]}
    ]
    resource = {**WEIGHT, "category": [*both_codes, {"text": "other"}]}
    accept = accept_filter(DEFINITIONS, BODY_WEIGHT)
    assert accept is not None
    assert not accept(resource) or not errors(exact, resource)


def test_most_of_what_an_ehr_has_is_accepted_and_rightly(
    resources: list[dict[str, Any]], exact: Validator
) -> None:
    accepted = 0
    for resource in resources:
        accept = _filter(resource)
        if accept is not None and accept(resource):
            accepted += 1
            assert not errors(exact, resource)
    assert accepted > 0.8 * len(resources)


_FILTERS = Filters(DEFINITIONS)
_MADE: dict[tuple[str, ...], Any] = {}


def _filter(resource: dict[str, Any]) -> Any:
    meta = resource.get("meta")
    declared = meta.get("profile") if isinstance(meta, dict) else None
    urls = [u for u in declared or () if isinstance(u, str)] if isinstance(declared, list) else []
    key = (resource["resourceType"], *urls)
    if key not in _MADE:
        _MADE[key] = _FILTERS.of(key[0], [each.partition("|")[0] for each in urls])
    return _MADE[key]


_ODD: list[Any] = [
    *(None, "", " ", "x", "a b", [], {}, [{}], [None], 0, 1, -1, 1.0, 1.5, True, "2026-02-30"),
    *("2026", "2026-01-01T10:00:00", "urn:uuid:1", "urn:oid:1.2", "#a", "Patient/1", "Device/1"),
    {"reference": "Group/1"},
    {"coding": [{"system": "http://loinc.org", "code": "1-8"}]},
    {"start": "2026-01-02", "end": "2026-01-01"},
    [{"url": "http://e.org", "valueString": "a"}],
]
_NAMES = ["id", "extension", "value", "valueString", "_status", "code", "system", "display", "foo"]


def _places(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    if path and path != ("resourceType",):
        yield path
    pairs = (
        value.items()
        if isinstance(value, dict)
        else enumerate(value)
        if isinstance(value, list)
        else ()
    )
    for key, each in pairs:
        yield from _places(each, (*path, key))


def _mutant(resource: dict[str, Any], random: Random) -> dict[str, Any]:
    made = copy.deepcopy(resource)
    path = random.choice(list(_places(made)))
    holder: Any = made
    for key in path[:-1]:
        holder = holder[key]
    way, value = random.randrange(4), copy.deepcopy(random.choice(_ODD))
    if way == 0:
        del holder[path[-1]]
    elif way == 1:
        holder[path[-1]] = value
    elif way == 2 and isinstance(holder, dict):
        holder[random.choice(_NAMES)] = value
    else:
        holder[path[-1]] = [holder[path[-1]]]
    return made


def test_no_mutant_with_an_error_is_accepted(
    resources: list[dict[str, Any]], exact: Validator, choosing: Validator, quick: Quick
) -> None:
    random = Random(11)
    accepted = 0
    for _ in range(800):
        mutant = _mutant(random.choice([*resources, WEIGHT, PRESSURE]), random)
        found = errors(exact, mutant)
        assert list(quick.check(mutant)) == errors(choosing, mutant)
        accept = _filter(mutant)
        if accept is not None and accept(mutant):
            accepted += 1
            assert not found
    assert accepted > 50


_SCHEMAS: list[Any] = [
    True,
    False,
    {},
    {"type": "object", "properties": {"a": {"const": 1}}, "additionalProperties": False},
    {"type": "object", "properties": {"a": {"type": "integer"}, "b": True}, "required": ["a"]},
    {"properties": {"b": {"minLength": 2}}, "required": ["b"]},
    {"properties": {"b": {"maxLength": 3}}, "minProperties": 2},
    {"properties": {"l": {"items": {"const": 1}, "minItems": 1}}},
    {"properties": {"l": {"contains": {"const": 1}}}},
    {"properties": {"l": {"contains": {"const": 1}, "minContains": 0, "maxContains": 1}}},
    {"properties": {"l": {"contains": {"const": 2}, "minContains": 1}}},
    {"properties": {"a": False}},
    {"enum": [{"a": 1}, {"a": 1, "b": "xx"}]},
    {"if": {"required": ["a"]}, "then": {"required": ["b"]}},
    {"if": {"required": ["b"]}, "then": {"required": ["l"]}},
    {"dependentSchemas": {"a": {"properties": {"l": False}}}},
    {"dependentSchemas": {"a": {"properties": {"b": False}}, "l": {"required": ["b"]}}},
    {"dependentRequired": {"a": ["b"]}},
    {"anyOf": [{"required": ["a"]}, {"required": ["b"]}], "minProperties": 1},
    {"anyOf": [{"required": ["l"]}, {"required": ["b"]}], "properties": {"a": {"const": 1}}},
    {"properties": {"b": {"type": "string", "minLength": 1}}},
    {"properties": {"b": {"enum": ["x", "xx", "Patient/1"]}}},
    {"properties": {"b": {"enum": ["xx", "xxxx"]}}},
    {"properties": {"b": {"const": "xx"}}},
    {"properties": {"b": leading_to(["Patient", "Device"])}},
    {"properties": {"b": leading_to(["Patient", "Group"])}},
    {"properties": {"b": leading_to(["Location"])}},
    {"allOf": [{"required": ["a"]}]},
    {"$ref": "#/$defs/closed"},
    {"$ref": "#/$defs/open"},
]
_DEFINED: dict[str, Any] = {
    "closed": {"properties": {"a": True, "l": True}, "additionalProperties": False},
    "open": {"properties": {"a": {"const": 1}}, "required": ["a"]},
}
_VALUES = st.fixed_dictionaries(
    {},
    optional={
        "a": st.sampled_from([1, 2, "x"]),
        "b": st.sampled_from(["x", "xx", "xxxx", "Patient/1", "Device/1", "Group/1"]),
        "l": st.lists(st.sampled_from([1, 2]), max_size=3),
        "z": st.just(0),
    },
)


@given(st.lists(st.sampled_from(_SCHEMAS), min_size=1, max_size=4), st.lists(_VALUES, max_size=8))
def test_merged_schemas_accept_what_all_of_them_accept(
    schemas: list[Any], values: list[dict[str, Any]]
) -> None:
    made = both(*schemas, definitions=_DEFINED)
    for value in values:
        alone = all(_valid(each, value) for each in schemas)
        assert _valid(made, value) is alone


def _valid(schema: Any, value: Any) -> bool:
    whole = schema if isinstance(schema, bool) else {**schema, "$defs": _DEFINED}
    return bool(jsonschema_rs.Draft202012Validator(whole).is_valid(value))
