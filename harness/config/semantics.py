"""What an EHR file must hold beyond its schema: references that resolve, and no open doors."""

from __future__ import annotations

import ipaddress
import re
from collections import Counter
from collections.abc import Iterable, Iterator
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from harness.config.ehr import (
    AuthKind,
    ClientAuth,
    EhrFile,
    Grant,
    LaunchKind,
    LaunchSource,
    LaunchSpec,
    OAuthClient,
    SecretRef,
)
from harness.config.schema import Violation, meaning, nearest, schema, shown

_CREDENTIAL_FIELD = re.compile(
    r"authorization|cookie|token|secret|password|passwd|credential|api-?key|[-_]key$", re.IGNORECASE
)
_NOT_R4 = frozenset({"dstu2", "stu3", "r2", "r3", "r4b", "r5", "r6"})
_SECRET_METHODS = (ClientAuth.SECRET_BASIC, ClientAuth.SECRET_POST)


def ehr_violations(ehr: EhrFile) -> Iterator[Violation]:
    """Everything wrong in `ehr` that its schema cannot express."""
    yield from _names(ehr)
    yield from _base(ehr)
    yield from _urls(ehr)
    yield from _auth(ehr)
    yield from _headers(ehr)
    for number, client in enumerate(ehr.clients):
        yield from _client(client, f"clients[{number}]")
    for number, login in enumerate(ehr.logins):
        if login.password is not None and login.username is None:
            yield meaning(f"logins[{number}].username", "missing; a password is given")
    for number, launch in enumerate(ehr.launches):
        yield from _launch(ehr, launch, f"launches[{number}]")
    if ehr.other is not None:
        yield from _launch(ehr, ehr.other, "other")
    yield from _zones(ehr)
    yield from _notes(ehr)


def _zones(ehr: EhrFile) -> Iterator[Violation]:
    peak = ehr.limits.peak
    zones = {"limits.day_zone": ehr.limits.day_zone}
    if peak is not None:
        zones["limits.peak.zone"] = peak.zone
    for path, zone in zones.items():
        try:
            ZoneInfo(zone)
        except (ZoneInfoNotFoundError, ValueError, OSError):
            expected = "expected an IANA time zone such as America/New_York"
            yield meaning(path, f"{expected}, got {shown(zone)}")


def is_loopback(host: str | None) -> bool:
    """Whether `host` names this machine (RFC 6761 section 6.3, RFC 8252 section 7.3)."""
    if host is None:
        return False
    if host == "localhost" or host.endswith(".localhost"):
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def url_violation(path: str, url: str) -> Violation | None:
    """What is wrong with an absolute URL, if anything: no host, a bad port, http off loopback."""
    if not url.isprintable() or " " in url:
        return meaning(path, f"expected a URL without control characters, got {shown(url)}")
    try:
        parts = urlsplit(url)
        host, _ = parts.hostname, parts.port
    except ValueError:
        return meaning(path, f"expected an absolute URL, got {shown(url)}")
    if parts.scheme in {"http", "https"} and not host:
        return meaning(path, f"expected a URL with a host, got {shown(url)}")
    if parts.scheme == "http" and not is_loopback(host):
        return meaning(path, f"expected https, got {shown(url)}; http is for loopback only")
    return None


def unknown_name(path: str, what: str, name: str, known: Iterable[str]) -> Violation:
    """`name` refers to nothing: say what there is, or the nearest."""
    valid = sorted(known)
    near = nearest(name, valid) or f"; {what}s: {', '.join(valid) or 'none'}"
    return meaning(path, f"no {what} {name!r}{near}")


def _names(ehr: EhrFile) -> Iterator[Violation]:
    given = {
        "clients": [each.name for each in ehr.clients],
        "logins": [each.name for each in ehr.logins],
        "launches": [each.name for each in ehr.launches],
    }
    for key, names in given.items():
        for name, count in Counter(names).items():
            if count > 1:
                yield meaning(key, f"the name {name!r} is given {count} times")


def _base(ehr: EhrFile) -> Iterator[Violation]:
    last = ehr.fhir_base.rstrip("/").rsplit("/", 1)[-1]
    if last.lower() in _NOT_R4:
        yield meaning("fhir_base", f"expected a FHIR R4 base, got one of {last}; only R4 is judged")


def _urls(ehr: EhrFile) -> Iterator[Violation]:
    urls = {"fhir_base": ehr.fhir_base}
    for name in ("issuer", "authorization_endpoint", "token_endpoint"):
        urls[f"auth.{name}"] = getattr(ehr.auth, name)
    for name in ("introspection_endpoint", "revocation_endpoint"):
        urls[f"auth.{name}"] = getattr(ehr.auth, name)
    urls["push.url"] = ehr.push.url or ""
    for number, origin in enumerate(ehr.auth.extra_origins):
        urls[f"auth.extra_origins[{number}]"] = origin
    for number, client in enumerate(ehr.clients):
        urls[f"clients[{number}].redirect_uri"] = client.redirect_uri or ""
        urls[f"clients[{number}].launch_uri"] = client.launch_uri or ""
    for number, launch in enumerate(ehr.launches):
        urls[f"launches[{number}].launch_url"] = launch.launch_url or ""
    if ehr.other is not None:
        urls["other.launch_url"] = ehr.other.launch_url or ""
    for path, url in urls.items():
        relative = path.endswith("launch_url") and url.startswith(".")
        found = url_violation(path, url) if url and not relative else None
        if found is not None:
            yield found


