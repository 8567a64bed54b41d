"""The control listener: loopback only, behind a secret; makes instances and looks into them."""

from __future__ import annotations

import json
import secrets
from collections.abc import Awaitable, Callable
from dataclasses import asdict, dataclass
from typing import Any

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from harness.errors import UsageError
from harness.reference import faults, variants
from harness.reference.app import DEFAULT, NAME, Reference
from harness.reference.bulk.options import BulkOptions
from harness.reference.fhir.shelf import TooBroad
from harness.reference.instance import Instance
from harness.reference.smart import DEFAULT_SMART, SmartVersion
from harness.reference.throttle import RetryAfter, Throttle

_MAX_BYTES = 4 * 1024 * 1024
_Handler = Callable[[Request], Awaitable[Response]]


class _Refused(Exception):
    """A request that cannot be done, with its status and reason."""

    def __init__(self, status: int, reason: str) -> None:
        self.status = status
        self.reason = reason
        super().__init__(reason)


@dataclass(frozen=True, slots=True)
class Control:
    """The handlers.

    Args:
        reference: what is controlled.
        secret: the bearer token that each request must carry.
    """

    reference: Reference
    secret: str

    def app(self) -> Starlette:
        """The ASGI application."""
        handlers: list[tuple[str, str, _Handler]] = [
            ("GET", "/instances", self.list_instances),
            ("POST", "/instances", self.create),
            ("DELETE", "/instances/{name}", self.delete),
            ("POST", "/instances/{name}/clock", self.advance),
            ("GET", "/instances/{name}/requests", self.requests),
            ("GET", "/instances/{name}/resources/{type}", self.resources),
            ("POST", "/instances/{name}/resources", self.write),
            ("DELETE", "/instances/{name}/resources/{type}/{id}", self.remove),
            ("GET", "/instances/{name}/variants", self.varied),
            ("GET", "/faults", self.faults),
            ("GET", "/variants", self.variants),
        ]
        return Starlette(
            routes=[
                Route(path, self._guarded(handler), methods=[method])
                for method, path, handler in handlers
            ]
        )

    def _guarded(self, handler: _Handler) -> _Handler:
        expected = f"Bearer {self.secret}".encode()

        async def guarded(request: Request) -> Response:
            given = request.headers.get("authorization", "").encode()
            if not secrets.compare_digest(expected, given):
                return JSONResponse({"error": "the control secret is required"}, 401)
            try:
                return await handler(request)
            except _Refused as refusal:
                return JSONResponse({"error": refusal.reason}, refusal.status)

        return guarded

    async def list_instances(self, request: Request) -> Response:
        """GET /instances."""
        del request
        return JSONResponse([describe(app.instance) for app in self.reference.apps.values()])

    async def create(self, request: Request) -> Response:
        """POST /instances {name, faults, variants, smart, rate, burst, retry_after, bulk}."""
        body = await _json_object(request)
        name = body.get("name")
        if not isinstance(name, str) or not NAME.fullmatch(name):
            raise _Refused(400, f"name must match {NAME.pattern}")
        try:
            instance = self.reference.add(
                name,
                faults.known(_names(body, "faults")),
                _throttle(body),
                _smart(body),
                variants.known(_names(body, "variants")),
                bulk=_bulk(body),
            )
        except UsageError as error:
            raise _Refused(400, str(error)) from error
        return JSONResponse(describe(instance), 201)

    async def delete(self, request: Request) -> Response:
        """DELETE /instances/NAME."""
        instance = self._instance(request)
        if instance.name == DEFAULT:
            raise _Refused(409, "the default instance stays; POST /instances replaces it")
        self.reference.remove(instance.name)
        return Response(status_code=204)

    async def advance(self, request: Request) -> Response:
        """POST /instances/NAME/clock {advance_seconds}."""
        instance = self._instance(request)
        seconds = (await _json_object(request)).get("advance_seconds")
        if isinstance(seconds, bool) or not isinstance(seconds, int | float):
            raise _Refused(400, "advance_seconds must be a number")
        try:
            instance.clock.advance(seconds)
        except (ValueError, OverflowError) as error:
            raise _Refused(400, str(error)) from error
        return JSONResponse({"now": instance.clock.now().isoformat()})

    async def requests(self, request: Request) -> Response:
        """GET /instances/NAME/requests: what was asked and how it was answered."""
        instance = self._instance(request)
        counts = [
            {"method": method, "route": route, "status": status, "count": count}
            for (method, route, status), count in sorted(instance.requests.items())
        ]
        total = sum(instance.requests.values())
        return JSONResponse(
            {"total": total, "throttled": instance.throttle.refused, "requests": counts}
        )

    async def resources(self, request: Request) -> Response:
        """GET /instances/NAME/resources/TYPE?patient=ID: the truth, whatever search answers."""
        instance = self._instance(request)
        patient = request.query_params.get("patient")
        try:
            found = instance.store.all(request.path_params["type"], patient)
        except TooBroad:
            raise _Refused(400, "too many to look at each; name a patient") from None
        return JSONResponse(
            [
                {
                    "id": stored.id,
                    "version": stored.version_id,
                    "lastUpdated": stored.last_updated.isoformat(),
                    "patient": stored.patient,
                }
                for stored in found
            ]
        )

    async def write(self, request: Request) -> Response:
        """POST /instances/NAME/resources RESOURCE: a write by another application."""
        instance = self._instance(request)
        resource = await _json_object(request)
        resource_type, resource_id = resource.get("resourceType"), resource.get("id", "")
        if not isinstance(resource_type, str) or not isinstance(resource_id, str):
            raise _Refused(400, "a resource has a resourceType, and its id is a string")
        stored = instance.store.put_as_other(resource, instance.clock.now())
        body = {
            "resourceType": stored.resource_type,
            "id": stored.id,
            "version": stored.version_id,
            "lastUpdated": stored.last_updated.isoformat(),
        }
        return JSONResponse(body, 201)

    async def remove(self, request: Request) -> Response:
        """DELETE /instances/NAME/resources/TYPE/ID: a deletion by another application."""
        instance = self._instance(request)
        key = request.path_params["type"], request.path_params["id"]
        if not instance.store.versions(*key):
            raise _Refused(404, "no such resource")
        instance.store.delete(*key, instance.clock.now())
        return Response(status_code=204)

    async def varied(self, request: Request) -> Response:
        """GET /instances/NAME/variants: how often each variant of it was met."""
        instance = self._instance(request)
        return JSONResponse({name: instance.varied[name] for name in sorted(instance.variants)})

    async def variants(self, request: Request) -> Response:
        """GET /variants."""
        del request
        return JSONResponse([asdict(each) for each in variants.catalogue().values()])

    async def faults(self, request: Request) -> Response:
        """GET /faults."""
        del request
        return JSONResponse(fault_list())

    def _instance(self, request: Request) -> Instance:
        app = self.reference.apps.get(request.path_params["name"])
        if app is None:
            raise _Refused(404, "no such instance")
        return app.instance


