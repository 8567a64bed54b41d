from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from harness.config import document
from harness.config.load import ehr_from
from harness.config.paths import fixtures_dir
from harness.config.schema import schema
from harness.config.tenant import tenant_from
from harness.errors import ConfigError

KEYS = st.sampled_from(sorted(schema("ehr")["properties"]) + sorted(schema("tenant")["properties"]))
INNER_KEYS = KEYS | st.sampled_from(["name", "id", "kind", "scopes", "auth", "discover", "daily"])
SCALARS = (
    st.text(max_size=20)
    | st.sampled_from(["smart", "https://a.example/r4", "env:X", "standalone", "https://[", "a:b"])
    | st.integers()
    | st.floats()
    | st.booleans()
    | st.dates().map(str)
)
VALUES = st.recursive(
    SCALARS,
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(INNER_KEYS | st.text(max_size=8), inner, max_size=5)
    ),
    max_leaves=8,
)
DOCUMENTS: st.SearchStrategy[dict[str, Any]] = st.dictionaries(
    KEYS | st.text(max_size=8), VALUES, max_size=8
)
VALID = [path.read_text() for path in sorted((fixtures_dir() / "ehrs").glob("*.toml"))]
WHERE = Path("x.toml")


def refusal_of(load: Callable[[], object]) -> str | None:
    """The message of the ConfigError; any other exception fails the test."""
    try:
        load()
    except ConfigError as error:
        return error.message
    return None


@given(st.text())
def test_any_text_is_a_document_or_a_configuration_error(text: str) -> None:
    line = refusal_of(lambda: document.parse(text, "x.toml"))
    assert line is None or line.startswith("x.toml: ")


@given(DOCUMENTS)
def test_any_document_is_an_ehr_file_or_a_configuration_error(table: dict[str, Any]) -> None:
    line = refusal_of(lambda: ehr_from(table, WHERE))
    assert line is None or 1 <= len(line.splitlines()) <= 10


@given(DOCUMENTS)
def test_any_document_is_a_tenant_or_a_configuration_error(table: dict[str, Any]) -> None:
    line = refusal_of(lambda: tenant_from({"ehr": "reference"} | table, WHERE))
    assert line != ""


@given(st.sampled_from(VALID), st.data())
def test_a_damaged_ehr_file_loads_or_is_a_configuration_error(
    text: str, data: st.DataObject
) -> None:
    at = data.draw(st.integers(0, len(text)))
    gone = data.draw(st.integers(0, 40))
    damaged = text[:at] + data.draw(st.text(max_size=6)) + text[at + gone :]
    line = refusal_of(lambda: ehr_from(document.parse(damaged, "x.toml"), WHERE))
    assert line != ""


@given(st.sampled_from(VALID), SCALARS, st.data())
def test_a_replaced_value_loads_or_is_a_configuration_error(
    text: str, value: object, data: st.DataObject
) -> None:
    table = document.parse(text, "x.toml")
    key = data.draw(st.sampled_from(sorted(table)))
    part = table[key]
    if isinstance(part, list) and part and isinstance(part[0], dict):
        part = part[0]
    if isinstance(part, dict) and part:
        part[data.draw(st.sampled_from(sorted(part)))] = value
    else:
        table[key] = value
    line = refusal_of(lambda: ehr_from(table, WHERE))
    assert line != ""
