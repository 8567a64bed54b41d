"""What a server says that it can do.

https://hl7.org/fhir/R4/capabilitystatement.html
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from harness.errors import ProtocolError
from harness.http.exchange import Exchange

OAUTH_URIS = "http://fhir-registry.smarthealthit.org/StructureDefinition/oauth-uris"


@dataclass(frozen=True, slots=True)
class Capability:
    """A CapabilityStatement, read tolerantly. `raw` is its JSON object."""

    raw: Mapping[str, Any]

    @classmethod
    def of(cls, exchange: Exchange) -> Capability:
        """The statement that an exchange brought.

        Raises:
            ProtocolError: no JSON, or no CapabilityStatement.
        """
        value = exchange.json_object()
        kind = value.get("resourceType")
        if kind != "CapabilityStatement":
            raise ProtocolError(
                f"{exchange.where}: expected a CapabilityStatement, got {str(kind)[:60]}"
            )
        return cls(value)

    @property
    def fhir_version(self) -> str | None:
        """Such as `4.0.1`."""
        version = self.raw.get("fhirVersion")
        return version if isinstance(version, str) else None

    @property
    def formats(self) -> tuple[str, ...]:
        """The formats listed: `json`, or media types."""
        return _texts(self.raw.get("format"))

    @property
    def patch_formats(self) -> tuple[str, ...]:
        """The media types of patches listed; none where the server does not say."""
        return _texts(self.raw.get("patchFormat"))

    @property
    def types(self) -> tuple[str, ...]:
        """The resource types listed, in order."""
        listed = (each.get("type") for each in self._resources())
        return tuple(each for each in listed if isinstance(each, str))

    def interactions(self, kind: str) -> frozenset[str]:
        """The interactions listed for a type: `read`, `search-type`, `create`."""
        listed = (e for each in self._resources(kind) for e in _objects(each.get("interaction")))
        return frozenset(str(each.get("code")) for each in listed)

    def operations(self, kind: str) -> frozenset[str]:
        """The operations listed for a type, by name and without `$`: `export`, `lastn`."""
        listed = (e for each in self._resources(kind) for e in _objects(each.get("operation")))
        return frozenset(str(each.get("name")).removeprefix("$") for each in listed)

    @property
    def system_interactions(self) -> frozenset[str]:
        """The interactions listed for the whole server: `batch`, `transaction`."""
        listed = (each for rest in self._rest() for each in _objects(rest.get("interaction")))
        return frozenset(str(each.get("code")) for each in listed)

    def versioning(self, kind: str) -> str | None:
        """`no-version`, `versioned` or `versioned-update`; None where the server does not say."""
        return self.choice(kind, "versioning")

    def flag(self, kind: str, name: str) -> bool | None:
        """What a type says of `conditionalCreate`, `conditionalUpdate`, `updateCreate`."""
        said = (each.get(name) for each in self._resources(kind))
        return next((each for each in said if isinstance(each, bool)), None)

    def choice(self, kind: str, name: str) -> str | None:
        """What a type says of `conditionalRead` or `conditionalDelete`; None where it does not."""
        said = (each.get(name) for each in self._resources(kind))
        return next((each for each in said if isinstance(each, str)), None)

    def search_parameters(self, kind: str) -> frozenset[str]:
        """The search parameters listed for a type or for all, as spelled there."""
        holders = (*self._resources(kind), *self._rest())
        listed = (each for holder in holders for each in _objects(holder.get("searchParam")))
        return frozenset(str(each.get("name")) for each in listed)

    def has_search_parameter(self, kind: str, name: str) -> bool:
        """Whether it is listed; case does not count, because vendors' spellings vary."""
        return name.lower() in {each.lower() for each in self.search_parameters(kind)}

    def profiles(self, kind: str) -> frozenset[str]:
        """`supportedProfile` and `profile` of a type, without versions."""
        found = []
        for each in self._resources(kind):
            supported = each.get("supportedProfile")
            found += [each.get("profile"), *(supported if isinstance(supported, list) else [])]
        return frozenset(url.partition("|")[0] for url in found if isinstance(url, str))

    @property
    def oauth_uris(self) -> dict[str, str]:
        """`authorize`, `token` and others by the SMART oauth-uris extension."""
        found: dict[str, str] = {}
        for rest in self._rest():
            security = rest.get("security")
            extensions = security.get("extension") if isinstance(security, Mapping) else None
            for holder in _objects(extensions):
                if holder.get("url") != OAUTH_URIS:
                    continue
                for each in _objects(holder.get("extension")):
                    uri = each.get("valueUri") or each.get("valueUrl")
                    if isinstance(each.get("url"), str) and isinstance(uri, str):
                        found.setdefault(each["url"], uri)
        return found

    def _rest(self) -> list[dict[str, Any]]:
        listed = _objects(self.raw.get("rest"))
        return [each for each in listed if each.get("mode", "server") == "server"]

    def _resources(self, kind: str | None = None) -> Iterator[dict[str, Any]]:
        for rest in self._rest():
            for each in _objects(rest.get("resource")):
                if kind is None or each.get("type") == kind:
                    yield each


def _texts(value: object) -> tuple[str, ...]:
    return tuple(each for each in value if isinstance(each, str)) if isinstance(value, list) else ()


def _objects(value: object) -> list[dict[str, Any]]:
    return [each for each in value if isinstance(each, dict)] if isinstance(value, list) else []
