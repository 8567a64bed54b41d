"""Whether a code is in a value set, as far as that can be known without a terminology server.

https://hl7.org/fhir/R4/terminologies.html

Three answers: yes, no, and None for what cannot be known here. A code is certainly outside a value
set that is enumerated, or when no code of its system can look like it (`codes.py`). A display is
never judged: which ones are right depends on version and language.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from harness.spec.definitions.model import Binding, CodeSystem, Strength, ValueSet
from harness.validation.findings import Rule, Severity
from harness.validation.telling import told
from harness.validation.values.codes import plausible


class Judgement(NamedTuple):
    """What is wrong with a coded value, or not known about it.

    One that says "not checked" is the same object for each value of a binding, so that it can be
    said once.
    """

    severity: Severity
    rule: Rule
    expected: str
    actual: str


Judge = Callable[[Any], Judgement | None]
_Codes = Mapping[str, frozenset[str] | None]


def member(value_set: ValueSet | None, system: str | None, code: str) -> bool | None:
    """Whether the code is in the set; None where that cannot be known offline.

    Args:
        value_set: None when its definition is not at hand.
        system: of the code; None for a `code`, whose system the binding implies.
        code: the code.
    """
    if value_set is None:
        return None
    if system is not None:
        return _in_system(value_set, system, code)
    answers = {_in_system(value_set, each, code) for each in value_set.codes}
    if True in answers:
        return True
    return None if None in answers or not value_set.complete else False


def _in_system(value_set: ValueSet, system: str, code: str) -> bool | None:
    codes = value_set.codes.get(system, ())
    if codes is None:
        return plausible(system, code)
    if code in codes:
        return True
    elsewhere = value_set.systems is not None and system not in value_set.systems
    if value_set.complete or elsewhere or plausible(system, code) is False:
        return False
    return None


def judge(
    binding: Binding, value_set: ValueSet | None, maximum: ValueSet | None, kind: str
) -> Judge | None:
    """Make the judge of an element's values, or None where the binding asks for nothing.

    Args:
        binding: of the element.
        value_set: the set that `binding.value_set` names; None when it is not at hand.
        maximum: likewise of `binding.maximum`.
        kind: the type of the values: `code`, `Coding`, `CodeableConcept`, `Quantity` (or a
            specialization of it), `string`, `uri`.

    The judge never raises, whatever it is given. A value of the wrong shape passes: that it has
    the wrong shape is another rule's finding.
    """
    answer = _ANSWERS.get(kind)
    if answer is None:
        return None
    if binding.strength is Strength.REQUIRED:
        return _judge(answer, binding.value_set, value_set, Severity.ERROR)
    outer = binding.maximum and _judge(answer, binding.maximum, maximum, Severity.ERROR)
    if binding.strength is Strength.EXTENSIBLE:
        inner = _judge(answer, binding.value_set, value_set, Severity.WARNING)
        return _both(outer, inner) if outer else inner
    return outer or None


def _both(outer: Judge, inner: Judge) -> Judge:
    def check(value: Any) -> Judgement | None:
        first = outer(value)
        if first is None or first.rule is Rule.BINDING:
            return first or inner(value)
        return inner(value) or first

    return check


def unlisted(code_systems: Mapping[str, CodeSystem], coding: Any) -> Judgement | None:
    """Advice on a Coding whose code is none of those that its system had when it was published.

    It is advice, because systems grow; whatever binds the Coding is judged by itself.

    Args:
        code_systems: those whose codes are all known, by URL.
        coding: a Coding, as parsed JSON.
    """
    if coding.__class__ is not dict:
        return None
    system, code = coding.get("system"), coding.get("code")
    if system.__class__ is not str or code.__class__ is not str or "version" in coding:
        return None
    known = code_systems.get(system)
    if known is None or code in known.codes:
        return None
    expected = f"a code that {told(system)} is known to have"
    return Judgement(Severity.WARNING, Rule.BINDING, expected, told(code))


class _Coded(NamedTuple):
    """How values of a type are looked up.

    Attributes:
        inside: whether the value is in the set: None when unknown, False when it has no code.
        surely: the quick half of the answer: whether it has one of these codes, by system.
        has_code: whether it has a code at all.
        shown: the value, for a person.
    """

    inside: Callable[[ValueSet | None, Any], bool | None]
    surely: Callable[[_Codes, Any], bool]
    has_code: Callable[[Any], bool]
    shown: Callable[[Any], str]


def _judge(coded: _Coded, url: str, value_set: ValueSet | None, severity: Severity) -> Judge:
    inside, surely, has_code, shown = coded
    required = severity is Severity.ERROR
    expected = f"a code of {url} ({'required' if required else 'extensible'})"
    unknown = Judgement(Severity.INFORMATION, Rule.NOT_CHECKED, expected, "not known offline")

    listed: _Codes = {} if value_set is None else value_set.codes
    certain = {system: codes for system, codes in listed.items() if codes is not None}

    def check(value: Any) -> Judgement | None:
        if certain and surely(certain, value):
            return None
        answer = inside(value_set, value)
        if answer:
            return None
        if answer is None:
            return unknown
        if not required and not has_code(value):
            return None
        return Judgement(severity, Rule.BINDING, expected, shown(value))

    return check


def _code_inside(value_set: ValueSet | None, value: Any) -> bool | None:
    return member(value_set, None, value) if value.__class__ is str else True


def _coding_inside(value_set: ValueSet | None, value: Any) -> bool | None:
    """A system and a code, in a Coding or a Quantity; extensions may stand for the code."""
    if value.__class__ is not dict:
        return True
    code, system = value.get("code"), value.get("system")
    if code is None:
        return "_code" in value
    if code.__class__ is not str:
        return True
    if system is None:
        return None if value_set is None else False
    return member(value_set, system, code) if system.__class__ is str else True


def _concept_inside(value_set: ValueSet | None, value: Any) -> bool | None:
    """Any of the codings suffices."""
    codings = value.get("coding", ()) if value.__class__ is dict else None
    if codings.__class__ is not list and codings != ():
        return True
    answer: bool | None = False
    for coding in codings:
        each = _coding_inside(value_set, coding)
        if each:
            return True
        if each is None:
            answer = None
    return answer


def _code_surely(certain: _Codes, value: Any) -> bool:
    return value.__class__ is str and any(value in codes for codes in certain.values() if codes)


def _coding_surely(certain: _Codes, value: Any) -> bool:
    if value.__class__ is not dict:
        return False
    code, system = value.get("code"), value.get("system")
    if code.__class__ is not str or system.__class__ is not str:
        return False
    codes = certain.get(system)
    return codes is not None and code in codes


def _concept_surely(certain: _Codes, value: Any) -> bool:
    codings = value.get("coding") if value.__class__ is dict else None
    if codings.__class__ is list:
        for coding in codings:
            if _coding_surely(certain, coding):
                return True
    return False


def _always(value: Any) -> bool:  # noqa: ARG001 - a code is one
    return True


def _coding_has_code(value: Any) -> bool:
    return "code" in value


def _concept_has_code(value: Any) -> bool:
    return any(each.__class__ is dict and "code" in each for each in value.get("coding", ()))


def _coding_shown(value: Any) -> str:
    system, code = value.get("system"), value.get("code")
    return "no code" if code is None else told(f"{system or '(no system)'}|{code}")


def _concept_shown(value: Any) -> str:
    codings = [each for each in value.get("coding", ()) if each.__class__ is dict]
    return ", ".join(map(_coding_shown, codings[:5])) or "no coding"


_CODE = _Coded(_code_inside, _code_surely, _always, told)
_CODING = _Coded(_coding_inside, _coding_surely, _coding_has_code, _coding_shown)
_CONCEPT = _Coded(_concept_inside, _concept_surely, _concept_has_code, _concept_shown)
_ANSWERS = {
    **dict.fromkeys(("code", "string", "markdown", "uri", "url", "canonical", "id", "oid"), _CODE),
    **dict.fromkeys(("Coding", "Quantity", "SimpleQuantity", "MoneyQuantity"), _CODING),
    **dict.fromkeys(("Age", "Count", "Distance", "Duration"), _CODING),
    "CodeableConcept": _CONCEPT,
}
