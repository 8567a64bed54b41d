"""Variants of the other interactions: which of them are there, and what they answer."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from harness.reference.varied.exchange import FHIR, METADATA, Answer, Asked, Json

if TYPE_CHECKING:
    from harness.reference.instance import Instance

_OK, _CREATED, _NO_CONTENT, _FORBIDDEN, _NOT_FOUND, _GONE = 200, 201, 204, 403, 404, 410
_DONE = {
    "resourceType": "OperationOutcome",
    "issue": [{"severity": "information", "code": "informational", "diagnostics": "filed"}],
}


def answer(instance: Instance, asked: Asked, given: Answer) -> Answer:
    """Alters what writes and reads answer; a status that says who may do so is left alone."""
    if asked.path == METADATA and (value := given.json()):
        return given.with_json(_statement(instance, value))
    if not asked.resource_type[:1].isupper() or asked.searches:
        return given
    match asked.method:
        case "POST":
            return _create(instance, asked, given)
        case "PUT":
            return _update(instance, asked, given)
        case "DELETE":
            return _delete(instance, given)
        case _:
            return _read(instance, asked, given)


def request(instance: Instance, asked: Asked) -> Asked:
    """Takes away the condition of a create, where such are not offered."""
    if asked.method == "POST" and instance.has("conditional-create-not-offered"):
        return asked.with_header("if-none-exist", None)
    return asked


def refusal(instance: Instance, asked: Asked) -> Answer | None:
    """The answer to an interaction that is not offered; None where it is."""
    writes = asked.method in ("POST", "PUT", "PATCH", "DELETE") and not asked.searches
    writes = writes and "/$" not in asked.path  # an operation is no write, nor is its end
    if asked.path.startswith(FHIR) and writes and instance.has("writes-not-offered"):
        return _not_offered()
    if instance.has("only-plain-writes-for-applications") and _beyond_plain(asked):
        return Answer.outcome(_FORBIDDEN, "forbidden", "not available to this application")
    if not asked.resource_type[:1].isupper() or asked.searches:
        return None
    missing = {"PUT": "update-not-offered", "DELETE": "delete-not-offered"}.get(asked.method)
    if missing is not None and instance.has(missing):
        return _not_offered()
    blind = asked.method == "PUT" and asked.instance_level and asked.header("if-match") is None
    if blind and instance.has("update-needs-if-match"):
        return Answer.outcome(412, "required", "If-Match is required")
    return None


def _beyond_plain(asked: Asked) -> bool:
    """Whether it is a batch, a transaction, or a write on a condition."""
    if asked.path in (FHIR, f"{FHIR}/"):
        return asked.method == "POST"
    created = asked.method == "POST" and asked.header("if-none-exist") is not None
    updated = asked.method == "PUT" and not asked.instance_level
    return asked.resource_type[:1].isupper() and (created or updated)


def _not_offered() -> Answer:
    refused = Answer.outcome(405, "not-supported", "the interaction is not supported")
    return refused.with_header("allow", "GET, HEAD")


def _create(instance: Instance, asked: Asked, given: Answer) -> Answer:
    if given.status != _CREATED or asked.header("prefer"):
        return given
    if instance.has("create-answers-without-body"):
        return replace(given, body=b"").with_header("content-type", None)
    if instance.has("create-answers-with-outcome"):
        return given.with_json(_DONE)
    return given


def _update(instance: Instance, asked: Asked, given: Answer) -> Answer:
    free = given.status == _OK and not asked.header("prefer")
    if free and instance.has("update-answers-without-body"):
        return replace(given, body=b"").with_header("content-type", None)
    return given


def _delete(instance: Instance, given: Answer) -> Answer:
    if given.status == _NO_CONTENT and instance.has("delete-answers-with-outcome"):
        return Answer.resource(_OK, _DONE)
    return given


def _read(instance: Instance, asked: Asked, given: Answer) -> Answer:
    if not asked.instance_level:
        return given
    if given.status == _GONE and instance.has("deleted-is-not-found"):
        return replace(given, status=_NOT_FOUND)
    if given.status == _FORBIDDEN and instance.has("read-beyond-scope-is-not-found"):
        return Answer.outcome(_NOT_FOUND, "not-found", "there is no such resource")
    unseen = given.status == _NOT_FOUND and "/_history" not in asked.path
    if unseen and instance.has("read-beyond-access-is-forbidden"):
        return Answer.outcome(_FORBIDDEN, "forbidden", "this is not for the bearer of this token")
    return given


def _statement(instance: Instance, value: Json) -> Json:
    missing: tuple[str, ...] = ()
    if instance.has("writes-not-offered"):
        missing += ("create", "update", "patch", "delete", "batch", "transaction")
    if instance.has("update-not-offered"):
        missing += ("update",)
    if instance.has("delete-not-offered"):
        missing += ("delete",)
    for rest in value["rest"]:
        _keep(rest, missing)
        for each in rest.get("resource", []):
            _keep(each, missing)
            _conditions(each, missing)
            if instance.has("conditional-create-not-offered"):
                each["conditionalCreate"] = False
            if instance.has("update-needs-if-match"):
                each["versioning"] = "versioned-update"
    return value


def _conditions(resource: Json, missing: tuple[str, ...]) -> None:
    """What is not offered is not offered on conditions either."""
    none = {"create": False, "update": False, "delete": "not-supported"}
    for interaction, value in none.items():
        if interaction in missing:
            resource[f"conditional{interaction.title()}"] = value


def _keep(holder: Json, missing: tuple[str, ...]) -> None:
    if "interaction" in holder:
        found = holder["interaction"]
        holder["interaction"] = [one for one in found if one["code"] not in missing]
