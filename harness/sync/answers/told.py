"""What a resource tells of itself: the members by which a sync knows what it is.

The others are not even parsed. Whatever shape a member has, it is no reason to lose the resource.
"""

from __future__ import annotations

from typing import Any

import msgspec


class Meta(msgspec.Struct, gc=False, frozen=True, rename="camel"):
    """`Resource.meta`."""

    version_id: str | None = None
    last_updated: str | None = None


class Reference(msgspec.Struct, gc=False, frozen=True):
    """A reference to another resource."""

    reference: str | None = None


class Told(msgspec.Struct, gc=False, frozen=True):
    """A resource; None stands for members that are absent, or of another kind than FHIR has."""

    type: str | None = msgspec.field(default=None, name="resourceType")
    id: str | None = None
    meta: Meta | None = None
    subject: Reference | None = None
    patient: Reference | None = None
    link: Any = None
    issue: Any = None


_as_usual = msgspec.json.Decoder(Told).decode
_value = msgspec.json.Decoder().decode


def told_by(raw: bytes) -> Told | None:
    """Told by its bytes; None where they are no object.

    Raises:
        ValueError, RecursionError: they are no JSON. So are some oddities that the standard library
            reads: half a character, a number beyond all floats.
    """
    try:
        return _as_usual(raw)
    except msgspec.ValidationError:
        return told(_value(raw))


def told(value: Any) -> Told | None:
    """Told by a parsed value; None if it is no object."""
    return told_by_object(value) if isinstance(value, dict) else None


def told_by_object(value: dict[str, Any]) -> Told:
    """Told by a parsed object."""
    return Told(
        type=_text(value, "resourceType"),
        id=_text(value, "id"),
        meta=_meta(value.get("meta")),
        subject=_reference(value.get("subject")),
        patient=_reference(value.get("patient")),
        link=value.get("link"),
        issue=value.get("issue"),
    )


def _meta(value: Any) -> Meta | None:
    if not isinstance(value, dict):
        return None
    return Meta(_text(value, "versionId"), _text(value, "lastUpdated"))


def _reference(value: Any) -> Reference | None:
    return Reference(_text(value, "reference")) if isinstance(value, dict) else None


def _text(value: dict[str, Any], name: str) -> str | None:
    text = value.get(name)
    return text if isinstance(text, str) else None
