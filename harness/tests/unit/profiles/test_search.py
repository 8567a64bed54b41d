from __future__ import annotations

from typing import Any

from harness.profiles.search import parameters_of, servers_of
from harness.spec.definitions.server import (
    Allowance,
    Combination,
    Expectation,
    ExpectedOperation,
    ExpectedParameter,
)

BASE = "http://hl7.org/fhir/StructureDefinition/"


def expected(word: str) -> dict[str, Any]:
    """The extension that says how strongly."""
    url = f"{BASE}capabilitystatement-expectation"
    return {"extension": [{"url": url, "valueCode": word}]}


def combination(word: str, *required: str, optional: tuple[str, ...] = ()) -> dict[str, Any]:
    parts = [{"url": "required", "valueString": each} for each in required]
    parts += [{"url": "optional", "valueString": each} for each in optional]
    own = expected(word)["extension"]
    return {
        "url": f"{BASE}capabilitystatement-search-parameter-combination",
        "extension": [*own, *parts],
    }


def test_a_search_parameter_says_what_it_takes_and_how_strongly() -> None:
    said = {
        "url": "http://x/date",
        "code": "date",
        "type": "date",
        "base": ["Thing"],
        "expression": "Thing.when",
        "comparator": ["eq", "gt"],
        "_comparator": [expected("MAY"), expected("SHALL")],
        "modifier": ["missing"],
        "chain": ["a.b", "a.c"],
        "_chain": [None, expected("SHOULD")],
        "multipleOr": True,
        "_multipleOr": expected("SHOULD"),
        "multipleAnd": False,
        "component": [{"definition": "http://x/one|2", "expression": "one"}],
    }
    problems: list[str] = []
    date = parameters_of([said], problems)["http://x/date"]
    assert (date.code, date.kind, date.bases, date.expression) == (
        "date",
        "date",
        ("Thing",),
        "Thing.when",
    )
    assert date.comparators == {"eq": Expectation.MAY, "gt": Expectation.SHALL}
    assert date.modifiers == {"missing": None}
    assert date.chains == {"a.b": None, "a.c": Expectation.SHOULD}
    assert date.multiple_or == Allowance(allowed=True, expectation=Expectation.SHOULD)
    assert date.multiple_and == Allowance(allowed=False)
    assert date.components == (("http://x/one", "one"),)


def test_one_that_is_malformed_costs_itself_alone() -> None:
    problems: list[str] = []
    assert parameters_of([{"url": "http://x", "resourceType": "SearchParameter"}], problems) == {}
    assert problems == ["SearchParameter http://x: cannot be used: KeyError: 'code'"]


def statement(**more: Any) -> dict[str, Any]:
    resource = {
        "type": "Thing",
        **expected("SHALL"),
        "supportedProfile": ["http://x/p|1"],
        "_supportedProfile": [expected("SHOULD")],
        "interaction": [{"code": "read", **expected("SHALL")}, {"code": "vread"}],
        "searchParam": [
            {"name": "date", "type": "date", "definition": "http://x/date", **expected("MAY")},
            {"name": "id", "type": "token"},
        ],
        "searchInclude": ["Thing:owner"],
        "searchRevInclude": ["Other:thing"],
        "_searchRevInclude": [expected("SHALL")],
        "operation": [{"name": "do", "definition": "http://x/do", **expected("SHOULD-NOT")}],
    }
    resource["extension"] = [
        *resource["extension"],
        combination("SHALL", "date", "id"),
        combination("SHOULD", "date", optional=("id",)),
    ]
    return {
        "url": "http://x/server",
        "version": "1.0.0",
        "kind": "requirements",
        "title": "Server",
        "format": ["json", "xml"],
        "_format": [expected("SHALL"), expected("SHOULD")],
        "rest": [
            {"mode": "client"},
            {
                "mode": "server",
                "resource": [resource],
                "interaction": [{"code": "batch", **expected("MAY")}],
                "operation": [{"name": "all", "definition": "http://x/all"}],
            },
        ],
    } | more


def test_a_statement_of_requirements_says_what_servers_are_to_do() -> None:
    server = servers_of([statement()], [])["http://x/server"]
    assert server.formats == {"json": Expectation.SHALL, "xml": Expectation.SHOULD}
    assert server.interactions == {"batch": Expectation.MAY}
    assert server.operations == (ExpectedOperation("all", "http://x/all", None),)
    thing = server.resources["Thing"]
    assert thing.expectation is Expectation.SHALL
    assert thing.profiles == {"http://x/p": Expectation.SHOULD}
    assert thing.interactions == {"read": Expectation.SHALL, "vread": None}
    assert thing.parameters["date"] == ExpectedParameter(
        "date", "date", "http://x/date", Expectation.MAY
    )
    assert thing.parameters["id"].definition is None
    assert thing.combinations == (
        Combination(("date", "id"), (), Expectation.SHALL),
        Combination(("date",), ("id",), Expectation.SHOULD),
    )
    assert thing.includes == {"Thing:owner": None}
    assert thing.revincludes == {"Other:thing": Expectation.SHALL}
    assert thing.operations[0].expectation is Expectation.SHOULD_NOT


def test_what_a_client_needs_or_an_instance_has_is_no_requirement_of_servers() -> None:
    client = statement(rest=[{"mode": "client"}])
    assert servers_of([client, statement(kind="instance")], []) == {}
