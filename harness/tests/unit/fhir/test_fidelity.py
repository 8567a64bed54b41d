"""Comparing what was written with whatever came back."""

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from harness.fhir.fidelity import same

NAMES = st.sampled_from(["meta", "tag", "code", "coding", "system", "value", "identifier", "text"])
JSON: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=4),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAMES, inner, max_size=4),
    max_leaves=12,
)
RESOURCES = st.dictionaries(NAMES, JSON, max_size=5)


@given(RESOURCES, RESOURCES)
def test_resources_of_any_shape_can_be_compared(
    written: dict[str, Any], read: dict[str, Any]
) -> None:
    assert all(str(each) for each in same(written, read).differences)


@given(RESOURCES)
def test_a_resource_is_the_same_as_itself(resource: dict[str, Any]) -> None:
    assert same(resource, resource)
