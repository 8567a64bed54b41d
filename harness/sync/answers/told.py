"""What a resource tells of itself: the members by which a sync knows what it is.

The others are not even parsed. Whatever shape a member has, it is no reason to lose the resource.
"""

from __future__ import annotations

from typing import Any, TypeAlias

import msgspec

Other: TypeAlias = bool | int | float | str | list[Any] | None
"""What stands where an object belongs."""


class Meta(msgspec.Struct, gc=False, frozen=True, rename="camel"):
    """`Resource.meta`."""

    version_id: Any = None
    last_updated: Any = None


class Reference(msgspec.Struct, gc=False, frozen=True):
    """A reference to another resource."""

    reference: Any = None


class Told(msgspec.Struct, gc=False, frozen=True):
    """A resource; members that are absent are None, and objects are of the right kind or none."""

    type: Any = msgspec.field(default=None, name="resourceType")
    id: Any = None
    meta: Meta | Other = None
    subject: Reference | Other = None
    patient: Reference | Other = None
    link: Any = None
    issue: Any = None


told_by = msgspec.json.Decoder(Told).decode
"""Told by its bytes; raises ValueError or RecursionError where they are no JSON object, and also
for some oddities that the standard library reads: half a character, a number beyond all floats."""


def told(value: Any) -> Told | None:
    """Told by a parsed value; None if it is no object."""
    return msgspec.convert(value, Told) if isinstance(value, dict) else None
