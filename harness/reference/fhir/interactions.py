"""What can be done with which resource type, and who does it.

Routes and CapabilityStatement are both made from these tables.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Final

from starlette.requests import Request
from starlette.responses import Response

from harness.reference.bulk import kickoff
from harness.reference.fhir import history, operations, reads, searches, writes
from harness.reference.fhir.context import Context
from harness.reference.fhir.elements import WRITABLE

Handler = Callable[[Context, Request, str], Awaitable[Response]]

READING: Final = ("read", "vread", "history-instance", "history-type", "search-type")
WRITING: Final = ("create", "update", "patch", "delete")
BULK_DATA: Final = "http://hl7.org/fhir/uv/bulkdata"
SYSTEM: Final = ("transaction", "batch", "history-system")
"""What is done at the base."""

HANDLERS: Final[Mapping[str, tuple[tuple[str, str, Handler], ...]]] = {
    "read": (("GET", "/{id}", reads.read),),
    "vread": (("GET", "/{id}/_history/{vid}", reads.vread),),
    "history-instance": (("GET", "/{id}/_history", history.of_instance),),
    "history-type": (("GET", "/_history", history.of_type),),
    "search-type": (("GET", "", searches.search), ("POST", "/_search", searches.search)),
    "create": (("POST", "", writes.create),),
    "update": (("PUT", "/{id}", writes.update), ("PUT", "", writes.update_matched)),
    "patch": (("PATCH", "/{id}", writes.patch),),
    "delete": (("DELETE", "/{id}", writes.delete), ("DELETE", "", writes.delete_matched)),
}
"""FHIR interaction: method, path behind the type, handler."""


@dataclass(frozen=True, slots=True)
class Operation:
    """One operation.

    Args:
        name: without the dollar sign.
        resource_type: on which it works.
        definition: canonical URL.
        paths: behind the type.
        handler: answers it.
        methods: by which it is asked for.
    """

    name: str
    resource_type: str
    definition: str
    paths: tuple[str, ...]
    handler: Handler
    methods: tuple[str, ...] = ("GET",)


OPERATIONS: Final = (
    Operation(
        "everything",
        "Patient",
        "http://hl7.org/fhir/OperationDefinition/Patient-everything",
        ("/$everything", "/{id}/$everything"),
        operations.everything,
    ),
    Operation(
        "lastn",
        "Observation",
        "http://hl7.org/fhir/OperationDefinition/Observation-lastn",
        ("/$lastn",),
        operations.last_n,
    ),
    Operation(
        "export",
        "Patient",
        f"{BULK_DATA}/OperationDefinition/patient-export",
        ("/$export",),
        kickoff.of_patients,
        ("GET", "POST"),
    ),
    Operation(
        "export",
        "Group",
        f"{BULK_DATA}/OperationDefinition/group-export",
        ("/{id}/$export",),
        kickoff.of_group,
        ("GET", "POST"),
    ),
)
SYSTEM_EXPORT: Final = f"{BULK_DATA}/OperationDefinition/export"
"""The operation at the base."""


def interactions(resource_type: str) -> tuple[str, ...]:
    """Returns the FHIR names of what can be done with a resource type."""
    return (*READING, *(WRITING if resource_type in WRITABLE else ()))
