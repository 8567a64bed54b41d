"""The reference EHR for integration tests, and an app of another make that launches against it."""

from __future__ import annotations

import base64
import hashlib
import json
import re
import secrets
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from html import unescape
from html.parser import HTMLParser
from typing import Any
from urllib.parse import parse_qs, parse_qsl, urljoin, urlsplit

import httpx
from joserfc import jws
from joserfc.jwk import ECKey, RSAKey

from harness.reference.process import Running, start

__all__ = ["App", "Page", "Running", "clean_environment", "start"]

_KEPT = re.compile(
    r"PATH|HOME|USER|TERM|TZ|LANG|LC_.*|TMPDIR|PYTHON.*|PYTEST_.*|VIRTUAL_ENV|COVERAGE.*"
)
REDIRECT_URI = "http://127.0.0.1:8765/callback"
LAUNCH_URI = "http://127.0.0.1:8765/launch"


def clean_environment(environ: Mapping[str, str]) -> dict[str, str]:
    """Leaves out proxies and whatever could be a secret."""
    return {name: value for name, value in environ.items() if _KEPT.fullmatch(name)}


class Page(HTMLParser):
    """The forms of a page: actions, fields, choices."""

    def __init__(self, response: httpx.Response) -> None:
        super().__init__()
        self.response = response
        self.forms: list[dict[str, Any]] = []
        self.feed(response.text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attrs}
        if tag == "form":
            action = urljoin(str(self.response.url), unescape(given.get("action", "")))
            self.forms.append({"action": action, "hidden": {}, "choices": [], "checked": []})
        elif tag == "input" and self.forms:
            if "checked" in given:
                self.forms[-1]["checked"].append(given["value"])
            if given.get("type") == "hidden":
                self.forms[-1]["hidden"][given["name"]] = given["value"]
            elif given.get("type") in ("radio", "checkbox"):
                self.forms[-1]["choices"].append(given["value"])

    def form(self, step: str) -> dict[str, Any]:
        return next(each for each in self.forms if each["action"].endswith(f"/{step}"))


def _client() -> httpx.Client:
    # Loopback only: neither proxies nor certificates, whose loading would take most of the time.
    return httpx.Client(trust_env=False, verify=False)


@dataclass(frozen=True, slots=True)
class FromNow:
    """A claim that is so many seconds away from the moment of use, not of collection."""

    seconds: int


def _at(value: Any, moment: int) -> Any:
    return moment + value.seconds if isinstance(value, FromNow) else value


