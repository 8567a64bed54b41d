"""Invariants of what describes servers, operations, measures and guides.

https://hl7.org/fhir/R4/capabilitystatement.html#invs
"""

from __future__ import annotations

from typing import Any

from harness.validation.invariants.nodes import items
from harness.validation.invariants.scope import Scope
from harness.validation.invariants.words import (
    all_different,
    all_of,
    alone,
    among,
    any_of,
    counted,
    distinct,
    empty,
    every,
    exactly_one,
    exists,
    implies,
    known,
    matches,
    no,
    some,
    table,
)


def allows_some(node: Any, _: Scope) -> bool:
    """Max must be positive or *."""
    most = node.get("max") if node.__class__ is dict else None
    return most.__class__ is not str or most == "*" or (most.isdecimal() and most.strip("0") != "")


def one_preferred_of_each_type(node: Any, _: Scope) -> bool:
    """Can't have more than one preferred identifier for a type."""
    return all_different(
        identifier["type"]
        for identifier in items(node, "uniqueId")
        if identifier.__class__ is dict
        and identifier.get("preferred") is True
        and identifier.get("type").__class__ is str
    )


_instance = among("kind", "instance")
_stratifier = exactly_one(exists("code", "description", "criteria"), exists("component"))
_stratum = exactly_one(exists("value"), exists("component"))

TRANSLATIONS = table(
    ("name.matches('[A-Z]([A-Za-z0-9_]){0,254}')", matches("name", "[A-Z][A-Za-z0-9_]{0,254}")),
    (
        "rest.exists() or messaging.exists() or document.exists()",
        exists("rest", "messaging", "document"),
    ),
    (
        ("(description.count() + software.count() + implementation.count()) > 0"),
        exists("description", "software", "implementation"),
    ),
    (
        "messaging.endpoint.empty() or kind = 'instance'",
        any_of(_instance, no(some("messaging", exists("endpoint")))),
    ),
    ("document.select(profile&mode).isDistinct()", alone("document", "profile", "mode")),
    (
        "(kind != 'instance') or implementation.exists()",
        implies(_instance, exists("implementation")),
    ),
    (
        ("(kind != 'capability') or (implementation.exists().not() and software.exists())"),
        implies(among("kind", "capability"), all_of(empty("implementation"), exists("software"))),
    ),
    (
        ("(kind!='requirements') or (implementation.exists().not() and software.exists().not())"),
        implies(among("kind", "requirements"), empty("implementation", "software")),
    ),
    ("resource.select(type).isDistinct()", distinct("resource.type")),
    ("searchParam.select(name).isDistinct()", distinct("searchParam.name")),
    (
        ("definition.resource.fhirVersion.all(%context.fhirVersion contains $this)"),
        known("definition.resource.fhirVersion", "fhirVersion"),
    ),
    (
        "resource.groupingId.all(%context.grouping.id contains $this)",
        known("resource.groupingId", "grouping.id"),
    ),
    (
        ("group.stratifier.all((code | description | criteria).exists() xor component.exists())"),
        every("group.stratifier", _stratifier),
    ),
    (
        "(type != 'data-collection') or group.exists().not()",
        implies(among("type", "data-collection"), empty("group")),
    ),
    (
        ("group.stratifier.stratum.all(value.exists() xor component.exists())"),
        every("group.stratifier.stratum", _stratum),
    ),
    ("max='*' or (max.toInteger() > 0)", allows_some),
    (
        "kind != 'root' or uniqueId.all(type != 'uuid')",
        implies(among("kind", "root"), every("uniqueId", no(among("type", "uuid")))),
    ),
    ("uniqueId.where(preferred = true).select(type).isDistinct()", one_preferred_of_each_type),
    ("type.exists() or part.exists()", exists("type", "part")),
    (
        "searchType.exists() implies type = 'string'",
        implies(exists("searchType"), among("type", "string")),
    ),
    (
        ("targetProfile.exists() implies (type = 'Reference' or type = 'canonical')"),
        implies(exists("targetProfile"), among("type", "Reference", "canonical")),
    ),
    ("xpath.empty() or xpathUsage.exists()", implies(exists("xpath"), exists("xpathUsage"))),
    ("chain.empty() or type = 'reference'", implies(exists("chain"), among("type", "reference"))),
    ("element.exists() implies context.exists()", implies(exists("element"), exists("context"))),
    (
        "context.exists() implies contextType.exists()",
        implies(exists("context"), exists("contextType")),
    ),
    (
        "version.count() > 1 implies version.all(code.exists())",
        any_of(counted("version", most=1), every("version", exists("code"))),
    ),
)
