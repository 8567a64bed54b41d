"""What answers outside FHIR look like: SMART configurations, token responses, bulk manifests.

The JSON Schemas lie in `schemas/`. In them `title` is the phrase that a message puts after
"expected". They say what members are if they are there; which of them a server owes is for the
requirements to say, version by version.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import cache
from importlib.resources import files
from typing import Any, Final, Literal

from jsonschema import Draft202012Validator
from jsonschema.exceptions import ValidationError

Shape = Literal["smart-configuration", "token-response", "bulk-manifest"]

MOST: Final = 20
"""Lines about one document."""

_KINDS: Final = {dict: "an object", list: "an array", str: "another string", bool: "a boolean"}


def schema(shape: Shape) -> dict[str, Any]:
    """The JSON Schema (draft 2020-12) of a kind of answer."""
    text = files("harness.spec").joinpath(f"schemas/{shape}.schema.json").read_text("utf-8")
    loaded: dict[str, Any] = json.loads(text)
    return loaded


def misshapen(shape: Shape, document: object) -> tuple[str, ...]:
    """What in a parsed answer is not of its shape, one line each, sorted by place.

    No value is quoted: it may be a token.
    """
    errors = _validator(shape).iter_errors(document)
    lines = sorted({_line(each) for each in errors})
    rest = len(lines) - MOST
    return (*lines[:MOST], *([f"and {rest} more"] if rest > 0 else []))


@cache
def _validator(shape: Shape) -> Draft202012Validator:
    return Draft202012Validator(schema(shape))


def _line(error: ValidationError) -> str:
    place = "".join(
        f"[{part}]" if isinstance(part, int) else f".{part}" for part in error.absolute_path
    ).removeprefix(".")
    rules = error.schema if isinstance(error.schema, Mapping) else {}
    if error.validator == "required" and isinstance(error.instance, Mapping):
        missing = [name for name in rules["required"] if name not in error.instance]
        said = f"expected {rules['title']}, without {', '.join(missing)}"
    else:
        said = f"expected {rules.get('title', 'another value')}, got {_kind(error.instance)}"
    return f"{place}: {said}" if place else said


def _kind(value: object) -> str:
    return "null" if value is None else _KINDS.get(type(value), "another number")
