"""SearchParameters and CapabilityStatements as what is expected of a server.

https://hl7.org/fhir/R4/searchparameter.html and
https://hl7.org/fhir/R4/capabilitystatement.html
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from harness.profiles.elements import unversioned
from harness.profiles.tolerance import usable
from harness.profiles.typed import checked
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

_EXTENSIONS = "http://hl7.org/fhir/StructureDefinition/"
_EXPECTATION = f"{_EXTENSIONS}capabilitystatement-expectation"
_COMBINATION = f"{_EXTENSIONS}capabilitystatement-search-parameter-combination"


def parameters_of(
    resources: Iterable[Mapping[str, Any]], problems: list[str]
) -> dict[str, SearchParameter]:
    """The search parameters among these SearchParameters, by canonical URL."""
    return usable(resources, lambda each: (each["url"], checked(_parameter(each))), problems)


def servers_of(resources: Iterable[Mapping[str, Any]], problems: list[str]) -> dict[str, Server]:
    """The servers that these CapabilityStatements ask for, by canonical URL."""
    asking = [each for each in resources if each.get("kind") == "requirements"]
    found = usable(asking, lambda each: (each["url"], _server_of(each)), problems)
    return {url: server for url, server in found.items() if server is not None}


def _server_of(statement: Mapping[str, Any]) -> Server | None:
    modes = [each for each in statement.get("rest", ()) if each.get("mode") == "server"]
    return checked(_server(statement, modes[0])) if modes else None


def _parameter(said: Mapping[str, Any]) -> SearchParameter:
    return SearchParameter(
        url=said["url"],
        code=said["code"],
        kind=said["type"],
        bases=tuple(said.get("base", ())),
        expression=said.get("expression"),
        targets=tuple(said.get("target", ())),
        comparators=_listed(said, "comparator"),
        modifiers=_listed(said, "modifier"),
        chains=_listed(said, "chain"),
        multiple_or=_allowance(said, "multipleOr"),
        multiple_and=_allowance(said, "multipleAnd"),
        components=tuple(
            (unversioned(each["definition"]), each["expression"])
            for each in said.get("component", ())
        ),
    )


def _server(statement: Mapping[str, Any], rest: Mapping[str, Any]) -> Server:
    return Server(
        url=statement["url"],
        version=statement.get("version", ""),
        title=statement.get("title") or statement.get("name", ""),
        formats=_listed(statement, "format"),
        patch_formats=_listed(statement, "patchFormat"),
        interactions=_coded(rest.get("interaction", ())),
        resources={each["type"]: _resource(each) for each in rest.get("resource", ())},
        operations=_operations(rest),
    )


def _resource(said: Mapping[str, Any]) -> ExpectedResource:
    return ExpectedResource(
        type=said["type"],
        expectation=_expectation(said),
        profiles={
            unversioned(url): each for url, each in _listed(said, "supportedProfile").items()
        },
        interactions=_coded(said.get("interaction", ())),
        parameters={
            each["name"]: ExpectedParameter(
                each["name"],
                each["type"],
                unversioned(each["definition"]) if "definition" in each else None,
                _expectation(each),
            )
            for each in said.get("searchParam", ())
        },
        combinations=tuple(
            _combination(each)
            for each in said.get("extension", ())
            if each.get("url") == _COMBINATION
        ),
        includes=_listed(said, "searchInclude"),
        revincludes=_listed(said, "searchRevInclude"),
        operations=_operations(said),
        reference_policies=_listed(said, "referencePolicy"),
    )


def _combination(said: Mapping[str, Any]) -> Combination:
    parts = said["extension"]
    return Combination(
        tuple(each["valueString"] for each in parts if each["url"] == "required"),
        tuple(each["valueString"] for each in parts if each["url"] == "optional"),
        _expectation(said),
    )


def _operations(said: Mapping[str, Any]) -> tuple[ExpectedOperation, ...]:
    return tuple(
        ExpectedOperation(each["name"], unversioned(each["definition"]), _expectation(each))
        for each in said.get("operation", ())
    )


def _coded(interactions: Iterable[Mapping[str, Any]]) -> Expectations:
    return {each["code"]: _expectation(each) for each in interactions}


def _listed(said: Mapping[str, Any], name: str) -> Expectations:
    """The primitives of an array with the expectation that stands in their siblings."""
    values: Sequence[str] = said.get(name, ())
    siblings = [*said.get(f"_{name}", ()), *[None] * len(values)]
    return {
        value: _expectation(sibling or {}) for value, sibling in zip(values, siblings, strict=False)
    }


def _allowance(said: Mapping[str, Any], name: str) -> Allowance:
    return Allowance(said.get(name), _expectation(said.get(f"_{name}") or {}))


def _expectation(said: Mapping[str, Any]) -> Expectation | None:
    for each in said.get("extension", ()):
        if each.get("url") == _EXPECTATION:
            return Expectation(each["valueCode"])
    return None
