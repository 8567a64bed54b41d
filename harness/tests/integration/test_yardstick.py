from __future__ import annotations

import json
import urllib.error
import urllib.request
from collections.abc import Iterator
from typing import Any

import pytest

from harness.benchmarks.yardstick import Settings, Yardstick, start
from harness.benchmarks.yardstick_limit import Limit


def get(url: str, method: str = "GET") -> tuple[int, dict[str, str], bytes]:
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with opener.open(urllib.request.Request(url, method=method), timeout=10) as answer:
            return answer.status, dict(answer.headers), answer.read()
    except urllib.error.HTTPError as error:
        with error:
            return error.code, dict(error.headers), error.read()


def followed(url: str) -> list[dict[str, Any]]:
    resources = []
    following: str | None = url
    while following:
        bundle = json.loads(get(following)[2])
        resources += [each["resource"] for each in bundle["entry"]]
        links = {each["relation"]: each["url"] for each in bundle["link"]}
        following = links.get("next")
    return resources


@pytest.fixture(scope="module")
def yardstick() -> Iterator[Yardstick]:
    with start(Settings(patients=3, observations=25, page=10, file_lines=40)) as running:
        yield running


def test_pages_hold_every_resource_once(yardstick: Yardstick) -> None:
    of_one = followed(f"{yardstick.base}/Observation?patient=p1&_count=10")
    assert [each["id"] for each in of_one] == [f"o-1-{number}" for number in range(25)]
    everything = followed(f"{yardstick.base}/Observation")
    assert len({each["id"] for each in everything}) == 75
    assert [each["id"] for each in followed(f"{yardstick.base}/Patient")] == ["p0", "p1", "p2"]


def test_a_search_beyond_the_newest_finds_nothing(yardstick: Yardstick) -> None:
    page = f"{yardstick.base}/Observation?patient=p1&_lastUpdated="
    assert followed(f"{page}ge2126-01-01T00:00:00Z") == []
    assert len(followed(f"{page}ge1900-01-01T00:00:00Z")) == 25


def test_an_export_has_the_same_resources_in_files(yardstick: Yardstick) -> None:
    status, headers, _ = get(f"{yardstick.base}/$export")
    assert status == 202
    polls = [get(headers["content-location"]) for _ in range(3)]
    assert [each[0] for each in polls] == [202, 202, 200]
    lines = [
        json.loads(line)["id"]
        for file in json.loads(polls[-1][2])["output"]
        for line in get(file["url"])[2].splitlines()
    ]
    assert lines == [each["id"] for each in followed(f"{yardstick.base}/Observation")]
    assert get(headers["content-location"], "DELETE")[0] == 202


def test_what_is_not_there_is_not_found(yardstick: Yardstick) -> None:
    for path in ("Observation?patient=p3", "Observation?patient=x", "Condition"):
        assert get(f"{yardstick.base}/{path}")[0] == 404


def test_requests_are_counted_from_a_reset_on(yardstick: Yardstick) -> None:
    yardstick.reset()
    get(f"{yardstick.base}/Observation?patient=p1")
    get(f"{yardstick.base}/metadata")
    stats = yardstick.stats()
    assert (stats["requests"], stats["ok"], stats["refused"]) == (1, 1, 0)
    assert stats["ok_by_second"] == {"0": 1}


def test_a_spent_bucket_refuses() -> None:
    with start(Settings(patients=1, observations=1, rate=0.01, burst=2)) as running:
        statuses = [get(f"{running.base}/Patient/p0")[0] for _ in range(3)]
        assert statuses == [200, 200, 429]
        assert running.stats()["refused"] == 1


def test_the_bucket_fills_at_its_rate() -> None:
    limit = Limit(Settings(rate=2.0, burst=1.0))
    assert limit.refused(100.0) is None
    assert limit.refused(100.0) == pytest.approx(0.5)
    assert limit.refused(100.5) is None


def test_a_full_minute_refuses_until_it_turns() -> None:
    limit = Limit(Settings(per_minute=2))
    assert [limit.refused(at) for at in (60.0, 70.0)] == [None, None]
    assert [limit.refused(at) for at in (80.0, 119.0)] == [40.0, 1.0]
    assert limit.refused(120.0) is None


@pytest.mark.parametrize(
    ("how", "said"),
    [
        ("seconds", [(b"retry-after", b"2")]),
        ("zero", [(b"retry-after", b"0")]),
        ("date", [(b"retry-after", b"Thu, 01 Jan 1970 00:01:03 GMT")]),
        ("absent", []),
    ],
)
def test_a_refusal_says_when_to_return_as_it_is_told(
    how: str, said: list[tuple[bytes, bytes]]
) -> None:
    assert Limit(Settings(retry_after=how)).retry_after(1.2, 60.5) == said
