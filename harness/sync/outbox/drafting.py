"""From a resource to a write that can be queued: whose it is, by what it is known again. Pure.

A write is known again by an identifier, so that whatever becomes of an answer, one submission is
one resource. It is the caller's key, else the resource's own first identifier, else it follows
from the content: equal submissions of one tenant get equal identifiers.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any
from uuid import NAMESPACE_URL, uuid5

from harness.errors import UsageError
from harness.fhir.observations import checked
from harness.sync.outbox.model import Draft, Entry, Key, Op
from harness.sync.outbox.text import digest, dumps, loads

URN = "urn:ietf:rfc:3986"
"""The system of identifiers that are URIs. http://hl7.org/fhir/R4/datatypes.html#Identifier"""

WITHOUT_IDENTIFIER = frozenset({"Provenance", "Binary", "AuditEvent", "Linkage"})
_SUBJECTS = ("subject", "patient", "beneficiary", "for")

KeyLike = Key | tuple[str, str] | str


def to_create(
    tenant: str, resource: Any, key: KeyLike | None = None, *, validate: bool = True
) -> Draft:
    """The write of a new resource.

    Args:
        tenant: its name; the same key of two tenants is two keys.
        resource: a JSON object, or a model of fhir.resources.
        key: what the write is known by: a system and a value, or any text of the caller's own.
        validate: whether it has to be valid FHIR by fhir.resources.

    Raises:
        UsageError: it is no resource of a patient, is not valid, or cannot be told from others.
    """
    given = plain(resource)
    kind = _kind(given)
    if kind in WITHOUT_IDENTIFIER:
        raise UsageError(f"{kind}: has no identifier by which a repetition could be recognised")
    given.pop("id", None)
    given = _without_servers_meta(given)
    chosen = _key(tenant, given, key)
    sent = _identified(given, chosen)
    if validate:
        checked(_as_json(sent))
    return Draft(
        Op.CREATE, kind, patient_of(given), dumps(sent), f"create {chosen}", digest(sent), chosen
    )


def to_update(resource: Any, based_on: Any = None, *, validate: bool = True) -> Draft:
    """The change of a resource that was read from the EHR.

    Args:
        resource: as it shall be, with its `id`, and `meta.versionId` of the version it is based on.
        based_on: as it was read; needed where the EHR keeps no versions.
        validate: as `to_create`.

    Raises:
        UsageError: as `to_create`; or nothing says what it is based on.
    """
    wanted = plain(resource)
    base = None if based_on is None else plain(based_on)
    kind, server_id = _kind(wanted), wanted.get("id")
    version = _version(base or wanted)
    if not isinstance(server_id, str) or not server_id:
        raise UsageError(f"{kind}: expected the id of the resource that is changed, got none")
    if version is None and base is None:
        raise UsageError(
            f"{kind}: expected meta.versionId, to know which version the change is based on",
            hint="take the resource as it was read, and change that",
        )
    if base is not None and (base.get("resourceType"), base.get("id")) != (kind, server_id):
        raise UsageError(f"{kind}: expected what it is based on to be the same resource")
    if validate:
        checked(_as_json(wanted))
    content = digest([wanted, base])
    return Draft(
        Op.UPDATE,
        kind,
        patient_of(wanted),
        dumps(wanted),
        f"update {kind}/{server_id} {content}",
        content,
        Key("", ""),
        base=None if base is None else dumps(base),
        server_id=server_id,
        version=version,
    )


def to_correct(original: Entry, latest: Entry, resource: Any, *, validate: bool = True) -> Draft:
    """The correction of what an entry wrote.

    Args:
        original: the entry that created it.
        latest: the last change of it that was submitted.
        resource: as it should have been; a status `final` becomes `corrected`.
        validate: as `to_create`.

    Raises:
        UsageError: as `to_create`; or it is of another patient or type.
    """
    wanted = _identified(_without_servers_meta(plain(resource)), original.key)
    wanted.pop("id", None)
    if (_kind(wanted), patient_of(wanted)) != (original.type, original.patient):
        raise UsageError(
            f"entry {original.id}: expected a {original.type} of the same patient, to correct it"
        )
    if original.type == "Observation" and wanted.get("status") == "final":
        wanted["status"] = "corrected"
    if validate:
        checked(_as_json(wanted))
    content = digest([wanted, latest.id])
    return Draft(
        Op.UPDATE,
        original.type,
        original.patient,
        dumps(wanted),
        f"correct {original.id} {content}",
        content,
        original.key,
        base=latest.resource,
        target=original.id,
    )


