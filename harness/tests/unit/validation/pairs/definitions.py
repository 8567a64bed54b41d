"""Of the resources that define others."""

from typing import Any

from harness.tests.unit.validation.pairs import Pairs, Placed

OF_FHIR = "http://hl7.org/fhir/StructureDefinition/A"


def snapshot(*elements: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {"snapshot": {"element": list(elements)}, **more}


def differential(*elements: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {"differential": {"element": list(elements)}, **more}


ROOT = {"id": "A", "path": "A"}
CHILD = {"id": "A.b", "path": "A.b"}
OTHER = {"id": "C.b", "path": "C.b"}

NAMED: Pairs = {
    f"{key} {kind}": ({"name": "Name_1"}, {"name": "a name"})
    for key, kind in {
        "adf-0": "ActivityDefinition",
        "cpb-0": "CapabilityStatement",
        "lib-0": "Library",
        "vsd-0": "ValueSet",
    }.items()
}

CONFORMANCE: Pairs = {
    "cpb-1 CapabilityStatement": ({"rest": [{}]}, {"kind": "instance"}),
    "cpb-2 CapabilityStatement": ({"software": {}}, {"kind": "instance"}),
    "cpb-3 CapabilityStatement": (
        {"kind": "instance", "messaging": [{"endpoint": [{}]}]},
        {"kind": "capability", "messaging": [{"endpoint": [{}]}]},
    ),
    "cpb-7 CapabilityStatement": (
        {"document": [{"mode": "producer", "profile": "a"}, {"mode": "consumer", "profile": "a"}]},
        {"document": [{"mode": "producer", "profile": "a"}, {"mode": "producer", "profile": "a"}]},
    ),
    "cpb-9 CapabilityStatement.rest": (
        {"resource": [{"type": "Patient"}, {"type": "Group"}]},
        {"resource": [{"type": "Patient"}, {"type": "Patient"}]},
    ),
    "cpb-12 CapabilityStatement.rest.resource": (
        {"searchParam": [{"name": "a"}, {"name": "b"}]},
        {"searchParam": [{"name": "a"}, {"name": "a"}]},
    ),
    "cpb-14 CapabilityStatement": (
        {"kind": "instance", "implementation": {}},
        {"kind": "instance"},
    ),
    "cpb-15 CapabilityStatement": (
        {"kind": "capability", "software": {}},
        {"kind": "capability", "software": {}, "implementation": {}},
    ),
    "cpb-16 CapabilityStatement": (
        {"kind": "requirements"},
        {"kind": "requirements", "software": {}},
    ),
    "tcp-1 TerminologyCapabilities.codeSystem": (
        {"version": [{"code": "1"}, {"code": "2"}]},
        {"version": [{"code": "1"}, {}]},
    ),
    "ig-1 ImplementationGuide.definition": (
        {"grouping": [{"id": "a"}], "resource": [{"groupingId": "a"}]},
        {"grouping": [{"id": "a"}], "resource": [{"groupingId": "b"}]},
    ),
    "ig-2 ImplementationGuide": (
        {"fhirVersion": ["4.0.1"], "definition": {"resource": [{"fhirVersion": ["4.0.1"]}]}},
        {"fhirVersion": ["4.0.1"], "definition": {"resource": [{"fhirVersion": ["3.0.2"]}]}},
    ),
    "md-1 MessageDefinition.focus": ({"max": "*"}, {"max": "0"}),
    "mea-1 Measure": (
        {"group": [{"stratifier": [{"code": {}}]}]},
        {"group": [{"stratifier": [{"code": {}, "component": [{}]}]}]},
    ),
    "mrp-1 MeasureReport": (
        {"type": "summary", "group": [{}]},
        {"type": "data-collection", "group": [{}]},
    ),
    "mrp-2 MeasureReport": (
        {"group": [{"stratifier": [{"stratum": [{"value": {}}]}]}]},
        {"group": [{"stratifier": [{"stratum": [{}]}]}]},
    ),
    "nsd-1 NamingSystem": (
        {"kind": "root", "uniqueId": [{"type": "oid"}]},
        {"kind": "root", "uniqueId": [{"type": "oid"}, {"type": "uuid"}]},
    ),
    "nsd-2 NamingSystem": (
        {"uniqueId": [{"type": "oid", "preferred": True}, {"type": "uri", "preferred": True}]},
        {"uniqueId": [{"type": "oid", "preferred": True}, {"type": "oid", "preferred": True}]},
    ),
    "opd-1 OperationDefinition.parameter": ({"part": [{}]}, {"name": "a"}),
    "opd-2 OperationDefinition.parameter": (
        {"searchType": "token", "type": "string"},
        {"searchType": "token", "type": "code"},
    ),
    "opd-3 OperationDefinition.parameter": (
        {"targetProfile": ["urn:a"], "type": "canonical"},
        {"targetProfile": ["urn:a"], "type": "uri"},
    ),
    "spd-1 SearchParameter": ({"xpath": "a", "xpathUsage": "normal"}, {"xpath": "a"}),
    "spd-2 SearchParameter": (
        {"type": "reference", "chain": ["a"]},
        {"type": "uri", "chain": ["a"]},
    ),
    "smp-1 StructureMap.group.rule.target": ({"element": "a", "context": "b"}, {"element": "a"}),
    "smp-2 StructureMap.group.rule.target": (
        {"context": "a", "contextType": "variable"},
        {"context": "a"},
    ),
}

TERMINOLOGIES: Pairs = {
    "cmd-1 ConceptMap.group.element.target": (
        {"equivalence": "inexact", "comment": "a"},
        {"equivalence": "inexact"},
    ),
    "cmd-2 ConceptMap.group.unmapped": ({"mode": "fixed", "code": "a"}, {"mode": "fixed"}),
    "cmd-3 ConceptMap.group.unmapped": ({"mode": "other-map", "url": "a"}, {"mode": "other-map"}),
    "csd-1 CodeSystem": (
        {"concept": [{"code": "a", "concept": [{"code": "b"}]}]},
        {"concept": [{"code": "a", "concept": [{"code": "b"}]}, {"code": "b"}]},
    ),
    "vsd-1 ValueSet.compose.include": ({"valueSet": ["urn:a"]}, {"version": "1"}),
    "vsd-2 ValueSet.compose.include": ({"system": "a", "concept": [{}]}, {"concept": [{}]}),
    "vsd-3 ValueSet.compose.include": ({"filter": [{}]}, {"filter": [{}], "concept": [{}]}),
    "vsd-6 ValueSet.expansion.contains": ({"display": "a"}, {"system": "a"}),
    "vsd-9 ValueSet.expansion.contains": ({"abstract": True, "display": "a"}, {"display": "a"}),
}

ELEMENTS: Pairs = {
    "eld-1 ElementDefinition.slicing": ({"description": "a"}, {"rules": "open"}),
    "eld-2 ElementDefinition": ({"min": 1, "max": "1"}, {"min": 2, "max": "1"}),
    "eld-3 ElementDefinition.max": ("7", "many"),
    "eld-4 ElementDefinition.type": (
        {"code": "Reference", "aggregation": ["bundled"]},
        {"code": "string", "aggregation": ["bundled"]},
    ),
    "eld-5 ElementDefinition": (
        {"contentReference": "#a"},
        {"contentReference": "#a", "fixedString": "b"},
    ),
    "eld-6 ElementDefinition": (
        {"fixedCode": "a", "type": [{}]},
        {"fixedCode": "a", "type": [{}, {}]},
    ),
    "eld-7 ElementDefinition": (
        {"patternCode": "a", "type": [{}]},
        {"patternCode": "a", "type": [{}, {}]},
    ),
    "eld-8 ElementDefinition": ({"fixedCode": "a"}, {"fixedCode": "a", "patternCode": "a"}),
    "eld-12 ElementDefinition.binding": ({"valueSet": "urn:a"}, {"valueSet": "ValueSet/a"}),
    "eld-13 ElementDefinition": (
        {"type": [{"code": "code"}, {"code": "Coding"}]},
        {"type": [{"code": "code"}, {"code": "code"}]},
    ),
    "eld-14 ElementDefinition": (
        {"constraint": [{"key": "a-1"}, {"key": "a-2"}]},
        {"constraint": [{"key": "a-1"}, {"key": "a-1"}]},
    ),
    "eld-15 ElementDefinition": (
        {"meaningWhenMissing": "a"},
        {"meaningWhenMissing": "a", "defaultValueCode": "b"},
    ),
    "eld-16 ElementDefinition": ({"sliceName": "a/b-c[x]@1"}, {"sliceName": "a slice"}),
    "eld-17 ElementDefinition.type": (
        {"code": "canonical", "targetProfile": ["urn:a"]},
        {"code": "uri", "targetProfile": ["urn:a"]},
    ),
    "eld-18 ElementDefinition": (
        {"isModifier": True, "isModifierReason": "a"},
        {"isModifier": True},
    ),
    "eld-19 ElementDefinition": ({"path": "A.b[x].c"}, {"path": "A.b c"}),
    "eld-20 ElementDefinition": ({"path": "A.b[x].c"}, {"path": "A.b-c"}),
    "eld-21 ElementDefinition.constraint": ({"expression": "true"}, {"key": "a-1"}),
    "eld-22 ElementDefinition": (
        {"sliceIsConstraining": True, "sliceName": "a"},
        {"sliceIsConstraining": True},
    ),
}

STRUCTURES: Pairs = {
    "sdf-1 StructureDefinition": (snapshot(ROOT, CHILD), snapshot(ROOT, CHILD, CHILD)),
    "sdf-2 StructureDefinition.mapping": ({"name": "a"}, {"identity": "a"}),
    "sdf-3 StructureDefinition.snapshot": (
        {"element": [{"definition": "a", "min": 0, "max": "1"}]},
        {"element": [{"definition": "a", "min": 0}]},
    ),
    "sdf-4 StructureDefinition": ({"baseDefinition": "urn:a"}, {"abstract": False}),
    "sdf-5 StructureDefinition": ({"type": "Extension", "context": [{}]}, {"type": "Extension"}),
    "sdf-6 StructureDefinition": (differential(ROOT), {"kind": "resource"}),
    "sdf-8 StructureDefinition.snapshot": (
        Placed({"element": [ROOT, CHILD]}, {"type": "A"}),
        Placed({"element": [ROOT, OTHER]}, {"type": "A"}),
    ),
    "sdf-8a StructureDefinition.differential": (
        Placed({"element": [CHILD, {"path": "A.c"}]}, {"type": "A"}),
        Placed({"element": [CHILD, OTHER]}, {"type": "A"}),
    ),
    "sdf-8b StructureDefinition.snapshot": ({"element": [{"base": {}}]}, {"element": [ROOT]}),
    "sdf-9 StructureDefinition": (
        snapshot(ROOT, {**CHILD, "label": "a"}),
        snapshot({**ROOT, "label": "a"}),
    ),
    "sdf-10 StructureDefinition.snapshot.element": (
        {"binding": {"valueSet": "urn:a"}},
        {"binding": {"strength": "example"}},
    ),
    "sdf-11 StructureDefinition": (snapshot(ROOT, type="A"), snapshot(ROOT, type="B")),
    "sdf-14 StructureDefinition": (snapshot(ROOT, CHILD), snapshot(ROOT, {"path": "A.b"})),
    "sdf-15 StructureDefinition": (
        snapshot(ROOT, {**CHILD, "type": [{}]}),
        snapshot({**ROOT, "type": [{}]}),
    ),
    "sdf-15a StructureDefinition": (
        differential({**CHILD, "type": [{}]}),
        differential({**ROOT, "type": [{}]}),
    ),
    "sdf-16 StructureDefinition": (snapshot(ROOT, CHILD), snapshot(ROOT, ROOT)),
    "sdf-17 StructureDefinition": (differential(ROOT, CHILD), differential(CHILD, CHILD)),
    "sdf-18 StructureDefinition": (
        {"type": "Extension", "contextInvariant": ["a"]},
        {"type": "Patient", "contextInvariant": ["a"]},
    ),
    "sdf-19 StructureDefinition": (
        differential({"type": [{"code": "string"}]}, url=OF_FHIR),
        differential({"type": [{"code": "urn:own"}]}, url=OF_FHIR),
    ),
    "sdf-20 StructureDefinition.differential": (
        {"element": [{**CHILD, "slicing": {}}]},
        {"element": [{**ROOT, "slicing": {}}]},
    ),
    "sdf-21 StructureDefinition": (
        differential({"defaultValueCode": "a"}, derivation="specialization"),
        differential({"defaultValueCode": "a"}, derivation="constraint"),
    ),
    "sdf-22 StructureDefinition": (
        snapshot({"defaultValueCode": "a"}, url="urn:a"),
        snapshot({"defaultValueCode": "a"}, url=OF_FHIR),
    ),
    "sdf-23 StructureDefinition": (
        snapshot({**CHILD, "sliceName": "a"}),
        snapshot({**ROOT, "sliceName": "a"}),
    ),
}