def describe(instance: Instance) -> dict[str, Any]:
    """An instance for a reader of JSON."""
    return {
        "name": instance.name,
        "fhir_base": instance.fhir_base,
        "issuer": instance.issuer,
        "faults": sorted(instance.faults),
        "variants": sorted(instance.variants),
        "smart": instance.smart.value,
        "now": instance.clock.now().isoformat(),
        "rate": instance.throttle.rate,
        "burst": instance.throttle.burst,
        "retry_after": instance.throttle.retry_after,
        "bulk": asdict(instance.bulk.options),
    }


def fault_list() -> list[dict[str, Any]]:
    """The catalogue of faults for a reader of JSON."""
    return [
        {
            "name": fault.name,
            "part": fault.part,
            "cause": fault.cause,
            "alters": list(fault.alters),
            "trips": list(fault.trips),
        }
        for fault in faults.catalogue().values()
    ]


def _names(body: dict[str, Any], member: str) -> list[str]:
    names = body.get(member, [])
    if not isinstance(names, list) or not all(isinstance(each, str) for each in names):
        raise _Refused(400, f"{member} must be a list of names")
    return names


def _smart(body: dict[str, Any]) -> SmartVersion:
    wanted = body.get("smart", DEFAULT_SMART)
    if wanted not in list(SmartVersion):
        raise _Refused(400, f"smart must be one of {', '.join(SmartVersion)}")
    return SmartVersion(wanted)


def _bulk(body: dict[str, Any]) -> BulkOptions:
    given = body.get("bulk", {})
    if not isinstance(given, dict):
        raise _Refused(400, "bulk must be an object")
    try:
        return BulkOptions.checked(given)
    except ValueError as error:
        raise _Refused(400, f"bulk: {error}") from error


def _throttle(body: dict[str, Any]) -> Throttle:
    rate, burst = body.get("rate"), body.get("burst")
    try:
        return Throttle.checked(rate, burst, body.get("retry_after") or RetryAfter.SECONDS)
    except (ValueError, TypeError) as error:
        raise _Refused(400, f"throttle: {error}") from error


async def _json_object(request: Request) -> dict[str, Any]:
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > _MAX_BYTES:
            raise _Refused(413, f"the body is larger than {_MAX_BYTES} bytes")
    try:
        value = json.loads(body)
    except (ValueError, RecursionError) as error:
        raise _Refused(400, "the body is no JSON") from error
    if not isinstance(value, dict):
        raise _Refused(400, "the body is no JSON object")
    return value