def to_retract(original: Entry) -> Draft:
    """Mark what an entry wrote as `entered-in-error`; FHIR keeps it, and nobody is misled."""
    wanted = {"resourceType": original.type, "status": "entered-in-error"}
    return Draft(
        Op.RETRACT,
        original.type,
        original.patient,
        dumps(wanted),
        f"retract {original.id}",
        digest(wanted),
        original.key,
        target=original.id,
    )


def plain(resource: Any) -> dict[str, Any]:
    """A resource as a JSON object of its own; models of fhir.resources are taken as well.

    Raises:
        UsageError: it is neither.
    """
    if hasattr(resource, "model_dump_json"):
        resource = loads(resource.model_dump_json())
    if not isinstance(resource, Mapping):
        raise UsageError(f"resource: expected a JSON object, got {type(resource).__name__}")
    copy: dict[str, Any] = loads(dumps(resource))
    return copy


def patient_of(resource: Mapping[str, Any]) -> str:
    """The id of the patient whom a resource is about.

    Raises:
        UsageError: it names none.
    """
    for name in _SUBJECTS:
        reference = resource.get(name)
        target = reference.get("reference") if isinstance(reference, Mapping) else None
        if isinstance(target, str):
            kind, _, id_ = target.partition("/_history/")[0].rpartition("/")
            if kind.rpartition("/")[2] == "Patient" and id_:
                return id_
    found = resource.get("resourceType")
    raise UsageError(f"{found}: expected a reference to a Patient, such as subject, got none")


def _kind(resource: Mapping[str, Any]) -> str:
    kind = resource.get("resourceType")
    if not isinstance(kind, str) or not kind.isalpha():
        raise UsageError(f"resource: expected a resourceType, got {str(kind)[:60]!r}")
    return kind


def _key(tenant: str, resource: Mapping[str, Any], key: KeyLike | None) -> Key:
    if isinstance(key, Key):
        return key
    if isinstance(key, tuple):
        return Key(*key)
    if key is None:
        own = _own_identifier(resource)
        if own is not None:
            return own
        key = digest(resource)
    return Key(URN, f"urn:uuid:{uuid5(NAMESPACE_URL, f'outbox:{tenant}:{key}')}")


def _own_identifier(resource: Mapping[str, Any]) -> Key | None:
    listed = resource.get("identifier")
    for each in listed if isinstance(listed, list) else []:
        if isinstance(each, Mapping):
            system, value = each.get("system"), each.get("value")
            if isinstance(system, str) and isinstance(value, str) and system and value:
                return Key(system, value)
    return None


def _identified(resource: dict[str, Any], key: Key) -> dict[str, Any]:
    listed = resource.get("identifier")
    listed = list(listed) if isinstance(listed, list) else []
    wanted = {"system": key.system, "value": key.value}
    if any(isinstance(e, Mapping) and wanted.items() <= e.items() for e in listed):
        return resource
    head = {"resourceType": resource["resourceType"], "identifier": [*listed, wanted]}
    return {**head, **{name: value for name, value in resource.items() if name not in head}}


def _without_servers_meta(resource: dict[str, Any]) -> dict[str, Any]:
    meta = resource.get("meta")
    if not isinstance(meta, Mapping):
        return resource
    kept = {n: v for n, v in meta.items() if n not in ("versionId", "lastUpdated")}
    rest = {name: value for name, value in resource.items() if name != "meta"}
    return {**rest, "meta": kept} if kept else rest


def _version(resource: Mapping[str, Any]) -> str | None:
    meta = resource.get("meta")
    version = meta.get("versionId") if isinstance(meta, Mapping) else None
    return version if isinstance(version, str) and version else None


def _as_json(resource: Any) -> dict[str, Any]:
    """With floats, as fhir.resources takes it."""
    value: dict[str, Any] = json.loads(dumps(resource))
    return value


def of_resource(tenant: str, resource: Any, *, validate: bool = True) -> Draft:
    """The write that a resource of a file asks for.

    What was read from the EHR, and so has an id and a version, is changed; the rest is created.
    """
    given = plain(resource)
    if isinstance(given.get("id"), str) and _version(given) is not None:
        return to_update(given, validate=validate)
    return to_create(tenant, given, validate=validate)
