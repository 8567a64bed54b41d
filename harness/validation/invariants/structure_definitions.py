"""Invariants of StructureDefinition.

https://hl7.org/fhir/R4/structuredefinition.html#invs
"""

from __future__ import annotations

import re
from typing import Any

from harness.validation.invariants.nodes import each, items, text
from harness.validation.invariants.scope import Scope
from harness.validation.invariants.words import (
    Holds,
    all_different,
    all_of,
    among,
    any_of,
    distinct,
    empty,
    every,
    exists,
    implies,
    matches,
    no,
    some,
    starts,
    table,
    true,
)

_logical = among("kind", "logical")
_of_fhir = starts("url", "http://hl7.org/fhir/StructureDefinition")
_no_default = empty("defaultValue[x]")
_has_id = exists("id")
_not_typed = empty("type")
_not_at_root = matches("path", r"[^.]*\..*|")


def _is_root(element: Any) -> bool:
    return "." not in (text(element, "path") or ".")


def _roots(names: tuple[str, ...], test: Holds) -> Holds:
    """Every root element, whose path has no dot, in these views meets it."""

    def check(node: Any, scope: Scope) -> bool:
        return all(
            test(element, scope)
            for name in names
            for element in each(node, *name.split("."))
            if _is_root(element)
        )

    return check


def _first(view: str, test: Holds) -> Holds:
    """The first element of the view meets it, if there is one."""

    def check(node: Any, scope: Scope) -> bool:
        return all(test(element, scope) for element in [*each(node, view, "element")][:1])

    return check


def _path_of(view: Any) -> tuple[str, list[Any]]:
    """The path of the first element, and the paths of the others."""
    paths = [text(element, "path") for element in items(view, "element")]
    return (paths[0], list(paths[1:])) if paths else ("", [])


def snapshot_starts_at_its_type(node: Any, _: Scope) -> bool:
    """The first element of a snapshot has the type as its path, unless it is logical."""
    if node.__class__ is not dict or "snapshot" not in node or node.get("kind") == "logical":
        return True
    return all(_path_of(view)[0] == node.get("type") for view in items(node, "snapshot"))


def snapshot_stays_below_its_root(node: Any, scope: Scope) -> bool:
    """All elements start with the type, and the first is it, unless the definition is logical."""
    first, others = _path_of(node)
    definition = scope.resource if scope.resource.__class__ is dict else {}
    if definition.get("kind") != "logical" and first != definition.get("type"):
        return False
    return all(path.startswith(f"{first}.") for path in others)


def differential_stays_below_its_root(node: Any, scope: Scope) -> bool:
    """Likewise of a differential, which may begin below the root."""
    first, others = _path_of(node)
    definition = scope.resource if scope.resource.__class__ is dict else {}
    if definition.get("kind") != "logical" and not first.startswith(text(definition, "type")):
        return False
    root = first.split(".", 1)[0]
    return all(path.startswith(f"{root}.") for path in others)


def _paths_differ(node: Any, _: Scope) -> bool:
    return all_different(each(node, "snapshot", "element", "path"))


def _identified(view: str) -> Holds:
    """All elements of the view have different ids."""
    return all_of(every(f"{view}.element", _has_id), distinct(f"{view}.element.id"))


_SYSTEM = r"http://hl7\.org/fhirpath/System\.[A-Z][A-Za-z]+"
_differential_type = re.compile(f"[a-zA-Z0-9]+|{_SYSTEM}").fullmatch
_snapshot_type = re.compile(rf"[a-zA-Z0-9.]+|{_SYSTEM}").fullmatch


def names_types_of_fhir(node: Any, scope: Scope) -> bool:
    """FHIR's own definitions only use the types of FHIR."""
    if not _of_fhir(node, scope):
        return True
    return all(
        code.__class__ is not str or right(code) is not None
        for view, right in (("differential", _differential_type), ("snapshot", _snapshot_type))
        for code in each(node, view, "element", "type", "code")
    )


_BOTH = ("snapshot.element", "differential.element")

