"""Invariants of all elements and all resources: ele-1, ext-1, dom-2 to dom-6.

https://hl7.org/fhir/R4/element.html and https://hl7.org/fhir/R4/domainresource.html
"""

from __future__ import annotations

from typing import Any

from harness.validation.invariants.nodes import each, items, text
from harness.validation.invariants.scope import Scope
from harness.validation.invariants.words import spellings, table

_no_value = spellings("value[x]").isdisjoint


def has_content(node: Any, _: Scope) -> bool:
    """All FHIR elements must have a value or children; an id alone is neither."""
    return node.__class__ is not dict or len(node) > ("id" in node)


def extends_or_says(node: Any, _: Scope) -> bool:
    """Must have either extensions or value[x], not both."""
    return node.__class__ is not dict or ("extension" in node) is _no_value(node)


def holds_no_nested(node: Any, _: Scope) -> bool:
    """A contained resource SHALL NOT contain nested resources."""
    if node.__class__ is dict and "contained" in node:
        return not any(True for _ in each(node, "contained", "contained"))
    return True


def contained_is_referred_to(node: Any, _: Scope) -> bool:
    """A contained resource SHALL be referred to, or refer to the resource that contains it."""
    if node.__class__ is not dict or "contained" not in node:
        return True
    referred = _local_references(node)
    for resource in items(node, "contained"):
        referred_to = resource.__class__ is not dict or f"#{text(resource, 'id')}" in referred
        if not referred_to and "#" not in _local_references(resource):
            return False
    return True


def _local_references(node: Any) -> set[str]:
    """Every string of a resource that could be a reference, canonical or URI within it."""
    found: set[str] = set()
    rest = [node]
    while rest:
        inner = rest.pop()
        for child in inner.values() if inner.__class__ is dict else inner:
            kind = child.__class__
            if kind is dict or kind is list:
                rest.append(child)
            elif kind is str and child[:1] == "#":
                found.add(child)
    return found


def unversioned(node: Any, _: Scope) -> bool:
    """A contained resource SHALL NOT have a meta.versionId or a meta.lastUpdated."""
    if node.__class__ is dict and "contained" in node:
        for meta in each(node, "contained", "meta"):
            if meta.__class__ is dict and ("versionId" in meta or "lastUpdated" in meta):
                return False
    return True


def contained_has_no_security(node: Any, _: Scope) -> bool:
    """A contained resource SHALL NOT have a security label."""
    if node.__class__ is dict and "contained" in node:
        return not any(True for _ in each(node, "contained", "meta", "security"))
    return True


def has_narrative(node: Any, _: Scope) -> bool:
    """A resource should have narrative for robust management."""
    text = node.get("text") if node.__class__ is dict else None
    return text.__class__ is dict and "div" in text


TRANSLATIONS = table(
    ("hasValue() or (children().count() > id.count())", has_content),
    ("extension.exists() != value.exists()", extends_or_says),
    ("contained.contained.empty()", holds_no_nested),
    (
        (
            "contained.where((('#'+id in (%resource.descendants().reference | "
            "%resource.descendants().as(canonical) | "
            "%resource.descendants().as(uri) | "
            "%resource.descendants().as(url))) or "
            "descendants().where(reference = '#').exists() or "
            "descendants().where(as(canonical) = '#').exists() or "
            "descendants().where(as(canonical) = "
            "'#').exists()).not()).trace('unmatched', id).empty()"
        ),
        contained_is_referred_to,
    ),
    (("contained.meta.versionId.empty() and contained.meta.lastUpdated.empty()"), unversioned),
    ("contained.meta.security.empty()", contained_has_no_security),
    ("text.`div`.exists()", has_narrative),
)
