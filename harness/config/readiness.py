"""What an EHR file still lacks before a run can use all of it, said before the run."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from harness.config.ehr import EMBEDDED, AuthKind, EhrFile, Grant, Permit, SecretRef
from harness.config.secrets import Secrets


@dataclass(frozen=True, slots=True)
class Gap:
    """Something missing: the key path that asks for it, and why it cannot be had."""

    path: str
    reason: str

    def __str__(self) -> str:
        return f"{self.path}: {self.reason}"


def gaps(ehr: EhrFile, secrets: Secrets) -> list[Gap]:
    """Secrets that cannot be resolved and files that are not there.

    What a run with the embedded reference EHR supplies by itself counts as there.
    """
    wanted = [each for each in ehr.references() if not _supplied(ehr, each[1])]
    found = [Gap(*each) for each in secrets.missing(wanted)]
    for name in ("ca_file", "client_cert", "client_key"):
        path = getattr(ehr.tls, name)
        if path is not None and not path.is_file():
            found.append(Gap(f"tls.{name}", f"no file {path}"))
    return found


def skipped(ehr: EhrFile) -> Iterator[str]:
    """Which groups of checks the file leaves out, and what would bring them in."""
    if ehr.auth.kind is not AuthKind.SMART:
        yield f"auth kind {ehr.auth.kind}: SMART checks are not applicable"
        if not ehr.patients:
            yield "no patients: checks that read a patient's record are not configured"
    else:
        if not ehr.launches:
            yield "no [[launches]]: checks of launch, scopes and refresh are not configured"
        if not any(Grant.CLIENT_CREDENTIALS in each.grants for each in ehr.clients):
            yield "no client with client_credentials: Backend Services is not configured"
        if ehr.other is None:
            yield "no [other]: probes with a second patient's token are not configured"
    refused = [each.value for each in Permit if not ehr.permits(each)]
    if refused:
        yield f"not permitted, so skipped: {', '.join(refused)}"


def _supplied(ehr: EhrFile, ref: SecretRef) -> bool:
    return ehr.name == EMBEDDED and ref.scheme == "env" and ref.name.startswith("REFERENCE_")
