"""What is empty in a JSON value, which nothing in FHIR's JSON is.

http://hl7.org/fhir/R4/json.html
"""

from __future__ import annotations

from collections.abc import Iterator


def empty_parts(value: object, path: str = "") -> Iterator[str]:
    """The paths of arrays, objects and strings in `value` that have nothing in them."""
    if value in ([], {}, ""):
        yield path or "all of it"
    elif isinstance(value, dict):
        for name, part in value.items():
            yield from empty_parts(part, f"{path}.{name}".removeprefix("."))
    elif isinstance(value, list):
        for index, part in enumerate(value):
            yield from empty_parts(part, f"{path}[{index}]")
