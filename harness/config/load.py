"""Loads EHR files: finds, reads, checks and builds them."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from harness.config import document, paths
from harness.config.ehr import AuthSpec, EhrFile, LaunchKind, LaunchSpec
from harness.config.schema import violations
from harness.config.semantics import ehr_violations
from harness.config.structure import build
from harness.errors import ConfigError


def load_ehr(name_or_path: str) -> EhrFile:
    """The EHR file called `name_or_path`.

    Secrets are not resolved, and nothing is sent.

    Raises:
        ConfigError: no such file, not TOML, or not what the schema and its rules demand: one line
            per fault with file, key, what was expected and what came, worst first.
    """
    path = paths.find("ehrs", name_or_path)
    return ehr_from(document.read(path), path)


def ehr_from(table: Mapping[str, Any], path: Path) -> EhrFile:
    """The EHR file that a TOML document describes.

    Args:
        table: the document, with dates as ISO text.
        path: where it was read; its stem is the name, relative paths start at its folder.

    Raises:
        ConfigError: as `load_ehr`.
    """
    where = document.display(path)
    wrong = violations("ehr", dict(table))
    if wrong:
        raise ConfigError(document.lines(where, wrong))
    ehr = _built(table, path)
    meant = list(ehr_violations(ehr))
    if meant:
        raise ConfigError(document.lines(where, meant))
    return ehr


def ehr_at(fhir_base: str) -> EhrFile:
    """An endpoint without a file, as `--ehr-url` alone asks for: no clients, no permissions.

    Raises:
        ConfigError: not an absolute URL, http off loopback, or not R4.
    """
    nameless = EhrFile(name="url", title=fhir_base, fhir_base=fhir_base, auth=AuthSpec())
    moved = with_base(nameless, fhir_base)
    host = urlsplit(moved.fhir_base).hostname or ""
    slug = re.sub(r"[^a-z0-9]+", "-", host.lower()).strip("-")[:63].rstrip("-")
    return replace(moved, name=slug or "url", title=moved.fhir_base)


def with_base(ehr: EhrFile, fhir_base: str) -> EhrFile:
    """`ehr` at another FHIR base, as `--ehr-url` and tenants ask for.

    Raises:
        ConfigError: not an absolute URL, http off loopback, or not R4.
    """
    before = ehr.moved_from or ehr.fhir_base
    moved = replace(ehr, fhir_base=fhir_base.rstrip("/"), moved_from=before)
    table = {"title": ehr.title, "fhir_base": moved.fhir_base, "auth": {"kind": "none"}}
    wrong = [each for each in violations("ehr", table) if each.path == "fhir_base"]
    wrong = wrong or [each for each in ehr_violations(moved) if each.path == "fhir_base"]
    if wrong:
        raise ConfigError("\n".join(each.message for each in wrong))
    return moved


def _built(table: Mapping[str, Any], path: Path) -> EhrFile:
    folder = path.absolute().parent
    rest = {key: value for key, value in table.items() if key != "other"}
    rest["fhir_base"] = str(table["fhir_base"]).rstrip("/")
    extra: dict[str, Any] = {"name": path.stem, "path": path}
    if "other" in table:
        other = dict(table["other"])
        extra["other_patient"] = other.pop("patient", None)
        other.setdefault("kind", LaunchKind.STANDALONE.value)
        extra["other"] = build(LaunchSpec, other, folder, name="other")
    return build(EhrFile, rest, folder, **extra)
