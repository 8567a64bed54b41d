from __future__ import annotations

from datetime import date

import pytest

from harness.config.ehr import Versions as Wanted
from harness.errors import ExitStatus, UsageError
from harness.spec.regulatory import SPECS, Versions, regulatory_set, resolve_versions


def test_the_regulatory_set_is_us_core_6_1_smart_2_0_and_bulk_1_0() -> None:
    assert regulatory_set().versions == Versions(us_core="6.1.0", smart="2.0.0", bulk="1.0.1")


def test_the_regulatory_set_says_where_and_when_it_was_read() -> None:
    assert "170.215" in regulatory_set().source
    assert isinstance(regulatory_set().on, date)
    for name in SPECS:
        specification = regulatory_set().specifications[name]
        assert specification.statuses[specification.regulatory] == "regulatory"
        assert "170.215" in specification.citation


def test_an_option_wins_over_the_file_and_the_file_over_the_regulatory_set() -> None:
    option, file = Wanted(us_core="8.0.0"), Wanted(us_core="7.0.0", smart="2.2.0")
    assert resolve_versions(option, file) == Versions("8.0.0", "2.2.0", "1.0.1")
    assert resolve_versions(None, file) == Versions("7.0.0", "2.2.0", "1.0.1")
    assert resolve_versions() == regulatory_set().versions


def test_an_unknown_version_names_those_known_and_the_nearest() -> None:
    with pytest.raises(UsageError) as caught:
        resolve_versions(Wanted(us_core="6.1"))
    assert str(caught.value) == (
        "US Core: no version '6.1'; expected one of 3.1.1, 4.0.0, 5.0.1, 6.1.0, 7.0.0, 8.0.0; "
        "did you mean 6.1.0?"
    )
    assert caught.value.status == ExitStatus.USAGE
