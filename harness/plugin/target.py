"""What a run is pointed at: EHR file, versions, secrets; or a recording of one."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from harness.config import document, paths
from harness.config.ehr import EMBEDDED, DataKind, EhrFile, Environment
from harness.config.load import ehr_at, ehr_from, with_base
from harness.config.secrets import Secrets
from harness.errors import ConfigError, UsageError
from harness.http import recording
from harness.http.recording import Recording
from harness.plugin.options import Options
from harness.plugin.stand_in import StandInSecrets
from harness.reporting import folders
from harness.spec.regulatory import Versions, resolve_versions

ANY_WAIT = 86400.0
"""Seconds that a run may wait where waiting is moving a clock."""


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
        advance: moves the clock of the reference EHR; None where time cannot be moved.
    """

    ehr: EhrFile
    versions: Versions
    secrets: Secrets
    table: Mapping[str, Any]
    starts_reference: bool = False
    recorded: tuple[Recording, Path] | None = None
    advance: Callable[[float], object] | None = None

    def at(
        self,
        fhir_base: str,
        credentials: Mapping[str, str],
        advance: Callable[[float], object],
    ) -> Target:
        """The same target once the reference EHR is up; with its clock, any wait is short."""
        ehr = with_base(self.ehr, fhir_base)
        limits = {**self.table.get("limits", {}), "max_wait": ANY_WAIT}
        return replace(
            self,
            ehr=replace(ehr, limits=replace(ehr.limits, max_wait=ANY_WAIT)),
            table={**self.table, "fhir_base": fhir_base, "limits": limits},
            secrets=Secrets(os.environ, credentials),
            advance=advance,
        )

    @property
    def recorded_checks(self) -> frozenset[str] | None:
        """The ids of the checks of the recording; None where there is none."""
        if self.recorded is None:
            return None
        checks = self.recorded[0].about.get("checks")
        return frozenset(checks) if isinstance(checks, list) else None

    def recorded_option(self, name: str) -> bool:
        """Whether a command line option was given when the run was recorded."""
        return bool(self.recorded and self.recorded[0].about.get("options", {}).get(name))

    @property
    def endpoints(self) -> str:
        """Who gets secrets, in one line."""
        if self.recorded:
            return "nobody: a recording is judged, nothing is sent"
        auth = self.ehr.auth
        if not (self.ehr.clients or self.ehr.logins or self.ehr.headers or auth.username):
            return "nobody: no credentials are configured"
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
    ehr, table = _named(options)
    if options.record and ehr.data is DataKind.REAL:
        raise UsageError(
            f"--record is refused: {ehr.name} says data = 'real'",
            hint="a recording is for synthetic data only",
        )
    return Target(
        ehr,
        resolve_versions(options, ehr.versions),
        Secrets(os.environ),
        table,
        starts_reference=options.ehr == EMBEDDED and not options.ehr_url,
    )


def _named(options: Options) -> tuple[EhrFile, Mapping[str, Any]]:
    """The EHR file, and its table for a recording; empty where there is no file."""
    if not options.ehr:
        # Nothing is known of the endpoint, so it is treated as one that patients depend on.
        return replace(ehr_at(str(options.ehr_url)), environment=Environment.PRODUCTION), {}
    path = paths.find("ehrs", options.ehr)
    table = document.read(path)
    ehr = ehr_from(table, path)
    if options.ehr_url:
        ehr = with_base(ehr, options.ehr_url)
        table = {**table, "fhir_base": ehr.fhir_base}
    return ehr, table


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


def _origin(url: str) -> str:
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc}"
