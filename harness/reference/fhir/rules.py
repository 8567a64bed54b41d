"""What this server requires of a resource beyond its shape.

400 answers what is no FHIR R4 resource of its type, 422 what is one but breaks a rule
(http://hl7.org/fhir/R4/http.html#create, "Rejecting").
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

from harness.reference.fhir.elements import CODES
from harness.reference.fhir.invariants import INVARIANTS
from harness.reference.fhir.outcome import Issue, Refused
from harness.reference.fhir.reach import Reach, forbidden
from harness.reference.fhir.shape import misshapes
from harness.reference.fhir.store import Store

Json = dict[str, Any]
MOST_ISSUES: Final = 20


@dataclass(frozen=True, slots=True)
class Owner:
    """The element by which a resource belongs to a patient, and whether it must stand."""

    element: str
    required: bool = True


OWNERS: Final = {
    "AllergyIntolerance": Owner("patient"),
    "Device": Owner("patient", required=False),
    "Provenance": Owner("target"),
}
"""By type; all others belong by `subject`, which must stand."""
_SUBJECT: Final = Owner("subject")


def shape_issues(resource: Json) -> list[Issue]:
    """Returns why a resource is none of its type in FHIR R4; empty if it is one."""
    resource_type = resource["resourceType"]
    issues = list(misshapes(resource, resource_type, resource_type))
    issues += () if issues else _unknown_codes(resource, resource_type)
    return issues[:MOST_ISSUES]


def require_rules(resource: Json, store: Store, reach: Reach, base: str) -> None:
    """Checks a well-shaped resource against the rules of this server.

    Raises:
        Refused: 403 if it would belong to a patient outside the reach, 422 for every other rule.
    """
    issues = (*_misplaced(resource, store, base), *_broken(resource))
    if issues:
        raise Refused(422, issues)
    if reach.compartment not in (None, store.owner(normalised(resource, base))):
        raise forbidden(
            "this token is bound to one patient, and this would belong to another or to nobody",
            expression=f"{resource['resourceType']}.{_owner(resource).element}",
        )


def normalised(resource: Json, base: str) -> Json:
    """Returns the resource as this server stores it: it belongs by relative references."""
    element = _owner(resource).element
    given = resource.get(element)
    if isinstance(given, list):
        return {**resource, element: [_relative(one, base) for one in given]}
    return {**resource, element: _relative(given, base)} if given else resource


def _owner(resource: Json) -> Owner:
    return OWNERS.get(resource["resourceType"], _SUBJECT)


def _relative(reference: Json, base: str) -> Json:
    given = reference.get("reference")
    return {**reference, "reference": given.removeprefix(f"{base}/")} if given else reference


def _unknown_codes(resource: Json, resource_type: str) -> Iterator[Issue]:
    for path, known in CODES.items():
        kind, _, element = path.partition(".")
        if kind != resource_type or element not in resource:
            continue
        for code in _codes(resource[element]):
            if code not in known:
                text = f"{element} {code!r:.60} is none of {', '.join(known)}"
                yield Issue("code-invalid", text, path)


def _codes(value: Any) -> Iterator[str]:
    """Yields the codes in a code, a list of codes, or a CodeableConcept."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, list):
        yield from value
    else:
        yield from (one["code"] for one in value.get("coding", []) if "code" in one)


def _misplaced(resource: Json, store: Store, base: str) -> Iterator[Issue]:
    """Yields why a resource does not belong to what this server has."""
    owner = _owner(resource)
    path = f"{resource['resourceType']}.{owner.element}"
    given = resource.get(owner.element)
    if isinstance(given, list):
        for index, one in enumerate(given):
            yield from _unknown_target(one, store, base, f"{path}[{index}]")
        return
    reference = (given or {}).get("reference")
    if reference is None:
        if owner.required or given:
            yield Issue("required", f"{owner.element}.reference is missing", path)
        return
    kind, _, patient_id = reference.removeprefix(f"{base}/").partition("/")
    known = store.current("Patient", patient_id) if kind == "Patient" else None
    if known is None or known.deleted:
        text = f"{owner.element} {reference!r:.80} is no Patient of this server"
        yield Issue("not-found", text, path)


def _unknown_target(one: Json, store: Store, base: str, path: str) -> Iterator[Issue]:
    reference = one.get("reference", "")
    kind, _, rest = reference.removeprefix(f"{base}/").partition("/")
    known = store.current(kind, rest.partition("/")[0])
    if known is None or known.deleted:
        yield Issue("not-found", f"{reference!r:.80} is no resource of this server", path)


def _broken(resource: Json) -> Iterator[Issue]:
    resource_type = resource["resourceType"]
    yield from _quantities(resource, resource_type)
    for index, component in enumerate(resource.get("component", [])):
        yield from _quantities(component, f"{resource_type}.component[{index}]")
    for invariant in INVARIANTS.get(resource_type, ()):
        if not invariant.holds(resource):
            text = f"{invariant.name}: {invariant.text}"
            yield Issue("invariant", text, invariant.expression)


def _quantities(element: Json, path: str) -> Iterator[Issue]:
    quantity = element.get("valueQuantity")
    if quantity is None:
        return
    where = f"{path}.valueQuantity"
    if "value" not in quantity:
        yield Issue("required", "the quantity has no number", f"{where}.value")
    if "code" in quantity and "system" not in quantity:
        yield Issue("invariant", "qty-3: a unit code without its system", f"{where}.system")
