from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from harness.config.schema import schema
from harness.spec.regulatory import SPECS, regulatory_set

KINDS = ["ehr", "tenant"]


@pytest.mark.parametrize("kind", KINDS)
def test_a_schema_is_valid_and_keeps_its_identifier(kind: str) -> None:
    Draft202012Validator.check_schema(schema(kind))
    assert schema(kind)["$id"] == f"urn:fhir-harness:schema:{kind}:1"


def tables(part: Any, path: str = "") -> Iterator[tuple[str, dict[str, Any]]]:
    if isinstance(part, dict):
        if "properties" in part:
            yield path, part
        for key, value in part.items():
            yield from tables(value, f"{path}/{key}")


@pytest.mark.parametrize("kind", KINDS)
def test_every_key_is_described_and_no_other_key_is_let_in(kind: str) -> None:
    found = list(tables(schema(kind)))
    assert len(found) > 3
    for path, table in found:
        assert table["additionalProperties"] is False, path
        for key, value in table["properties"].items():
            assert len(value.get("description", "")) > 10, f"{path}/{key}"


def test_the_versions_in_the_schema_are_those_that_can_be_judged() -> None:
    offered = schema("ehr")["properties"]["versions"]["properties"]
    for name in SPECS:
        assert tuple(offered[name]["enum"]) == regulatory_set().specifications[name].known
