"""Registries of FHIR packages.

https://registry.fhir.org/learn: `GET {base}/{name}` lists versions in the manner of npm, and
`GET {base}/{name}/{version}` is the archive. A registry of one's own is asked as npm is.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote

from harness.config.ehr import Tls
from harness.config.secrets import Secret
from harness.errors import (
    EhrUnreachable,
    HarnessError,
    HostileInput,
    PackageUnavailable,
    ProtocolError,
    UsageError,
)
from harness.http.origin import origin
from harness.profiles.fetching import Fetching, NotThere, Told, client_of
from harness.profiles.versions import chosen, is_exact

PUBLIC = ("https://packages.fhir.org", "https://packages2.fhir.org/packages")


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
                fetching = Fetching(http, registry.token)
                exact, url = await _place_of(name, version, registry, fetching)
                await fetching.save(url, into, told)
                return exact
        except (EhrUnreachable, ProtocolError, HostileInput, NotThere) as error:
            failures.append(error)
    said = "; ".join(
        f"{origin(registry.base)}: {failure}"
        for registry, failure in zip(asked, failures, strict=True)
    )
    wanted = f"{name}#{version}"
    if all(isinstance(each, NotThere) for each in failures):
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
            await Fetching(http, registry.token).save(url, into, told)
    except (EhrUnreachable, ProtocolError, NotThere) as error:
        raise PackageUnavailable(f"{origin(url)}: {error}") from None


async def _place_of(
    name: str, version: str, registry: Registry, fetching: Fetching
) -> tuple[str, str]:
    """The exact version, and the URL of its archive."""
    base = f"{registry.base}/{quote(name)}"
    if is_exact(version) and not registry.npm:
        return version, f"{base}/{quote(version)}"
    listing = await fetching.listing(base)
    versions = _member(listing, "versions")
    latest = _member(listing, "dist-tags").get("latest")
    exact = chosen(version, versions, latest if isinstance(latest, str) else None)
    if exact is None:
        raise NotThere(f"no version {version}; it has {_shown(versions)}")
    if not registry.npm:
        return exact, f"{base}/{quote(exact)}"
    said = _member(_member(versions, exact), "dist").get("tarball")
    return exact, said if isinstance(said, str) else f"{base}/-/{quote(name)}-{exact}.tgz"


def _member(said: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    value = said.get(name)
    return value if isinstance(value, dict) else {}


def _shown(versions: Mapping[str, Any]) -> str:
    known = [each[:40] for each in list(versions)[-12:] if each.isprintable()]
    return ", ".join(known) or "none"
