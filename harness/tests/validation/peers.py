"""Validators of other make, each as a function from a line of JSON to what it objects to.

They know the base types of FHIR R4 and no profile. None of them is needed to use the harness.
`tox -e validators` installs those that pip has.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator
from typing import Any, Final

import orjson

Judge = Callable[[bytes], list[str]]
"""Takes JSON as it comes, returns objections; none where it accepts."""
SCHEMA: Final = os.environ.get("HARNESS_FHIR_SCHEMA")
"""The file `fhir.schema.json` that HL7 publishes with FHIR R4; read before tests clean up."""


def fhirkit() -> Judge:
    """fhirkit-rs: the base types in Rust."""
    import fhirkit

    def judge(line: bytes) -> list[str]:
        try:
            issues = fhirkit.validate(line)
        except ValueError as refused:
            return [str(refused)]
        return [f"{one.path}: {one.message}" for one in issues if one.severity == "error"]

    return judge


def google() -> Judge:
    """google-fhir-r4: protocol buffers with the base types and the codes of required bindings."""
    from google.fhir.r4 import json_format
    from google.fhir.r4.proto.core.resources import bundle_and_contained_resource_pb2

    contained = bundle_and_contained_resource_pb2.ContainedResource
    kinds = {one.message_type.name: one.message_type for one in contained.DESCRIPTOR.fields}

    def judge(line: bytes) -> list[str]:
        kind = _kind(orjson.loads(line))
        if kind not in kinds:
            return ["no resource"]
        try:
            json_format.json_fhir_string_to_proto(
                line.decode(), kinds[kind]._concrete_class, validate=True
            )
        except Exception as refused:  # noqa: BLE001 - it raises whatever its parser meets
            return [f"{type(refused).__name__}: {refused}"]
        return []

    return judge


def fhir_resources() -> Judge:
    """fhir.resources: pydantic models of FHIR R4B, the nearest to R4 that it has."""
    from fhir.resources.R4B import get_fhir_model_class

    def judge(line: bytes) -> list[str]:
        resource = orjson.loads(line)
        try:
            get_fhir_model_class(_kind(resource)).model_validate(resource)
        except Exception as refused:  # noqa: BLE001 - unknown types are KeyError, others pydantic's
            return [str(refused)]
        return []

    return judge


def jsonschema() -> Judge:
    """jsonschema: the schema that HL7 publishes, one validator for each resource type."""
    from jsonschema import Draft6Validator
    from referencing import Registry
    from referencing.jsonschema import DRAFT6

    if SCHEMA is None:
        raise ImportError("HARNESS_FHIR_SCHEMA names no file")
    with open(SCHEMA, encoding="utf-8") as file:  # noqa: PTH123 - read once
        schema = json.load(file)
    registry: Registry[Any] = Registry().with_resource("urn:fhir", DRAFT6.create_resource(schema))
    known = schema["discriminator"]["mapping"]
    made: dict[str, Draft6Validator] = {}

    def judge(line: bytes) -> list[str]:
        resource = orjson.loads(line)
        kind = _kind(resource)
        if kind not in known:
            return ["no resource"]
        if kind not in made:
            made[kind] = Draft6Validator(
                {"$ref": f"urn:fhir#/definitions/{kind}"}, registry=registry
            )
        return [one.message for one in made[kind].iter_errors(resource)]

    return judge


def _kind(resource: Any) -> str:
    kind = resource.get("resourceType") if isinstance(resource, dict) else None
    return kind if isinstance(kind, str) else ""


ALL: Final = {
    "fhirkit-rs": fhirkit,
    "google-fhir-r4": google,
    "fhir.resources (R4B)": fhir_resources,
    "jsonschema, pure Python": jsonschema,
}


def at_hand() -> Iterator[tuple[str, Judge]]:
    """Yields the validators that are installed."""
    for name, made in ALL.items():
        try:
            yield name, made()
        except ImportError:
            continue