TRANSLATIONS = table(
    (
        ("derivation = 'constraint' or snapshot.element.select(path).isDistinct()"),
        any_of(among("derivation", "constraint"), _paths_differ),
    ),
    (
        (
            "(kind!='logical'  and "
            "differential.element.first().path.contains('.').not()) implies "
            "differential.element.first().type.empty()"
        ),
        any_of(_logical, _first("differential", any_of(_not_at_root, _not_typed))),
    ),
    (
        "abstract = true or baseDefinition.exists()",
        any_of(true("abstract"), exists("baseDefinition")),
    ),
    (
        ("type != 'Extension' or derivation = 'specialization' or (context.exists())"),
        any_of(
            no(among("type", "Extension")), among("derivation", "specialization"), exists("context")
        ),
    ),
    ("snapshot.exists() or differential.exists()", exists("snapshot", "differential")),
    (
        (
            "children().element.where(path.contains('.').not()).label.empty() and "
            "children().element.where(path.contains('.').not()).code.empty() and "
            "children().element.where(path.contains('.').not()).requirements"
            ".empty()"
        ),
        _roots(_BOTH, empty("label", "code", "requirements")),
    ),
    (
        ("kind != 'logical' implies snapshot.empty() or snapshot.element.first().path = type"),
        snapshot_starts_at_its_type,
    ),
    (
        ("snapshot.element.all(id.exists()) and differential.element.all(id.exists())"),
        all_of(every("snapshot.element", _has_id), every("differential.element", _has_id)),
    ),
    (
        "kind!='logical' implies snapshot.element.first().type.empty()",
        any_of(_logical, _first("snapshot", _not_typed)),
    ),
    (
        ("snapshot.element.all(id.exists()) and snapshot.element.id.trace('ids').isDistinct()"),
        _identified("snapshot"),
    ),
    (
        (
            "differential.element.all(id.exists()) and "
            "differential.element.id.trace('ids').isDistinct()"
        ),
        _identified("differential"),
    ),
    (
        "contextInvariant.exists() implies type = 'Extension'",
        implies(exists("contextInvariant"), among("type", "Extension")),
    ),
    (
        (
            "url.startsWith('http://hl7.org/fhir/StructureDefinition') implies "
            "(differential.element.type.code.all(matches('^[a-zA-Z0-9]+$') or "
            "matches('^http:\\\\/\\\\/hl7\\\\.org\\\\/fhirpath\\\\/System\\\\"
            ".[A-Z][A-Za-z]+$')) and "
            "snapshot.element.type.code.all(matches('^[a-zA-Z0-9\\\\.]+$') or "
            "matches('^http:\\\\/\\\\/hl7\\\\.org\\\\/fhirpath\\\\/System\\\\"
            ".[A-Z][A-Za-z]+$')))"
        ),
        names_types_of_fhir,
    ),
    (
        ("differential.element.defaultValue.exists() implies (derivation = 'specialization')"),
        any_of(among("derivation", "specialization"), every("differential.element", _no_default)),
    ),
    (
        (
            "url.startsWith('http://hl7.org/fhir/StructureDefinition') implies "
            "(snapshot.element.defaultValue.empty() and "
            "differential.element.defaultValue.empty())"
        ),
        implies(
            _of_fhir,
            all_of(
                every("snapshot.element", _no_default), every("differential.element", _no_default)
            ),
        ),
    ),
    (
        (
            "(snapshot | differential).element.all(path.contains('.').not() "
            "implies sliceName.empty())"
        ),
        _roots(_BOTH, empty("sliceName")),
    ),
    ("name.exists() or uri.exists()", exists("name", "uri")),
    (
        "element.all(definition.exists() and min.exists() and max.exists())",
        every("element", all_of(exists("definition"), exists("min"), exists("max"))),
    ),
    (
        (
            "(%resource.kind = 'logical' or element.first().path = %resource.type) "
            "and "
            "element.tail().all(path.startsWith(%resource.snapshot.element.first"
            "().path&'.'))"
        ),
        snapshot_stays_below_its_root,
    ),
    ("element.all(base.exists())", every("element", exists("base"))),
    (
        ("binding.empty() or binding.valueSet.exists() or binding.description.exists()"),
        any_of(empty("binding"), some("binding", exists("valueSet", "description"))),
    ),
    (
        "element.where(path.contains('.').not()).slicing.empty()",
        _roots(("element",), empty("slicing")),
    ),
    (
        (
            "(%resource.kind = 'logical' or "
            "element.first().path.startsWith(%resource.type)) and "
            "(element.tail().empty() or "
            "element.tail().all(path.startsWith(%resource.differential.element"
            ".first().path.replaceMatches('\\\\..*','')&'.')))"
        ),
        differential_stays_below_its_root,
    ),
)
