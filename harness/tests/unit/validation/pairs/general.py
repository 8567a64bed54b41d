"""Of all elements, data types, Bundle and Parameters."""

from harness.tests.unit.validation.pairs import Pairs, Placed

UCUM = "http://unitsofmeasure.org"
YEARS = {"system": UCUM, "code": "a"}

ELEMENTS: Pairs = {
    "ele-1 Element": ({"id": "a", "extension": [{"url": "urn:x"}]}, {"id": "a"}),
    "ext-1 Extension": (
        {"url": "urn:x", "valueString": "a"},
        {"url": "urn:x", "valueString": "a", "extension": [{"url": "urn:y"}]},
    ),
    "dom-2 DomainResource": (
        {"contained": [{"resourceType": "Patient", "id": "a"}]},
        {"contained": [{"resourceType": "Patient", "contained": [{"resourceType": "Patient"}]}]},
    ),
    "dom-3 DomainResource": (
        {"contained": [{"id": "a"}], "subject": {"reference": "#a"}},
        {"contained": [{"id": "a"}, {"id": "b"}], "subject": {"reference": "#a"}},
    ),
    "dom-4 DomainResource": (
        {"contained": [{"meta": {"source": "urn:x"}}]},
        {"contained": [{"meta": {"versionId": "1"}}]},
    ),
    "dom-5 DomainResource": (
        {"contained": [{"meta": {"tag": [{"code": "a"}]}}]},
        {"contained": [{"meta": {"security": [{"code": "R"}]}}]},
    ),
    "dom-6 DomainResource": ({"text": {"div": "<div/>"}}, {"text": {"status": "empty"}}),
}

QUANTITIES: Pairs = {
    "qty-3 Quantity": ({"code": "kg", "system": UCUM}, {"code": "kg"}),
    "sqty-1 Quantity": ({"value": 1}, {"value": 1, "comparator": "<"}),
    "age-1 Age": ({"value": 3, **YEARS}, {"value": 0, **YEARS}),
    "cnt-3 Count": (
        {"value": 3, "code": "1", "system": UCUM},
        {"value": 3.5, "code": "1", "system": UCUM},
    ),
    "dis-1 Distance": ({"value": 3, "code": "m", "system": UCUM}, {"value": 3}),
    "drt-1 Duration": (
        {"value": 3, "code": "h", "system": UCUM},
        {"value": 3, "code": "h", "system": "urn:hours"},
    ),
    "mqty-1 Quantity": (
        {"value": 3, "code": "USD", "system": "urn:iso:std:iso:4217"},
        {"value": 3, "code": "USD", "system": UCUM},
    ),
    "rng-2 Range": (
        {"low": {"value": 1, "unit": "g"}, "high": {"value": 1, "unit": "g"}},
        {"low": {"value": 2, "unit": "g"}, "high": {"value": 1, "unit": "g"}},
    ),
    "rat-1 Ratio": (
        {"numerator": {"value": 1}, "denominator": {"value": 2}},
        {"numerator": {"value": 1}},
    ),
}

TIMES: Pairs = {
    "per-1 Period": (
        {"start": "2024-01-31T10:00:00Z", "end": "2024-01-31"},
        {"start": "2024-02-01", "end": "2024-01"},
    ),
    "tim-1 Timing.repeat": ({"duration": 1, "durationUnit": "h"}, {"duration": 1}),
    "tim-2 Timing.repeat": ({"period": 1, "periodUnit": "d"}, {"period": 1}),
    "tim-4 Timing.repeat": ({"duration": 0}, {"duration": -1}),
    "tim-5 Timing.repeat": ({"period": 0.5}, {"period": -0.5}),
    "tim-6 Timing.repeat": ({"periodMax": 2, "period": 1}, {"periodMax": 2}),
    "tim-7 Timing.repeat": ({"durationMax": 2, "duration": 1}, {"durationMax": 2}),
    "tim-8 Timing.repeat": ({"countMax": 2, "count": 1}, {"countMax": 2}),
    "tim-9 Timing.repeat": ({"offset": 30, "when": ["ACM"]}, {"offset": 30, "when": ["CM"]}),
    "tim-10 Timing.repeat": ({"timeOfDay": ["10:00:00"]}, {"timeOfDay": ["a"], "when": ["HS"]}),
}

