"""What `harness ehrs` asks an EHR: discovery and the CapabilityStatement, nothing with a token."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import anyio

from harness.config.draft import Advertised
from harness.config.ehr import AuthKind, EhrFile, SecretRef
from harness.config.secrets import Secret, Secrets
from harness.config.semantics import url_violation
from harness.errors import ConfigError, HostileInput, ProtocolError
from harness.http.client import FHIR_JSON, HttpClient
from harness.http.clock import SystemClock
from harness.http.evidence import Evidence
from harness.http.exchange import Exchange
from harness.http.limiter import HostLimiters
from harness.http.origin import origin
from harness.http.transport import Bounds
from harness.smart.discovery import Discovery, discover
from harness.smart.text import plain
from harness.spec.shapes import misshapen

_OK = 200
_R4 = "4.0."


def advertised(ehr: EhrFile) -> Advertised:
    """What the server at `ehr.fhir_base` says of itself.

    Raises:
        EhrUnreachable: no answer.
        ConfigError: it is no FHIR R4 server.
    """
    discovery, metadata = anyio.run(_ask, ehr, {})
    statement = _statement(metadata)
    rest = next(iter(_tables(statement.get("rest"))), {})
    observation = next(
        (each for each in _tables(rest.get("resource")) if each.get("type") == "Observation"), {}
    )
    configuration = discovery.configuration
    software = statement.get("software")
    return Advertised(
        fhir_base=ehr.fhir_base,
        title=_text(software.get("name")) if isinstance(software, dict) else None,
        kind=_kind(discovery, rest),
        origins=_origins(discovery, ehr.fhir_base),
        capabilities=configuration.capabilities,
        scopes=configuration.scopes_supported,
        auth_methods=configuration.token_endpoint_auth_methods_supported,
        grants=configuration.grant_types_supported,
        observation=_members(observation.get("interaction"), "code"),
        observation_search=_members(observation.get("searchParam"), "name"),
        sources="smart-configuration and metadata" if configuration.raw else "metadata",
    )


def survey(ehr: EhrFile, secrets: Secrets) -> dict[str, list[str]]:
    """What discovery finds and misses, one line each.

    Raises:
        EhrUnreachable: no answer.
    """
    discovery, metadata = anyio.run(_ask, ehr, _headers(ehr, secrets))
    missing, found = [], []
    try:
        version = _statement(metadata).get("fhirVersion")
        found.append(f"FHIR {plain(version, 20)} at {ehr.fhir_base}")
    except ConfigError as error:
        missing.append(str(error))
    if ehr.auth.kind is AuthKind.SMART:
        for name in ("authorization_endpoint", "token_endpoint"):
            url = getattr(discovery.configuration, name)
            if url is None:
                missing.append(f"{name}: no source has it; set auth.{name}")
            else:
                found.append(f"{name}: {plain(url)}, from {discovery.sources[name]}")
    raw = discovery.configuration.raw
    odd = misshapen("smart-configuration", raw) if raw else ()
    problems = [*discovery.problems, *(f"smart-configuration: {each}" for each in odd)]
    return {"found": found, "missing": missing, "problems": [plain(each) for each in problems]}


async def _ask(ehr: EhrFile, headers: Mapping[str, str]) -> tuple[Discovery, Exchange]:
    clock = SystemClock()
    async with HttpClient(
        base=ehr.fhir_base,
        evidence=Evidence(),
        limiter=HostLimiters(ehr.limits, clock),
        clock=clock,
        tls=ehr.tls,
        headers=headers,
        extra_origins=frozenset(ehr.auth.extra_origins),
        bounds=Bounds.of(ehr.limits),
    ) as http:
        discovery = await discover(http, ehr)
        if discovery.metadata is not None:
            return discovery, discovery.metadata
        return discovery, await http.get(f"{ehr.fhir_base}/metadata", accept=FHIR_JSON)


def _headers(ehr: EhrFile, secrets: Secrets) -> dict[str, str]:
    """Those header fields that can be resolved; what is missing is reported apart."""
    headers = {}
    for name, value in ehr.headers.items():
        try:
            resolved = secrets.resolve(value) if isinstance(value, SecretRef) else Secret(value)
        except ConfigError:
            continue
        headers[name] = resolved.reveal()
    return headers


def _statement(metadata: Exchange) -> Mapping[str, Any]:
    if metadata.status != _OK:
        raise ConfigError(
            f"{metadata.where}: expected a CapabilityStatement, got {metadata.status}"
        )
    try:
        statement = metadata.json_object()
    except ProtocolError as error:
        raise ConfigError(f"{error}; expected a CapabilityStatement in JSON") from None
    version = statement.get("fhirVersion")
    if not isinstance(version, str) or not version.startswith(_R4):
        came = plain(version, 20) if version is not None else "none"
        raise ConfigError(
            f"{metadata.where}: expected fhirVersion 4.0.1, got {came}",
            hint="only FHIR R4 is judged; give its base URL",
        )
    return statement


def _kind(discovery: Discovery, rest: Mapping[str, Any]) -> str:
    if discovery.configuration.token_endpoint or discovery.configuration.raw:
        return AuthKind.SMART
    security = rest.get("security")
    text = str(security.get("service")) if isinstance(security, dict) else ""
    if "SMART" in text or "OAuth" in text:
        return AuthKind.SMART
    return AuthKind.BASIC if "Basic" in text else AuthKind.NONE


def _origins(discovery: Discovery, base: str) -> tuple[str, ...]:
    found = []
    for name in ("authorization_endpoint", "token_endpoint"):
        url = getattr(discovery.configuration, name)
        if url is None:
            continue
        try:
            where = origin(url)
        except HostileInput:
            continue
        if where != origin(base) and url_violation("", where) is None:
            found.append(where)
    return tuple(dict.fromkeys(found))


def _tables(value: Any) -> list[dict[str, Any]]:
    return [each for each in value if isinstance(each, dict)] if isinstance(value, list) else []


def _members(value: Any, name: str) -> tuple[str, ...]:
    return tuple(each[name] for each in _tables(value) if isinstance(each.get(name), str))


def _text(value: Any) -> str | None:
    return value if isinstance(value, str) and value.strip() else None
