"""The issuer's openid-configuration, read without trust.

OpenID Connect Discovery 1.0 sections 3 and 4: https://openid.net/specs/openid-connect-discovery-1_0.html
A server that declares `sso-openid-connect` has one (SMART App Launch, "Scopes for requesting
identity data").
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from harness.http.client import SMALL, HttpClient
from harness.http.exchange import Exchange
from harness.smart.configuration import document_of, string, strings
from harness.smart.text import plain

WELL_KNOWN = ".well-known/openid-configuration"
REQUIRED = ("issuer", "authorization_endpoint", "jwks_uri")
REQUIRED_LISTS = (
    "response_types_supported",
    "subject_types_supported",
    "id_token_signing_alg_values_supported",
)


@dataclass(frozen=True, slots=True)
class OpenIdConfiguration:
    """What an issuer says of itself; None (or empty) where it says nothing that can be used.

    Attributes:
        issuer: as it came; has to be the URL that was asked, to the letter.
        jwks_uri: where its keys are.
        authorization_endpoint: as it came.
        token_endpoint: as it came.
        userinfo_endpoint: as it came.
        response_types_supported: OAuth response types.
        subject_types_supported: `public`, `pairwise`.
        id_token_signing_alg_values_supported: JWS algorithms; RS256 has to be among them.
        raw: the whole document; empty where none could be read.
        problems: departures from the specification by the member they are about, else by
            `document`.
    """

    issuer: str | None = None
    jwks_uri: str | None = None
    authorization_endpoint: str | None = None
    token_endpoint: str | None = None
    userinfo_endpoint: str | None = None
    response_types_supported: tuple[str, ...] = ()
    subject_types_supported: tuple[str, ...] = ()
    id_token_signing_alg_values_supported: tuple[str, ...] = ()
    raw: Mapping[str, Any] = field(repr=False, default_factory=dict)
    problems: Mapping[str, str] = field(default_factory=dict)


def openid_configuration_url(issuer: str) -> str:
    """Where the configuration of `issuer` is: below its path, not at the host's root."""
    return f"{issuer.rstrip('/')}/{WELL_KNOWN}"


async def fetch(http: HttpClient, issuer: str) -> Exchange:
    """Ask for the configuration of `issuer`.

    Raises:
        EhrUnreachable: no answer.
        HostileInput: the issuer names a place that must not be asked.
    """
    return await http.get(openid_configuration_url(issuer), max_bytes=SMALL)


def read(exchange: Exchange, issuer: str) -> OpenIdConfiguration:
    """The configuration as it came; never fails on what a server sent.

    Args:
        exchange: of any status.
        issuer: what was asked for.
    """
    said: list[str] = []
    document = document_of(exchange, said)
    if said:
        return OpenIdConfiguration(problems={"document": said[0]})
    problems: dict[str, str] = {}
    texts = {name: _text(document, name, problems) for name in _TEXTS}
    lists = {name: _list(document, name, problems) for name in REQUIRED_LISTS}
    found = OpenIdConfiguration(raw=document, problems=problems, **texts, **lists)  # type: ignore[arg-type]  # by name
    if found.issuer is not None and found.issuer != issuer:
        problems["issuer"] = f"issuer: expected {issuer!r}, got {plain(found.issuer)!r}"
    algorithms = found.id_token_signing_alg_values_supported
    if algorithms and "RS256" not in algorithms:
        name = "id_token_signing_alg_values_supported"
        problems[name] = f"{name}: expected RS256 among them, got {plain(', '.join(algorithms))}"
    return found


_TEXTS = (*REQUIRED, "token_endpoint", "userinfo_endpoint")


def _text(document: Mapping[str, Any], name: str, problems: dict[str, str]) -> str | None:
    said: list[str] = []
    value = string(document, name, said)
    if value is None and name in REQUIRED and not said:
        said.append(f"{name}: expected a string, got nothing")
    if said:
        problems[name] = said[0]
    return value


def _list(document: Mapping[str, Any], name: str, problems: dict[str, str]) -> tuple[str, ...]:
    said: list[str] = []
    values = strings(document, name, said)
    if not values and not said:
        said.append(f"{name}: expected an array that is not empty")
    if said:
        problems[name] = said[0]
    return values
