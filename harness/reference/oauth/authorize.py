"""The authorization endpoint and the pages behind it: sign in, choose what to share, approve."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING
from urllib.parse import urlencode

from starlette.requests import Request
from starlette.responses import Response

from harness.reference.oauth import pages, scopes
from harness.reference.oauth.approval import granted_scopes, new_code
from harness.reference.oauth.authorization_request import (
    ErrorRedirect,
    NotRedirectable,
    parse,
    redirect_url,
)
from harness.reference.oauth.browser import Browser, SignInRefused, redirect
from harness.reference.oauth.forms import Form, FormRefused, read_form
from harness.reference.oauth.launches import NO_CONTEXT, LaunchContext
from harness.reference.oauth.sessions import Pending, Session
from harness.reference.varied.granting import grantable

if TYPE_CHECKING:
    from harness.reference.instance import Instance
    from harness.reference.people import Person

_EXPIRED = "This sign-in has ended, or it began in another browser."


class Authorize:
    """The person-facing half of one instance's authorization server."""

    def __init__(self, instance: Instance) -> None:
        self.instance = instance
        self._browser = Browser(instance)

    async def authorize(self, request: Request) -> Response:
        """GET or POST /oauth/authorize."""
        if request.method == "POST" and self.instance.has("authorize-post-refused"):
            return pages.error_page("The app must send its request by GET.")
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
        session = self._browser.started(request)
        if "none" in wanted.prompt:
            # OpenID Connect Core section 3.1.2.6; approval is asked for each time.
            error = "consent_required" if session.username else "login_required"
            return self._refused(wanted.refuse(error, "a person has to be asked"))
        pending = self.instance.sessions.begin(session, wanted, now)
        return self._browser.with_cookie(self._next(session, pending), session)

    async def proceed(self, request: Request) -> Response:
        """GET /oauth/continue: whichever page comes next."""
        session = self._browser.session(request)
        pending = self._pending(session, request.query_params.get("request"))
        if session is None or pending is None:
            return pages.error_page(_EXPIRED)
        return self._next(session, pending, query=request.query_params.get("q", "")[:100])

    async def login(self, request: Request) -> Response:
        """POST /oauth/login."""
        form, session, pending = await self._posted(request)
        if session is None or pending is None:
            return pages.error_page(_EXPIRED)
        if self._browser.asks_name_first(form):
            frame = self._frame(session, pending)
            return pages.login_page(frame, form.get("username") or "")
        try:
            person = self._browser.check_password(form, session)
        except SignInRefused as refusal:
            frame = self._frame(session, pending)
            username = form.get("username") or ""
            return pages.login_page(frame, username, str(refusal), wait=refusal.wait)
        now = self.instance.clock.now()
        session = self.instance.sessions.sign_in(session, person.username, now, pending)
        return self._browser.with_cookie(self._onwards(pending), session)

    async def logout(self, request: Request) -> Response:
        """POST /oauth/logout: the same request, but by somebody else."""
        _, session, pending = await self._posted(request)
        if session is None or pending is None:
            return pages.error_page(_EXPIRED)
        session.username = None
        launch = pending.request.launch
        pending.context = launch.context if launch else NO_CONTEXT
        return self._onwards(pending)

    async def patient(self, request: Request) -> Response:
        """POST /oauth/patient: the choice of the picker."""
        form, session, pending = await self._posted(request)
        person = self._person(session, pending)
        if session is None or pending is None or person is None:
            return pages.error_page(_EXPIRED)
        chosen = form.get("patient")
        if chosen in person.patients:
            pending.context = LaunchContext(patient=chosen)
        return self._onwards(pending)

    async def encounter(self, request: Request) -> Response:
        """POST /oauth/encounter: the choice of the picker of visits."""
        form, session, pending = await self._posted(request)
        if session is None or pending is None or self._person(session, pending) is None:
            return pages.error_page(_EXPIRED)
        chosen = form.get("encounter")
        if chosen in dict(self._encounters(pending)):
            pending.context = replace(pending.context, encounter=chosen)
        return self._onwards(pending)

    async def consent(self, request: Request) -> Response:
        """POST /oauth/consent: approve or deny."""
        form, session, pending = await self._posted(request)
        person = self._person(session, pending)
        if session is None or pending is None or person is None:
            return pages.error_page(_EXPIRED)
        offered = self._offered(pending, person)
        if self._asks_patient(offered, pending) or self._asks_encounter(offered, pending):
            return self._onwards(pending)
        self.instance.sessions.decided(pending)
        granted = granted_scopes(self.instance, offered, form.all("scope"))
        if form.get("decision") != "approve" or not granted:
            return self._declined(pending)
        return self._approved(pending, person, granted)

    def _next(self, session: Session, pending: Pending, query: str = "") -> Response:
        person = self._person(session, pending)
        frame = self._frame(session, pending)
        if person is None:
            return pages.login_page(frame, name_only=self._browser.asks_name_first())
        launch = pending.request.launch
        if launch and launch.username != person.username:
            refusal = pending.request.refuse("access_denied", "another user launched the app")
            return self._refused(refusal)
        offered = self._offered(pending, person)
        if not offered:
            refusal = pending.request.refuse("invalid_scope", "none of the scopes can be granted")
            return self._refused(refusal)
        if self._asks_patient(offered, pending):
            if len(person.patients) > 1:
                return self._picker(frame, person, query)
            pending.context = LaunchContext(patient=person.patients[0])
        if self._asks_encounter(offered, pending):
            encounters = self._encounters(pending)
            if len(encounters) > 1:
                return pages.encounter_page(frame, person.name, encounters)
            pending.context = replace(pending.context, encounter=encounters[0][0])
        return self._asked(frame, pending, person, offered)

    def _asked(
        self, frame: pages.Frame, pending: Pending, person: Person, offered: tuple[str, ...]
    ) -> Response:
        """The page that asks for approval, which not every server has."""
        remembered = self.instance.has("consent-remembered")
        unasked = remembered and "consent" not in pending.request.prompt
        if unasked or self.instance.has("consent-not-asked-for"):
            self.instance.sessions.decided(pending)
            granted = granted_scopes(self.instance, offered, offered)
            return self._approved(pending, person, granted)
        patient = pending.context.patient
        name = self.instance.store.patient_name(patient) if patient else None
        choices = [(each, scopes.alternatives(each, self.instance.smart)) for each in offered]
        return pages.consent_page(frame, person.name, name, choices)

    def _offered(self, pending: Pending, person: Person) -> tuple[str, ...]:
        request = pending.request
        launched = request.launch is not None
        found = scopes.offered(request.scopes, person, self.instance.smart, launched=launched)
        return grantable(self.instance, request.client, found)

    def _asks_patient(self, offered: tuple[str, ...], pending: Pending) -> bool:
        return scopes.needs_patient(offered) and pending.context.patient is None

    def _asks_encounter(self, offered: tuple[str, ...], pending: Pending) -> bool:
        """A patient without any visit is launched without one."""
        wanted = scopes.LAUNCH_ENCOUNTER in offered and pending.context.encounter is None
        return wanted and bool(self._encounters(pending))

    def _encounters(self, pending: Pending) -> list[tuple[str, str]]:
        """Id and start of each visit of the patient in context, the latest first."""
        patient = pending.context.patient
        return encounters(self.instance, patient) if patient else []

    def _picker(self, frame: pages.Frame, person: Person, query: str) -> Response:
        choices = [
            (patient, self.instance.store.patient_name(patient)) for patient in person.patients
        ]
        wanted = query.casefold()
        found = [each for each in choices if wanted in " ".join(each).casefold()]
        shown = found[: pages.MAX_CHOICES]
        more = len(found) - len(shown)
        return pages.picker_page(frame, person.name, shown, query=query, more=more)

    def _approved(self, pending: Pending, person: Person, granted: tuple[str, ...]) -> Response:
        wanted = pending.request
        if self.instance.has("approval-answers-error"):
            refusal = wanted.refuse("server_error", "the approval could not be stored")
            return self._refused(refusal, status=303)
        code = new_code(self.instance, pending, person, granted)
        url = redirect_url(self.instance, wanted.redirect_uri, wanted.state, code=code.value)
        return redirect(url)

    def _declined(self, pending: Pending) -> Response:
        if self.instance.has("denial-ends-on-page"):
            return pages.error_page("Your records stay with us. You may close this window.")
        server = self.instance.has("denial-told-as-server-error")
        error = "server_error" if server else "access_denied"
        refusal = pending.request.refuse(error, "the person did not approve")
        return self._refused(refusal, status=303)

    def _refused(self, refusal: ErrorRedirect, status: int = 302) -> Response:
        url = redirect_url(
            self.instance,
            refusal.redirect_uri,
            refusal.state,
            error=refusal.error,
            error_description=refusal.description,
        )
        return redirect(url, status)

    def _onwards(self, pending: Pending) -> Response:
        query = urlencode({"request": pending.pending_id})
        return redirect(f"{self.instance.oauth('continue')}?{query}")

    async def _posted(self, request: Request) -> tuple[Form, Session | None, Pending | None]:
        """The form with the session and the request it belongs to, if its csrf value is right."""
        form, session = await self._browser.posted(request)
        return form, session, self._pending(session, form.get("request"))

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
            carried=(("request", pending.pending_id),),
            csrf=session.csrf,
            app=client.client_name,
            leads_to=(pending.request.redirect_uri,),
        )


def encounters(instance: Instance, patient: str) -> list[tuple[str, str]]:
    """Id and start of each visit of a patient, the latest first."""
    found = instance.store.all("Encounter", patient)
    starts = [(str(each.resource.get("period", {}).get("start", "")), each.id) for each in found]
    return [(encounter, start) for start, encounter in sorted(starts, reverse=True)]
