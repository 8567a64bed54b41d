"""The routes of the authorization server, relative to the issuer."""

from __future__ import annotations

from typing import TYPE_CHECKING

from starlette.routing import BaseRoute, Route

from harness.reference.oauth import faulty
from harness.reference.oauth.authorize import Authorize
from harness.reference.oauth.context import STYLE_PATH
from harness.reference.oauth.discovery import Discovery
from harness.reference.oauth.portal import Portal
from harness.reference.oauth.server import Server

if TYPE_CHECKING:
    from harness.reference.instance import Instance

_STEPS = ("authorize", "continue", "login", "logout", "patient", "encounter", "consent")
_PORTAL = ("/launch", "/manage", "/portal/login", "/portal/logout", "/portal/revoke")
PAGES = frozenset((*(f"/oauth/{step}" for step in _STEPS), *_PORTAL))
"""What a person's browser visits; no other origin may read it, so these have no CORS headers."""


def routes(instance: Instance) -> list[BaseRoute]:
    """All but the SMART configuration, which lies below the FHIR base."""
    pages, portal = Authorize(instance), Portal(instance)
    server, discovery = Server(instance), Discovery(instance)
    return [
        Route("/oauth/authorize", pages.authorize, methods=["GET", "POST"]),
        Route("/oauth/continue", pages.proceed, methods=["GET"]),
        Route("/oauth/login", pages.login, methods=["POST"]),
        Route("/oauth/logout", pages.logout, methods=["POST"]),
        Route("/oauth/patient", pages.patient, methods=["POST"]),
        Route("/oauth/encounter", pages.encounter, methods=["POST"]),
        Route("/oauth/consent", pages.consent, methods=["POST"]),
        Route("/launch", portal.launch, methods=["GET"]),
        Route("/manage", portal.manage, methods=["GET"]),
        Route("/portal/login", portal.login, methods=["POST"]),
        Route("/portal/logout", portal.logout, methods=["POST"]),
        Route("/portal/revoke", portal.revoke, methods=["POST"]),
        Route("/oauth/token", server.token, methods=["POST"]),
        Route("/oauth/introspect", server.introspect, methods=["POST"]),
        Route("/oauth/revoke", server.revoke, methods=["POST"]),
        Route("/oauth/jwks", faulty.keys(instance, discovery.jwks), methods=["GET"]),
        Route(STYLE_PATH, discovery.style, methods=["GET"]),
        Route("/.well-known/openid-configuration", discovery.openid, methods=["GET"]),
        Route("/r4/.well-known/smart-configuration", discovery.smart, methods=["GET"]),
    ]
