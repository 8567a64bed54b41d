"""The authorization endpoint and the pages behind it: sign in, choose a patient, approve."""

from __future__ import annotations

import secrets
from typing import TYPE_CHECKING
from urllib.parse import urlencode, urlsplit

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from harness.reference.oauth import pages, scopes
from harness.reference.oauth.authorization_request import (
    ErrorRedirect,
    NotRedirectable,
    parse,
    redirect_url,
)
from harness.reference.oauth.forms import Form, FormRefused, read_form
from harness.reference.oauth.ledger import CODE_LIFE, Code, Grant, new_token
from harness.reference.oauth.sessions import Pending, Session

if TYPE_CHECKING:
    from harness.reference.instance import Instance
    from harness.reference.people import Person

COOKIE = "reference_session"
_EXPIRED = "This sign-in has ended, or it began in another browser."


class Authorize:
    """The person-facing half of one instance's authorization server."""

    def __init__(self, instance: Instance) -> None:
        self.instance = instance

    async def authorize(self, request: Request) -> Response:
        """GET or POST /oauth/authorize."""
        try:
            form = (
                await read_form(request)
                if request.method == "POST"
                else Form.parse(request.url.query)
            )
            wanted = parse(self.instance, form)
        except (NotRedirectable, FormRefused) as refusal:
            return pages.error_page(str(refusal))
        except ErrorRedirect as refusal:
            return self._refused(refusal)
        now = self.instance.clock.now()
        session = self._session(request) or self.instance.sessions.start(now)
        if "none" in wanted.prompt:
            # OpenID Connect Core section 3.1.2.6; approval is asked for each time.
            error = "consent_required" if session.username else "login_required"
            return self._refused(wanted.refuse(error, "a person has to be asked"))
        pending = self.instance.sessions.begin(session, wanted, now)
        return self._with_cookie(self._next(session, pending), session)

    async def proceed(self, request: Request) -> Response:
        """GET /oauth/continue: whichever page comes next."""
        session = self._session(request)
        pending = self._pending(session, request.query_params.get("request"))
        if session is None or pending is None:
            return pages.error_page(_EXPIRED)
        return self._next(session, pending, query=request.query_params.get("q", "")[:100])

    async def login(self, request: Request) -> Response:
        """POST /oauth/login."""
        form, session, pending = await self._posted(request)
        if session is None or pending is None:
            return pages.error_page(_EXPIRED)
        username = form.get("username") or ""
        person = self.instance.people.get(username)
        if person is None or not person.check_password(form.get("password") or ""):
            return pages.login_page(self._frame(session, pending), username=username, failed=True)
        session = self.instance.sessions.sign_in(
            session, pending, username, self.instance.clock.now()
        )
        return self._with_cookie(self._onwards(pending), session)

    async def logout(self, request: Request) -> Response:
        """POST /oauth/logout: the same request, but by somebody else."""
        _, session, pending = await self._posted(request)
        if session is None or pending is None:
            return pages.error_page(_EXPIRED)
        session.username = None
        pending.patient = None
        return self._onwards(pending)

    async def patient(self, request: Request) -> Response:
        """POST /oauth/patient: the choice of the picker."""
        form, session, pending = await self._posted(request)
        person = self._person(session, pending)
        if session is None or pending is None or person is None:
            return pages.error_page(_EXPIRED)
        chosen = form.get("patient")
        if chosen in person.patients:
            pending.patient = chosen
        return self._onwards(pending)

    async def consent(self, request: Request) -> Response:
        """POST /oauth/consent: approve or deny."""
        form, session, pending = await self._posted(request)
        person = self._person(session, pending)
        if session is None or pending is None or person is None:
            return pages.error_page(_EXPIRED)
        offered = scopes.offered(pending.request.scopes, person)
        if scopes.needs_patient(offered) and pending.patient is None:
            return self._onwards(pending)
        self.instance.sessions.decided(pending)
        ticked = form.all("scope")
        granted = tuple(scope for scope in offered if scope in ticked)
        if self.instance.has("scope-widened-at-consent"):
            granted = offered
        if form.get("decision") != "approve" or not granted:
            refusal = pending.request.refuse("access_denied", "the person did not approve")
            return self._refused(refusal, status=303)
        return self._approved(pending, person, granted)

    def _next(self, session: Session, pending: Pending, query: str = "") -> Response:
        person = self._person(session, pending)
        frame = self._frame(session, pending)
        if person is None:
            return pages.login_page(frame)
        offered = scopes.offered(pending.request.scopes, person)
        if not offered:
            refusal = pending.request.refuse("invalid_scope", "none of the scopes can be granted")
            return self._refused(refusal)
        if scopes.needs_patient(offered) and pending.patient is None:
            if len(person.patients) > 1:
                return self._picker(frame, person, query)
            pending.patient = person.patients[0]
        name = self._name(pending.patient) if pending.patient else None
        return pages.consent_page(frame, person.name, name, offered)

    def _picker(self, frame: pages.Frame, person: Person, query: str) -> Response:
        choices = [(patient, self._name(patient)) for patient in person.patients]
        wanted = query.casefold()
        found = [each for each in choices if wanted in " ".join(each).casefold()]
        shown = found[: pages.MAX_CHOICES]
        more = len(found) - len(shown)
        return pages.picker_page(frame, person.name, shown, query=query, more=more)

    def _approved(self, pending: Pending, person: Person, granted: tuple[str, ...]) -> Response:
        now = self.instance.clock.now()
        wanted = pending.request
        if self.instance.has("approval-answers-error"):
            refusal = wanted.refuse("server_error", "the approval could not be stored")
            return self._refused(refusal, status=303)
        grant = Grant(
            grant_id=secrets.token_urlsafe(16),
            client_id=wanted.client.client_id,
            scopes=granted,
            username=person.username,
            patient=self._context(pending.patient) if scopes.needs_patient(granted) else None,
            fhir_user=person.fhir_user if "fhirUser" in granted else None,
            nonce=wanted.nonce,
        )
        code = Code(new_token(), grant, wanted.redirect_uri, wanted.code_challenge, now + CODE_LIFE)
        self.instance.ledger.add_code(code, now)
        url = redirect_url(self.instance, wanted.redirect_uri, wanted.state, code=code.value)
        return _redirect(url, 303)

    def _context(self, chosen: str | None) -> str | None:
        if self.instance.has("patient-of-another"):
            everybody = self.instance.store.patient_ids()
            return next((each for each in everybody if each != chosen), chosen)
        return chosen

    def _refused(self, refusal: ErrorRedirect, status: int = 302) -> Response:
        url = redirect_url(
            self.instance,
            refusal.redirect_uri,
            refusal.state,
            error=refusal.error,
            error_description=refusal.description,
        )
        return _redirect(url, status)

    def _onwards(self, pending: Pending) -> Response:
        query = urlencode({"request": pending.pending_id})
        return _redirect(f"{self.instance.oauth('continue')}?{query}", 303)

    async def _posted(self, request: Request) -> tuple[Form, Session | None, Pending | None]:
        """The form with the session and the request it belongs to, if its csrf value is right."""
        session = self._session(request)
        try:
            form = await read_form(request)
        except FormRefused:
            return Form(()), None, None
        csrf = form.get("csrf") or ""
        if session is None or not secrets.compare_digest(session.csrf.encode(), csrf.encode()):
            return form, None, None
        return form, session, self._pending(session, form.get("request"))

    def _session(self, request: Request) -> Session | None:
        cookie = request.cookies.get(COOKIE)
        return self.instance.sessions.find(cookie, self.instance.clock.now())

    def _pending(self, session: Session | None, pending_id: str | None) -> Pending | None:
        if session is None:
            return None
        now = self.instance.clock.now()
        return self.instance.sessions.waiting(pending_id, session, now)

    def _person(self, session: Session | None, pending: Pending | None) -> Person | None:
        """Who is signed in; None where somebody has yet to."""
        if session is None or pending is None or pending.fresh_sign_in:
            return None
        return self.instance.people.get(session.username or "")

    def _frame(self, session: Session, pending: Pending) -> pages.Frame:
        client = pending.request.client
        return pages.Frame(
            action=f"{self.instance.issuer}/oauth",
            pending_id=pending.pending_id,
            csrf=session.csrf,
            app=client.client_name,
            redirect_uri=pending.request.redirect_uri,
        )

    def _name(self, patient: str) -> str:
        return self.instance.store.patient_name(patient)

    def _with_cookie(self, response: Response, session: Session) -> Response:
        issuer = urlsplit(self.instance.issuer)
        response.set_cookie(
            COOKIE,
            session.session_id,
            path=f"{issuer.path}/oauth",
            secure=issuer.scheme == "https",
            httponly=True,
            samesite="lax",
        )
        return response


def _redirect(url: str, status: int) -> Response:
    return RedirectResponse(url, status, headers={"cache-control": "no-store"})
