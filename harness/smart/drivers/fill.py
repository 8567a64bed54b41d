"""Filling in a form as the person would: patient, scopes, decisions; everything else as it came."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from harness.smart.drivers.choices import Choices, is_scope, names_any, names_patient, names_scope
from harness.smart.drivers.page import Control, Form
from harness.smart.drivers.recognise import Answer, answer_of, is_lasting, patient_controls
from harness.smart.scopes import Scope

Pairs = tuple[tuple[str, str], ...]


class StuckError(Exception):
    """A page that cannot be got past.

    Args:
        reason: what is in the way.
        hint: what to put into the EHR file.
    """

    def __init__(self, reason: str, hint: str | None = None) -> None:
        self.reason = reason
        self.hint = hint
        super().__init__(reason)


@dataclass(frozen=True, slots=True)
class Wishes:
    """What the pages are to be answered with.

    Attributes:
        choices: as the caller gave them.
        requested: scopes of the authorization request.
        declined: those of them to decline.
        fields: names of form fields from the EHR file, by role.
        app: client id and name of the application to start; empty where none is chosen.
    """

    choices: Choices
    requested: tuple[str, ...]
    declined: tuple[Scope, ...] = ()
    fields: Mapping[str, str] = field(default_factory=dict)
    app: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Filled:
    """What a form sends.

    Attributes:
        fields: names and values.
        declined: scopes to decline whose box was left empty.
        offered_choice: it had a box for at least one scope.
    """

    fields: Pairs = field(repr=False)
    declined: frozenset[str] = frozenset()
    offered_choice: bool = False


def fill(
    form: Form,
    button: Control | None,
    wishes: Wishes,
    values: Mapping[str, str] | None = None,
) -> Filled:
    """The fields that the form sends when `button` is pressed.

    Args:
        form: the form.
        button: what is pressed; None where a script would submit.
        wishes: patient, scopes and decision.
        values: what goes into named text fields; with it the form is a login, and its
            checkboxes stay as they are.

    Raises:
        StuckError: the form asks for a patient and does not offer the wanted one.
    """
    is_login = values is not None
    chosen = _chosen_radios(form, wishes)
    pairs: list[tuple[str, str]] = []
    declined: set[str] = set()
    for control in form.controls:
        if not control.name or control.kind in ("button", "reset", "file"):
            continue
        if control.submits:
            pairs += _pressed(control) if control is button else []
        elif control.kind == "radio":
            pairs += [(control.name, control.value)] if control in chosen else []
        elif control.kind == "checkbox":
            left = frozenset() if is_login else _declines(control, wishes)
            declined |= left
            ticked = control.checked if is_login else not left and _ticks(control, wishes)
            pairs += [(control.name, control.value)] if ticked else []
        elif control.kind == "select":
            pairs += [(control.name, _selected(form, control, wishes))] if control.options else []
        else:
            pairs.append((control.name, (values or {}).get(control.name, control.value)))
    boxes = () if is_login else form.of("checkbox")
    offered = any(is_scope(box, wishes.requested) for box in boxes)
    return Filled(tuple(pairs), frozenset(declined), offered)


def _pressed(button: Control) -> list[tuple[str, str]]:
    if button.kind == "image":
        return [(f"{button.name}.x", "1"), (f"{button.name}.y", "1")]
    return [(button.name, button.value)]


def _declines(box: Control, wishes: Wishes) -> frozenset[str]:
    """The declined scopes that a checkbox stands for."""
    named = (s for s in wishes.declined if names_scope(box, s, wishes.requested))
    return frozenset(scope.text for scope in named)


def _ticks(box: Control, wishes: Wishes) -> bool:
    if is_scope(box, wishes.requested):
        return True
    if is_lasting(box) or answer_of(box.text, box.value, box.name) is Answer.DENY:
        return box.checked
    return True


def _chosen_radios(form: Form, wishes: Wishes) -> tuple[Control, ...]:
    """One radio button of each group."""
    groups: dict[str, list[Control]] = {}
    for radio in form.of("radio"):
        groups.setdefault(radio.name, []).append(radio)
    asked = _patients(form, wishes)
    apps = ((group, _app_radio(group, wishes)) for group in groups.values())
    return tuple(
        app or (_patient_radio(group, wishes) if group[0] in asked else _decision(group, wishes))
        for group, app in apps
    )


def _app_radio(group: list[Control], wishes: Wishes) -> Control | None:
    """The radio button that names the application, if one of the group does."""
    return next((r for r in group if names_any(f"{r.value} {r.text}", wishes.app)), None)


def _patients(form: Form, wishes: Wishes) -> tuple[Control, ...]:
    return patient_controls(form, wishes.choices.patient, wishes.fields.get("patient"))


def _patient_radio(group: list[Control], wishes: Wishes) -> Control:
    wanted = wishes.choices.patient
    if wanted is None:
        return next((radio for radio in group if radio.checked), group[0])
    for radio in group:
        if names_patient(f"{radio.value} {radio.text}", wanted):
            return radio
    raise not_offered(wanted, len(group))


def _decision(group: list[Control], wishes: Wishes) -> Control:
    """Radio buttons that say allow or deny are answered; others stay as they are."""
    wish = Answer.DENY if wishes.choices.deny else Answer.APPROVE
    meant = (r for r in group if answer_of(r.value, r.text, r.id) is wish)
    default = next((radio for radio in group if radio.checked), group[0])
    return next(meant, default)


def _selected(form: Form, control: Control, wishes: Wishes) -> str:
    for option in control.options:
        if names_any(f"{option.value} {option.text}", wishes.app):
            return option.value
    wanted = wishes.choices.patient
    asked = control in _patients(form, wishes)
    if asked and wanted is not None:
        for option in control.options:
            if names_patient(f"{option.value} {option.text}", wanted):
                return option.value
        raise not_offered(wanted, len(control.options))
    picked = next((option.value for option in control.options if option.selected), None)
    filled = (option.value for option in control.options if option.value)
    first = control.options[0].value
    return picked or (next(filled, first) if asked or control.required else first)


def not_offered(patient: str, count: int) -> StuckError:
    """The page asks for a patient, and the wanted one is not there."""
    return StuckError(
        f"patient {patient!r} is not among the {count} that it offers",
        "set patient of the login to an id or a name as the page shows it",
    )
