"""FHIR R4, Search, "token" and "date": values of less precision, in other zones, with modifiers.

http://hl7.org/fhir/R4/search.html#ptypes
"""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from harness import applies_if, conforms, expect, verifies
from harness.checks.acts.search_forms import Narrowed
from harness.checks.acts.search_values import Modified
from harness.checks.found import Found

TOKENS = [
    pytest.param("code", marks=verifies("us-core/observation/code-alone")),
    pytest.param("category", marks=verifies("us-core/observation/category-alone")),
]

WITH_MODIFIERS = [
    pytest.param("not", marks=verifies("fhir/search/modifier")),
    pytest.param("no-such-modifier", marks=verifies("fhir/search/modifier-unknown")),
]


@pytest.mark.parametrize("name", TOKENS)
def test_token_may_come_without_its_system(
    by_bare_tokens: dict[str, tuple[Found, Found]], name: str
) -> None:
    """A code without a system SHALL find what the code with its system finds."""
    bare, full = by_bare_tokens[name]
    bare.expect_precise()
    bare.expect_all(full.ids, seen_in=f"the search by {name} with its system")


@verifies("fhir/search/date-precision")
@pytest.mark.parametrize("form", ["day", "day-after", "month"])
def test_date_may_be_less_than_a_moment(by_precision: dict[str, Narrowed], form: str) -> None:
    """A day or a month SHALL be compared as all of its span, not as its first moment."""
    applies_if(form in by_precision, unless="no vital sign lies in one day or month in any zone")
    done = by_precision[form]
    refused = 400 <= done.found.pages[0].status < 500
    applies_if(not refused, unless="the server refuses dates of this precision")
    _narrowed(done)


@verifies("fhir/search/date-zone")
def test_date_may_be_written_in_another_zone(by_precision: dict[str, Narrowed]) -> None:
    """A moment SHALL mean the same in whichever zone it is written."""
    _narrowed(by_precision["zone"])


def _narrowed(done: Narrowed) -> None:
    conforms(
        not done.missing and not done.extra,
        expected=f"all that lies in date={done.found.parameter('date')}, and nothing else",
        actual=f"missing: {len(done.missing)}, not to be found: {len(done.extra)}",
        where=done.found.where,
    )


@pytest.mark.parametrize("modifier", WITH_MODIFIERS)
def test_modifier_is_honoured_or_refused(
    modified_searches: Mapping[str, Modified], modifier: str
) -> None:
    """A search whose modifier is not supported is to be refused, not done as if it had none."""
    done = modified_searches[modifier]
    applies_if(not done.left_out, unless="the parameter is left out, and the self link says so")
    expect(done.exchange).that(
        not done.found,
        expected=f"a refusal of code:{modifier}, or nothing that code= finds",
        actual=f"{done.found} Observations that code= finds",
    )
