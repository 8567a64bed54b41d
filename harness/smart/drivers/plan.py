"""From a page to the next step of a login: pure, so that every dialect can be tried as a value."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from urllib.parse import parse_qsl, urlencode, urlsplit, urlunsplit

from harness.config.secrets import Secret
from harness.smart.drivers.choices import is_scope, names_patient
from harness.smart.drivers.fill import Pairs, StuckError, Wishes, fill, not_offered
from harness.smart.drivers.page import Control, Form, Page
from harness.smart.drivers.recognise import (
    TEXTS,
    Answer,
    answer_of,
    asks_access,
    asks_code,
    asks_consent,
    button_answer,
    button_text,
    is_search,
    link_names,
    password_form,
    patient_buttons,
    patient_controls,
    patient_links,
    username_field,
    username_form,
)
from harness.smart.drivers.target import Caught, Target

MAX_SAME = 3
"""How often the same form may come back."""


@dataclass(frozen=True, slots=True)
class Submit:
    """Send a form. `secret` marks one that carries the password or the user name."""

    url: str
    method: str
    fields: Pairs = field(repr=False)
    secret: bool = False


@dataclass(frozen=True, slots=True)
class Follow:
    """Go to a URL."""

    url: str


Step = Submit | Follow | Caught


@dataclass(frozen=True, slots=True)
class Task:
    """What is to be carried through, with what."""

    target: Target
    wishes: Wishes
    username: str | None = field(repr=False, default=None)
    password: Secret | None = None


@dataclass(slots=True)
class Progress:
    """What has happened so far."""

    username_sent: bool = False
    password_sent: bool = False
    searched: bool = False
    offered_choice: bool = False
    denied: bool = False
    declined: set[str] = field(default_factory=set)
    seen: Counter[tuple[str, ...]] = field(default_factory=Counter)


def next_step(page: Page, task: Task, progress: Progress) -> Step:
    """What to do on a page; notes in `progress` what that gives away.

    Raises:
        StuckError: nothing that a person could do without knowing more.
    """
    try:
        return _straight_on(page, task, progress)
    except StuckError:
        step = search(page, task, progress)
        if step is None:
            raise
        return step


def _straight_on(page: Page, task: Task, progress: Progress) -> Step:
    for find in (arrival, sign_in, name_user, _denial, _patient, best_form, onward):
        step = find(page, task, progress)
        if step is not None:
            return step
    if asks_code(page):
        raise StuckError(
            "it asks for a one-time code", "switch the second factor off for this test login"
        )
    raise StuckError("it has no form or link that leads on")


def search(page: Page, task: Task, progress: Progress) -> Step | None:
    """A picker that shows no more than a few patients lets the person look for others, once."""
    wanted = task.wishes.choices.patient
    form = next((form for form in page.forms if is_search(form)), None)
    if wanted is None or form is None or progress.searched or password_form(page):
        return None
    progress.searched = True
    values = {form.of(*TEXTS)[0].name: wanted}
    filled = fill(form, next(iter(form.buttons), None), task.wishes, values)
    return Submit(form.action, "POST" if form.method == "post" else "GET", filled.fields)


def arrival(page: Page, task: Task, _: Progress) -> Step | None:
    """The answer, carried by the page itself: a form_post, a refresh, a script, frame or link."""
    # A page with one form and no password offers nothing but the answer.
    alone = len(page.forms) < 2 and password_form(page) is None  # noqa: PLR2004 - see above
    for form in page.forms:
        found = caught_by(form, task, alone=alone)
        if found is not None:
            return found
    carried = (page.refresh, page.scripted, *page.frames, *(link.url for link in page.links))
    for url in carried:
        if url and task.target.answered_by(url):
            query = dict(parse_qsl(urlsplit(url).query))
            if task.target.takes(query, alone=alone):
                return Caught(url)
    return None


def caught_by(form: Form, task: Task, *, alone: bool) -> Caught | None:
    """What a form that goes to the application sends there; None where it is no answer."""
    if not task.target.answered_by(form.action):
        return None
    fields = tuple((control.name, control.value) for control in form.of("hidden"))
    query = dict(parse_qsl(urlsplit(form.action).query))
    if form.method == "post":
        caught = Caught(form.action, fields)
    else:
        # A form sent by GET replaces the query of its action (HTML, form submission algorithm).
        query = {}
        caught = Caught(urlunsplit(urlsplit(form.action)._replace(query=urlencode(fields))))
    return caught if task.target.takes(query | dict(fields), alone=alone) else None


def sign_in(page: Page, task: Task, progress: Progress) -> Step | None:
    """Fill in the login form."""
    form = password_form(page)
    if form is None:
        return None
    if progress.password_sent:
        raise StuckError(
            "the login form came back: user name or password was not accepted",
            "check username and password of the login",
        )
    if form.method != "post":
        raise StuckError(
            "its login form would put the password into the URL, so a script must send it",
            'use driver = "browser" or "manual" for this login',
        )
    values = _credentials(form, task, progress)
    progress.username_sent = progress.password_sent = True
    return submit(form, _login_button(form, task), task, progress, values)


def _credentials(form: Form, task: Task, progress: Progress) -> dict[str, str]:
    if task.username is None or task.password is None:
        raise StuckError("it asks for a login", "set username and password of the login")
    named = task.wishes.fields
    passwords = form.of("password")
    if len(passwords) > 1 and "password" not in named:
        raise StuckError("it asks to set a new password", "set it by hand, once")
    password = named.get("password", passwords[0].name)
    username = username_field(form, named.get("username"))
    if username is None and not progress.username_sent:
        raise StuckError("no field for the user name", "name it as fields.username of the login")
    values = {password: task.password.reveal()}
    if username is not None:
        values[username.name] = task.username
    return values


def name_user(page: Page, task: Task, progress: Progress) -> Step | None:
    """Give the user name on a page of its own, before the one with the password."""
    if progress.username_sent or task.username is None:
        return None
    form = username_form(page, task.wishes.fields.get("username"))
    name = username_field(form, task.wishes.fields.get("username")) if form else None
    if form is None or name is None or form.method != "post":
        return None
    progress.username_sent = True
    values = {name.name: task.username}
    return submit(form, _login_button(form, task), task, progress, values)


def _denial(page: Page, task: Task, progress: Progress) -> Step | None:
    if not task.wishes.choices.deny:
        return None
    for form in page.forms:
        for button in form.buttons:
            if button_answer(button) is Answer.DENY:
                progress.denied |= asks_access(page)
                return submit(form, button, task, progress)
    if not any(button_answer(b) is Answer.APPROVE for f in page.forms for b in f.buttons):
        return None
    denying = (link for link in page.links if answer_of(link.text) is Answer.DENY)
    link = next(denying, None)
    progress.denied |= link is not None and asks_access(page)
    return Follow(link.url) if link else None


def _patient(page: Page, task: Task, progress: Progress) -> Step | None:
    """A patient chosen by a button or a link; radio buttons and selects belong to `best_form`."""
    if any(_patient_controls(form, task) for form in page.forms):
        return None
    wanted = task.wishes.choices.patient
    consent = asks_consent(page, task.wishes.requested)
    rows = [(form, button) for form in page.forms for button in patient_buttons(form)]
    links = patient_links(page)
    if wanted is not None and not consent:
        every = [(form, button) for form in page.forms for button in form.buttons]
        rows, offered = [row for row in every if _may_press(row[1])], len(rows)
        rows = [row for row in rows if names_patient(button_text(*row), wanted)]
        links = tuple(link for link in links or page.links if link_names(link, wanted))
        if offered and not rows:
            raise not_offered(wanted, offered)
    if rows:
        return submit(*rows[0], task, progress)
    return Follow(links[0].url) if links and not consent else None


def best_form(page: Page, task: Task, progress: Progress) -> Step | None:
    """Send the form that most likely leads on."""
    ranked = [(_rank(form, task), -number) for number, form in enumerate(page.forms)]
    best = max(ranked, default=(0, 0))
    if best[0] == 0:
        return None
    form = page.forms[-best[1]]
    return submit(form, _best_button(form), task, progress)


def onward(page: Page, *_: object) -> Step | None:
    """Follow a refresh, a script or a link that says that it leads on."""
    for url in (page.refresh, page.scripted):
        if url and url != page.url:
            return Follow(url)
    for wish in (Answer.APPROVE, Answer.ONWARD):
        for link in page.links:
            local = urlsplit(link.url).scheme in ("http", "https")
            if local and answer_of(link.text) is wish:
                return Follow(link.url)
    return None


def _rank(form: Form, task: Task) -> int:
    """How likely a form leads on; 0 where it does not."""
    unfilled = [c for c in form.of(*TEXTS, "textarea") if not c.value and c.required]
    if is_search(form) or unfilled or form.of("password"):
        return 0
    answers = {button_answer(button) for button in form.buttons}
    if answers and not answers - {Answer.DENY, Answer.ASIDE}:
        return 0
    requested = task.wishes.requested
    if _patient_controls(form, task) or Answer.APPROVE in answers:
        return 4
    if any(is_scope(box, requested) for box in form.of("checkbox")):
        return 4
    if Answer.ONWARD in answers:
        return 3
    only_hidden = bool(form.controls) and not [c for c in form.controls if c.kind != "hidden"]
    return 2 if answers else int(only_hidden)


def _patient_controls(form: Form, task: Task) -> tuple[Control, ...]:
    return patient_controls(form, task.wishes.choices.patient, task.wishes.fields.get("patient"))


def _may_press(button: Control) -> bool:
    return button_answer(button) not in (Answer.DENY, Answer.ASIDE)


def _best_button(form: Form) -> Control | None:
    """What a person presses to go on; None where only a script or Enter would send the form."""
    order = (Answer.APPROVE, Answer.ONWARD, Answer.UNCLEAR)
    for wish in order:
        for button in form.buttons:
            if button_answer(button) is wish:
                return button
    return None


def _login_button(form: Form, task: Task) -> Control | None:
    """The button that the EHR file names, where one form has several ways in (OpenEMR)."""
    named = task.wishes.fields.get("submit")
    fitting = (b for b in form.buttons if named in (b.name, b.value, b.text, b.id))
    return next(fitting, None) or _best_button(form)


def submit(
    form: Form,
    button: Control | None,
    task: Task,
    progress: Progress,
    values: dict[str, str] | None = None,
) -> Submit:
    """Send a form by a button, with what it asks for filled in; `values` make it a login."""
    shape = (urlsplit(form.action).path, *sorted({c.name for c in form.controls}))
    progress.seen[shape] += 1
    if progress.seen[shape] > MAX_SAME:
        raise StuckError(f"the same form came back {MAX_SAME} times")
    filled = fill(form, button, task.wishes, values)
    progress.declined |= filled.declined
    progress.offered_choice |= filled.offered_choice
    action = button.action if button and button.action else form.action
    method = button.method if button and button.method else form.method
    return Submit(
        action, "POST" if method == "post" else "GET", filled.fields, secret=values is not None
    )
