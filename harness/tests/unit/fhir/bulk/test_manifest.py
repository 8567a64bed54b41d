from __future__ import annotations

from contextlib import suppress
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.errors import ProtocolError
from harness.fhir.bulk.manifest import Kind, read_manifest

URL = "https://ehr.example/jobs/1"

values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda each: st.lists(each, max_size=4) | st.dictionaries(st.text(), each, max_size=4),
    max_leaves=12,
)
manifests = st.fixed_dictionaries(
    {"output": values},
    optional=dict.fromkeys(
        ("transactionTime", "requiresAccessToken", "deleted", "error", "link"), values
    ),
)


def made(**members: Any) -> dict[str, Any]:
    base = {
        "transactionTime": "2026-05-01T10:00:00.5Z",
        "request": "https://ehr.example/r4/$export",
        "requiresAccessToken": True,
        "output": [{"type": "Patient", "url": "https://files.example/1", "count": 3}],
        "error": [],
    }
    return base | members


def test_a_manifest_is_read_with_its_files_in_order() -> None:
    manifest = read_manifest(
        made(
            deleted=[{"type": "Bundle", "url": "/deleted/1"}],
            error=[{"type": "OperationOutcome", "url": "../errors/1"}],
            link=[{"relation": "self", "url": "x"}, {"relation": "next", "url": "?page=2"}],
        ),
        URL,
    )
    assert manifest.transaction_time == datetime(2026, 5, 1, 10, 0, 0, 500_000, tzinfo=UTC)
    assert manifest.requires_access_token is True
    assert [(each.kind, each.type, each.url, each.count) for each in manifest.files] == [
        (Kind.OUTPUT, "Patient", "https://files.example/1", 3),
        (Kind.DELETED, "Bundle", "https://ehr.example/deleted/1", None),
        (Kind.ERROR, "OperationOutcome", "https://ehr.example/errors/1", None),
    ]
    assert manifest.next == "https://ehr.example/jobs/1?page=2"
    assert (manifest.lost, manifest.problems) == ((), ())


@given(manifests | values)
def test_whatever_comes_is_read_or_refused_in_one_line(value: object) -> None:
    with suppress(ProtocolError):
        manifest = read_manifest(value, URL)
        assert all(each.url for each in manifest.files)
        assert len({each.url for each in manifest.files}) == len(manifest.files)


@pytest.mark.parametrize("output", [None, {}, "none", 0])
def test_no_list_of_output_is_not_an_empty_export(output: object) -> None:
    with pytest.raises(ProtocolError, match="list 'output'"):
        read_manifest(made(output=output), URL)


def test_an_empty_list_is_an_empty_export() -> None:
    assert read_manifest(made(output=[]), URL).files == ()


@pytest.mark.parametrize("entry", [None, "x", {}, {"url": ""}, {"url": 5}, {"type": "Patient"}])
def test_an_entry_without_an_url_is_lost_and_not_passed_over(entry: object) -> None:
    manifest = read_manifest(made(output=[entry]), URL)
    assert (manifest.files, len(manifest.lost)) == ((), 1)


@pytest.mark.parametrize("url", ["https://[", "//[x"])
def test_an_url_that_is_none_is_lost(url: str) -> None:
    manifest = read_manifest(
        made(output=[{"type": "Patient", "url": url}], link=[{"relation": "next", "url": url}]), URL
    )
    assert (manifest.files, manifest.next, len(manifest.lost)) == ((), None, 2)


def test_files_of_a_member_that_is_no_list_are_lost() -> None:
    assert read_manifest(made(deleted={"url": "x"}), URL).lost == ("deleted is no list",)


def test_a_file_that_is_named_twice_is_fetched_once() -> None:
    file = {"type": "Patient", "url": "https://files.example/1"}
    manifest = read_manifest(made(output=[file, file]), URL)
    assert (len(manifest.files), len(manifest.problems)) == (1, 1)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2026-05-01T10:00:00+02:00", datetime(2026, 5, 1, 8, tzinfo=UTC)),
        ("2026-05-01T10:00:00", datetime(2026, 4, 30, 20, tzinfo=UTC)),
        ("2026-05-01", datetime(2026, 4, 30, 10, tzinfo=UTC)),
        ("yesterday", None),
        (17, None),
        (None, None),
    ],
)
def test_a_transaction_time_is_never_read_as_too_late(text: Any, expected: Any) -> None:
    assert read_manifest(made(transactionTime=text), URL).transaction_time == expected


@pytest.mark.parametrize(
    ("flag", "expected"),
    [(False, False), ("true", True), ("False", False), (None, None), (1, None)],
)
def test_whether_a_token_is_required_is_read_tolerantly(flag: Any, expected: Any) -> None:
    assert read_manifest(made(requiresAccessToken=flag), URL).requires_access_token is expected


@pytest.mark.parametrize(("count", "expected"), [(0, 0), ("12", 12), (-1, None), (True, None)])
def test_counts_are_read_tolerantly(count: Any, expected: Any) -> None:
    output = [{"type": "Patient", "url": "https://files.example/1", "count": count}]
    (file,) = read_manifest(made(output=output), URL).files
    assert file.count == expected
