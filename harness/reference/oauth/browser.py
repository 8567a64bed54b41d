"""What all pages of one instance share: the session behind a cookie, and signing in."""

from __future__ import annotations

import secrets
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from harness.reference.oauth.forms import Form, FormRefused, read_form
from harness.reference.oauth.sessions import Session

if TYPE_CHECKING:
    from harness.reference.instance import Instance
    from harness.reference.people import Person

_WRONG = "User name or password is not right."
_LOCKED = "Too many wrong passwords. Try again in a minute."


class SignInRefused(Exception):
    """The person is not signed in; the text is for the person.

    Args:
        reason: the text.
        wait: the seconds until a password is looked at again.
    """

    def __init__(self, reason: str, wait: int = 0) -> None:
        self.wait = wait
        super().__init__(reason)


class Browser:
    """Sessions of one instance as its pages see them."""

    def __init__(self, instance: Instance) -> None:
        self.instance = instance
        issuer = urlsplit(instance.issuer)
        # By instance: the cookie of the default one reaches all that lie below its path.
        self._cookie = f"reference_session_{instance.name}"
        self._path = issuer.path or "/"
        self._secure = issuer.scheme == "https"

    def session(self, request: Request) -> Session | None:
        """The session that the cookie names."""
        cookie = request.cookies.get(self._cookie)
        return self.instance.sessions.find(cookie, self.instance.clock.now())

    def started(self, request: Request) -> Session:
        """The session that the cookie names, else a new one."""
        return self.session(request) or self.instance.sessions.start(self.instance.clock.now())

    def with_cookie(self, response: Response, session: Session) -> Response:
        """Hands the session to the browser."""
        response.set_cookie(
            self._cookie,
            session.session_id,
            path=self._path,
            secure=self._secure,
            httponly=True,
            samesite="lax",
        )
        return response

    async def posted(self, request: Request) -> tuple[Form, Session | None]:
        """A form, and the session that it was shown to; None where its csrf value is not right."""
        session = self.session(request)
        try:
            form = await read_form(request)
        except FormRefused:
            return Form(()), None
        csrf = form.get("csrf") or ""
        if session is None or not secrets.compare_digest(session.csrf.encode(), csrf.encode()):
            return form, None
        return form, session

    def asks_name_first(self, form: Form | None = None) -> bool:
        """Whether the user name stands on a page of its own, and a form brings no more than it."""
        if form is not None and form.get("password") is not None:
            return False
        return self.instance.has("sign-in-on-two-pages")

    def check_password(self, form: Form, session: Session) -> Person:
        """Whoever gives a right user name and password.

        Raises:
            SignInRefused: they are not right, or were wrong too often in this session.
        """
        now = self.instance.clock.now()
        if wait := session.locked(now):
            raise SignInRefused(_LOCKED, wait)
        person = self.instance.people.get(form.get("username") or "")
        if person is None or not person.check_password(form.get("password") or ""):
            session.failed(now)
            wait = session.locked(now)
            raise SignInRefused(_LOCKED if wait else _WRONG, wait)
        return person


def redirect(url: str, status: int = 303) -> Response:
    """A redirect that no cache keeps."""
    return RedirectResponse(url, status, headers={"cache-control": "no-store"})
