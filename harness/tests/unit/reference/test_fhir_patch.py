from __future__ import annotations

from contextlib import suppress
from copy import deepcopy
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from harness.reference.fhir.patch import NotAPatch, NotApplicable, apply, equal, parts, read

NAMES = st.text(alphabet="ab~/-01", max_size=3)
SCALARS = st.none() | st.booleans() | st.integers(-3, 3) | st.text(max_size=3)
JSON = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAMES, inner, max_size=3)
)
OBJECTS = st.dictionaries(NAMES, JSON, min_size=1, max_size=4)


def pointer(path: tuple[str, ...]) -> str:
    return "".join("/" + one.replace("~", "~0").replace("/", "~1") for one in path)


def patched(document: Any, *operations: dict[str, Any]) -> Any:
    return apply(read(list(operations)), document)


def paths(value: Any, at: tuple[str, ...] = ()) -> list[tuple[str, ...]]:
    """Every path below the root."""
    inner: dict[str, Any] = value if isinstance(value, dict) else {}
    if isinstance(value, list):
        inner = {str(index): one for index, one in enumerate(value)}
    found = []
    for name, one in inner.items():
        found += [(*at, name), *paths(one, (*at, name))]
    return found


# RFC 6902, appendix A.
EXAMPLES = [
    ({"foo": "bar"}, [{"op": "add", "path": "/baz", "value": "q"}], {"baz": "q", "foo": "bar"}),
    (
        {"foo": ["bar", "baz"]},
        [{"op": "add", "path": "/foo/1", "value": "qux"}],
        {"foo": ["bar", "qux", "baz"]},
    ),
    ({"baz": "qux", "foo": "bar"}, [{"op": "remove", "path": "/baz"}], {"foo": "bar"}),
    ({"foo": ["a", "b", "c"]}, [{"op": "remove", "path": "/foo/1"}], {"foo": ["a", "c"]}),
    ({"baz": "qux"}, [{"op": "replace", "path": "/baz", "value": "boo"}], {"baz": "boo"}),
    (
        {"foo": {"bar": "baz", "waldo": "fred"}, "qux": {"corge": "grault"}},
        [{"op": "move", "from": "/foo/waldo", "path": "/qux/thud"}],
        {"foo": {"bar": "baz"}, "qux": {"corge": "grault", "thud": "fred"}},
    ),
    (
        {"foo": ["all", "grass", "cows", "eat"]},
        [{"op": "move", "from": "/foo/1", "path": "/foo/3"}],
        {"foo": ["all", "cows", "eat", "grass"]},
    ),
    (
        {"baz": "qux", "foo": ["a", 2, "c"]},
        [
            {"op": "test", "path": "/baz", "value": "qux"},
            {"op": "test", "path": "/foo/1", "value": 2},
        ],
        {"baz": "qux", "foo": ["a", 2, "c"]},
    ),
    (
        {"foo": "bar"},
        [{"op": "add", "path": "/child", "value": {"grandchild": {}}, "xyz": 1}],
        {"foo": "bar", "child": {"grandchild": {}}},
    ),
    ({"/": 9, "~1": 10}, [{"op": "test", "path": "/~01", "value": 10}], {"/": 9, "~1": 10}),
    ({"foo": ["bar"]}, [{"op": "add", "path": "/foo/-", "value": ["x"]}], {"foo": ["bar", ["x"]]}),
    ({"a": 1}, [{"op": "replace", "path": "", "value": [1]}], [1]),
    ({"a": [1]}, [{"op": "copy", "from": "/a", "path": "/b"}], {"a": [1], "b": [1]}),
]


@pytest.mark.parametrize(("document", "operations", "expected"), EXAMPLES)
def test_examples_of_the_specification(document: Any, operations: Any, expected: Any) -> None:
    assert patched(document, *operations) == expected


