"""What a run is pointed at: EHR file, versions, secrets; or a recording of one."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from harness.config import document, paths
from harness.config.ehr import DataKind, EhrFile
from harness.config.load import ehr_from, with_base
from harness.config.secrets import Secrets
from harness.errors import ConfigError, UsageError
from harness.http import recording
from harness.http.recording import Recording
from harness.plugin.options import Options
from harness.plugin.stand_in import StandInSecrets
from harness.reporting import folders
from harness.spec.regulatory import Versions, resolve_versions

REFERENCE = "reference"


@dataclass(frozen=True, slots=True)
class Target:
    """What a run is pointed at.

    Attributes:
        ehr: the endpoint.
        versions: resolved.
        secrets: of the environment; stand-ins in a replay.
        table: the EHR file as parsed, for a recording.
        starts_reference: whether the run starts the reference EHR itself.
        recorded: the recording to judge again, and where it stands.
    """

    ehr: EhrFile
    versions: Versions
    secrets: Secrets
    table: Mapping[str, Any]
    starts_reference: bool = False
    recorded: tuple[Recording, Path] | None = None

    def at(self, fhir_base: str, credentials: Mapping[str, str]) -> Target:
        """The same target once the reference EHR is up."""
        return replace(
            self,
            ehr=with_base(self.ehr, fhir_base),
            table={**self.table, "fhir_base": fhir_base},
            secrets=Secrets(os.environ, credentials),
        )

    @property
    def endpoints(self) -> str:
        """Who gets secrets, in one line."""
        if self.recorded:
            return "nobody: a recording is judged, nothing is sent"
        auth = self.ehr.auth
        named = [auth.authorization_endpoint, auth.token_endpoint, auth.introspection_endpoint]
        origins = [
            _origin(each) for each in (self.ehr.fhir_base, *named, *auth.extra_origins) if each
        ]
        found = "" if auth.token_endpoint else " and the endpoints that it names"
        return f"{', '.join(dict.fromkeys(origins))}{found}"


def load(options: Options) -> Target:
    """The target that the options describe; no secret is resolved and nothing is sent.

    Raises:
        UsageError: in one line.
    """
    if options.replay:
        return _replayed(options)
    table, path = _table(options)
    ehr = ehr_from(table, path)
    if options.ehr and options.ehr_url:
        ehr = with_base(ehr, options.ehr_url)
        table = {**table, "fhir_base": ehr.fhir_base}
    if options.record and ehr.data is DataKind.REAL:
        raise UsageError(
            f"--record is refused: {path.name} says data = 'real'",
            hint="a recording is for synthetic data only",
        )
    return Target(
        ehr,
        resolve_versions(options, ehr.versions),
        Secrets(os.environ),
        table,
        starts_reference=options.ehr == REFERENCE and not options.ehr_url,
    )


def _table(options: Options) -> tuple[Mapping[str, Any], Path]:
    if options.ehr:
        path = paths.find("ehrs", options.ehr)
        return document.read(path), path
    url = str(options.ehr_url)
    table = {"title": url, "fhir_base": url, "auth": {"kind": "smart"}}
    table |= {"environment": "production", "data": "real"}
    return table, Path(f"{_name(url)}.toml")


def _replayed(options: Options) -> Target:
    folder = folders.find(str(options.replay), options.reports)
    file = folder / "recording.jsonl"
    if not file.is_file():
        raise UsageError(f"{folder}: not recorded", hint="a recording is made with --record")
    kept = recording.load(file)
    try:
        about = kept.about
        ehr = ehr_from(about["ehr"], Path(f"{about['name']}.toml"))
        stand_in = StandInSecrets(ehr, about.get("texts", {}))
        recorded = Versions(**about["versions"])
    except (KeyError, TypeError) as error:
        raise ConfigError(f"{file}: its header lacks {error}") from None
    versions = resolve_versions(options, recorded)
    return Target(ehr, versions, stand_in, about["ehr"], recorded=(kept, folder))


def _name(url: str) -> str:
    host = (urlsplit(url).hostname or "").lower()
    slug = re.sub(r"[^a-z0-9]+", "-", host).strip("-")[:63]
    return slug or "url"


def _origin(url: str) -> str:
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc}"
