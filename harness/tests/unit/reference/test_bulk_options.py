"""The options of Bulk Data export, from a control request or a command line."""

from __future__ import annotations

import argparse
from typing import Any

import pytest

from harness.errors import UsageError
from harness.reference.app import Reference
from harness.reference.bulk.options import BulkOptions
from harness.reference.oauth.id_token import IssuerKey
from harness.reference.options import add_options, settings
from harness.reference.throttle import RetryAfter
from harness.tests.unit.reference.fhir_doubles import shared_store


def test_options_are_taken_by_name() -> None:
    given = {"polls": 3, "seconds": 1.5, "retry_after": "date", "presigned": True}
    found = BulkOptions.checked(given)
    assert (found.polls, found.seconds) == (3, 1.5)
    assert (found.retry_after, found.presigned) == (RetryAfter.DATE, True)
    assert BulkOptions.checked({}) == BulkOptions()


@pytest.mark.parametrize(
    ("given", "word"),
    [
        ({"pols": 1}, "'pols' is none of polls"),
        ({"polls": 1.5}, "a whole number of at least 0"),
        ({"polls": -1}, "at least 0"),
        ({"polls": True}, "a whole number"),
        ({"polls": "3"}, "a whole number"),
        ({"file_size": 0}, "at least 1"),
        ({"seconds": float("inf")}, "a number"),
        ({"seconds": float("nan")}, "a number"),
        ({"presigned": "yes"}, "true or false"),
        ({"presigned": []}, "true or false"),
        ({"retry_after": "soon"}, "soon"),
    ],
)
def test_what_cannot_be_used_is_refused_by_name(given: dict[str, Any], word: str) -> None:
    with pytest.raises(ValueError, match=word):
        BulkOptions.checked(given)


def _parsed(*words: str) -> BulkOptions:
    parser = argparse.ArgumentParser()
    add_options(parser)
    return settings(parser.parse_args(words)).bulk


def test_the_command_line_takes_names_and_values() -> None:
    found = _parsed("--bulk", "polls=2", "--bulk=presigned=true", "--bulk", "retry_after=none")
    assert found == BulkOptions(polls=2, presigned=True, retry_after=RetryAfter.NONE)


@pytest.mark.parametrize("word", ["polls", "polls=many", "speed=9", "=1"])
def test_the_command_line_refuses_others(word: str) -> None:
    with pytest.raises(UsageError, match="--bulk"):
        _parsed("--bulk", word)


def test_signed_links_need_a_storage_to_lead_to() -> None:
    reference = Reference("http://ehr", shared_store(), {}, {}, IssuerKey.generate())
    with pytest.raises(UsageError, match="storage"):
        reference.add("links", bulk=BulkOptions(presigned=True))
    reference.storage_url = "http://storage"
    made = reference.add("links", bulk=BulkOptions(presigned=True))
    assert made.bulk.storage == "http://storage/links"
    assert reference.instance("links") is made
    reference.remove("links")
    assert reference.instance("links") is None