NOT_APPLICABLE = [
    {"op": "add", "path": "/baz/bat", "value": "qux"},
    {"op": "test", "path": "/foo", "value": "bat"},
    {"op": "remove", "path": "/nothing"},
    {"op": "replace", "path": "/nothing", "value": 1},
    {"op": "move", "from": "/nothing", "path": "/foo"},
    {"op": "move", "from": "/deep", "path": "/deep/er"},
    {"op": "add", "path": "/list/3", "value": 1},
    {"op": "add", "path": "/list/01", "value": 1},
    {"op": "remove", "path": "/list/-"},
    {"op": "add", "path": "/foo/bar", "value": 1},
    {"op": "test", "path": "/list/0", "value": True},
]


@pytest.mark.parametrize("operation", NOT_APPLICABLE)
def test_what_cannot_be_done_is_told_and_leaves_the_document(operation: dict[str, Any]) -> None:
    document = {"foo": "bar", "list": [1, 2], "deep": {"er": 1}}
    before = deepcopy(document)
    with pytest.raises(NotApplicable, match=r"operation 1 \("):
        patched(document, {"op": "add", "path": "/first", "value": 1}, operation)
    assert document == before


@pytest.mark.parametrize(
    "document",
    [
        {},
        [1],
        [{"op": "spam", "path": ""}],
        [{"op": "add", "path": "/a"}],
        [{"op": "remove", "path": "a"}],
        [{"op": "remove", "path": "/~2"}],
        [{"op": "move", "path": "/a"}],
        [{"op": ["add"], "path": ""}],
        [{"op": "remove", "path": "/a"}] * 1001,
    ],
)
def test_what_is_no_patch_is_refused(document: Any) -> None:
    with pytest.raises(NotAPatch):
        read(document)


@given(JSON)
def test_any_json_is_a_patch_or_refused(document: Any) -> None:
    try:
        read(document)
    except NotAPatch:
        return
    assert isinstance(document, list)


@given(st.lists(NAMES).map(tuple))
def test_pointers_name_every_path(path: tuple[str, ...]) -> None:
    assert parts(pointer(path)) == path


@given(OBJECTS, st.data(), JSON)
def test_replace_is_remove_and_add(document: Any, data: st.DataObject, value: Any) -> None:
    at = pointer(data.draw(st.sampled_from(paths(document))))
    replaced = patched(document, {"op": "replace", "path": at, "value": value})
    again = patched(
        document, {"op": "remove", "path": at}, {"op": "add", "path": at, "value": value}
    )
    assert equal(replaced, again)
    assert equal(patched(replaced, {"op": "test", "path": at, "value": value}), replaced)


@given(OBJECTS, NAMES, JSON)
def test_what_was_added_can_be_removed(document: Any, name: str, value: Any) -> None:
    assume(name not in document)
    before = deepcopy(document)
    at = pointer((name,))
    added = patched(document, {"op": "add", "path": at, "value": value})
    assert equal(added, {**document, name: value})
    assert equal(patched(added, {"op": "remove", "path": at}), before)
    assert equal(document, before)


@given(OBJECTS, st.data())
def test_move_is_copy_and_remove(document: Any, data: st.DataObject) -> None:
    source = pointer((data.draw(st.sampled_from(sorted(document))),))
    moved = patched(document, {"op": "move", "from": source, "path": "/new name"})
    copied = patched(
        document,
        {"op": "copy", "from": source, "path": "/new name"},
        {"op": "remove", "path": source},
    )
    assert equal(moved, copied)


@given(OBJECTS, st.data())
def test_any_operation_succeeds_or_is_not_applicable(document: Any, data: st.DataObject) -> None:
    ops = st.sampled_from(["add", "remove", "replace", "move", "copy", "test"])
    near = st.sampled_from([(), *paths(document)]) | st.lists(NAMES, max_size=3).map(tuple)
    operation = {
        "op": data.draw(ops),
        "path": pointer(data.draw(near)),
        "from": pointer(data.draw(near)),
        "value": data.draw(JSON),
    }
    before = deepcopy(document)
    with suppress(NotApplicable):
        patched(document, operation)
    assert equal(document, before)


def test_numbers_are_equal_by_value_and_nothing_else_is() -> None:
    assert equal(72.5, Decimal("72.50"))
    assert equal({"a": [1, 1.0]}, {"a": [1.0, 1]})
    assert not equal([1], [True])
    assert not equal(0, None)
    assert not equal("1", 1)
