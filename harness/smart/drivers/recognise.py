"""What a page asks for, by the habits of login pages: pure functions of pages and controls."""

from __future__ import annotations

import re
from enum import StrEnum
from urllib.parse import parse_qsl, unquote, urlsplit

from harness.smart.drivers.choices import is_scope, names_patient
from harness.smart.drivers.page import Control, Form, Link, Page

TEXTS = ("text", "email", "tel", "search", "number", "url")


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


_APPROVE = _words(
    "allow approve accept authorize authorise grant agree consent yes confirm permit share"
)
_ONWARD = _words("continue next submit proceed ok select choose go finish done login")
_DENY = _words("deny decline reject cancel refuse disallow disagree no not don dont")
_ASIDE = _words("forgot register signup reset help logout signout back language search")
_STAY = _words("remember stay trust save keep")
_I = re.IGNORECASE
_PATIENT = re.compile(r"patient|person|proxy|chart|subject|dependent|member|fhir_?id|mrn", _I)
_USER = re.compile(r"user|login|log_?on|email|e-mail|account|ident|uid|\bid\b", _I)
_CODE = re.compile(r"otp|one.?time|verification|passcode|mfa|token|captcha|\bpin\b", _I)
_ACCESS = re.compile(
    r"\b(access|allow|authori[sz]e|consent|data|information|permi\w+|records?|share|scopes?)\b", _I
)
_SEARCH = re.compile(r"^(q|s|.*(query|search|keyword|find|filter).*)$", _I)


class Answer(StrEnum):
    """What pressing a button or following a link says."""

    APPROVE = "approve"
    DENY = "deny"
    ONWARD = "onward"
    ASIDE = "aside"
    UNCLEAR = "unclear"


def answer_of(*texts: str) -> Answer:
    """What a button says, by the first of `texts` that says anything; denial wins within one."""
    meanings = (
        (Answer.DENY, _DENY),
        (Answer.ASIDE, _ASIDE),
        (Answer.APPROVE, _APPROVE),
        (Answer.ONWARD, _ONWARD),
    )
    for text in texts:
        spaced = re.sub(r"([a-z])([A-Z])", r"\1 \2", text)
        words = set(re.findall(r"[a-z]+", spaced.lower()))
        if {"sign", "log"} & words and {"in", "on"} & words:
            return Answer.ONWARD
        if {"sign", "log"} & words and {"up", "out", "off"} & words:
            return Answer.ASIDE
        for answer, vocabulary in meanings:
            if words & vocabulary:
                return answer
    return Answer.UNCLEAR


def is_lasting(control: Control) -> bool:
    """Whether a checkbox asks to remember something, which would spoil the next run."""
    said = f"{control.name} {control.value} {control.id} {control.text}".lower()
    return bool(set(re.findall(r"[a-z]+", said)) & _STAY)


def button_answer(button: Control) -> Answer:
    """What a button says: what a person reads counts before what the server gets."""
    return answer_of(
        button.text, button.value, button.name, button.id, urlsplit(button.action or "").path
    )


def password_form(page: Page) -> Form | None:
    """The login form: the first with exactly one password (two set a new one)."""
    forms = [form for form in page.forms if form.of("password")]
    return next((f for f in forms if len(f.of("password")) == 1), forms[0] if forms else None)


def username_field(form: Form, named: str | None = None) -> Control | None:
    """Where the user name goes: as the EHR file says, else the likeliest text control."""
    candidates = [c for c in form.controls if c.kind in TEXTS and c.name]
    if named is not None:
        return next((c for c in form.controls if c.name == named), None)
    scored = [(_user_score(c), -i, c) for i, c in enumerate(candidates) if not _asks_code(c)]
    return max(scored, key=lambda each: each[:2])[2] if scored else None


def username_form(page: Page, named: str | None = None) -> Form | None:
    """A form that asks for the user name alone, before a page with the password."""
    for form in page.forms:
        field = username_field(form, named)
        if field is not None and (named is not None or _user_score(field) > 1):
            return form
    return None


def asks_code(page: Page) -> bool:
    """Whether a page wants a one-time code, which no EHR file can give."""
    texts = [c for form in page.forms for c in form.controls if c.kind in (*TEXTS, "password")]
    return any(_asks_code(control) for control in texts)


def is_search(form: Form) -> bool:
    """Whether a form only searches: the site, or for a patient."""
    texts = form.of(*TEXTS)
    return bool(texts) and all(c.kind == "search" or _SEARCH.match(c.name) for c in texts)


def patient_controls(form: Form, wanted: str | None, named: str | None) -> tuple[Control, ...]:
    """The radio buttons or select by which a form asks for a patient; empty where it does not."""
    groups: dict[str, list[Control]] = {}
    for control in form.of("radio", "select"):
        groups.setdefault(control.name, []).append(control)
    if named is not None:
        return tuple(groups.get(named, ()))
    for controls in groups.values():
        if wanted is not None and any(_offers(control, wanted) for control in controls):
            return tuple(controls)
    for name, controls in groups.items():
        if _PATIENT.search(name):
            return tuple(controls)
    return ()


def patient_buttons(form: Form) -> tuple[Control, ...]:
    """Buttons that each choose a patient."""
    return tuple(
        b
        for b in form.buttons
        if _PATIENT.search(b.name) and button_answer(b) not in (Answer.DENY, Answer.ASIDE)
    )


def button_text(form: Form, button: Control) -> str:
    """All by which a button may name a patient; a form with one button speaks for it."""
    hidden = form.of("hidden") if len(form.buttons) == 1 else ()
    own = (button.value, button.text, button.action or "")
    return " ".join((*own, *(control.value for control in hidden)))


def patient_links(page: Page) -> tuple[Link, ...]:
    """Links that each choose a patient: the parameter or the path says so."""
    return tuple(link for link in page.links if _link_chooses(link))


def link_names(link: Link, patient: str) -> bool:
    """Whether a link chooses that patient."""
    return names_patient(f"{link.url} {link.text}", patient)


def asks_access(page: Page) -> bool:
    """Whether a page is about access; a No to "stay signed in?" declines nothing."""
    return _ACCESS.search(page.text) is not None


def asks_consent(page: Page, requested: tuple[str, ...]) -> bool:
    """Whether a page asks for consent: something to approve, or scopes to tick."""
    return any(
        button_answer(control) is Answer.APPROVE
        if control.submits
        else control.kind == "checkbox" and is_scope(control, requested)
        for form in page.forms
        for control in form.controls
    )


def _offers(control: Control, patient: str) -> bool:
    texts = [f"{o.value} {o.text}" for o in control.options] or [f"{control.value} {control.text}"]
    return any(names_patient(text, patient) for text in texts)


def _link_chooses(link: Link) -> bool:
    parts = urlsplit(link.url)
    if answer_of(link.text) in (Answer.DENY, Answer.ASIDE):
        return False
    by_name = any(_PATIENT.search(name) and value for name, value in parse_qsl(parts.query))
    return by_name or bool(re.search(r"/(patients?|persons?)/[^/]+", unquote(parts.path), _I))


def _user_score(control: Control) -> int:
    said = f"{control.name} {control.id}"
    return (
        4 * (control.autocomplete in ("username", "email"))
        + 3 * bool(_USER.search(said))
        + 2 * (control.kind == "email")
        + 2 * bool(_USER.search(control.text))
    )


def _asks_code(control: Control) -> bool:
    said = f"{control.name} {control.id} {control.autocomplete} {control.text}"
    return bool(_CODE.search(said.replace("one-time-code", "otp")))
