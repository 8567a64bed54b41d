"""Fixtures for all tests: a clean environment, and one reference EHR per session."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest
from hypothesis import settings

from harness.reference.process import Running, start
from harness.tests.reference_process import clean_environment

# How long an example takes says nothing on a machine that does other things as well.
settings.register_profile("shared machine", deadline=None, print_blob=True)
settings.load_profile("shared machine")


@pytest.fixture(scope="session", autouse=True)
def _clean_environment() -> Iterator[None]:
    """No proxy and no secret of the person who runs the tests reaches them."""
    before = dict(os.environ)
    os.environ.clear()
    os.environ.update(clean_environment(before))
    yield
    os.environ.clear()
    os.environ.update(before)


@pytest.fixture(scope="session")
def reference() -> Iterator[Running]:
    """A reference EHR without faults; instances with faults are made through its control."""
    with start(patients=6) as running:
        yield running
