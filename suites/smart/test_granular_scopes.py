"""SMART App Launch 2, "Finer-grained resource constraints using search parameters".

https://hl7.org/fhir/smart-app-launch/STU2.2/scopes-and-launch-context.html#finer-grained-resource-constraints-using-search-parameters
"""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from harness import applies_if, conforms, expect, prerequisite, verifies
from harness.checks.acts.access import shows
from harness.checks.acts.granular import CATEGORIES, Beyond, Granular

NOT_ASKED = "no granular scope of this type is asked for"
NONE_KNOWN = "the patient has none of another category"


@verifies("smart/scopes/granular")
@pytest.mark.parametrize("type_", CATEGORIES)
def test_granular_scope_is_granted_as_such(granular_launch: Granular, type_: str) -> None:
    """A server with permission-v2 SHALL grant a category of a resource type, and no more of it."""
    applies_if(type_ in granular_launch.asked, unless=NOT_ASKED)
    conforms(
        granular_launch.granted(type_),
        expected=f"granted: {granular_launch.asked.get(type_)}",
        actual=granular_launch.outcome(type_),
    )


@verifies("smart/access/granular-search")
@pytest.mark.parametrize("type_", CATEGORIES)
def test_granular_scope_is_enforced_on_search(
    granular_launch: Granular, granular_reach: Mapping[str, Beyond], type_: str
) -> None:
    """Resources beyond the granted category SHALL NOT be searchable."""
    applies_if(type_ in granular_launch.asked, unless=NOT_ASKED)
    prerequisite(type_ in granular_reach, unless="the granular scope was not granted as such")
    seen = granular_reach[type_]
    applies_if(seen.strangers or seen.read, unless=NONE_KNOWN)
    expect(seen.search).that(
        not seen.strangers,
        expected="401 or 403, or nothing of another category",
        actual=f"{seen.strangers} of another category",
    )


@verifies("smart/access/granular-read")
@pytest.mark.parametrize("type_", CATEGORIES)
def test_granular_scope_is_enforced_on_read(
    granular_launch: Granular, granular_reach: Mapping[str, Beyond], type_: str
) -> None:
    """A resource beyond the granted category SHALL NOT be readable."""
    applies_if(type_ in granular_launch.asked, unless=NOT_ASKED)
    prerequisite(type_ in granular_reach, unless="the granular scope was not granted as such")
    read = granular_reach[type_].read
    applies_if(read, unless=NONE_KNOWN)
    expect(read).that(not shows(read, type_), expected="401, 403 or 404", actual="the resource")
