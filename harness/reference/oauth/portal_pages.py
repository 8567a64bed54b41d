"""The pages of the EHR itself: launching apps, and withdrawing what they were given."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from itertools import groupby

from starlette.responses import HTMLResponse

from harness.reference.clients import Client
from harness.reference.oauth.ledger import Grant
from harness.reference.oauth.pages import MAX_CHOICES, Frame, hidden, page, signed_in
from harness.reference.oauth.wording import describe


def launch_page(
    frame: Frame,
    name: str,
    apps: Sequence[Client],
    patients: Sequence[tuple[str, str]],
    query: str,
) -> HTMLResponse:
    """One button for each app and patient.

    Args:
        frame: of the forms.
        name: of the person.
        apps: that can be launched.
        patients: as (id, name); the first fifty are shown.
        query: by which they were found.
    """
    url = frame.action.removesuffix("/portal") + "/launch"
    rows = "".join(
        f"<tr><td>{escape(patient)}<br><code>{escape(patient_id)}</code></td>"
        f"<td>{''.join(_launch_button(url, app, patient_id) for app in apps)}</td></tr>"
        for patient_id, patient in patients[:MAX_CHOICES]
    )
    more = max(0, len(patients) - MAX_CHOICES)
    search = ""
    if more or query:
        search = (
            f'<form method="get" action="{escape(url)}">{_only(apps)}<div class="field">'
            '<label for="q">Find by name or id</label>'
            f'<input type="search" id="q" name="q" value="{escape(query)}"></div>'
            '<button type="submit">Find</button>'
            f'<p class="quiet" role="status">{more} more.</p></form>'
        )
    table = (
        '<table><thead><tr><th scope="col">Patient</th><th scope="col">Apps</th></tr></thead>'
        f"<tbody>{rows}</tbody></table>"
    )
    content = f"{search}{table}{signed_in(frame, name)}"
    return page("Launch an app", content, frame.leads_to)


def manage_page(
    frame: Frame, name: str, grants: Sequence[tuple[str, str | None, Grant]]
) -> HTMLResponse:
    """The apps that have access, what each approval gave, and buttons to withdraw it.

    Args:
        frame: of the forms.
        name: of the person.
        grants: as (name of the app, name of the patient, grant).
    """
    by_app = sorted(grants, key=lambda each: each[2].client_id)
    sections = "".join(
        _app_section(frame, client_id, list(group))
        for client_id, group in groupby(by_app, key=lambda each: each[2].client_id)
    )
    content = sections or "<p>No app has access because of you.</p>"
    return page("Apps with access", content + signed_in(frame, name), frame.leads_to)


def _only(apps: Sequence[Client]) -> str:
    """Keeps a search to the one app that the page was opened for."""
    return hidden((("client_id", apps[0].client_id),)) if len(apps) == 1 else ""


def _launch_button(url: str, app: Client, patient_id: str) -> str:
    fields = hidden((("client_id", app.client_id), ("patient", patient_id)))
    return (
        f'<form method="get" action="{escape(url)}">{fields}'
        f'<button type="submit">Launch {escape(app.client_name)}</button></form>'
    )


def _app_section(
    frame: Frame, client_id: str, grants: Sequence[tuple[str, str | None, Grant]]
) -> str:
    app = escape(grants[0][0])
    rows = "".join(_grant_row(frame, patient, grant) for _, patient, grant in grants)
    everything = frame.form(
        "revoke",
        f"{frame.hidden()}{hidden((('client_id', client_id),))}"
        f'<button type="submit">Revoke all access of {app}</button>',
    )
    return f"<section><h2>{app}</h2><table>{rows}</table>{everything}</section>"


def _grant_row(frame: Frame, patient: str | None, grant: Grant) -> str:
    when = grant.granted_at.strftime("%Y-%m-%d %H:%M UTC") if grant.granted_at else ""
    what = "".join(
        f"<br>{escape(describe(scope))} <code>{escape(scope)}</code>" for scope in grant.scopes
    )
    whose = f", record of {escape(patient)}" if patient else ""
    button = frame.form(
        "revoke",
        f"{frame.hidden()}{hidden((('grant', grant.grant_id),))}"
        '<button type="submit">Revoke this access</button>',
    )
    return f"<tr><td>Approved {when}{whose}{what}</td><td>{button}</td></tr>"
