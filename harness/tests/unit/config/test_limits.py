from __future__ import annotations

from datetime import time
from pathlib import Path

import pytest

from harness.config.ehr import Costs, Peak
from harness.config.load import load_ehr
from harness.errors import ConfigError

FILE = """
title = "x"
fhir_base = "https://ehr.example/r4"
[auth]
kind = "none"
[limits]
per_minute = 250
per_day = 500000
day_zone = "America/Chicago"
[limits.costs]
write = 100
[limits.peak]
start = "07:00"
until = "19:00"
zone = "{zone}"
requests_per_second = 1.5
[sync]
window_days = 14
[sync.needs]
Condition = "category"
[sync.category_codes]
Condition = ["problem-list-item"]
[sync.dates]
Condition = "recorded-date"
"""


def written(folder: Path, zone: str) -> str:
    path = folder / "x.toml"
    path.write_text(FILE.format(zone=zone))
    return str(path)


def test_budgets_costs_peak_hours_and_needs_are_read(tmp_path: Path) -> None:
    ehr = load_ehr(written(tmp_path, "America/Chicago"))
    limits, sync = ehr.limits, ehr.sync
    assert (limits.per_minute, limits.per_day) == (250.0, 500000.0)
    assert limits.costs == Costs(write=100.0)
    assert limits.peak == Peak(time(7), time(19), "America/Chicago", 1.5)
    assert (sync.strategy, sync.window_days) == (None, 14)
    assert sync.needs == {"Condition": "category"}
    assert sync.category_codes == {"Condition": ("problem-list-item",)}
    assert sync.dates == {"Condition": "recorded-date"}


def test_a_zone_that_is_none_is_named_with_its_key(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"limits\.peak\.zone.*IANA time zone"):
        load_ehr(written(tmp_path, "Middle/Earth"))
