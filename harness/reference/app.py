"""The public listener: all instances of the process, each below its own path prefix."""

from __future__ import annotations

import logging
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from starlette.middleware.cors import CORSMiddleware
from starlette.responses import PlainTextResponse
from starlette.routing import Router
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from harness.errors import UsageError
from harness.reference.bulk.jobs import Bulk
from harness.reference.bulk.options import BulkOptions
from harness.reference.clients import Client
from harness.reference.fhir.routes import routes as fhir_routes
from harness.reference.fhir.store import Store
from harness.reference.gate import FhirGate, outcome, refused_for_load
from harness.reference.instance import Instance
from harness.reference.oauth import routes as oauth_routes
from harness.reference.oauth.id_token import IssuerKey
from harness.reference.people import Person
from harness.reference.push.subscriptions import Subscriptions
from harness.reference.smart import DEFAULT_SMART, SmartVersion
from harness.reference.throttle import Throttle
from harness.reference.varied.layer import Varied

log = logging.getLogger("harness.reference")

DEFAULT = "default"
NAME = re.compile(r"[a-z0-9][a-z0-9-]{0,62}")
_METHODS = ("GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS")
_EXPOSED = (
    "Content-Location",
    "ETag",
    "Expires",
    "Last-Modified",
    "Location",
    "Retry-After",
    "X-Progress",
    "X-Request-Id",
)
_FHIR = "/r4"
_CONFIGURATION = "/r4/.well-known/smart-configuration"


class InstanceApp:
    """One EHR as an ASGI application; paths are relative to its issuer."""

    def __init__(self, instance: Instance) -> None:
        self.instance = instance
        self._gate = FhirGate(Router(fhir_routes(instance), redirect_slashes=False), instance)
        self._oauth = Router(oauth_routes.routes(instance), redirect_slashes=False)
        self._machines = CORSMiddleware(
            self._dispatch,
            allow_origins=["*"],
            allow_methods=_METHODS,
            allow_headers=["*"],
            allow_credentials=instance.has("cors-credentials-for-anybody"),
            expose_headers=() if instance.has("cors-exposes-nothing") else _EXPOSED,
        )

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answers and counts one request."""
        status = None

        async def counting(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        app = self._machines if self._shared(scope) else self._dispatch
        if self.instance.variants:
            app = Varied(app, self.instance)
        try:
            await app(scope, receive, counting)
        except Exception:
            log.exception("a defect of the reference EHR")
            if status is not None:
                raise
            await outcome(500, "exception", "internal error")(scope, receive, counting)
        finally:
            self._count(scope, status or 500)

    def _shared(self, scope: Scope) -> bool:
        """Whether other origins may read the answer: everything but what a person sees."""
        path: str = scope["path"]
        if scope["method"] == "OPTIONS" and self.instance.has("cors-preflight-refused"):
            return False
        if "/.well-known/" in path and self.instance.has("cors-missing-on-well-known"):
            return False
        if path == "/oauth/token" and self.instance.has("cors-missing-on-token"):
            return False
        below = path.startswith(f"{_FHIR}/") and path != _CONFIGURATION
        if below and self.instance.has("cors-missing-on-fhir"):
            return False
        return path not in oauth_routes.PAGES

    async def _dispatch(self, scope: Scope, receive: Receive, send: Send) -> None:
        await self._responsible(scope)(scope, receive, send)

    def _responsible(self, scope: Scope) -> ASGIApp:
        path: str = scope["path"]
        instance = self.instance
        if path == _CONFIGURATION:
            if instance.has("configuration-needs-token"):
                return self._gate.admit(scope) or self._oauth
            return self._oauth
        if path == _FHIR or path.startswith(f"{_FHIR}/"):
            scope["path"] = path.removeprefix(_FHIR) or "/"
            return self._gate
        if path == "/oauth/token" and instance.has("throttle-on-token-endpoint"):
            return refused_for_load(instance, oauth=True) or self._oauth
        return self._oauth

    def _count(self, scope: Scope, status: int) -> None:
        route = getattr(scope.get("route"), "path", None) or "(refused)"
        self.instance.requests[scope["method"], route, status] += 1
        log.info("%s %s %s %d", self.instance.name, scope["method"], route, status)


@dataclass(slots=True)
class Reference:
    """All instances of one process; itself the ASGI application of the public listener.

    Args:
        public_url: what clients see, without a trailing slash; may have a path.
        store: the data that the instances' overlays start from.
        clients: registrations by client_id.
        people: who can sign in, by user name.
        key: signs id_tokens.
        storage_url: where exported files lie behind signed links, without a trailing slash; None
            where nothing listens there.
        notified: origins that subscriptions may notify, beside those on loopback.
    """

    public_url: str
    store: Store
    clients: Mapping[str, Client]
    people: Mapping[str, Person]
    key: IssuerKey
    storage_url: str | None = None
    notified: frozenset[str] = frozenset()
    apps: dict[str, InstanceApp] = field(default_factory=dict)

    def add(
        self,
        name: str,
        faults: frozenset[str] = frozenset(),
        throttle: Throttle | None = None,
        smart: SmartVersion = DEFAULT_SMART,
        variants: frozenset[str] = frozenset(),
        store: Store | None = None,
        bulk: BulkOptions | None = None,
    ) -> Instance:
        """A new instance, in place of one of the same name.

        Args:
            name: `default`, or what `/i/NAME` is to be called; matches `NAME`.
            faults: known names, see `faults.known`.
            throttle: its rate limit; None for no limit.
            smart: the version of SMART App Launch that it speaks.
            variants: known names, see `variants.known`.
            store: what it reads and writes; None starts it without writes, in memory.
            bulk: how it exports; None as most servers do.

        Raises:
            UsageError: signed links are wanted, and nothing listens where they would lead.
        """
        storage = f"{self.storage_url}/{name}" if self.storage_url else None
        if bulk and bulk.presigned and storage is None:
            raise UsageError("signed links need a storage listener, and there is none")
        prefix = "" if name == DEFAULT else f"/i/{name}"
        instance = Instance(
            name=name,
            issuer=f"{self.public_url}{prefix}",
            store=store or self.store.overlay(),
            clients=self.clients,
            people=self.people,
            key=self.key,
            faults=faults,
            variants=variants,
            smart=smart,
            throttle=throttle or Throttle(),
            bulk=Bulk(bulk, storage),
            push=Subscriptions(self.notified),
        )
        self.remove(name)
        self.apps[name] = InstanceApp(instance)
        return instance

    def instance(self, name: str) -> Instance | None:
        """An instance by its name; None if there is none."""
        app = self.apps.get(name)
        return app.instance if app else None

    def remove(self, name: str) -> None:
        """Ends an instance, if there is one of this name."""
        app = self.apps.pop(name, None)
        if app:
            app.instance.bulk.close()
            app.instance.push.close()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Hands a request to its instance."""
        if scope["type"] != "http":
            return
        app = self._route(scope)
        if app is None:
            await PlainTextResponse("no such instance", 404)(scope, receive, send)
        else:
            await app(scope, receive, send)

    def _route(self, scope: Scope) -> InstanceApp | None:
        # A proxy may or may not have taken off the path of the public URL.
        path = _below(scope["path"], urlsplit(self.public_url).path) or scope["path"]
        name = DEFAULT
        if path.startswith("/i/"):
            name, _, rest = path.removeprefix("/i/").partition("/")
            path = f"/{rest}"
        scope["path"] = path
        return self.apps.get(name)


def _below(path: str, prefix: str) -> str | None:
    return path.removeprefix(prefix) if prefix and path.startswith(f"{prefix}/") else None
