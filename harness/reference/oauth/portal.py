"""The EHR as its users see it: apps to launch, and the access that they gave to apps.

SMART App Launch, "EHR Launch"; `management_endpoint` of its "Conformance".
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING
from urllib.parse import urlencode, urlsplit

from starlette.requests import Request
from starlette.responses import Response

from harness.reference.oauth import pages, portal_pages
from harness.reference.oauth.authorize import encounters
from harness.reference.oauth.browser import Browser, SignInRefused, redirect
from harness.reference.oauth.forms import Form, FormRefused
from harness.reference.oauth.launches import LaunchContext

if TYPE_CHECKING:
    from harness.reference.clients import Client
    from harness.reference.instance import Instance
    from harness.reference.oauth.sessions import Session
    from harness.reference.people import Person

DEFAULT_INTENT = "review-observations"
_INTENT = re.compile(r"[a-z0-9-]{1,64}")
_PAGES = ("launch", "manage")
_EXPIRED = "This page has expired, or it began in another browser."


class Portal:
    """The pages of one instance that no app leads to."""

    def __init__(self, instance: Instance) -> None:
        self.instance = instance
        self._browser = Browser(instance)
        self._launch_uris = tuple(
            uri for client in instance.clients.values() for uri in client.launch_uris
        )

    async def launch(self, request: Request) -> Response:
        """GET /launch: what can be launched; with `client_id`, and `patient`, launches it."""
        signed_in = self._signed_in(request)
        if isinstance(signed_in, Response):
            return signed_in
        session, person = signed_in
        try:
            form = Form.parse(request.url.query)
            client = self._client(form)
            patient = self._patient(form, person)
            if client and patient:
                return redirect(self._launched(form, client, person, patient))
        except (FormRefused, _NotLaunched) as refusal:
            return pages.error_page(str(refusal))
        apps = [client] if client else self._launchable()
        query = (form.get("q") or "")[:100]
        named = [(each, self.instance.store.patient_name(each)) for each in person.patients]
        found = [each for each in named if query.casefold() in " ".join(each).casefold()]
        frame = self._frame(session, "launch")
        return portal_pages.launch_page(frame, person.name, apps, found, query)

    async def manage(self, request: Request) -> Response:
        """GET /manage: the apps that have access because of this person."""
        signed_in = self._signed_in(request)
        if isinstance(signed_in, Response):
            return signed_in
        session, person = signed_in
        grants = self.instance.ledger.live_grants(person.username, self.instance.clock.now())
        apps = {client.client_id: client.client_name for client in self.instance.clients.values()}
        return portal_pages.manage_page(
            self._frame(session, "manage"),
            person.name,
            [
                (apps.get(each.client_id, each.client_id), self._patient_of(each.patient), each)
                for each in grants
            ],
        )

    async def revoke(self, request: Request) -> Response:
        """POST /portal/revoke: ends what an approval, or an app, was given by this person."""
        form, session = await self._browser.posted(request)
        person = self.instance.people.get(session.username or "") if session else None
        if session is None or person is None:
            return pages.error_page(_EXPIRED)
        for grant in self.instance.ledger.live_grants(person.username, self.instance.clock.now()):
            if grant.grant_id == form.get("grant") or grant.client_id == form.get("client_id"):
                self.instance.ledger.revoke(grant)
        return redirect(self.instance.oauth("manage"))

    async def login(self, request: Request) -> Response:
        """POST /portal/login."""
        form, session = await self._browser.posted(request)
        if session is None:
            return pages.error_page(_EXPIRED)
        target = form.get("next") or ""
        if self._browser.asks_name_first(form):
            return pages.login_page(self._frame(session, target), form.get("username") or "")
        try:
            person = self._browser.check_password(form, session)
        except SignInRefused as refusal:
            frame = self._frame(session, target)
            username = form.get("username") or ""
            return pages.login_page(frame, username, str(refusal), wait=refusal.wait)
        now = self.instance.clock.now()
        session = self.instance.sessions.sign_in(session, person.username, now)
        return self._browser.with_cookie(redirect(self._url(target)), session)

    async def logout(self, request: Request) -> Response:
        """POST /portal/logout."""
        form, session = await self._browser.posted(request)
        if session is None:
            return pages.error_page(_EXPIRED)
        session.username = None
        return redirect(self._url(form.get("next") or ""))

    def _signed_in(self, request: Request) -> Response | tuple[Session, Person]:
        """Who is at the page; the login page where nobody is yet."""
        session = self._browser.started(request)
        person = self.instance.people.get(session.username or "")
        if person:
            return session, person
        page = request.url.path.rpartition("/")[2]
        target = f"{page}?{request.url.query}" if request.url.query else page
        name_only = self._browser.asks_name_first()
        response = pages.login_page(self._frame(session, target), name_only=name_only)
        return self._browser.with_cookie(response, session)

    def _url(self, target: str) -> str:
        """One of the two pages with its query; what the form carried is not trusted further."""
        page, _, query = target.partition("?")
        page = page if page in _PAGES else _PAGES[0]
        try:
            pairs = Form.parse(query).pairs
        except FormRefused:
            pairs = ()
        return f"{self.instance.issuer}/{page}" + (f"?{urlencode(pairs)}" if pairs else "")

    def _frame(self, session: Session, target: str) -> pages.Frame:
        return pages.Frame(
            action=f"{self.instance.issuer}/portal",
            carried=(("next", target),),
            csrf=session.csrf,
            app=None,
            leads_to=self._launch_uris,
        )

    def _launchable(self) -> list[Client]:
        return [client for client in self.instance.clients.values() if client.launch_uris]

    def _client(self, form: Form) -> Client | None:
        client_id = form.get("client_id")
        if client_id is None:
            return None
        client = self.instance.clients.get(client_id)
        if client is None or not client.launch_uris:
            raise _NotLaunched("No app of this name can be launched from here.")
        return client

    def _patient(self, form: Form, person: Person) -> str | None:
        patient = form.get("patient")
        if patient is None:
            return person.patients[0] if len(person.patients) == 1 else None
        if patient not in person.patients:
            raise _NotLaunched("There is no such patient, or the record is not yours to open.")
        return patient

    def _launched(self, form: Form, client: Client, person: Person, patient: str) -> str:
        """The launch URI with a handle for this app, user and context."""
        intent = form.get("intent") or DEFAULT_INTENT
        if not _INTENT.fullmatch(intent):
            raise _NotLaunched(f"An intent is made of {_INTENT.pattern}.")
        context = LaunchContext(
            patient=patient,
            encounter=self._encounter(form, patient),
            intent=intent,
            fhir_context=self._problem(patient),
            tenant=self.instance.name,
        )
        uri = form.get("launch_uri") or client.launch_uris[0]
        if uri not in client.launch_uris:
            raise _NotLaunched("The app has not registered that launch URI.")
        now = self.instance.clock.now()
        launch = self.instance.launches.begin(client.client_id, person.username, context, now)
        iss = self.instance.fhir_base
        if self.instance.has("launch-iss-internal"):
            iss = "http://fhir-backend.invalid/r4"
        given = {"iss": iss, "launch": launch.handle}
        if self.instance.has("launch-without-iss"):
            del given["iss"]
        query = urlencode(given)
        return f"{uri}{'&' if urlsplit(uri).query else '?'}{query}"

    def _encounter(self, form: Form, patient: str) -> str | None:
        """The visit that is asked for, else the latest."""
        known = [each for each, _ in encounters(self.instance, patient)]
        wanted = form.get("encounter")
        if wanted is not None and wanted not in known:
            raise _NotLaunched("There is no such visit of this patient.")
        return wanted or next(iter(known), None)

    def _problem(self, patient: str) -> tuple[str, ...]:
        """The first problem of the patient, as if the app were opened from the problem list."""
        problems = sorted(each.reference for each in self.instance.store.all("Condition", patient))
        return tuple(problems[:1])

    def _patient_of(self, patient: str | None) -> str | None:
        return self.instance.store.patient_name(patient) if patient else None


class _NotLaunched(Exception):
    """Nothing is launched; the text is for the person."""