OTHER_TYPES: Pairs = {
    "att-1 Attachment": ({"data": "QQ==", "contentType": "text/plain"}, {"data": "QQ=="}),
    "cpt-2 ContactPoint": ({"value": "1", "system": "phone"}, {"value": "1"}),
    "drq-1 DataRequirement.codeFilter": ({"path": "code"}, {"path": "code", "searchParam": "code"}),
    "drq-2 DataRequirement.dateFilter": ({"searchParam": "date"}, {}),
    "exp-1 Expression": ({"expression": "1"}, {"language": "text/cql"}),
    "ref-1 Reference": (
        Placed({"reference": "#a"}, {"contained": [{"id": "a"}]}),
        Placed({"reference": "#b"}, {"contained": [{"id": "a"}]}),
    ),
    "trd-1 TriggerDefinition": (
        {"type": "periodic", "timingTiming": {}},
        {"data": [{"type": "Patient"}], "timingDate": "2024-01-01"},
    ),
    "trd-2 TriggerDefinition": (
        {"condition": {"language": "text/cql"}, "data": [{"type": "Patient"}]},
        {"condition": {"language": "text/cql"}},
    ),
    "trd-3 TriggerDefinition": ({"type": "named-event", "name": "a"}, {"type": "data-added"}),
    "inv-1 Extension": (
        {"substanceExposureRisk": {}},
        {"substanceExposureRisk": {}, "code": {"text": "a"}},
    ),
}


def bundle(kind: str, *entries: dict[str, object], **more: object) -> dict[str, object]:
    return {"resourceType": "Bundle", "type": kind, "entry": list(entries), **more}


PATIENT = {"resourceType": "Patient"}
REQUEST = {"method": "GET", "url": "Patient"}

BUNDLES: Pairs = {
    "bdl-1 Bundle": (bundle("searchset", total=1), bundle("collection", total=1)),
    "bdl-2 Bundle": (
        bundle("searchset", {"search": {"mode": "match"}}),
        bundle("collection", {"search": {"mode": "match"}}),
    ),
    "bdl-3 Bundle": (
        bundle("batch", {"request": REQUEST}),
        bundle("batch", {"request": REQUEST}, {"resource": PATIENT}),
    ),
    "bdl-4 Bundle": (
        bundle("batch-response", {"response": {"status": "200"}}),
        bundle("searchset", {"response": {"status": "200"}}),
    ),
    "bdl-5 Bundle.entry": ({"request": REQUEST}, {"fullUrl": "urn:a"}),
    "bdl-7 Bundle": (
        bundle("collection", {"fullUrl": "urn:a"}, {"fullUrl": "urn:b"}),
        bundle("collection", {"fullUrl": "urn:a"}, {"fullUrl": "urn:a"}),
    ),
    "bdl-8 Bundle.entry": (
        {"fullUrl": "http://example.org/Patient/1"},
        {"fullUrl": "http://example.org/Patient/1/_history/2"},
    ),
    "bdl-9 Bundle": (
        bundle("document", identifier={"system": "urn:a", "value": "1"}),
        bundle("document", identifier={"value": "1"}),
    ),
    "bdl-10 Bundle": (bundle("document", timestamp="2024-01-01T00:00:00Z"), bundle("document")),
    "bdl-11 Bundle": (
        bundle("document", {"resource": {"resourceType": "Composition"}}),
        bundle("document", {"resource": PATIENT}, {"resource": {"resourceType": "Composition"}}),
    ),
    "bdl-12 Bundle": (
        bundle("message", {"resource": {"resourceType": "MessageHeader"}}),
        bundle("message", {"resource": PATIENT}),
    ),
    "inv-1 Parameters.parameter": (
        {"name": "a", "valueString": "b"},
        {"name": "a", "valueString": "b", "resource": PATIENT},
    ),
}
