"""The body of a write: bounded, strict JSON, an object of the right type."""

from __future__ import annotations

from typing import Any, Final

import orjson
from starlette.requests import Request

from harness.reference.fhir.formats import require_json_body
from harness.reference.fhir.json import NotJson, dumps, loads
from harness.reference.fhir.outcome import refused

Json = dict[str, Any]

MOST_BYTES: Final = 1024 * 1024
MOST_DEPTH: Final = 32


async def read_resource(request: Request, resource_type: str) -> Json:
    """Returns the resource in the body of a request.

    Raises:
        Refused: 415, 413, or 400 for anything that is no resource of the type.
    """
    require_json_body(request)
    raw = await read_bounded(request, MOST_BYTES)
    try:
        resource = loads(raw.decode("utf-8"))
        dumps(resource)  # lone surrogates and the like could never be served again
    except UnicodeDecodeError:
        raise refused(400, "structure", "the body is not UTF-8") from None
    except NotJson as broken:
        raise refused(400, "structure", f"the body is not JSON: {broken}") from None
    except orjson.JSONEncodeError:
        raise refused(400, "structure", "the body holds text that is not Unicode") from None
    if not isinstance(resource, dict):
        raise refused(400, "structure", "the body is not a JSON object")
    if _depth(resource) > MOST_DEPTH:
        raise refused(400, "too-long", f"the body is nested deeper than {MOST_DEPTH} levels")
    came = resource.get("resourceType")
    if came != resource_type:
        raise refused(
            400,
            "invalid",
            f"resourceType is {came!r:.80}, the URL says {resource_type}",
            expression=resource_type,
        )
    return resource


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
