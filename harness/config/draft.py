"""Writes the first version of an EHR file from what a server says about itself.

Whatever the server does not say is left out or left as a comment: unknown is not false. Its words
are quoted and bounded; they decide nothing about where secrets go beyond what is shown to the
person who finishes the file.
"""

from __future__ import annotations

import json
import unicodedata
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date

_LONGEST = 160
_METHODS = ("client_secret_basic", "client_secret_post", "private_key_jwt")


@dataclass(frozen=True, slots=True)
class Advertised:
    """What a server says of itself; None and empty where it says nothing.

    Attributes:
        fhir_base: where it was asked.
        title: the software, as the CapabilityStatement names it.
        kind: `smart`, `basic` or `none`.
        origins: further origins of its OAuth endpoints.
        capabilities: SMART capabilities.
        scopes: scopes_supported.
        auth_methods: token_endpoint_auth_methods_supported.
        grants: grant_types_supported.
        observation: interactions on Observation.
        observation_search: search parameters of Observation.
        sources: where this was read.
    """

    fhir_base: str
    title: str | None = None
    kind: str = "smart"
    origins: tuple[str, ...] = ()
    capabilities: tuple[str, ...] = ()
    scopes: tuple[str, ...] = ()
    auth_methods: tuple[str, ...] = ()
    grants: tuple[str, ...] = ()
    observation: tuple[str, ...] = ()
    observation_search: tuple[str, ...] = ()
    sources: str = "smart-configuration and metadata"


def draft(name: str, said: Advertised, on: date) -> str:
    """The text of an EHR file.

    Args:
        name: the NAME that the file will have; its variables start with it.
        said: what the server advertises.
        on: the day of discovery.
    """
    # A variable's name cannot start with a digit, a file's name can.
    prefix = ("EHR_" if name[0].isdigit() else "") + name.upper().replace("-", "_")
    parts = [_head(name, said, on), *_auth(said, prefix)]
    if said.kind == "smart":
        parts += [_client(said, prefix), _login(prefix), _launch(said), _other(said)]
        if "client_credentials" in said.grants:
            parts.append(_backend(prefix))
    parts += [_limits(), _sync(said), *_facts(said, on)]
    return "\n\n".join("\n".join(part) for part in parts) + "\n"


def quoted(text: str) -> str:
    """A TOML basic string of one line, without control characters."""
    return json.dumps(_plain(text), ensure_ascii=False)


def _plain(text: str) -> str:
    line = "".join(" " if unicodedata.category(c)[0] in "CZ" else c for c in text[: _LONGEST * 4])
    return " ".join(line.split())[:_LONGEST]


def _listed(items: Sequence[str], most: int = 12) -> str:
    shown = ", ".join(_plain(each) for each in items[:most])
    return f"{shown}, and {len(items) - most} more" if len(items) > most else shown or "nothing"


def _head(name: str, said: Advertised, on: date) -> list[str]:
    return [
        f"# Written from discovery on {on.isoformat()}. What stands in comments is for you to fill",
        f"# in; `harness ehrs check {name}` says what is still missing.",
        "",
        f"title = {quoted(_plain(said.title or '') or name)}",
        f"fhir_base = {quoted(said.fhir_base)}",
        "# In production only reading is possible, whatever permit says.",
        'environment = "sandbox"',
        '# "synthetic" lets bodies into the evidence. Leave "real" unless no patient is a person.',
        'data = "real"',
        "# What the owner of the EHR allows beyond reading:",
        '# "write", "negative_auth", "revoke", "load", "wait".',
        "permit = []",
        "# Ids of patients to read where no launch gives one.",
        "patients = []",
    ]


def _auth(said: Advertised, prefix: str) -> Iterator[list[str]]:
    lines = ["[auth]", f"kind = {quoted(said.kind)}"]
    if said.kind == "basic":
        lines += [f'username = "env:{prefix}_USERNAME"', f'password = "env:{prefix}_PASSWORD"']
    if said.kind == "smart":
        lines.append(f"# Capabilities: {_listed(said.capabilities, 30)}")
        if said.origins:
            lines.append(
                "# Its OAuth endpoints have other origins than the FHIR base. Are they right?"
            )
            lines.append(f"extra_origins = [{', '.join(quoted(each) for each in said.origins)}]")
    yield lines


