"""The official packages, where they are at hand: examples, and what HL7's validator said of them.

`HARNESS_FHIR_PACKAGES` names a folder of `hl7.fhir.us.core-6.1.0.tgz` and its like. None of
their files is part of this project.
"""

from __future__ import annotations

import json
import os
import tarfile
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any, Final

import pytest

VERSIONS: Final = ("3.1.1", "4.0.0", "5.0.1", "6.1.0", "7.0.0", "8.0.0")
JUDGED: Final = VERSIONS[1:]
"""Versions whose package holds the verdicts of HL7's validator."""
FOLDER: Final = os.environ.get("HARNESS_FHIR_PACKAGES")
"""Read when this module is imported, since tests run with a clean environment."""
needed: Final = pytest.mark.skipif(
    FOLDER is None, reason="HARNESS_FHIR_PACKAGES names no folder with the official packages"
)


def examples(version: str) -> dict[str, Any]:
    """Returns the examples of one version of US Core, by `Patient/child-example`."""
    found = {}
    for name, content in _members(version):
        if name.startswith("package/example/") and name.endswith(".json"):
            resource = json.loads(content)
            if "resourceType" in resource:
                found[f"{resource['resourceType']}/{resource.get('id', name)}"] = resource
    return found


def verdicts(version: str) -> dict[str, list[Any]]:
    """Returns the issues that the official validator found, by `Patient/child-example`."""
    content = dict(_members(version))["package/other/validation-oo.json"]
    found = {}
    for entry in json.loads(content)["entry"]:
        kind, _, resource_id = entry["resource"]["id"].partition("-")
        found[f"{kind}/{resource_id}"] = entry["resource"].get("issue", [])
    return found


@cache
def _members(version: str) -> tuple[tuple[str, bytes], ...]:
    return tuple(_read(Path(FOLDER or "") / f"hl7.fhir.us.core-{version}.tgz"))


def _read(file: Path) -> Iterator[tuple[str, bytes]]:
    with tarfile.open(file) as archive:
        for member in archive:
            stream = archive.extractfile(member)
            if stream is not None and member.name.startswith(
                ("package/example/", "package/other/")
            ):
                yield member.name, stream.read()
