"""The published JSON Schemas, and what a document does wrong by them, in words for a person.

In the schemas, `title` is the phrase that a message puts after "expected", and `writeOnly` marks
values that no message may show.
"""

from __future__ import annotations

import difflib
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any

from jsonschema import Draft202012Validator
from jsonschema.exceptions import ValidationError

_KINDS = {
    "object": "a table",
    "array": "an array",
    "string": "a string",
    "integer": "a whole number",
    "number": "a number",
    "boolean": "true or false",
}
_STRUCTURE, _TYPE, _VALUE, _MEANING = range(4)
_RANKS = {"additionalProperties": _STRUCTURE, "required": _STRUCTURE, "type": _TYPE}
_SHOWN = 60


@dataclass(frozen=True, slots=True, order=True)
class Violation:
    """One thing wrong in a document; the worst sorts first."""

    rank: int
    path: str
    message: str

    def __str__(self) -> str:
        return f"{self.path}: {self.message}" if self.path else self.message


@cache
def schema(kind: str) -> dict[str, Any]:
    """The JSON Schema (draft 2020-12) of `ehr` or `tenant` files."""
    text = files("harness.config").joinpath(f"schemas/{kind}.schema.json").read_text("utf-8")
    loaded: dict[str, Any] = json.loads(text)
    return loaded


def violations(kind: str, document: dict[str, Any]) -> list[Violation]:
    """Everything in `document` that the schema of `kind` forbids, worst first."""
    errors = _validator(kind).iter_errors(document)
    return sorted({each for error in errors for each in _explain(error)})


def meaning(path: str, message: str) -> Violation:
    """A violation that no schema can express."""
    return Violation(_MEANING, path, message)


def key_path(parts: Sequence[str | int]) -> str:
    """`clients[0].auth`: how messages name a place in a document."""
    path = ""
    for part in parts:
        if isinstance(part, int):
            path += f"[{part}]"
        else:
            path += ("." if path else "") + _key(part)
    return path


def nearest(word: str, valid: Sequence[str]) -> str:
    """`; did you mean 'auth'?`, or nothing where no valid word is near."""
    found = difflib.get_close_matches(word.lower(), valid, n=1)
    return f"; did you mean {found[0]!r}?" if found else ""


def shown(value: object) -> str:
    """A value as messages show it: one line, short, and no URL with credentials."""
    if isinstance(value, str):
        text = "a URL with user information" if "@" in value and "//" in value else f"{value!a}"
    elif isinstance(value, (bool, int, float)):
        text = json.dumps(value)
    else:
        return kind_of(value)
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}..."


def kind_of(value: object) -> str:
    """What a TOML value is, as messages name it."""
    if isinstance(value, bool):
        return "a boolean"
    names = {dict: "a table", list: "an array", str: "a string", int: "a whole number"}
    return names.get(type(value), "a number")


@cache
def _validator(kind: str) -> Draft202012Validator:
    return Draft202012Validator(schema(kind), format_checker=Draft202012Validator.FORMAT_CHECKER)


def _key(name: str) -> str:
    bare = name.isascii() and name.replace("-", "").replace("_", "").isalnum()
    return name if bare and len(name) <= _SHOWN else shown(name)


def _explain(error: ValidationError) -> Iterator[Violation]:
    parts = [part for part in error.absolute_path if isinstance(part, (str, int))]
    rank = _RANKS.get(str(error.validator), _VALUE)
    rules = _rules(error)
    if error.validator == "additionalProperties":
        valid = sorted(rules["properties"])
        for name in sorted(set(_keys(error)) - set(valid)):
            near = nearest(name, valid) or f"; valid keys: {', '.join(valid)}"
            yield Violation(rank, key_path([*parts, name]), f"unknown key{near}")
    elif error.validator == "required":
        for name in sorted(set(rules["required"]) - set(_keys(error))):
            described = rules["properties"][name].get("description", "")
            sentence = described.split(". ")[0].rstrip(".")
            yield Violation(rank, key_path([*parts, name]), f"missing; expected: {sentence}")
    else:
        yield Violation(rank, key_path(parts), _mismatch(error))


def _rules(error: ValidationError) -> dict[str, Any]:
    """The part of the schema that the value breaks."""
    return dict(error.schema) if isinstance(error.schema, Mapping) else {}


def _keys(error: ValidationError) -> list[str]:
    return list(error.instance) if isinstance(error.instance, dict) else []


def _mismatch(error: ValidationError) -> str:
    rules = _rules(error)
    came = kind_of(error.instance) if error.validator == "type" else shown(error.instance)
    if rules.get("writeOnly") and isinstance(error.instance, str):
        came = "a literal value, which is not shown here"
    if error.validator == "enum":
        valid = [str(value) for value in rules["enum"]]
        near = nearest(error.instance, valid) if isinstance(error.instance, str) else ""
        return f"expected one of {', '.join(valid)}; got {came}{near}"
    if error.validator == "uniqueItems":
        return "expected each entry once, got one twice"
    if "title" in rules:
        return f"expected {rules['title']}, got {came}"
    rule = rules.get(str(error.validator))
    return f"expected {_EXPECTED.get(str(error.validator), _rule)(rule)}, got {came}"


def _rule(value: object) -> str:
    return f"what the schema allows ({shown(value)})"


_EXPECTED: dict[str, Callable[[object], str]] = {
    "type": lambda value: _KINDS.get(str(value), str(value)),
    "minLength": lambda _: "text that is not empty",
    "maxLength": lambda value: f"at most {value} characters",
    "minItems": lambda value: f"at least {value} entry",
    "minimum": lambda value: f"{value} or more",
    "maximum": lambda value: f"{value} or less",
    "exclusiveMinimum": lambda value: f"more than {value}",
}
