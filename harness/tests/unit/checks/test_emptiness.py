"""What is empty in an answer."""

from __future__ import annotations

from harness.checks.emptiness import empty_parts


def test_empty_arrays_objects_and_strings_are_named_by_their_path() -> None:
    bundle = {"entry": [], "link": [{"url": ""}, {}], "meta": {"tag": [{"code": "a"}]}}
    assert list(empty_parts(bundle)) == ["entry", "link[0].url", "link[1]"]


def test_zero_false_and_null_are_not_empty() -> None:
    assert list(empty_parts({"total": 0, "active": False, "given": [None, "A"]})) == []


def test_an_empty_answer_is_empty_as_a_whole() -> None:
    assert list(empty_parts({})) == ["all of it"]
