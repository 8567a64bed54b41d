"""The body of a write: bounded, strict JSON, of the right kind."""

from __future__ import annotations

from typing import Any, Final

import orjson
from starlette.requests import Request

from harness.reference.fhir.formats import require_json_body, require_json_patch
from harness.reference.fhir.json import NotJson, dumps, loads
from harness.reference.fhir.outcome import refused
from harness.reference.fhir.patch import NotAPatch, Operation
from harness.reference.fhir.patch import read as read_operations

Json = dict[str, Any]

MOST_BYTES: Final = 1024 * 1024
MOST_BUNDLE_BYTES: Final = 4 * MOST_BYTES
MOST_DEPTH: Final = 32


async def read_resource(request: Request, resource_type: str) -> Json:
    """Returns the resource in the body of a request.

    Raises:
        Refused: 415, 413, or 400 for anything that is no resource of the type.
    """
    require_json_body(request)
    resource = await _read(request, MOST_BYTES, MOST_DEPTH)
    if not isinstance(resource, dict):
        raise refused(400, "structure", "the body is not a JSON object")
    came = resource.get("resourceType")
    if came != resource_type:
        raise refused(
            400,
            "invalid",
            f"resourceType is {came!r:.80}, the URL says {resource_type}",
            expression=resource_type,
        )
    return resource


async def read_bundle(request: Request) -> Json:
    """Returns the Bundle in the body of a batch or a transaction.

    Raises:
        Refused: 415, 413, or 400 for anything that is no Bundle.
    """
    require_json_body(request)
    bundle = await _read(request, MOST_BUNDLE_BYTES, MOST_DEPTH + 4)
    if not isinstance(bundle, dict) or bundle.get("resourceType") != "Bundle":
        raise refused(400, "invalid", "the body is no Bundle", expression="Bundle")
    return bundle


async def read_parameters(request: Request) -> list[tuple[str, str]]:
    """Returns names and values of a Parameters resource, references as their text.

    Raises:
        Refused: 415, 413, or 400 for anything that is no Parameters of plain values.
    """
    resource = await read_resource(request, "Parameters")
    listed = resource.get("parameter", [])
    pairs = [_pair(one) for one in listed] if isinstance(listed, list) else [None]
    known = [one for one in pairs if one]
    if len(known) != len(pairs):
        raise refused(
            400,
            "invalid",
            "a parameter of an export has a name, and a text or a reference as its value",
            expression=f"Parameters.parameter[{pairs.index(None)}]",
        )
    return known


def _pair(parameter: Any) -> tuple[str, str] | None:
    """Returns name and value of a parameter; None if it is of another form."""
    if not isinstance(parameter, dict):
        return None
    values = [value for name, value in parameter.items() if name.startswith("value")]
    value = values[0] if len(values) == 1 else None
    name, text = parameter.get("name"), value.get("reference") if isinstance(value, dict) else value
    return (name, text) if isinstance(name, str) and isinstance(text, str) else None


async def read_patch(request: Request) -> tuple[Operation, ...]:
    """Returns the operations in the body of a patch.

    Raises:
        Refused: 415, 413, or 400 for anything that is no JSON Patch.
    """
    require_json_patch(request)
    try:
        return read_operations(await _read(request, MOST_BYTES, MOST_DEPTH))
    except NotAPatch as problem:
        raise refused(400, "structure", f"the body is no JSON Patch: {problem}") from None


async def _read(request: Request, most_bytes: int, most_depth: int) -> Any:
    raw = await read_bounded(request, most_bytes)
    try:
        value = loads(raw.decode("utf-8"))
        dumps(value)  # lone surrogates and the like could never be served again
    except UnicodeDecodeError:
        raise refused(400, "structure", "the body is not UTF-8") from None
    except NotJson as broken:
        raise refused(400, "structure", f"the body is not JSON: {broken}") from None
    except orjson.JSONEncodeError:
        raise refused(400, "structure", "the body holds text that is not Unicode") from None
    if _depth(value) > most_depth:
        raise refused(400, "too-long", f"the body is nested deeper than {most_depth} levels")
    return value


async def read_bounded(request: Request, limit: int) -> bytes:
    """Returns the body of a request.

    Raises:
        Refused: 413; it is longer than `limit` bytes, of which no more are read.
    """
    chunks, size = [], 0
    async for chunk in request.stream():
        size += len(chunk)
        if size > limit:
            raise refused(413, "too-long", f"the body is longer than {limit} bytes")
        chunks.append(chunk)
    return b"".join(chunks)


def _depth(value: Any) -> int:
    deepest, open_values = 0, [(value, 1)]
    while open_values:
        one, depth = open_values.pop()
        deepest = max(deepest, depth)
        inner = one.values() if isinstance(one, dict) else one if isinstance(one, list) else ()
        open_values.extend((element, depth + 1) for element in inner)
    return deepest