def _client(said: Advertised, prefix: str) -> list[str]:
    method = next((each for each in _METHODS if each in said.auth_methods), "none")
    lines = [
        f"# The token endpoint takes: {_listed(said.auth_methods)}",
        "[[clients]]",
        'name = "app"',
        f'id = "env:{prefix}_CLIENT_ID"',
        f'auth = "{method}"',
    ]
    if method == "private_key_jwt":
        lines.append(f'key = "env:{prefix}_PRIVATE_KEY"')
    elif method != "none":
        lines.append(f'secret = "env:{prefix}_CLIENT_SECRET"')
    return [
        *lines,
        "# As registered at the EHR; it is never opened, so any registered URI works.",
        'redirect_uri = "http://127.0.0.1:8765/callback"',
    ]


def _login(prefix: str) -> list[str]:
    return [
        '# driver: "form" fills HTML forms, "browser" needs a browser, "manual" asks a person,',
        '# "refresh_token" starts from a stored token.',
        "[[logins]]",
        'name = "patient"',
        'driver = "form"',
        f'username = "env:{prefix}_USERNAME"',
        f'password = "env:{prefix}_PASSWORD"',
    ]


def _launch(said: Advertised) -> list[str]:
    # SMART 2 syntax unless the server claims that of SMART 1 only.
    old = "permission-v1" in said.capabilities and "permission-v2" not in said.capabilities
    read = "read" if old else "rs"
    scopes = ["launch/patient", "openid", "fhirUser"]
    if "offline_access" in said.scopes or "permission-offline" in said.capabilities:
        scopes.append("offline_access")
    scopes += [f"patient/Patient.{read}", f"patient/Observation.{read}"]
    return [
        f"# scopes_supported: {_listed(said.scopes)}",
        "[[launches]]",
        'name = "standalone"',
        'kind = "standalone"',
        'client = "app"',
        'login = "patient"',
        f'scopes = "{" ".join(scopes)}"',
    ]


def _other(said: Advertised) -> list[str]:
    lines = [
        "# A second patient, for probes that one patient's token reaches no other's data:",
        "# [other]",
        '# client = "app"',
        '# login = "other"  # one more of [[logins]]',
        '# scopes = "launch/patient patient/Patient.rs patient/Observation.rs"',
    ]
    if "launch-ehr" in said.capabilities:
        lines += [
            "",
            "# It claims launches from within the EHR:",
            "# [[launches]]",
            '# name = "ehr"',
            '# kind = "ehr"',
            '# client = "app"',
            '# login = "clinician"  # one more of [[logins]]',
            '# scopes = "launch openid fhirUser patient/Patient.rs patient/Observation.rs"',
            '# source = "manual"',
        ]
    return lines


def _backend(prefix: str) -> list[str]:
    return [
        "# It claims client_credentials (SMART Backend Services):",
        "# [[clients]]",
        '# name = "backend"',
        f'# id = "env:{prefix}_BACKEND_CLIENT_ID"',
        '# auth = "private_key_jwt"',
        f'# key = "file:{prefix.lower()}-private-key.json"',
        '# grants = ["client_credentials"]',
        '# scopes = "system/Patient.rs system/Observation.rs"',
    ]


def _limits() -> list[str]:
    return [
        "# No server says its limits in discovery. Until the owner does, the harness is careful.",
        "[limits]",
        "# requests_per_second = 4",
        "concurrency = 4",
    ]


def _sync(said: Advertised) -> list[str]:
    searches = {each.lower() for each in said.observation_search}
    strategy = "last_updated" if "_lastupdated" in searches else "date_window"
    return [
        f"# Observation: {_listed(said.observation)}",
        f"# Searches on Observation: {_listed(said.observation_search, 30)}",
        "[sync]",
        f'strategy = "{strategy}"',
    ]


def _facts(said: Advertised, on: date) -> Iterator[list[str]]:
    for path in ("fhir_base", "auth.kind", "sync.strategy"):
        yield [
            "[[facts]]",
            f'path = "{path}"',
            f"source = {quoted(said.sources)}",
            f"on = {on.isoformat()}",
        ]