@dataclass
class App:
    """A SMART app with a browser of its own; knows the specification, not the harness.

    Args:
        fhir_base: of the instance to launch against.
        credentials: of the ready line.
        client_id: a registered client.
    """

    fhir_base: str
    credentials: Mapping[str, str] = field(repr=False)
    client_id: str = "harness-public"
    redirect_uri: str = REDIRECT_URI
    browser: httpx.Client = field(default_factory=_client)
    machine: httpx.Client = field(default_factory=_client)
    verifier: str = field(default_factory=lambda: secrets.token_urlsafe(48))
    state: str = field(default_factory=lambda: secrets.token_urlsafe(16))
    nonce: str = field(default_factory=lambda: secrets.token_urlsafe(16))
    control: Callable[..., Any] = field(default=lambda *_: None, repr=False)
    """Asks the control listener about this app's instance; a test sets it where it needs it."""

    def close(self) -> None:
        self.browser.close()
        self.machine.close()

    @property
    def issuer(self) -> str:
        return self.fhir_base.removesuffix("/r4")

    def challenge(self) -> str:
        digest = hashlib.sha256(self.verifier.encode()).digest()
        return base64.urlsafe_b64encode(digest).rstrip(b"=").decode()

    def request(self, scope: str | None, **changes: str | None) -> dict[str, str]:
        """Parameters of the authorization request; a change to None leaves one out."""
        parameters = {
            "response_type": "code",
            "client_id": self.client_id,
            "redirect_uri": self.redirect_uri,
            "scope": scope,
            "state": self.state,
            "aud": self.fhir_base,
            "nonce": self.nonce,
            "code_challenge": self.challenge(),
            "code_challenge_method": "S256",
        }
        merged = {**parameters, **changes}
        return {name: value for name, value in merged.items() if value is not None}

    def open(self, scope: str | None, **changes: str | None) -> httpx.Response:
        url = f"{self.issuer}/oauth/authorize"
        return self.browser.get(url, params=self.request(scope, **changes))

    def submit(self, page: Page, step: str, **fields: Any) -> httpx.Response:
        """Posts a form and follows redirects within the EHR."""
        form = page.form(step)
        response = self.browser.post(form["action"], data={**form["hidden"], **fields})
        while response.is_redirect and response.headers["location"].startswith(self.issuer):
            response = self.browser.get(response.headers["location"])
        return response

    def sign_in(self, username: str, scope: str, **changes: str | None) -> Page:
        """Opens the login page and signs in; the page that comes next."""
        self.browser.cookies.clear()
        page = Page(self.open(scope, **changes))
        password = self.credentials[f"REFERENCE_{username.upper()}_PASSWORD"]
        return Page(self.submit(page, "login", username=username, password=password))

    def authorize(
        self,
        username: str,
        scope: str,
        *,
        patient: str | None = None,
        keep: Callable[[str], bool] = lambda _: True,
        **changes: str | None,
    ) -> dict[str, str]:
        """Signs in, chooses, approves what `keep` keeps; the parameters of the redirect."""
        page = self.sign_in(username, scope, **changes)
        if patient:
            page = Page(self.submit(page, "patient", patient=patient))
        kept = [each for each in page.form("consent")["checked"] if keep(each)]
        return redirected(self.submit(page, "consent", scope=kept, decision="approve"))

    def visit(self, path: str, username: str | None = None, **query: str) -> httpx.Response:
        """A page of the EHR itself; signs in where it is asked to and a user is named."""
        response = self.browser.get(f"{self.issuer}/{path}", params=query)
        if username and 'name="password"' in response.text:
            password = self.credentials[f"REFERENCE_{username.upper()}_PASSWORD"]
            return self.submit(Page(response), "login", username=username, password=password)
        return response

    def ehr_launch(self, username: str, **query: str) -> dict[str, str]:
        """Has the EHR launch this app; the parameters that its launch URI gets."""
        response = self.visit("launch", username, client_id=self.client_id, **query)
        assert response.headers["location"].startswith(LAUNCH_URI + "?"), response.text
        return redirected(response)

    def approve(self, scope: str, **changes: str | None) -> dict[str, str]:
        """Approves what is asked for, with a user who has signed in; the redirect's parameters."""
        page = Page(self.open(scope, **changes))
        ticked = page.form("consent")["checked"]
        return redirected(self.submit(page, "consent", scope=ticked, decision="approve"))

    def launched(self, username: str, scope: str, **query: str) -> dict[str, Any]:
        """A whole EHR launch; the token response."""
        handle = self.ehr_launch(username, **query)["launch"]
        response = self.exchange(self.approve(scope, launch=handle)["code"])
        assert response.status_code == 200, response.text
        answer: dict[str, Any] = response.json()
        return answer

    def token(self, **fields: str | None) -> httpx.Response:
        """POST to the token endpoint; for a public client client_id is added."""
        body = {name: value for name, value in fields.items() if value is not None}
        auth = None
        if self.client_id in ("harness-symmetric", "harness-backend-secret"):
            which = "CLIENT" if self.client_id == "harness-symmetric" else "BACKEND"
            auth = httpx.BasicAuth(self.client_id, self.credentials[f"REFERENCE_{which}_SECRET"])
        elif self.client_id == "harness-public":
            body.setdefault("client_id", self.client_id)
        elif "client_assertion" not in body:
            body.update(self.assertion())
        return self.machine.post(
            f"{self.issuer}/oauth/token", data=body, auth=auth or httpx.USE_CLIENT_DEFAULT
        )

    def assertion(
        self,
        *,
        key: RSAKey | ECKey | None = None,
        header: dict[str, Any] | None = None,
        now: float | None = None,
        **claims: Any,
    ) -> dict[str, str]:
        """The form fields of private_key_jwt; a claim or header set to None is left out."""
        own = json.loads(self.credentials["REFERENCE_PRIVATE_KEY"])
        own.pop("alg", None)  # so that a test may sign with another algorithm
        signer = key or RSAKey.import_key(own)
        issued = int(time.time() if now is None else now)
        merged = {
            "iss": self.client_id,
            "sub": self.client_id,
            "aud": f"{self.issuer}/oauth/token",
            "exp": issued + 240,
            "jti": secrets.token_urlsafe(16),
            **{name: _at(value, issued) for name, value in claims.items()},
        }
        alg = "ES384" if isinstance(signer, ECKey) else "RS384"
        head = {"alg": alg, "kid": signer.kid, "typ": "JWT", **(header or {})}
        compact = jws.serialize_compact(
            {name: value for name, value in head.items() if value is not None},
            json.dumps({name: value for name, value in merged.items() if value is not None}),
            signer,
            algorithms=["RS256", "RS384", "ES384"],
        )
        return {
            "client_assertion_type": "urn:ietf:params:oauth:client-assertion-type:jwt-bearer",
            "client_assertion": compact,
        }

    def backend(self, scope: str = "system/Observation.rs", **fields: str | None) -> httpx.Response:
        return self.token(**{"grant_type": "client_credentials", "scope": scope, **fields})

    def exchange(self, value: str, **changes: str | None) -> httpx.Response:
        fields: dict[str, str | None] = {
            "grant_type": "authorization_code",
            "code": value,
            "redirect_uri": self.redirect_uri,
            "code_verifier": self.verifier,
        }
        return self.token(**{**fields, **changes})

    def launch(self, username: str, scope: str, **how: Any) -> dict[str, Any]:
        """A whole launch; the token response."""
        response = self.exchange(self.authorize(username, scope, **how)["code"])
        assert response.status_code == 200, response.text
        answer: dict[str, Any] = response.json()
        return answer

    def introspect(self, token: str) -> httpx.Response:
        auth = httpx.BasicAuth("harness-symmetric", self.credentials["REFERENCE_CLIENT_SECRET"])
        url = f"{self.issuer}/oauth/introspect"
        return self.machine.post(url, data={"token": token}, auth=auth)

    def refresh(self, refresh_token: str, **fields: str | None) -> httpx.Response:
        return self.token(grant_type="refresh_token", refresh_token=refresh_token, **fields)

    def get(self, path: str, token: str | None = None) -> httpx.Response:
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        return self.machine.get(f"{self.fhir_base}/{path}", headers=headers)


def redirected(response: httpx.Response) -> dict[str, str]:
    """The parameters with which the browser was sent back to the app."""
    assert response.is_redirect, response.text
    location = urlsplit(response.headers["location"])
    assert not [name for name, values in parse_qs(location.query).items() if len(values) > 1]
    return dict(parse_qsl(location.query))
