"""Registries of FHIR packages.

https://registry.fhir.org/learn: `GET {base}/{name}` lists versions in the manner of npm, and
`GET {base}/{name}/{version}` is the archive. A registry of one's own is asked as npm is.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, BinaryIO
from urllib.parse import quote, urljoin

from harness.config.ehr import Limits, Tls
from harness.config.secrets import Secret
from harness.errors import (
    EhrUnreachable,
    HarnessError,
    HostileInput,
    PackageUnavailable,
    ProtocolError,
    UsageError,
)
from harness.http.client import HttpClient
from harness.http.clock import SystemClock
from harness.http.evidence import Evidence
from harness.http.exchange import Exchange, Headers, Request, Response
from harness.http.inflow import Take
from harness.http.limiter import HostLimiters
from harness.http.origin import origin
from harness.http.retry import Policy
from harness.http.transport import Bounds
from harness.profiles import archive
from harness.profiles.versions import chosen, is_exact

PUBLIC = ("https://packages.fhir.org", "https://packages2.fhir.org/packages")
MAX_BYTES = 512 * 1024 * 1024
_LISTING = 32 * 1024 * 1024
_HOPS = 5
_OK, _NOT_FOUND = 200, 404
_MOVED = frozenset({301, 302, 303, 307, 308})

Told = Callable[[int], None]
"""Gets how many bytes have come."""


@dataclass(frozen=True, slots=True)
class Registry:
    """A registry.

    Attributes:
        base: its URL.
        token: goes to the origin of `base` and to no other.
        npm: whether its archives are where its listing says, or where npm would have them.
    """

    base: str
    token: Secret | None = None
    npm: bool = False


def registries(environ: Mapping[str, str]) -> tuple[Registry, ...]:
    """Those to ask, in this order: `FPL_REGISTRY`, with its token, or else the public ones.

    Raises:
        UsageError: `FPL_REGISTRY` is no URL.
    """
    own = environ.get("FPL_REGISTRY")
    if own:
        try:
            origin(own)
        except HostileInput as error:
            raise UsageError(f"FPL_REGISTRY: {error}") from None
        token = environ.get("FPL_REGISTRY_TOKEN")
        return (Registry(own.rstrip("/"), Secret(token) if token else None, npm=True),)
    return tuple(Registry(base) for base in PUBLIC)


def client_of(base: str, tls: Tls) -> HttpClient:
    """The HTTP client for a registry."""
    clock = SystemClock()
    return HttpClient(
        base=base,
        evidence=Evidence(),
        limiter=HostLimiters(Limits(), clock),
        clock=clock,
        tls=tls,
        bounds=Bounds(connect=10.0, read=30.0, total=120.0),
        policy=Policy(attempts=3, max_retry_after=20.0),
    )


async def download(
    name: str,
    version: str,
    into: Path,
    asked: tuple[Registry, ...],
    *,
    tls: Tls = Tls(),  # noqa: B008 - frozen
    told: Told = lambda _: None,
) -> str:
    """Fetch an archive from the first registry that gives it.

    Args:
        name: `hl7.fhir.us.core`.
        version: exact, `latest`, or `6.1.x` for the newest of a minor version.
        into: the file to write.
        asked: registries in order.
        tls: further trust, proxy.
        told: how far it is.

    Returns:
        The exact version.

    Raises:
        UsageError: no registry knows the package, or the version.
        PackageUnavailable: they do not answer, or answer with something else.
    """
    failures: list[HarnessError] = []
    for registry in asked:
        try:
            async with client_of(registry.base, tls) as http:
                asking = _Asking(http, registry)
                exact, url = await asking.place_of(name, version)
                await asking.save(url, into, told)
                return exact
        except (EhrUnreachable, ProtocolError, HostileInput, _Unknown) as error:
            failures.append(error)
    said = "; ".join(
        f"{origin(registry.base)}: {failure}"
        for registry, failure in zip(asked, failures, strict=True)
    )
    wanted = f"{name}#{version}"
    if all(isinstance(each, _Unknown) for each in failures):
        raise UsageError(f"{wanted}: no such package: {said}")
    raise PackageUnavailable(
        f"{wanted}: no registry could give it: {said}",
        hint="a file or URL of the package goes to --from",
    )


async def download_url(
    url: str,
    into: Path,
    asked: tuple[Registry, ...],
    *,
    tls: Tls = Tls(),  # noqa: B008 - frozen
    told: Told = lambda _: None,
) -> None:
    """Fetch an archive from where it is; a token goes with it where it is that registry's.

    Raises:
        PackageUnavailable: no answer, or something else.
        HostileInput: no URL that may be asked.
    """
    registry = next((each for each in asked if origin(each.base) == origin(url)), Registry(url))
    try:
        async with client_of(url, tls) as http:
            await _Asking(http, registry).save(url, into, told)
    except (EhrUnreachable, ProtocolError, _Unknown) as error:
        raise PackageUnavailable(f"{url}: {error}") from None


class _Unknown(HarnessError):
    """A registry that answers, and has no such package or version."""


@dataclass(frozen=True, slots=True)
class _Asking:
    """One conversation with a registry."""

    http: HttpClient
    registry: Registry

    async def place_of(self, name: str, version: str) -> tuple[str, str]:
        """The exact version, and the URL of its archive."""
        base = f"{self.registry.base}/{quote(name)}"
        if is_exact(version) and not self.registry.npm:
            return version, f"{base}/{quote(version)}"
        listing = (await self._answer(base)).json_object()
        latest = _member(listing, "dist-tags").get("latest")
        exact = chosen(
            version, _member(listing, "versions"), latest if isinstance(latest, str) else None
        )
        if exact is None:
            raise _Unknown(f"no version {version}; it has {_shown(listing)}")
        if not self.registry.npm:
            return exact, f"{base}/{quote(exact)}"
        said = _member(_member(_member(listing, "versions"), exact), "dist").get("tarball")
        return exact, said if isinstance(said, str) else f"{base}/-/{quote(name)}-{exact}.tgz"

    async def save(self, url: str, into: Path, told: Told) -> None:
        """Write what is at a URL to a file."""
        with into.open("wb") as file:
            exchange = await self._follow(url, _Saving(file, told).receive)
        with into.open("rb") as file:
            if not archive.begins(file.read(archive.HEAD)):
                kind = exchange.media_type or "something else"
                raise ProtocolError(f"{exchange.where}: expected an archive, got {kind[:60]}")

    async def _answer(self, url: str) -> Exchange:
        parts: list[bytes] = []

        def receive(head: Response) -> Take | None:
            return parts.append if head.status == _OK else None

        exchange = await self._follow(url, receive, accept="application/json", most=_LISTING)
        return replace(exchange, response=replace(exchange.response, body=b"".join(parts)))

    async def _follow(
        self,
        url: str,
        receive: Callable[[Response], Take | None],
        *,
        accept: str = "*/*",
        most: int = MAX_BYTES,
    ) -> Exchange:
        """GET, through redirects; a token stays at its origin."""
        headers = Headers((("Accept", accept), ("Accept-Encoding", "identity")))
        for _ in range(_HOPS):
            token = self.registry.token
            own = token is not None and origin(url) == self.http.token_origin
            exchange = await self.http.stream(
                Request("GET", url, headers),
                receive,
                bearer=token.reveal() if token is not None and own else None,
                max_bytes=most,
            )
            target = exchange.headers.get("Location")
            if exchange.status in _MOVED and target:
                url = urljoin(url, target)
            elif exchange.status == _OK:
                return exchange
            elif exchange.status == _NOT_FOUND:
                raise _Unknown(f"{exchange.where}: 404, not there")
            else:
                raise ProtocolError(f"{exchange.where}: expected 200, got {exchange.status}")
        raise ProtocolError(f"more than {_HOPS} redirects")


@dataclass(slots=True)
class _Saving:
    """A body on its way into a file."""

    file: BinaryIO
    told: Told
    size: int = 0

    def receive(self, head: Response) -> Take | None:
        """As `harness.http.inflow.Receive`."""
        return self._take if head.status == _OK else None

    def _take(self, piece: bytes) -> None:
        self.file.write(piece)
        self.size += len(piece)
        self.told(self.size)


def _member(said: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    value = said.get(name)
    return value if isinstance(value, dict) else {}


def _shown(listing: Mapping[str, Any]) -> str:
    known = list(_member(listing, "versions"))
    return ", ".join(each[:40] for each in known[-12:] if each.isprintable()) or "none"
