"""Search parameters and expected servers as JSON objects, and back; see `encode` for the form.

An expectation stands beside a name: `{"gt": "SHALL", "sa": ""}`, empty where nothing is said.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from harness.spec.definitions.encode import said
from harness.spec.definitions.server import (
    Allowance,
    Combination,
    Expectation,
    Expectations,
    ExpectedOperation,
    ExpectedParameter,
    ExpectedResource,
    SearchParameter,
    Server,
)


def parameter_row(parameter: SearchParameter) -> dict[str, Any]:
    """A search parameter without its URL."""
    return said(
        code=parameter.code,
        kind=parameter.kind,
        bases=list(parameter.bases),
        expression=parameter.expression,
        targets=list(parameter.targets),
        comparators=_words(parameter.comparators),
        modifiers=_words(parameter.modifiers),
        chains=_words(parameter.chains),
        multiple_or=_allowance_row(parameter.multiple_or),
        multiple_and=_allowance_row(parameter.multiple_and),
        components=[list(each) for each in parameter.components],
    )


def parameter_of(url: str, row: Mapping[str, Any]) -> SearchParameter:
    """A search parameter from its row."""
    return SearchParameter(
        url=url,
        code=row["code"],
        kind=row["kind"],
        bases=tuple(row.get("bases", ())),
        expression=row.get("expression"),
        targets=tuple(row.get("targets", ())),
        comparators=_expectations(row, "comparators"),
        modifiers=_expectations(row, "modifiers"),
        chains=_expectations(row, "chains"),
        multiple_or=_allowance_of(row, "multiple_or"),
        multiple_and=_allowance_of(row, "multiple_and"),
        components=tuple((each[0], each[1]) for each in row.get("components", ())),
    )


def server_row(server: Server) -> dict[str, Any]:
    """An expected server without its URL."""
    return said(
        version=server.version,
        title=server.title,
        formats=_words(server.formats),
        patch_formats=_words(server.patch_formats),
        interactions=_words(server.interactions),
        operations=_operation_rows(server.operations),
        resources={name: _resource_row(each) for name, each in server.resources.items()},
    )


def server_of(url: str, row: Mapping[str, Any]) -> Server:
    """An expected server from its row."""
    return Server(
        url=url,
        version=row["version"],
        title=row["title"],
        formats=_expectations(row, "formats"),
        patch_formats=_expectations(row, "patch_formats"),
        interactions=_expectations(row, "interactions"),
        resources={
            name: _resource_of(name, each) for name, each in row.get("resources", {}).items()
        },
        operations=_operations_of(row),
    )


def _resource_row(resource: ExpectedResource) -> dict[str, Any]:
    return said(
        expectation=resource.expectation and resource.expectation.value,
        profiles=_words(resource.profiles),
        interactions=_words(resource.interactions),
        parameters={
            name: [each.kind, each.definition or "", _word(each.expectation)]
            for name, each in resource.parameters.items()
        },
        combinations=[
            [list(each.required), list(each.optional), _word(each.expectation)]
            for each in resource.combinations
        ],
        includes=_words(resource.includes),
        revincludes=_words(resource.revincludes),
        operations=_operation_rows(resource.operations),
        reference_policies=_words(resource.reference_policies),
    )


def _resource_of(type_: str, row: Mapping[str, Any]) -> ExpectedResource:
    return ExpectedResource(
        type=type_,
        expectation=_expectation(row.get("expectation", "")),
        profiles=_expectations(row, "profiles"),
        interactions=_expectations(row, "interactions"),
        parameters={
            name: ExpectedParameter(name, kind, definition or None, _expectation(word))
            for name, (kind, definition, word) in row.get("parameters", {}).items()
        },
        combinations=tuple(
            Combination(tuple(required), tuple(optional), _expectation(word))
            for required, optional, word in row.get("combinations", ())
        ),
        includes=_expectations(row, "includes"),
        revincludes=_expectations(row, "revincludes"),
        operations=_operations_of(row),
        reference_policies=_expectations(row, "reference_policies"),
    )


def _operation_rows(operations: Iterable[ExpectedOperation]) -> list[list[str]]:
    return [[each.name, each.definition, _word(each.expectation)] for each in operations]


def _operations_of(row: Mapping[str, Any]) -> tuple[ExpectedOperation, ...]:
    return tuple(
        ExpectedOperation(name, definition, _expectation(word))
        for name, definition, word in row.get("operations", ())
    )


def _allowance_row(allowance: Allowance) -> list[bool | str | None]:
    if allowance == Allowance():
        return []
    return [allowance.allowed, _word(allowance.expectation)]


def _allowance_of(row: Mapping[str, Any], name: str) -> Allowance:
    if name not in row:
        return Allowance()
    allowed, word = row[name]
    return Allowance(allowed, _expectation(word))


def _words(expectations: Expectations) -> dict[str, str]:
    return {name: _word(each) for name, each in expectations.items()}


def _word(expectation: Expectation | None) -> str:
    return expectation.value if expectation else ""


def _expectations(row: Mapping[str, Any], name: str) -> Expectations:
    return {each: _expectation(word) for each, word in row.get(name, {}).items()}


def _expectation(word: str) -> Expectation | None:
    return Expectation(word) if word else None
