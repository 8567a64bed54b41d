"""Carries an authorization request through plain HTML pages, with no person and no browser.

It stops as soon as a page or a redirect leads to the redirect URI, and never fetches that.
Credentials go to the origins of the authorization endpoint, of the FHIR base and to those that the
EHR file lists under `auth.extra_origins`, and nowhere else.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import NoReturn
from urllib.parse import parse_qsl, quote, urldefrag, urlencode, urljoin, urlsplit, urlunsplit

from harness.config.ehr import Login
from harness.config.secrets import Secrets
from harness.errors import LoginFailed
from harness.http.client import HttpClient
from harness.http.exchange import Exchange, Headers, Request
from harness.http.origin import origin
from harness.smart.authorize import AuthorizationRequest, AuthorizationResponse
from harness.smart.drivers.arrival import Arrival
from harness.smart.drivers.choices import Choices
from harness.smart.drivers.cookies import CookieJar
from harness.smart.drivers.fill import StuckError, Wishes
from harness.smart.drivers.page import Page
from harness.smart.drivers.plan import Follow, Progress, Step, Submit, Task, next_step
from harness.smart.text import plain

MAX_PAGES = 20
MAX_REDIRECTS = 20
MAX_PAGE_BYTES = 2 * 1024 * 1024
ERRORS = 400
_REDIRECTS = (301, 302, 303, 307, 308)
_KEEP_METHOD = (307, 308)
_HTML = ("text/html", "application/xhtml+xml", None)
_NO_PERSON = 'fill in fields.* of the login, or use driver = "browser" or "manual"'


async def authorize(
    http: HttpClient,
    request: AuthorizationRequest,
    login: Login,
    secrets: Secrets,
    *,
    choose: Choices,
    extra_origins: Iterable[str] = (),
) -> Arrival:
    """Log in, choose, consent, and return what the server sent to the redirect URI.

    Args:
        http: the sender; its redirects are followed here.
        request: the authorization request.
        login: user name and password as references, and names of form fields.
        secrets: resolves the references.
        choose: patient, scopes to decline, refusal.
        extra_origins: further origins that may see the credentials.

    Raises:
        LoginFailed: a page that it cannot get past, or that should not get the credentials.
        ConfigError: user name or password cannot be resolved.
        EhrUnreachable: no answer.
        HostileInput: a redirect to where it must not point, or a page beyond its bounds.
    """
    requested = tuple(dict(request.parameters).get("scope", "").split())
    task = Task(
        request,
        Wishes(choose, requested, choose.declined(requested), login.fields),
        secrets.text(login.username) if login.username else None,
        secrets.resolve(login.password) if login.password else None,
    )
    trusted = frozenset(origin(url) for url in (request.endpoint, http.base, *extra_origins))
    walk = _Walk(http, task, trusted)
    response = await walk.run()
    return Arrival(response, walk.progress.offered_choice, frozenset(walk.progress.declined))


@dataclass(slots=True)
class _Walk:
    """One login from the authorization endpoint to the redirect URI."""

    http: HttpClient
    task: Task
    trusted: frozenset[str]
    cookies: CookieJar = field(default_factory=CookieJar)
    progress: Progress = field(default_factory=Progress)
    referer: str | None = None

    async def run(self) -> AuthorizationResponse:
        request = self.task.request
        step: Step = (
            Submit(request.endpoint, "POST", request.parameters)
            if request.post
            else Follow(request.url)
        )
        for _ in range(MAX_PAGES):
            landed = await self._send(step)
            if isinstance(landed, AuthorizationResponse):
                return landed
            step = self._decide(landed)
            if isinstance(step, AuthorizationResponse):
                return step
        raise LoginFailed(f"the login took more than {MAX_PAGES} pages", hint=_NO_PERSON)

    async def _send(self, step: Step) -> AuthorizationResponse | Exchange:
        """Take a step, and follow redirects to the page or the answer that it leads to."""
        url, method, body, secret = _parts(step)
        seen: set[tuple[str, str, str | None]] = set()
        for _ in range(MAX_REDIRECTS + 1):
            if self.task.request.answered_by(url):
                return self._answer(url, method, body)
            if secret:
                self._trust(url)
            cookie = self.cookies.header(url, self.http.clock.now())
            if (method, url, cookie) in seen:
                raise LoginFailed(f"{method} {urlsplit(url).path}: redirects in a circle")
            seen.add((method, url, cookie))
            exchange = await self._request(url, method, body, cookie)
            self.cookies.store(url, exchange.headers.get_all("Set-Cookie"), self.http.clock.now())
            self.referer = url
            location = exchange.headers.get("Location")
            if exchange.status not in _REDIRECTS or not location:
                return exchange
            url = _resolve(url, location)
            if exchange.status not in _KEEP_METHOD:
                method, body, secret = "GET", b"", False
        raise LoginFailed(f"{urlsplit(url).path}: more than {MAX_REDIRECTS} redirects")

    def _answer(self, url: str, method: str, body: bytes) -> AuthorizationResponse:
        """What would have been sent to the redirect URI, which is never asked itself."""
        request = self.task.request
        if method == "POST":
            fields = parse_qsl(body.decode("ascii"), keep_blank_values=True)
            return AuthorizationResponse.from_form(fields, request)
        return AuthorizationResponse.parse(url, request)

    async def _request(self, url: str, method: str, body: bytes, cookie: str | None) -> Exchange:
        headers = [("Accept", "text/html,application/xhtml+xml;q=0.9,*/*;q=0.1")]
        if cookie:
            headers.append(("Cookie", cookie))
        if self.referer is not None:
            home = origin(self.referer)
            same = home == origin(url)
            headers.append(("Referer", urldefrag(self.referer).url if same else f"{home}/"))
        if method == "POST":
            headers.append(("Content-Type", "application/x-www-form-urlencoded"))
            headers.append(("Origin", origin(self.referer or url)))
        request = Request(method, url, Headers(tuple(headers)), body)
        return await self.http.send(request, max_bytes=MAX_PAGE_BYTES)

    def _decide(self, exchange: Exchange) -> Step:
        """The next step from a page."""
        if exchange.media_type not in _HTML:
            raise LoginFailed(
                f"{exchange.where}: expected a page or a redirect, "
                f"got {exchange.status} with {plain(exchange.media_type)}"
            )
        page = Page.parse(_text(exchange), exchange.request.url)
        try:
            return next_step(page, self.task, self.progress)
        except StuckError as stuck:
            _give_up(exchange, page, stuck)

    def _trust(self, url: str) -> None:
        target = origin(url)
        if target not in self.trusted:
            raise LoginFailed(
                f"the login form of {origin(self.referer or url)} would send the credentials to "
                f"{target}, which is not trusted with them",
                hint=f'if it is right, add "{target}" to auth.extra_origins of the EHR file',
            )


def _parts(step: Step) -> tuple[str, str, bytes, bool]:
    if isinstance(step, Follow):
        return urldefrag(step.url).url, "GET", b"", False
    assert isinstance(step, Submit)  # noqa: S101 - an answer is no step to send
    url = urldefrag(step.url).url
    if step.method == "POST":
        return url, "POST", urlencode(step.fields).encode(), step.secret
    # A form sent by GET replaces the query of its action (HTML, form submission algorithm).
    query = urlencode(step.fields)
    return urlunsplit(urlsplit(url)._replace(query=query)), "GET", b"", step.secret


def _resolve(url: str, location: str) -> str:
    """A Location as an absolute URL; blanks and what is not ASCII are escaped."""
    try:
        return urljoin(url, quote(location.strip(), safe="%/:=&?~#+!$,;'@()*[]|"))
    except ValueError:
        raise LoginFailed(f"{urlsplit(url).path}: redirects to what is no URL") from None


def _text(exchange: Exchange) -> str:
    content_type = exchange.headers.get("Content-Type", "") or ""
    charset = content_type.lower().partition("charset=")[2].split(";")[0].strip(" \"'")
    try:
        return exchange.body.decode(charset or "utf-8", errors="replace")
    except LookupError:
        return exchange.body.decode("utf-8", errors="replace")


def _give_up(exchange: Exchange, page: Page, stuck: StuckError) -> NoReturn:
    names = [c.name for form in page.forms for c in form.controls if c.name and c.kind != "hidden"]
    seen = plain(", ".join(dict.fromkeys(names)) or "none", 120)
    refused = exchange.status >= ERRORS
    said = f", says {plain(page.text, 120)!r}" if refused and page.text else ""
    raise LoginFailed(
        f"{exchange.where}: page {plain(page.title, 60)!r} (status {exchange.status}{said}; "
        f"fields: {seen}): {stuck.reason}",
        hint=stuck.hint or _NO_PERSON,
    ) from None
