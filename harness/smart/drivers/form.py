"""Carries an authorization request through plain HTML pages, with no person and no browser.

Credentials go to the origins of the authorization endpoint, of the FHIR base and to those that the
EHR file lists under `auth.extra_origins`, and nowhere else.
"""

from __future__ import annotations

from collections.abc import Iterable

from harness.config.ehr import Login
from harness.config.secrets import Secrets
from harness.errors import HostileInput, LoginFailed
from harness.http.client import HttpClient
from harness.http.origin import origin
from harness.smart.authorize import AuthorizationRequest
from harness.smart.drivers.arrival import Arrival
from harness.smart.drivers.choices import Choices
from harness.smart.drivers.cookies import CookieJar
from harness.smart.drivers.fill import Wishes
from harness.smart.drivers.plan import Follow, Step, Submit, Task
from harness.smart.drivers.target import RedirectTarget
from harness.smart.drivers.walk import Walk


async def authorize(
    http: HttpClient,
    request: AuthorizationRequest,
    login: Login,
    secrets: Secrets,
    *,
    choose: Choices,
    extra_origins: Iterable[str] = (),
    cookies: CookieJar | None = None,
) -> Arrival:
    """Log in, choose, consent, and return what the server sent to the redirect URI.

    Args:
        http: the sender; its redirects are followed here.
        request: the authorization request.
        login: user name and password as references, and names of form fields.
        secrets: resolves the references.
        choose: patient, scopes to decline, refusal.
        extra_origins: further origins that may see the credentials.
        cookies: those of a session at the EHR, as an EHR launch leaves them; None starts fresh.

    Raises:
        LoginFailed: a page that it cannot get past, or that should not get the credentials.
        ConfigError: user name or password cannot be resolved.
        EhrUnreachable: no answer.
        HostileInput: a redirect to where it must not point, or a page beyond its bounds.
    """
    requested = tuple(dict(request.parameters).get("scope", "").split())
    target = RedirectTarget(request, choose.deny)
    task = Task(
        target,
        Wishes(choose, requested, choose.declined(requested), login.fields),
        secrets.text(login.username) if login.username else None,
        secrets.resolve(login.password) if login.password else None,
    )
    trusted = frozenset(origin(url) for url in (request.endpoint, http.base, *extra_origins))
    jar = cookies if cookies is not None else CookieJar()
    walk = Walk(http, task, trusted, jar, home=_home(request.redirect_uri))
    first: Step = (
        Submit(request.endpoint, "POST", request.parameters)
        if request.post
        else Follow(request.url)
    )
    progress = walk.progress
    try:
        caught = await walk.run(first)
    except LoginFailed as failed:
        failed.denied = progress.denied
        raise
    declined = frozenset(progress.declined)
    return Arrival(target.read(caught), progress.offered_choice, declined, progress.denied)


def _home(redirect_uri: str) -> str:
    """The origin of the application; `null`, as browsers send it, where the URI has none."""
    try:
        return origin(redirect_uri)
    except HostileInput:
        return "null"
