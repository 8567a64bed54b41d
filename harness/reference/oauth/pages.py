"""The pages that a person sees: plain HTML, no script, every value escaped."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from html import escape
from urllib.parse import urlsplit

from starlette.responses import HTMLResponse

from harness.reference.oauth.wording import describe

STYLE = """
*{box-sizing:border-box}
body{margin:0;background:#f2f5f7;color:#16222c;font:16px/1.5 system-ui,sans-serif}
main{max-width:34rem;margin:3rem auto;padding:2rem;background:#fff;border:1px solid #cfd8df;
border-radius:8px}
header{color:#47606f;font-size:.9rem;margin-bottom:1rem}
h1{font-size:1.4rem;line-height:1.25;margin:0 0 .5rem}
label{display:block}
.field{margin:1rem 0}.field label{font-weight:600}
input[type=text],input[type=password],input[type=search]{width:100%;padding:.55rem;font:inherit;
border:1px solid #6b7f8c;border-radius:4px}
fieldset{border:0;padding:0;margin:1rem 0}
legend{font-weight:600;padding:0;margin-bottom:.25rem}
ul{list-style:none;margin:0;padding:0}
li{border-top:1px solid #e1e7eb}
li label{display:flex;gap:.75rem;padding:.6rem .25rem;cursor:pointer}
li input{margin-top:.35rem;flex:none}
li code{display:block;color:#47606f;font-size:.8rem;overflow-wrap:anywhere}
.actions{display:flex;gap:.75rem;margin-top:1.25rem}
button{font:inherit;padding:.55rem 1.25rem;border-radius:4px;border:1px solid #0b5c8a;
cursor:pointer;background:#fff;color:#0b5c8a}
button.main{background:#0b5c8a;color:#fff}
button.link{border:0;padding:0;text-decoration:underline}
.error{border-left:4px solid #b3261e;background:#fdecea;padding:.6rem .9rem}
.quiet{color:#47606f;font-size:.9rem}
:focus-visible{outline:3px solid #f0a202;outline-offset:2px}
"""
_STYLE_HASH = base64.b64encode(hashlib.sha256(STYLE.encode()).digest()).decode()
MAX_CHOICES = 50


@dataclass(frozen=True, slots=True)
class Frame:
    """What every form of one browser carries.

    Args:
        action: URL below which the forms are posted, `{issuer}/oauth`.
        pending_id: the authorization request at hand.
        csrf: the secret of the browser's session.
        app: name of the client.
        redirect_uri: where the last form leads; named in the Content-Security-Policy.
    """

    action: str
    pending_id: str
    csrf: str
    app: str
    redirect_uri: str

    def hidden(self) -> str:
        """The hidden fields."""
        return (
            f'<input type="hidden" name="request" value="{escape(self.pending_id)}">'
            f'<input type="hidden" name="csrf" value="{escape(self.csrf)}">'
        )

    def form(self, step: str, content: str, method: str = "post") -> str:
        """A form that is sent to one step of the sign-in."""
        return f'<form method="{method}" action="{escape(self.action)}/{step}">{content}</form>'


def login_page(frame: Frame, *, username: str = "", failed: bool = False) -> HTMLResponse:
    """User name and password."""
    error = '<p class="error" role="alert">User name or password is not right.</p>'
    fields = (
        f"{frame.hidden()}{error if failed else ''}"
        '<div class="field"><label for="username">User name</label>'
        '<input type="text" id="username" name="username" autocomplete="username" required '
        f'autofocus value="{escape(username)}"></div>'
        '<div class="field"><label for="password">Password</label>'
        '<input type="password" id="password" name="password" '
        'autocomplete="current-password" required></div>'
        '<div class="actions"><button class="main" type="submit">Sign in</button></div>'
    )
    lead = f"<p>to continue to <strong>{escape(frame.app)}</strong></p>"
    return _page("Sign in", lead + frame.form("login", fields), frame.redirect_uri)


def picker_page(
    frame: Frame, name: str, choices: Sequence[tuple[str, str]], *, query: str, more: int
) -> HTMLResponse:
    """A choice of patients, as (id, name); `more` tells how many are not shown."""
    items = "".join(
        f'<li><label><input type="radio" name="patient" value="{escape(patient_id)}" required>'
        f"<span>{escape(patient)}<code>{escape(patient_id)}</code></span></label></li>"
        for patient_id, patient in choices
    )
    search = ""
    if more or query:
        search = frame.form(
            "continue",
            f'<input type="hidden" name="request" value="{escape(frame.pending_id)}">'
            '<div class="field"><label for="q">Find by name or id</label>'
            f'<input type="search" id="q" name="q" value="{escape(query)}"></div>'
            '<button type="submit">Find</button>'
            f'<p class="quiet" role="status">{len(choices)} shown, {more} more.</p>',
            method="get",
        )
    fields = (
        f"{frame.hidden()}<fieldset><legend>Patient</legend><ul>{items}</ul></fieldset>"
        '<div class="actions"><button class="main" type="submit">Continue</button></div>'
    )
    lead = f"<p>Whose record may <strong>{escape(frame.app)}</strong> open?</p>"
    content = lead + search + frame.form("patient", fields) + _signed_in(frame, name)
    return _page("Choose a patient", content, frame.redirect_uri)


def consent_page(
    frame: Frame, name: str, patient: str | None, scopes: Iterable[str]
) -> HTMLResponse:
    """One checkbox for each scope, Approve and Deny."""
    items = "".join(
        f'<li><label><input type="checkbox" name="scope" value="{escape(scope)}" checked>'
        f"<span>{escape(describe(scope))}<code>{escape(scope)}</code></span></label></li>"
        for scope in scopes
    )
    fields = (
        f"{frame.hidden()}<fieldset><legend>The app will be able to</legend>"
        f"<ul>{items}</ul></fieldset>"
        '<p class="quiet">Untick what you do not want to share.</p>'
        '<div class="actions">'
        '<button class="main" type="submit" name="decision" value="approve">Approve</button>'
        '<button type="submit" name="decision" value="deny">Deny</button></div>'
    )
    whose = f" to the record of <strong>{escape(patient)}</strong>" if patient else ""
    lead = f"<p><strong>{escape(frame.app)}</strong> asks for access{whose}.</p>"
    content = lead + frame.form("consent", fields) + _signed_in(frame, name)
    return _page("Approve access", content, frame.redirect_uri)


def error_page(message: str) -> HTMLResponse:
    """What cannot be told to the client, and what to do."""
    content = (
        f'<p class="error" role="alert">{escape(message)}</p>'
        "<p>Go back to the app and start again.</p>"
    )
    return _page("This cannot go on", content, None, status=400)


def _signed_in(frame: Frame, name: str) -> str:
    button = '<button class="link" type="submit">Sign in as somebody else</button>'
    return frame.form(
        "logout", f'{frame.hidden()}<p class="quiet">Signed in as {escape(name)}. {button}</p>'
    )


def _page(title: str, content: str, redirect_uri: str | None, *, status: int = 200) -> HTMLResponse:
    html = (
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{escape(title)} · Reference EHR</title><style>{STYLE}</style></head><body><main>"
        f"<header>Reference EHR · synthetic patients only</header><h1>{escape(title)}</h1>"
        f"{content}</main></body></html>"
    )
    return HTMLResponse(html, status_code=status, headers=_headers(redirect_uri))


def _headers(redirect_uri: str | None) -> dict[str, str]:
    policy = (
        f"default-src 'none'; style-src 'sha256-{_STYLE_HASH}'; "
        f"form-action 'self'{_source(redirect_uri)}; frame-ancestors 'none'; base-uri 'none'"
    )
    return {
        "content-security-policy": policy,
        "x-frame-options": "DENY",
        "x-content-type-options": "nosniff",
        "referrer-policy": "no-referrer",
        "cache-control": "no-store",
    }


def _source(redirect_uri: str | None) -> str:
    """The redirect URI as a source: browsers hold redirects after a form to form-action, too."""
    if redirect_uri is None:
        return ""
    parts = urlsplit(redirect_uri)
    source = f" {parts.scheme}://{parts.netloc}" if parts.netloc else f" {parts.scheme}:"
    return "" if set(source[1:]) & set(" ;,'\"\r\n\t") else source
