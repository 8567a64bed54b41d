"""A walk through plain HTML pages, with no person and no browser, until the application is reached.

It stops as soon as a page or a redirect leads to the target, and never fetches that.
Credentials go to the trusted origins, and nowhere else.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import NoReturn
from urllib.parse import parse_qsl, quote, urldefrag, urlencode, urljoin, urlsplit, urlunsplit

from harness.errors import LoginFailed
from harness.http.client import HttpClient
from harness.http.exchange import Exchange, Headers, Request
from harness.http.origin import origin
from harness.smart.drivers.cookies import CookieJar
from harness.smart.drivers.fill import StuckError
from harness.smart.drivers.page import Page
from harness.smart.drivers.plan import Follow, Progress, Step, Submit, Task, next_step
from harness.smart.drivers.target import Caught
from harness.smart.text import plain

MAX_PAGES = 20
MAX_REDIRECTS = 20
MAX_PAGE_BYTES = 2 * 1024 * 1024
ERRORS = 400
_REDIRECTS = (301, 302, 303, 307, 308)
_KEEP_METHOD = (307, 308)
_HTML = ("text/html", "application/xhtml+xml", None)
_NO_PERSON = 'fill in fields.* of the login, or use driver = "browser" or "manual"'


@dataclass(slots=True)
class Walk:
    """One walk from a first step to the target.

    Attributes:
        http: the sender; its redirects are followed here.
        task: where to, with what.
        trusted: origins that may see the credentials.
        cookies: those of the browser; whoever shares the jar shares the EHR's session.
        decide: the next step from a page.
        home: the origin of the application, which the browser names when it posts from there.
        progress: what has happened so far.
        referer: the last page.
        exchanges: what was sent, redirects included.
    """

    http: HttpClient
    task: Task
    trusted: frozenset[str]
    cookies: CookieJar = field(default_factory=CookieJar)
    decide: Callable[[Page, Task, Progress], Step] = next_step
    home: str = "null"
    progress: Progress = field(default_factory=Progress)
    referer: str | None = None
    exchanges: list[Exchange] = field(default_factory=list)

    async def run(self, step: Step) -> Caught:
        """Walk on from `step`.

        Raises:
            LoginFailed: a page that it cannot get past, or that should not get the credentials.
            EhrUnreachable: no answer.
            HostileInput: a redirect to where it must not point, or a page beyond its bounds.
        """
        for _ in range(MAX_PAGES):
            if isinstance(step, Caught):
                return step
            landed = await self._send(step)
            if isinstance(landed, Caught):
                return landed
            step = self._decide(landed)
        raise LoginFailed(f"the login took more than {MAX_PAGES} pages", hint=_NO_PERSON)

    async def _send(self, step: Submit | Follow) -> Caught | Exchange:
        """Take a step, and follow redirects to the page or the answer that it leads to."""
        url, method, body, secret = _parts(step)
        seen: set[tuple[str, str, str | None]] = set()
        for _ in range(MAX_REDIRECTS + 1):
            if self.task.target.answered_by(url):
                return _caught(url, method, body)
            self._stay(url)
            if secret:
                self._trust(url)
            cookie = self.cookies.header(url, self.http.clock.now())
            if (method, url, cookie) in seen:
                raise LoginFailed(f"{method} {urlsplit(url).path}: redirects in a circle")
            seen.add((method, url, cookie))
            exchange = await self._request(url, method, body, cookie)
            self.exchanges.append(exchange)
            self.cookies.store(url, exchange.headers.get_all("Set-Cookie"), self.http.clock.now())
            self.referer = url
            location = exchange.headers.get("Location")
            if exchange.status not in _REDIRECTS or not location:
                return exchange
            url = _resolve(url, location)
            if exchange.status not in _KEEP_METHOD:
                method, body, secret = "GET", b"", False
        raise LoginFailed(f"{urlsplit(url).path}: more than {MAX_REDIRECTS} redirects")

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
            headers.append(("Origin", origin(self.referer) if self.referer else self.home))
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
            return self.decide(page, self.task, self.progress)
        except StuckError as stuck:
            _give_up(exchange, page, stuck)

    def _stay(self, url: str) -> None:
        """Bring no answer to a place that is neither the EHR nor the target."""
        strayed = self.task.target.strayed(url)
        if strayed is not None and not any(url.startswith(f"{each}/") for each in self.trusted):
            raise LoginFailed(
                strayed, hint="set launch_uri of the client to the one that is registered"
            )

    def _trust(self, url: str) -> None:
        target = origin(url)
        if target not in self.trusted:
            raise LoginFailed(
                f"the login form of {origin(self.referer or url)} would send the credentials to "
                f"{target}, which is not trusted with them",
                hint=f'if it is right, add "{target}" to auth.extra_origins of the EHR file',
            )


def _caught(url: str, method: str, body: bytes) -> Caught:
    """What would have been sent to the application."""
    if method == "POST":
        return Caught(url, tuple(parse_qsl(body.decode("ascii"), keep_blank_values=True)))
    return Caught(url)


def _parts(step: Submit | Follow) -> tuple[str, str, bytes, bool]:
    if isinstance(step, Follow):
        return urldefrag(step.url).url, "GET", b"", False
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