def _auth(ehr: EhrFile) -> Iterator[Violation]:
    for name in ("username", "password"):
        given = getattr(ehr.auth, name) is not None
        if ehr.auth.kind is AuthKind.BASIC and not given:
            yield meaning(f"auth.{name}", "missing; kind basic needs username and password")
        if ehr.auth.kind is not AuthKind.BASIC and given:
            yield meaning(f"auth.{name}", "only kind basic takes it; people sign in by [[logins]]")
    if ehr.auth.kind is not AuthKind.SMART and ehr.launches:
        yield meaning("launches", f"expected none with auth kind {ehr.auth.kind}")
    asking = ehr.client(ehr.auth.introspects) if ehr.auth.introspects else None
    if ehr.auth.introspects is not None and asking is None:
        known = [each.name for each in ehr.clients]
        yield unknown_name("auth.introspects", "client", ehr.auth.introspects, known)
    if asking is not None and asking.auth is ClientAuth.NONE:
        yield meaning("auth.introspects", "expected a client with a secret or a key")
    if ehr.tls.client_key is not None and ehr.tls.client_cert is None:
        yield meaning("tls.client_cert", "missing; client_key is given")


def _headers(ehr: EhrFile) -> Iterator[Violation]:
    for name, value in ehr.headers.items():
        if _CREDENTIAL_FIELD.search(name) and not isinstance(value, SecretRef):
            expected = "expected a reference such as env:NAME, got a literal value"
            yield meaning(f"headers.{name}", f"{expected}, which is not shown here")
        elif isinstance(value, str) and not value.isascii():
            yield meaning(f"headers.{name}", "expected ASCII text (RFC 9110 section 5.5)")


def _client(client: OAuthClient, path: str) -> Iterator[Violation]:
    by_secret = client.auth in _SECRET_METHODS
    by_key = client.auth is ClientAuth.PRIVATE_KEY_JWT
    if by_secret and client.secret is None:
        yield meaning(f"{path}.secret", f"missing; auth {client.auth} needs one")
    if by_key and client.key is None:
        yield meaning(f"{path}.key", f"missing; auth {client.auth} needs one")
    if client.secret is not None and not by_secret:
        yield meaning(f"{path}.secret", f"auth {client.auth} uses none; {_methods(by_secret=True)}")
    if client.key is not None and not by_key:
        yield meaning(f"{path}.key", f"auth {client.auth} uses none; {_methods(by_secret=False)}")
    if Grant.CLIENT_CREDENTIALS in client.grants:
        if client.auth is ClientAuth.NONE:
            yield meaning(f"{path}.auth", "grant client_credentials needs a secret or a key")
        if not client.scopes:
            yield meaning(f"{path}.scopes", "missing; grant client_credentials needs them")
    if Grant.AUTHORIZATION_CODE in client.grants and client.redirect_uri is None:
        yield meaning(f"{path}.redirect_uri", "missing; grant authorization_code needs one")


def _methods(*, by_secret: bool) -> str:
    methods = _SECRET_METHODS if by_secret else (ClientAuth.PRIVATE_KEY_JWT,)
    return f"did you mean auth = {' or '.join(methods)}?"


def _launch(ehr: EhrFile, launch: LaunchSpec, path: str) -> Iterator[Violation]:
    client = ehr.client(launch.client)
    if client is None:
        known = (each.name for each in ehr.clients)
        yield unknown_name(f"{path}.client", "client", launch.client, known)
    elif Grant.AUTHORIZATION_CODE not in client.grants:
        needed = "needs the grant authorization_code to launch"
        yield meaning(f"{path}.client", f"{launch.client!r} {needed}")
    if ehr.login(launch.login) is None:
        known = (each.name for each in ehr.logins)
        yield unknown_name(f"{path}.login", "login", launch.login, known)
    if launch.kind is LaunchKind.STANDALONE:
        for name in ("source", "launch_url"):
            if getattr(launch, name) is not None:
                yield meaning(f"{path}.{name}", "only a launch of kind ehr takes it")
    elif launch.source is None:
        sources = ", ".join(LaunchSource)
        yield meaning(f"{path}.source", f"missing; a launch of kind ehr needs one of {sources}")
    elif launch.source in {LaunchSource.URL, LaunchSource.FORM} and launch.launch_url is None:
        yield meaning(f"{path}.launch_url", f"missing; source {launch.source} needs it")


def _notes(ehr: EhrFile) -> Iterator[Violation]:
    for key, notes in (("deviations", ehr.deviations), ("attestations", ehr.attestations)):
        for check, count in Counter(each.check for each in notes).items():
            if count > 1:
                yield meaning(key, f"the check {shown(check)} is given {count} times")
    known = schema("ehr")["properties"]
    for number, fact in enumerate(ehr.facts):
        top = re.split(r"[.\[]", fact.path, maxsplit=1)[0]
        if top not in known:
            expected = "expected the path of a key of this file"
            yield meaning(f"facts[{number}].path", f"{expected}, got {shown(fact.path)}")
