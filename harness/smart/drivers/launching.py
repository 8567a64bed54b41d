"""From a page of an EHR to the next step of a launch: sign in, choose application and patient.

Pure, as `plan`; the habits of login pages are read there.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import TypeAlias
from urllib.parse import parse_qsl, urlsplit

from harness.smart.drivers.choices import names_any, names_patient
from harness.smart.drivers.fill import StuckError, not_offered
from harness.smart.drivers.page import Control, Form, Link, Page
from harness.smart.drivers.plan import (
    Follow,
    Progress,
    Step,
    Task,
    arrival,
    best_form,
    caught_by,
    name_user,
    onward,
    search,
    sign_in,
    submit,
)
from harness.smart.drivers.recognise import (
    Answer,
    answer_of,
    asks_code,
    button_answer,
    button_text,
    is_search,
    patient_controls,
)
from harness.smart.drivers.target import Caught

PATIENT, APP = 4, 2
"""What it counts that a way names the patient, or the application."""

Way: TypeAlias = Link | tuple[Form, Control]

_CHOSEN = ("patient",)
_APP = re.compile(r"app|client", re.IGNORECASE)
_LAUNCHES = ("launch", "start", "open", "run")


def next_launch_step(page: Page, task: Task, progress: Progress) -> Step:
    """What to do on a page of the EHR; notes in `progress` what that gives away.

    Raises:
        StuckError: nothing that a person could do without knowing more.
    """
    ways = (_start, sign_in, name_user, _choice, _named, best_form, _launching, onward)
    for find in ways:
        step = find(page, task, progress)
        if step is not None:
            return step
    if asks_code(page):
        raise StuckError(
            "it asks for a one-time code", "switch the second factor off for this test login"
        )
    raise StuckError(
        "no link or button on it starts the application",
        "check launch_url, launch_uri of the client and patient of the login",
    )


def arrive_only(page: Page, task: Task, progress: Progress) -> Step:
    """The launch that a page carries by itself: a refresh, a script, a frame or a form.

    Raises:
        StuckError: it carries none.
    """
    step = arrival(page, task, progress)
    if step is None:
        raise StuckError(
            "it does not redirect to the application's launch URI",
            'use source = "form" where a person has to sign in or choose',
        )
    return step


def _start(page: Page, task: Task, progress: Progress) -> Step | None:
    """A link or form that leads to the application; among several the one with the patient."""
    starts = list(_starts(page, task))
    wanted = task.wishes.choices.patient
    if len(starts) < 2 or wanted is None:  # noqa: PLR2004 - nothing to choose between
        return starts[0][0] if starts else arrival(page, task, progress)
    for caught, said in starts:
        if names_patient(said, wanted):
            return caught
    raise StuckError(
        f"it starts the application for {len(starts)} contexts, none of which names {wanted!r}",
        "set patient of the login to an id or a name as the page shows it",
    )


def _starts(page: Page, task: Task) -> Iterator[tuple[Caught, str]]:
    """Links and forms that go to the launch URI itself, with what they say."""
    for link in page.links:
        query = dict(parse_qsl(urlsplit(link.url).query))
        if task.target.answered_by(link.url) and task.target.takes(query, alone=False):
            yield Caught(link.url), f"{link.text} {link.url}"
    for form in page.forms:
        found = caught_by(form, task, alone=False)
        if found is not None:
            yield found, _said(form)


def _said(form: Form) -> str:
    hidden = " ".join(control.value for control in form.of("hidden"))
    return " ".join((hidden, *(button_text(form, button) for button in form.buttons)))


def _choice(page: Page, task: Task, progress: Progress) -> Step | None:
    """A form that asks for the application or the patient by radio buttons or a select."""
    wishes = task.wishes
    for form in page.forms:
        if is_search(form) or form.of("password"):
            continue
        named = patient_controls(form, wishes.choices.patient, wishes.fields.get("patient"))
        apps = [control for control in form.of("radio", "select") if _APP.search(control.name)]
        apps = [each for each in form.controls if _offers_app(each, task)] or _refused(apps, task)
        if not (named or apps):
            continue
        progress.seen[_CHOSEN] += bool(named)
        pressed = [button for button in form.buttons if _may_press(button)]
        pressed.sort(key=lambda button: not _names_launch(button.text))
        return submit(form, next(iter(pressed), None), task, progress)
    return None


def _named(page: Page, task: Task, progress: Progress) -> Step | None:
    """The link or button that names patient or application; both before one of them."""
    ways = [(rank, way) for rank, way in _ways(page, task, progress) if rank >= APP]
    best = [way for rank, way in ways if rank == max(rank for rank, _ in ways)]
    wanted = task.wishes.choices.patient
    undecided = wanted is not None and not progress.seen[_CHOSEN]
    if undecided and all(rank < PATIENT for rank, _ in ways):
        step = search(page, task, progress)
        if step is not None:
            return step
        if len(best) > 1:
            raise not_offered(str(wanted), len(best))
    if any(rank >= PATIENT for rank, _ in ways):
        progress.seen[_CHOSEN] += 1
    return _take(best[0], task, progress) if best else None


def _launching(page: Page, task: Task, progress: Progress) -> Step | None:
    """A link or button that says no more than that it launches."""
    for rank, way in _ways(page, task, progress):
        if rank > 0:
            return _take(way, task, progress)
    return None


def _take(way: Way, task: Task, progress: Progress) -> Step:
    if isinstance(way, Link):
        progress.seen[("link", way.url)] += 1
        return Follow(way.url)
    return submit(*way, task, progress)


def _ways(page: Page, task: Task, progress: Progress) -> Iterator[tuple[int, Way]]:
    """Every link that was not followed yet and every button, with how much it names."""
    for link in page.links:
        local = urlsplit(link.url).scheme in ("http", "https") and link.url != page.url
        if progress.seen[("link", link.url)] or not local:
            continue
        if answer_of(link.text) not in (Answer.DENY, Answer.ASIDE):
            yield _rank(f"{link.text} {link.url}", link.text, task), link
    for form in page.forms:
        if is_search(form) or form.of("password"):
            continue
        for button in form.buttons:
            if _may_press(button):
                yield _rank(_button_says(form, button), button.text, task), (form, button)


def _rank(everything: str, text: str, task: Task) -> int:
    wanted = task.wishes.choices.patient
    patient = wanted is not None and names_patient(everything, wanted)
    app = names_any(everything, task.wishes.app)
    return PATIENT * patient + APP * app + int(_names_launch(text))


def _button_says(form: Form, button: Control) -> str:
    return f"{button_text(form, button)} {form.action}"


def _refused(apps: list[Control], task: Task) -> list[Control]:
    """A choice of applications without ours must not start another."""
    if apps:
        names = " or ".join(repr(name) for name in task.wishes.app)
        raise StuckError(
            f"the application is not among those that it offers: none is called {names}",
            "name the client as the EHR does, or register it there",
        )
    return []


def _names_launch(text: str) -> bool:
    return bool(set(text.lower().split()) & set(_LAUNCHES))


def _offers_app(control: Control, task: Task) -> bool:
    if control.kind == "radio":
        return names_any(f"{control.value} {control.text}", task.wishes.app)
    return any(names_any(f"{o.value} {o.text}", task.wishes.app) for o in control.options)


def _may_press(button: Control) -> bool:
    return button_answer(button) not in (Answer.DENY, Answer.ASIDE)
