"""Where an EHR's endpoints are, and what it says that it can do.

SMART App Launch, "Conformance": https://hl7.org/fhir/smart-app-launch/STU2.2/conformance.html

Sources, the first usable value wins: the EHR file, `.well-known/smart-configuration` under the FHIR
base, the same at the host's root (MEDITECH), and the oauth-uris extension of the
CapabilityStatement (SMART 1). All of them are read tolerantly; what is wrong is kept in `problems`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType
from typing import Any
from urllib.parse import urljoin, urlsplit, urlunsplit

from harness.config.ehr import EhrFile
from harness.errors import ConfigError, HostileInput, ProtocolError
from harness.http.client import SMALL, HttpClient
from harness.http.exchange import Exchange
from harness.http.origin import check_url, origin
from harness.smart.configuration import (
    ENDPOINTS,
    LISTS,
    SmartConfiguration,
    document_of,
    oauth_uris,
    string,
    strings,
)
from harness.smart.text import plain

WELL_KNOWN = ".well-known/smart-configuration"

FROM_FILE = ENDPOINTS[:4]


class Source(StrEnum):
    """Where a value was found."""

    EHR_FILE = "the EHR file"
    BASE = "smart-configuration under the FHIR base"
    ROOT = "smart-configuration at the host's root"
    METADATA = "the CapabilityStatement"


@dataclass(frozen=True, slots=True)
class Discovery:
    """The configuration, and how it was found.

    Attributes:
        base: the FHIR base URL.
        configuration: what counts.
        sources: for each endpoint that was found, where.
        relative: names of endpoints that the server wrote as relative URLs.
        problems: what could not be used, one line each.
        base_wk: the exchange with the base's smart-configuration, if it was asked for.
        root_wk: the same at the host's root.
        metadata: the exchange with the CapabilityStatement.
    """

    base: str
    configuration: SmartConfiguration
    sources: Mapping[str, Source]
    relative: frozenset[str] = frozenset()
    problems: tuple[str, ...] = ()
    base_wk: Exchange | None = None
    root_wk: Exchange | None = None
    metadata: Exchange | None = None

    def endpoint(self, name: str) -> str:
        """The URL of an endpoint that the caller cannot go on without, such as `token_endpoint`.

        Raises:
            ProtocolError: no source has it.
        """
        url: str | None = getattr(self.configuration, name)
        if url is None:
            seen = f"; {'; '.join(self.problems[:3])}" if self.problems else ""
            raise ProtocolError(
                f"no {name} was found for {self.base}{seen}",
                hint=f"if the vendor publishes it elsewhere, set auth.{name} in the EHR file",
            )
        return url

    def claims(self, capability: str) -> bool:
        """Whether the server declares a SMART capability."""
        return capability in self.configuration.capabilities


def well_known_urls(base: str) -> tuple[str, str | None]:
    """The smart-configuration under the base and at the host's root; None where both are one."""
    parts = urlsplit(base)
    root = urlunsplit((parts.scheme, parts.netloc, f"/{WELL_KNOWN}", "", ""))
    own = f"{base.rstrip('/')}/{WELL_KNOWN}"
    return own, None if root == own else root


async def discover(http: HttpClient, ehr: EhrFile) -> Discovery:
    """Ask the sources in their order, and no further than needed.

    Raises:
        EhrUnreachable: the EHR does not answer.
        ConfigError: the EHR file names an endpoint that is no http(s) URL.
    """
    own, root = well_known_urls(ehr.fhir_base)
    base_wk = await http.get(own, accept="application/json", max_bytes=SMALL)
    found = from_exchanges(ehr, base_wk)
    if root is not None and not found.configuration.raw:
        root_wk = await http.get(root, accept="application/json", max_bytes=SMALL)
        found = from_exchanges(ehr, base_wk, root_wk)
    if _lacks_endpoints(found.configuration):
        metadata = await http.get(
            f"{ehr.fhir_base.rstrip('/')}/metadata", accept="application/fhir+json"
        )
        found = from_exchanges(ehr, base_wk, found.root_wk, metadata)
    return found


def from_exchanges(
    ehr: EhrFile,
    base_wk: Exchange | None,
    root_wk: Exchange | None = None,
    metadata: Exchange | None = None,
) -> Discovery:
    """Put together what has been fetched; pure, and never fails on what an EHR sent.

    Raises:
        ConfigError: the EHR file names an endpoint that is no http(s) URL.
    """
    extra = frozenset(origin(each) for each in ehr.auth.extra_origins)
    gathered = _Gathered(ehr.fhir_base, extra)
    gathered.take_file(ehr)
    documents = [
        (Source.BASE, document_of(base_wk, gathered.problems)),
        (Source.ROOT, document_of(root_wk, gathered.problems)),
    ]
    for source, document in documents:
        gathered.take_document(source, document)
    gathered.take_metadata(document_of(metadata, gathered.problems))
    raw: Mapping[str, Any] = next((document for _, document in documents if document), {})
    lists: dict[str, Any] = {name: strings(raw, name, gathered.problems) for name in LISTS}
    issuer = ehr.auth.issuer or string(raw, "issuer", gathered.problems)
    configuration = SmartConfiguration(
        issuer=issuer, raw=MappingProxyType(dict(raw)), **gathered.endpoints, **lists
    )
    return Discovery(
        base=ehr.fhir_base,
        configuration=configuration,
        sources=MappingProxyType(gathered.sources),
        relative=frozenset(gathered.relative),
        problems=tuple(dict.fromkeys(gathered.problems)),
        base_wk=base_wk,
        root_wk=root_wk,
        metadata=metadata,
    )


class _Gathered:
    """Endpoints as they are found; the first usable value of each stays."""

    def __init__(self, base: str, extra_origins: frozenset[str]) -> None:
        self.base = base.rstrip("/") + "/"
        self.extra_origins = extra_origins
        self.endpoints: dict[str, Any] = {}
        self.sources: dict[str, Source] = {}
        self.relative: set[str] = set()
        self.problems: list[str] = []

    def take_file(self, ehr: EhrFile) -> None:
        for name in FROM_FILE:
            value = getattr(ehr.auth, name)
            if value is None:
                continue
            try:
                origin(value)
            except HostileInput as error:
                raise ConfigError(f"auth.{name}: {error.message}") from None
            self.endpoints[name], self.sources[name] = value, Source.EHR_FILE

    def take_document(self, source: Source, document: Mapping[str, Any]) -> None:
        for name in ENDPOINTS:
            self.take(source, name, string(document, name, self.problems))

    def take_metadata(self, document: Mapping[str, Any]) -> None:
        for name, value in oauth_uris(document):
            self.take(Source.METADATA, name, value)

    def take(self, source: Source, name: str, value: str | None) -> None:
        if value is None or name in self.endpoints:
            return
        written_relative = _is_relative(value)
        try:
            url = urljoin(self.base, value.strip()) if written_relative else value.strip()
            check_url(url, self.base, self.extra_origins)
        except HostileInput as error:
            self.problems.append(f"{name} from {source} is refused: {plain(error)}")
            return
        self.endpoints[name], self.sources[name] = url, source
        if written_relative:
            self.relative.add(name)


def _lacks_endpoints(configuration: SmartConfiguration) -> bool:
    return not (configuration.token_endpoint and configuration.authorization_endpoint)


def _is_relative(url: str) -> bool:
    try:
        return not urlsplit(url.strip()).scheme
    except ValueError:
        return False
