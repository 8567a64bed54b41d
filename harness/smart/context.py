"""Launch context of a token response: what an application learns beside its token.

SMART App Launch, "Launch context arrives with your access_token", and `fhirContext`:
https://hl7.org/fhir/smart-app-launch/STU2.2/scopes-and-launch-context.html

Reading is tolerant: whatever can be used is there in every version, and what departs from the
version that is judged is a problem, one for each member that is wrong.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

from harness.http.exchange import kind_of
from harness.smart.resource_types import RESOURCE_TYPES
from harness.smart.text import plain

FHIR_CONTEXT = "fhirContext"
LAUNCH_ROLE = "launch"
OWN_MEMBERS = {"Patient": "patient", "Encounter": "encounter"}
"""Types that have a member of their own, and do not belong into `fhirContext`."""

_ID = re.compile(r"[A-Za-z0-9.\-]{1,64}")
_REFERENCE = re.compile(r"([A-Za-z]+)/[A-Za-z0-9.\-]{1,64}(?:/_history/[A-Za-z0-9.\-]{1,64})?")
_STRINGS_TOO = ("2.0.0",)
"""2.0.0 speaks of relative references: servers read it either way, as strings and as objects."""

_UNDEFINED = ("1.0.0",)


@dataclass(frozen=True, slots=True)
class Problem:
    """One departure: of which member, and how.

    Attributes:
        member: such as `encounter` or `fhirContext[1].role`.
        message: what was expected and what came.
    """

    member: str
    message: str

    def __str__(self) -> str:
        return f"{self.member}: {self.message}"


@dataclass(frozen=True, slots=True)
class ContextItem:
    """One item of `fhirContext`, whatever form it came in; members that cannot be used are None.

    Attributes:
        reference: relative, such as `ImagingStudy/123`.
        canonical: URL, with or without version.
        identifier: a FHIR Identifier.
        type: of the resource; from the reference where no `type` came.
        role: `launch` where none came.
    """

    reference: str | None = field(repr=False, default=None)
    canonical: str | None = None
    identifier: Mapping[str, Any] | None = field(repr=False, default=None)
    type: str | None = None
    role: str = LAUNCH_ROLE


@dataclass(frozen=True, slots=True)
class Context:
    """The launch context. None (or empty) where a member is missing, null or cannot be used.

    Attributes:
        patient: id.
        encounter: id.
        need_patient_banner: whether the application has to show who the patient is.
        smart_style_url: where the EHR's style is.
        intent: what the user wants to do in the application.
        tenant: which organisation the EHR is launched from.
        fhir_context: further resources in context.
        problems: what departs from the version.
    """

    patient: str | None = field(repr=False, default=None)
    encounter: str | None = field(repr=False, default=None)
    need_patient_banner: bool | None = None
    smart_style_url: str | None = None
    intent: str | None = None
    tenant: str | None = None
    fhir_context: tuple[ContextItem, ...] = field(repr=False, default=())
    problems: tuple[Problem, ...] = ()

    @classmethod
    def parse(cls, body: Mapping[str, Any], version: str) -> Context:
        """Read a token response.

        Args:
            body: the JSON object, of any content.
            version: of SMART App Launch: `1.0.0`, `2.0.0` or `2.2.0`.
        """
        read = _Reader(body)
        items = tuple(_items(body, read.problems, version))
        return cls(
            patient=read.id("patient"),
            encounter=read.id("encounter"),
            need_patient_banner=read.flag("need_patient_banner"),
            smart_style_url=read.url("smart_style_url"),
            intent=read.text("intent"),
            tenant=read.text("tenant"),
            fhir_context=items,
            problems=tuple(read.problems),
        )

    def about(self, member: str) -> tuple[Problem, ...]:
        """The problems of one member and of what is inside it."""
        inside = (f"{member}.", f"{member}[")
        return tuple(
            each
            for each in self.problems
            if each.member == member or each.member.startswith(inside)
        )


class _Reader:
    """Takes members out of an object, and notes what is wrong with them."""

    def __init__(self, body: Mapping[str, Any]) -> None:
        self.body = body
        self.problems: list[Problem] = []

    def note(self, name: str, expected: str) -> None:
        self.problems.append(Problem(name, f"expected {expected}, got {_shown(self.body[name])}"))

    def text(self, name: str) -> str | None:
        value = self.body.get(name)
        if isinstance(value, str) and value.strip():
            return value
        if value is not None:
            self.note(name, "a string that is not empty")
        return None

    def id(self, name: str) -> str | None:
        value = self.body.get(name)
        if type(value) is int:
            self.note(name, "a string")
            return str(value)
        text = self.text(name)
        if text is not None and not _ID.fullmatch(text):
            self.note(name, "the id of a resource, without its type")
            return text.rpartition("/")[2] if _REFERENCE.fullmatch(text) else None
        return text

    def flag(self, name: str) -> bool | None:
        value = self.body.get(name)
        if isinstance(value, bool):
            return value
        if value is not None:
            self.note(name, "a boolean")
        return None

    def url(self, name: str) -> str | None:
        text = self.text(name)
        if text is not None and not _is_absolute(text, "http", "https"):
            self.note(name, "an absolute http or https URL")
        return text


def _items(body: Mapping[str, Any], problems: list[Problem], version: str) -> Iterator[ContextItem]:
    """The items of `fhirContext` that can be used; version 1 leaves the member undefined."""
    value = body.get(FHIR_CONTEXT)
    judged: list[Problem] = []
    if value is not None and not isinstance(value, list):
        judged.append(Problem(FHIR_CONTEXT, f"expected an array, got {_shown(value)}"))
    for number, item in enumerate(value if isinstance(value, list) else ()):
        path = f"{FHIR_CONTEXT}[{number}]"
        if isinstance(item, str):
            if version not in _STRINGS_TOO:
                judged.append(Problem(path, f"expected an object, got {_shown(item)}"))
            yield _from_string(item, path, judged)
        elif isinstance(item, dict):
            yield _from_object(item, path, judged)
        else:
            either = "a relative reference or an object" if version in _STRINGS_TOO else "an object"
            judged.append(Problem(path, f"expected {either}, got {_shown(item)}"))
    problems += judged if version not in _UNDEFINED else ()


def _from_string(text: str, path: str, problems: list[Problem]) -> ContextItem:
    type_ = _referenced(text, path, problems)
    problems += _displaced(type_, LAUNCH_ROLE, path)
    return ContextItem(reference=text, type=type_)


def _from_object(item: Mapping[str, Any], path: str, problems: list[Problem]) -> ContextItem:
    reference, canonical = item.get("reference"), item.get("canonical")
    identifier, given = item.get("identifier"), item.get("type")
    if not {"reference", "canonical", "identifier"} & item.keys():
        problems.append(Problem(path, "expected one of reference, canonical and identifier"))
    type_ = None
    if "reference" in item:
        type_ = _referenced(reference, f"{path}.reference", problems)
    if "canonical" in item and not _is_absolute(canonical):
        expected = f"expected an absolute URL, got {_shown(canonical)}"
        problems.append(Problem(f"{path}.canonical", expected))
    if "identifier" in item and not (isinstance(identifier, dict) and identifier):
        expected = f"expected an Identifier, got {_shown(identifier)}"
        problems.append(Problem(f"{path}.identifier", expected))
    if "type" in item:
        problems += _wrong_type(given, type_, f"{path}.type")
        type_ = given if isinstance(given, str) else type_
    role = _role(item, path, problems)
    problems += _displaced(type_, role, path)
    return ContextItem(
        reference if isinstance(reference, str) else None,
        canonical if isinstance(canonical, str) else None,
        identifier if isinstance(identifier, dict) else None,
        type_,
        role,
    )


def _referenced(value: object, path: str, problems: list[Problem]) -> str | None:
    """The type that a relative reference names."""
    found = _REFERENCE.fullmatch(value) if isinstance(value, str) else None
    if found is None or found[1] not in RESOURCE_TYPES:
        expected = f"expected a relative reference such as ImagingStudy/123, got {_shown(value)}"
        problems.append(Problem(path, expected))
        return None
    return found[1]


def _wrong_type(given: object, referenced: str | None, path: str) -> Iterator[Problem]:
    if not isinstance(given, str) or given not in RESOURCE_TYPES:
        yield Problem(path, f"expected a resource type of FHIR R4, got {_shown(given)}")
    elif referenced is not None and given != referenced:
        yield Problem(path, f"expected {referenced}, as the reference says, got {given}")


def _role(item: Mapping[str, Any], path: str, problems: list[Problem]) -> str:
    """The role; `launch` is the one that the specification defines, others are absolute URIs."""
    role = item.get("role", LAUNCH_ROLE)
    if not isinstance(role, str) or not role.strip():
        expected = f"expected a URI that is not empty, got {_shown(role)}"
        problems.append(Problem(f"{path}.role", expected))
        return LAUNCH_ROLE
    if role != LAUNCH_ROLE and not _is_absolute(role):
        expected = f"expected {LAUNCH_ROLE} or an absolute URI, got {_shown(role)}"
        problems.append(Problem(f"{path}.role", expected))
    return role


def _displaced(type_: str | None, role: str, path: str) -> Iterator[Problem]:
    if type_ in OWN_MEMBERS and role == LAUNCH_ROLE:
        yield Problem(path, f"expected no {type_}, which belongs into {OWN_MEMBERS[type_]}")


def _is_absolute(value: object, *schemes: str) -> bool:
    if not isinstance(value, str) or any(character.isspace() for character in value):
        return False
    try:
        parts = urlsplit(value)
    except ValueError:
        return False
    if schemes:
        return parts.scheme.lower() in schemes and bool(parts.netloc)
    return bool(parts.scheme) and bool(parts.netloc or parts.path)


def _shown(value: object) -> str:
    """A value as messages show it: the words of a string, else its kind."""
    return repr(plain(value, 60)) if isinstance(value, str) else kind_of(value)
