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
h2{font-size:1.1rem;margin:1.5rem 0 .25rem}
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
details{padding:0 .25rem .6rem 2rem}
summary{color:#47606f;font-size:.9rem;cursor:pointer}
table{border-collapse:collapse;width:100%}
th,td{border-top:1px solid #e1e7eb;padding:.6rem .25rem;text-align:left;vertical-align:top}
td form{margin:0 0 .4rem}
td code{color:#47606f;font-size:.8rem;overflow-wrap:anywhere}
.quiet{color:#47606f;font-size:.9rem}
:focus-visible{outline:3px solid #f0a202;outline-offset:2px}
"""
_STYLE_HASH = base64.b64encode(hashlib.sha256(STYLE.encode()).digest()).decode()
MAX_CHOICES = 50


@dataclass(frozen=True, slots=True)
class Frame:
    """What every form of one browser carries.

    Args:
        action: URL below which the forms are posted.
        carried: hidden fields that say what is at hand, as (name, value).
        csrf: the secret of the browser's session.
        app: name of the client; None on the EHR's own pages.
        leads_to: where forms may lead in the end; named in the Content-Security-Policy.
    """

    action: str
    carried: tuple[tuple[str, str], ...]
    csrf: str
    app: str | None
    leads_to: tuple[str, ...] = ()

    def hidden(self) -> str:
        """The hidden fields of a form that is posted."""
        return hidden((*self.carried, ("csrf", self.csrf)))

    def form(self, step: str, content: str, method: str = "post") -> str:
        """A form that is sent to one step of the sign-in."""
        return f'<form method="{method}" action="{escape(self.action)}/{step}">{content}</form>'


def hidden(fields: Iterable[tuple[str, str]]) -> str:
    """Hidden fields of a form."""
    return "".join(
        f'<input type="hidden" name="{escape(name)}" value="{escape(value)}">'
        for name, value in fields
    )


def login_page(
    frame: Frame,
    username: str = "",
    refused: str | None = None,
    *,
    wait: int = 0,
    name_only: bool = False,
) -> HTMLResponse:
    """User name and password.

    Args:
        frame: of the form.
        username: as it was typed.
        refused: why the last ones did not do.
        wait: the seconds for which no others will do.
        name_only: whether the password is asked for on the next page.
    """
    error = f'<p class="error" role="alert">{escape(refused)}</p>' if refused else ""
    password = (
        '<div class="field"><label for="password">Password</label>'
        '<input type="password" id="password" name="password" '
        'autocomplete="current-password" required></div>'
    )
    fields = (
        f"{frame.hidden()}{error}"
        '<div class="field"><label for="username">User name</label>'
        '<input type="text" id="username" name="username" autocomplete="username" required '
        f'autofocus value="{escape(username)}"></div>'
        f"{'' if name_only else password}"
        '<div class="actions"><button class="main" type="submit">Sign in</button></div>'
    )
    lead = f"<p>to continue to <strong>{escape(frame.app or 'the EHR')}</strong></p>"
    response = page("Sign in", lead + frame.form("login", fields), frame.leads_to)
    if wait:
        response.status_code = 429
        response.headers["retry-after"] = str(wait)
    return response


def picker_page(
    frame: Frame, name: str, choices: Sequence[tuple[str, str]], *, query: str, more: int
) -> HTMLResponse:
    """A choice of patients, as (id, name); `more` tells how many are not shown."""
    search = ""
    if more or query:
        search = frame.form(
            "continue",
            hidden(frame.carried) + '<div class="field"><label for="q">Find by name or id</label>'
            f'<input type="search" id="q" name="q" value="{escape(query)}"></div>'
            '<button type="submit">Find</button>'
            f'<p class="quiet" role="status">{len(choices)} shown, {more} more.</p>',
            method="get",
        )
    lead = f"<p>Whose record may <strong>{escape(frame.app or '')}</strong> open?</p>"
    choose = frame.form("patient", _choice(frame, "patient", "Patient", choices))
    content = lead + search + choose + signed_in(frame, name)
    return page("Choose a patient", content, frame.leads_to)


def encounter_page(frame: Frame, name: str, choices: Sequence[tuple[str, str]]) -> HTMLResponse:
    """A choice of visits of one patient, as (id, start)."""
    shown = [(each, f"Visit of {start[:10]}") for each, start in choices]
    lead = f"<p>Which visit may <strong>{escape(frame.app or '')}</strong> open?</p>"
    choose = frame.form("encounter", _choice(frame, "encounter", "Visit", shown))
    return page("Choose a visit", lead + choose + signed_in(frame, name), frame.leads_to)


def _choice(frame: Frame, field: str, legend: str, choices: Iterable[tuple[str, str]]) -> str:
    """Radio buttons for (id, name), and a button to go on."""
    items = "".join(
        f'<li><label><input type="radio" name="{field}" value="{escape(value)}" required>'
        f"<span>{escape(text)}<code>{escape(value)}</code></span></label></li>"
        for value, text in choices
    )
    return (
        f"{frame.hidden()}<fieldset><legend>{legend}</legend><ul>{items}</ul></fieldset>"
        '<div class="actions"><button class="main" type="submit">Continue</button></div>'
    )


def consent_page(
    frame: Frame,
    name: str,
    patient: str | None,
    scopes: Iterable[tuple[str, Sequence[str]]],
) -> HTMLResponse:
    """One checkbox for each scope, below it those of its narrower alternatives; Approve and Deny.

    Args:
        frame: of the forms.
        name: of the person.
        patient: name of the patient in context.
        scopes: each scope that is asked for, and what may be granted in its place.
    """
    items = "".join(
        f"<li>{_scope_box(scope, checked=True)}{_alternatives(narrower)}</li>"
        for scope, narrower in scopes
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
    lead = f"<p><strong>{escape(frame.app or '')}</strong> asks for access{whose}.</p>"
    content = lead + frame.form("consent", fields) + signed_in(frame, name)
    return page("Approve access", content, frame.leads_to)


def _scope_box(scope: str, *, checked: bool) -> str:
    return (
        f'<label><input type="checkbox" name="scope" value="{escape(scope)}"'
        f"{' checked' if checked else ''}>"
        f"<span>{escape(describe(scope))}<code>{escape(scope)}</code></span></label>"
    )


def _alternatives(scopes: Sequence[str]) -> str:
    if not scopes:
        return ""
    items = "".join(f"<li>{_scope_box(scope, checked=False)}</li>" for scope in scopes)
    return f"<details><summary>Untick it and share only</summary><ul>{items}</ul></details>"


def error_page(message: str) -> HTMLResponse:
    """What cannot be told to the client, and what to do."""
    content = (
        f'<p class="error" role="alert">{escape(message)}</p>'
        "<p>Go back to the app and start again.</p>"
    )
    return page("This cannot go on", content, status=400)


def signed_in(frame: Frame, name: str) -> str:
    """Who is signed in, and the way out."""
    button = '<button class="link" type="submit">Sign in as somebody else</button>'
    return frame.form(
        "logout", f'{frame.hidden()}<p class="quiet">Signed in as {escape(name)}. {button}</p>'
    )


def page(
    title: str, content: str, leads_to: tuple[str, ...] = (), *, status: int = 200
) -> HTMLResponse:
    """A whole page; `leads_to` are the URIs outside to which its forms may lead."""
    html = (
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{escape(title)} · Reference EHR</title><style>{STYLE}</style></head><body><main>"
        f"<header>Reference EHR · synthetic patients only</header><h1>{escape(title)}</h1>"
        f"{content}</main></body></html>"
    )
    return HTMLResponse(html, status_code=status, headers=_headers(leads_to))


def _headers(leads_to: tuple[str, ...]) -> dict[str, str]:
    sources = "".join(sorted({_source(uri) for uri in leads_to}))
    policy = (
        f"default-src 'none'; style-src 'sha256-{_STYLE_HASH}'; "
        f"form-action 'self'{sources}; frame-ancestors 'none'; base-uri 'none'"
    )
    return {
        "content-security-policy": policy,
        "x-frame-options": "DENY",
        "x-content-type-options": "nosniff",
        "referrer-policy": "no-referrer",
        "cache-control": "no-store",
    }


def _source(uri: str) -> str:
    """A URI as a source: browsers hold redirects after a form to form-action, too."""
    parts = urlsplit(uri)
    source = f" {parts.scheme}://{parts.netloc}" if parts.netloc else f" {parts.scheme}:"
    return "" if set(source[1:]) & set(" ;,'\"\r\n\t") else source
