"""The CapabilityStatement, made from what is really routed.

FHIR R4: http://hl7.org/fhir/R4/capabilitystatement.html; its security part as SMART App Launch
says: https://hl7.org/fhir/smart-app-launch/STU2/conformance.html
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Any, Final

from starlette.requests import Request
from starlette.responses import Response

from harness.reference.data.instants import instant
from harness.reference.fhir.context import Context, Served
from harness.reference.fhir.faulty import answering as faulty
from harness.reference.fhir.formats import FHIR_JSON, JSON_PATCH, respond
from harness.reference.fhir.interactions import (
    BULK_DATA,
    OPERATIONS,
    SYSTEM,
    SYSTEM_EXPORT,
    interactions,
)
from harness.reference.fhir.json import dumps
from harness.reference.fhir.parameters import INCLUDES, PARAMETERS, REV_INCLUDES
from harness.reference.fhir.resources import RESOURCES, ResourceKind
from harness.reference.push import subscribing

Json = dict[str, Any]

FHIR_VERSION: Final = "4.0.1"
OAUTH_URIS: Final = "http://fhir-registry.smarthealthit.org/StructureDefinition/oauth-uris"
SECURITY_SERVICE: Final = "http://terminology.hl7.org/CodeSystem/restful-security-service"
ENDPOINTS: Final = ("authorize", "token", "manage")
"""What the oauth-uris extension may hold; register is not offered here."""


async def metadata(context: Context, made: Callable[[], bytes], request: Request) -> Response:
    """Answers `GET [base]/metadata`, with and without a token.

    Args:
        context: of the interface.
        made: returns the CapabilityStatement as JSON, always the same.
        request: to be answered.
    """
    instance = context.instance
    faulty.require_token(instance.has, request.headers.get("authorization"))
    page = faulty.statement_page(instance.has)
    if page:
        return page
    return respond(request, made())


def statement(context: Context) -> bytes:
    """Returns the CapabilityStatement as it is served, as JSON."""
    made = capability_statement(context.instance, context.started)
    return dumps(faulty.statement(context.instance.has, made))


def capability_statement(instance: Served, date: datetime) -> Json:
    """Returns the CapabilityStatement of an instance.

    Args:
        instance: whose it is.
        date: since when it holds, in UTC.
    """
    return {
        "resourceType": "CapabilityStatement",
        "id": "reference-ehr",
        "url": f"{instance.fhir_base}/metadata",
        "name": "ReferenceEhr",
        "title": "Reference EHR",
        "status": "active",
        "experimental": True,
        "date": instant(date),
        "kind": "instance",
        "software": {"name": "fhir-harness reference EHR"},
        "instantiates": [f"{BULK_DATA}/CapabilityStatement/bulk-data"],
        "implementation": {
            "description": "An embedded (g)(10) server with synthetic patients",
            "url": instance.fhir_base,
        },
        "fhirVersion": FHIR_VERSION,
        "format": ["json", FHIR_JSON],
        "patchFormat": [JSON_PATCH],
        "rest": [
            {
                "mode": "server",
                "security": _security(instance),
                "resource": [
                    *(_resource(name, kind) for name, kind in RESOURCES.items()),
                    *subscribing.declared(instance.has),
                ],
                "interaction": [{"code": code} for code in SYSTEM],
                "operation": [{"name": "export", "definition": SYSTEM_EXPORT}],
                "compartment": ["http://hl7.org/fhir/CompartmentDefinition/patient"],
            }
        ],
    }


def _security(instance: Served) -> Json:
    uris = [{"url": name, "valueUri": instance.oauth(name)} for name in ENDPOINTS]
    return {
        "extension": [{"url": OAUTH_URIS, "extension": uris}],
        "cors": True,
        "service": [
            {
                "coding": [
                    {
                        "system": SECURITY_SERVICE,
                        "code": "SMART-on-FHIR",
                        "display": "SMART-on-FHIR",
                    }
                ],
                "text": "OAuth 2.0 with SMART App Launch",
            }
        ],
    }


def _resource(name: str, kind: ResourceKind) -> Json:
    routed = interactions(name)
    writes = "update" in routed
    element: Json = {
        "type": name,
        "supportedProfile": list(kind.profiles),
        "interaction": [{"code": code} for code in routed],
        "versioning": "versioned-update" if writes else "versioned",
        "readHistory": True,
        "updateCreate": False,
        "conditionalCreate": "create" in routed,
        "conditionalRead": "full-support",
        "conditionalUpdate": writes,
        "conditionalDelete": "single" if "delete" in routed else "not-supported",
        "searchInclude": [f"{name}:{one}" for one in INCLUDES.get(name, ())],
        "searchRevInclude": list(REV_INCLUDES.get(name, ())),
        "searchParam": [
            {"name": one.name, "definition": one.definition, "type": one.kind}
            for one in PARAMETERS[name].values()
        ],
        "operation": [
            {"name": one.name, "definition": one.definition}
            for one in OPERATIONS
            if one.resource_type == name
        ],
    }
    if writes:
        element["documentation"] = (
            "A PUT to an id creates nothing (405 for an unknown one); a stale If-Match is refused "
            "with 412; what belongs to a patient names a Patient of this server; a patch is a "
            "JSON Patch."
        )
    return {member: value for member, value in element.items() if value != []}
