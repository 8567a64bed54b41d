"""What stands before the FHIR routes: the rate limit and the bearer token (RFC 6750)."""

from __future__ import annotations

import asyncio
import time
from datetime import UTC, datetime
from typing import Any
from urllib.parse import parse_qs

from starlette.responses import JSONResponse, Response
from starlette.types import ASGIApp, Receive, Scope, Send

from harness.reference.access import Access
from harness.reference.bulk.faulty.serving import needs_token
from harness.reference.instance import Instance
from harness.reference.oauth.faulty import unnumbered

FHIR_JSON = "application/fhir+json"
ONE_TAKES = 1.5
"""Seconds that the only worker needs for a request, where a fault leaves only one."""

_REALM = 'Bearer realm="reference"'


class FhirGate:
    """Passes a request on with `request.state.access`, or refuses it with an OperationOutcome.

    Args:
        app: the FHIR routes; paths are relative to the FHIR base.
        instance: whose limit and tokens are meant.
    """

    def __init__(self, app: ASGIApp, instance: Instance) -> None:
        self.app = app
        self.instance = instance
        self._worker = asyncio.Lock()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One HTTP request."""
        one_by_one = self.instance.has("throttle-serves-one-by-one")
        refusal = None if one_by_one else refused_for_load(self.instance)
        answer = refusal or self.admit(scope)
        if one_by_one:
            await self._in_turn()
        await (answer or self.app)(scope, receive, send)

    async def _in_turn(self) -> None:
        """Waits for the only worker; who finds it free does not notice."""
        crowded = self._worker.locked()
        async with self._worker:
            await asyncio.sleep(ONE_TAKES if crowded else 0)

    def admit(self, scope: Scope) -> Response | None:
        """Sets the access of the request; a response where it has none."""
        public = scope["path"] == "/metadata"
        authorization = _header(scope, b"authorization")
        access: Access | None = None
        if not public:
            found = self._access(scope, authorization)
            if isinstance(found, Response):
                return found
            access = found
        scope.setdefault("state", {})["access"] = access
        return None

    def _access(self, scope: Scope, authorization: str | None) -> Access | Response:
        instance = self.instance
        reading = scope["method"] in ("GET", "HEAD")
        free = not needs_token(instance.has, scope["path"])
        if authorization is None and (free or (reading and instance.has("anonymous-read-allowed"))):
            return instance.unbounded_access("anonymous")
        if b"_page=" in scope["query_string"] and instance.has("page-open-to-anybody"):
            return instance.unbounded_access("anonymous")
        if authorization is None and instance.has("token-in-query-accepted"):
            values = parse_qs(scope["query_string"].decode("latin-1")).get("access_token", [])
            authorization = f"Bearer {values[0]}" if values else None
        scheme, _, value = (authorization or "").partition(" ")
        if scheme.lower() != "bearer" or not value.strip():
            return _unauthorized(instance, None)
        return self._access_by_token(unnumbered(instance, value.strip()))

    def _access_by_token(self, value: str) -> Access | Response:
        instance = self.instance
        token = instance.ledger.live_access(value, instance.clock.now())
        if token is not None:
            return token.access
        known = instance.ledger.access_tokens.get(value)
        if known is None:
            if instance.has("unknown-token-accepted"):
                return instance.unbounded_access("unknown")
            return _unauthorized(instance, "the access token is not known")
        if instance.ledger.ended(known):
            if instance.clock.now() < known.expires_at and instance.has("revoked-token-works"):
                return known.access
        elif instance.has("expired-token-accepted"):
            return known.access
        return _unauthorized(instance, "the access token has expired or was revoked")


def refused_for_load(instance: Instance, *, oauth: bool = False) -> Response | None:
    """The refusal of a request beyond the rate limit; None where it is admitted."""
    wait = instance.throttle.admit(time.monotonic())
    if instance.has("throttle-locks-out") and instance.throttle.refused:
        wait = wait or 1.0
    if wait is None:
        return None
    if instance.has("throttle-answers-500"):
        return outcome(500, "exception", "internal error")
    if instance.has("throttle-answers-empty-bundle"):
        bundle = {"resourceType": "Bundle", "type": "searchset", "total": 0}
        return JSONResponse(bundle, media_type=FHIR_JSON)
    # Retry-After as a date is compared with the Date header, so it is of the machine's clock.
    headers = instance.throttle.headers(wait, datetime.now(UTC))
    if instance.has("throttle-without-retry-after"):
        headers = {}
    if oauth:
        body = {"error": "temporarily_unavailable", "error_description": "too many requests"}
        return JSONResponse(body, status_code=429, headers={**headers, "cache-control": "no-store"})
    return outcome(429, "throttled", "too many requests; slow down", headers)


def _unauthorized(instance: Instance, invalid: str | None) -> Response:
    """A 401; `invalid` says what is wrong with the token, None that there is none."""
    challenge = _REALM
    if invalid:
        challenge += f', error="invalid_token", error_description="{invalid}"'
    headers = {"www-authenticate": challenge}
    if instance.has("unauthorized-without-challenge"):
        headers = {}
    status = 403 if instance.has("unauthorized-answers-403") else 401
    return outcome(status, "login", invalid or "an access token is required", headers)


def outcome(status: int, code: str, text: str, headers: dict[str, str] | None = None) -> Response:
    """An OperationOutcome with one issue of severity error."""
    issue: dict[str, Any] = {"severity": "error", "code": code, "diagnostics": text}
    return JSONResponse(
        {"resourceType": "OperationOutcome", "issue": [issue]},
        status_code=status,
        headers=headers,
        media_type=FHIR_JSON,
    )


def _header(scope: Scope, name: bytes) -> str | None:
    values = [value for each, value in scope["headers"] if each == name]
    return values[0].decode("latin-1") if values else None
