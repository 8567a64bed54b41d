"""Variants of what is granted, and of the values that stand for it."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from harness.reference.access import ResourceScope

if TYPE_CHECKING:
    from harness.reference.clients import Client
    from harness.reference.instance import Instance
    from harness.reference.people import Person

_REFRESH = ("offline_access", "online_access")
_NARROW = timedelta(seconds=570)


def grantable(instance: Instance, client: Client, scopes: tuple[str, ...]) -> tuple[str, ...]:
    """What of the scopes that can be granted this server grants to this client."""
    if not set(_REFRESH).isdisjoint(scopes) and not _refreshes(instance, client):
        scopes = tuple(each for each in scopes if each not in _REFRESH)
    if instance.has("some-scopes-not-granted"):
        scopes = tuple(each for each in scopes if "/Provenance." not in each)
    if instance.has("writes-not-offered"):
        scopes = tuple(kept for each in scopes if (kept := _read_only(each)))
    return scopes


def granted(
    instance: Instance, offered: tuple[str, ...], scopes: tuple[str, ...]
) -> tuple[str, ...]:
    """What is granted in the place of the scopes that a person approved of those offered."""
    everything = scopes == offered and not any("?" in each for each in scopes)
    if everything and instance.has("scopes-granted-for-all-types"):
        scopes = tuple(dict.fromkeys(_for_all_types(each) for each in scopes))
    return scopes


def fhir_user(instance: Instance, person: Person) -> str:
    """The resource that stands for a person who signs in."""
    kin = instance.store.all("RelatedPerson", person.patients[0])
    if kin and not person.clinician and instance.has("fhir-user-is-a-related-person"):
        return min(each.reference for each in kin)
    if person.clinician and instance.has("fhir-user-is-a-practitioner-role"):
        return min(each.reference for each in instance.store.all("PractitionerRole"))
    return person.fhir_user


def user_url(instance: Instance, fhir_user: str) -> str:
    """The same as an application is told of it."""
    return fhir_user if instance.has("fhir-user-relative") else f"{instance.fhir_base}/{fhir_user}"


def life(instance: Instance, usual: timedelta) -> timedelta:
    """How long an access token lives."""
    return min(usual, _NARROW) if instance.has("access-tokens-of-ten-minutes") else usual


def long(instance: Instance, value: str) -> str:
    """A token as long as real ones are, in the form of a JWT that no client may look into."""
    if instance.has("access-tokens-of-six-kilobytes"):
        return f"eyJhbGciOiJub25lIn0.{value * 140}.{value}"
    return value


def long_code(instance: Instance, value: str) -> str:
    """A code as long as real ones are."""
    return value * 48 if instance.has("codes-of-two-kilobytes") else value


def _refreshes(instance: Instance, client: Client) -> bool:
    if instance.has("refresh-tokens-not-offered"):
        return False
    return client.confidential or not instance.has("refresh-not-for-public-clients")


def _read_only(text: str) -> str | None:
    scope = ResourceScope.parse(text)
    if scope is None:
        return text
    stem, _, way = text.partition(".")
    if way in ("read", "write", "*"):
        return None if way == "write" else f"{stem}.read"
    way, mark, query = way.partition("?")
    kept = "".join(each for each in way if each in "rs")
    return f"{stem}.{kept}{mark}{query}" if kept else None


def _for_all_types(text: str) -> str:
    scope = ResourceScope.parse(text)
    if scope is None or scope.constraint:
        return text
    return f"{scope.level}/*.{text.partition('.')[2]}"
