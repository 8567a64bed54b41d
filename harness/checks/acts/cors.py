"""Acts of a browser: cross-origin requests with their preflights (the Fetch standard's CORS).

https://hl7.org/fhir/smart-app-launch/STU2.2/app-launch.html#considerations-for-cross-origin-resource-sharing-cors-support
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import urlsplit

from harness.checks.acting import Run, act
from harness.checks.acts.access import Access
from harness.config.ehr import ClientAuth, Grant
from harness.errors import NotConfigured
from harness.http.client import FHIR_JSON, SMALL
from harness.http.exchange import Exchange, Headers, Request
from harness.http.origin import is_private, origin
from harness.smart.discovery import Discovery, well_known_urls

ANY_ORIGIN = "https://app.example.org"
STRANGER = "https://elsewhere.example.net"
"""An origin that no client is registered with."""


@dataclass(frozen=True, slots=True)
class Crossing:
    """What a browser at `origin` gets: the preflight's answer, where one is needed, and the answer.

    Attributes:
        origin: of the page.
        header: the request header that the preflight asks for, in lower case.
        preflight: None where the browser sends none.
        answer: to the request itself; None where the preflight stands for it.
    """

    origin: str
    header: str | None = None
    preflight: Exchange | None = None
    answer: Exchange | None = None

    @property
    def refusal(self) -> str | None:
        """Why the browser would keep the answer from the page; None where it would not."""
        for exchange in (self.preflight, self.answer):
            if exchange is None:
                continue
            allowed = exchange.headers.get("Access-Control-Allow-Origin")
            if allowed not in ("*", self.origin):
                came = f"{allowed!r}" if allowed else "absent"
                return f"Access-Control-Allow-Origin: {came} ({exchange.where})"
        return self._preflight_refusal()

    @property
    def sends_cookies(self) -> bool:
        """Whether the answer lets the page send along what the browser keeps for the server."""
        if self.answer is None:
            return False
        headers = self.answer.headers
        allowed = headers.get("Access-Control-Allow-Origin") in ("*", self.origin)
        return allowed and headers.get("Access-Control-Allow-Credentials") == "true"

    def shows(self, header: str) -> bool:
        """Whether the page may read a header of the answer."""
        listed = self.answer.headers.get("Access-Control-Expose-Headers") if self.answer else None
        names = {each.strip().lower() for each in (listed or "").split(",")}
        return bool({"*", header.lower()} & names)

    def _preflight_refusal(self) -> str | None:
        if self.preflight is None:
            return None
        if not 200 <= self.preflight.status < 300:
            return f"the preflight is answered with {self.preflight.status}"
        listed = self.preflight.headers.get("Access-Control-Allow-Headers") or ""
        names = {each.strip().lower() for each in listed.split(",")}
        if self.header and self.header not in names and "*" not in names:
            return f"Access-Control-Allow-Headers lacks {self.header}"
        return None


def browser_origin(run: Run) -> str:
    """The origin of a browser-based app: a public client that is served from somewhere.

    Raises:
        NotConfigured: the EHR file has none; a redirect_uri on loopback is a native app's.
    """
    for client in run.ehr.clients:
        public = client.auth is ClientAuth.NONE and Grant.AUTHORIZATION_CODE in client.grants
        parts = urlsplit(client.redirect_uri or "")
        if public and parts.scheme == "https" and not is_private(parts.hostname or "localhost"):
            return origin(str(client.redirect_uri))
    raise NotConfigured("no browser-based app: a public client with an https redirect_uri")


async def crossing_get(run: Run, url: str, page: str) -> Crossing:
    """A GET without further headers, which a browser sends without a preflight."""
    accept = (("Accept", "application/json"), ("Origin", page))
    request = Request("GET", url, Headers(accept))
    return Crossing(page, answer=await run.http.send(request, max_bytes=SMALL * 16))


async def preflighted(run: Run, url: str, page: str, method: str, header: str) -> Crossing:
    """The preflight of a request with a header that browsers ask about."""
    asked = (
        ("Origin", page),
        ("Access-Control-Request-Method", method),
        ("Access-Control-Request-Headers", header),
    )
    exchange = await run.http.send(Request("OPTIONS", url, Headers(asked)), max_bytes=SMALL)
    return Crossing(page, header, preflight=exchange)


@act
async def public_crossings(run: Run, configuration: Exchange) -> Mapping[str, Crossing]:
    """What everybody may read, asked for by a page of any origin."""
    del configuration
    browser_origin(run)
    return {
        "smart-configuration": await crossing_get(
            run, well_known_urls(run.ehr.fhir_base)[0], ANY_ORIGIN
        ),
        "metadata": await crossing_get(run, f"{run.ehr.fhir_base}/metadata", ANY_ORIGIN),
    }


@act
async def registered_crossings(
    run: Run, discovery: Discovery, access: Access
) -> Mapping[str, Crossing]:
    """What an app needs, asked for by a page of the origin that its client is registered with."""
    app = browser_origin(run)
    token_endpoint = str(discovery.configuration.token_endpoint)
    form = Headers((("Content-Type", "application/x-www-form-urlencoded"), ("Origin", app)))
    refused = await run.http.send(
        Request("POST", token_endpoint, form, b"grant_type=authorization_code"), retry=False
    )
    headers = Headers((("Accept", FHIR_JSON), ("Origin", app)))
    url = f"{run.ehr.fhir_base}/Patient/{access.patient}"
    read = await run.http.send(Request("GET", url, headers), bearer=access.bearer)
    before = await preflighted(run, url, app, "GET", "authorization")
    return {
        "token": Crossing(app, answer=refused),
        "FHIR": Crossing(app, "authorization", before.preflight, read),
    }


@act
async def token_preflight(run: Run, discovery: Discovery) -> Crossing:
    """The preflight of a token request by a client that authenticates in a header."""
    app = browser_origin(run)
    url = str(discovery.configuration.token_endpoint)
    return await preflighted(run, url, app, "POST", "authorization")


@act
async def strange_crossing(run: Run, access: Access) -> Crossing:
    """The patient, read with the token by a page of an origin that nobody registered."""
    browser_origin(run)
    headers = Headers((("Accept", FHIR_JSON), ("Origin", STRANGER)))
    url = f"{run.ehr.fhir_base}/Patient/{access.patient}"
    read = await run.http.send(Request("GET", url, headers), bearer=access.bearer)
    return Crossing(STRANGER, answer=read)
