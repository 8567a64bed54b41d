"""What codes of the great code systems look like, where their content cannot be at hand.

A code of another shape is certainly none of theirs; one of the right shape may be. Only for media
types and two-letter languages does the shape decide.

Of UCUM only the grammar is judged: its licence (https://ucum.org/license, 3.a) lets nobody
distribute an extract of its table of units.

Sources: RFC 6838 (media types), RFC 5646 with the IANA registry of 2024 (languages), UCUM 2.1
section 2.1 (grammar), the LOINC Users' Guide (check digit, modulus 10), the SNOMED CT Release File
Specification section 5.5 (Verhoeff check digit).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from types import MappingProxyType

BCP13 = "urn:ietf:bcp:13"
BCP47 = "urn:ietf:bcp:47"
LOINC = "http://loinc.org"
SNOMED = "http://snomed.info/sct"
UCUM = "http://unitsofmeasure.org"


def plausible(system: str, code: str) -> bool | None:
    """Whether a system has the code: True or False where its shape decides, else None."""
    shape = _SHAPES.get(system)
    return None if shape is None else shape(code)


_NAME = "[A-Za-z0-9][A-Za-z0-9!#$&^_.+-]{0,126}"
_media_type = re.compile(
    rf'{_NAME}/{_NAME}(?: ?; ?{_NAME}=(?:[!#-\'*+.^-~0-9A-Z-]++|"(?:[^"\\]|\\.)*+"))*+'
).fullmatch


def _is_media_type(code: str) -> bool:
    return _media_type(code) is not None


_language_tag = re.compile(
    "([a-z]{2,3})(?:-[a-z]{3}){0,3}(?:-[a-z]{4})?(?:-(?:[a-z]{2}|[0-9]{3}))?"
    "(?:-(?:[a-z0-9]{5,8}|[0-9][a-z0-9]{3}))*+(?:-[a-wyz0-9](?:-[a-z0-9]{2,8})++)*+"
    "(?:-x(?:-[a-z0-9]{1,8})++)?",
    re.IGNORECASE,
).fullmatch
_private_tag = re.compile("x(?:-[a-z0-9]{1,8})++", re.IGNORECASE).fullmatch
_ISO_639_1 = 2
_GRANDFATHERED = (
    "en-gb-oed i-ami i-bnn i-default i-enochian i-hak i-klingon i-lux i-mingo i-navajo i-pwn "
    "i-tao i-tay i-tsu sgn-be-fr sgn-be-nl sgn-ch-de"
)
_IRREGULAR = frozenset(_GRANDFATHERED.split())
_TWO_LETTERS = (
    "aa ab ae af ak am an ar as av ay az ba be bg bh bi bm bn bo br bs ca "
    "ce ch co cr cs cu cv cy da de dv dz ee el en eo es et eu fa ff fi fj "
    "fo fr fy ga gd gl gn gu gv ha he hi ho hr ht hu hy hz ia id ie ig ii "  # codespell:ignore
    "ik in io is it iu iw ja ji jv jw ka kg ki kj kk kl km kn ko kr ks ku "
    "kv kw ky la lb lg li ln lo lt lu lv mg mh mi mk ml mn mo mr ms mt my "
    "na nb nd ne ng nl nn no nr nv ny oc oj om or os pa pi pl ps pt qu rm "  # codespell:ignore
    "rn ro ru rw sa sc sd se sg sh si sk sl sm sn so sq sr ss st su sv sw "
    "ta te tg th ti tk tl tn to tr ts tt tw ty ug uk ur uz ve vi vo wa wo "  # codespell:ignore
    "xh yi yo za zh zu"
)
_LANGUAGES = frozenset(_TWO_LETTERS.split())


def _is_language(code: str) -> bool | None:
    tag = _language_tag(code)
    if tag is None:
        return _private_tag(code) is not None or code.lower() in _IRREGULAR
    primary = tag[1].lower()
    return primary in _LANGUAGES if len(primary) == _ISO_639_1 else None


_UNIT = r"(?:10[*^]|(?:[A-Za-z%'\"_]|\[[!-Z^-~]++\])++)(?:[+-]?[0-9]++)?"
_NOTE = r"\{[ -z|~]*+\}"
_note = re.compile(_NOTE).match
_component = re.compile(rf"(?:{_UNIT}|[0-9]++)(?:{_NOTE})?|{_NOTE}").match


def _is_unit(code: str) -> bool | None:
    """A term of components with `.` and `/` between them, in balanced parentheses.

    Annotations may hold spaces and follow a parenthesis, as they do in value sets of HL7.
    """
    at, depth, end = int(code.startswith("/")), 0, len(code)
    while True:
        while code.startswith("(", at):
            at, depth = at + 1, depth + 1
        component = _component(code, at)
        if component is None:
            return False
        at = component.end()
        while depth and code.startswith(")", at):
            at, depth = at + 1, depth - 1
            if note := _note(code, at):
                at = note.end()
        if at == end:
            return False if depth else None
        if code[at] not in "./":
            return False
        at += 1


_loinc = re.compile("(L[ALPG])?([0-9]{1,8})-([0-9])").fullmatch


def _is_loinc(code: str) -> bool | None:
    shape = _loinc(code)
    if shape is None:
        return False
    return None if shape[1] or luhn(shape[2] + shape[3]) else False


def luhn(digits: str) -> bool:
    """Whether the last digit is right, modulus 10, for the others (ISO/IEC 7812-1 annex B)."""
    total = 0
    for place, digit in enumerate(reversed(digits)):
        value = int(digit) * (1 + place % 2)
        total += value - 9 if value > 9 else value  # noqa: PLR2004 - the digits of a two-digit number are added up
    return total % 10 == 0


_concept_id = re.compile("[1-9][0-9]{5,17}").fullmatch
_expression = re.compile("[:+{}|=<]").search
_TURN = "1576283094"


def _is_snomed(code: str) -> bool | None:
    if _concept_id(code):
        return None if _verhoeff(code) else False
    return None if _expression(code) else False


def _verhoeff(digits: str) -> bool:
    """The Verhoeff check: digits, turned by their place, multiplied in the dihedral group D5."""
    check = 0
    for place, digit in enumerate(reversed(digits)):
        turned = int(digit)
        for _ in range(place % 8):
            turned = int(_TURN[turned])
        check = _times(check, turned)
    return check == 0


def _times(a: int, b: int) -> int:
    if a < 5:  # noqa: PLR2004 - the first five elements of D5 are rotations, the others reflections
        return (a + b) % 5 + (0 if b < 5 else 5) if b < 5 else (a + b - 5) % 5 + 5  # noqa: PLR2004
    return (a - b) % 5 + 5 if b < 5 else (a - b) % 5  # noqa: PLR2004


def _shaped(pattern: str) -> Callable[[str], bool | None]:
    matches = re.compile(pattern).fullmatch
    return lambda code: None if matches(code) else False


_SHAPES: Mapping[str, Callable[[str], bool | None]] = MappingProxyType(
    {
        BCP13: _is_media_type,
        BCP47: _is_language,
        LOINC: _is_loinc,
        SNOMED: _is_snomed,
        UCUM: _is_unit,
        "http://www.nlm.nih.gov/research/umls/rxnorm": _shaped("[0-9]{1,8}"),
        "http://hl7.org/fhir/sid/cvx": _shaped("[0-9]{1,3}"),
        "http://hl7.org/fhir/sid/icd-10-cm": _shaped(
            r"[A-Z][0-9][0-9A-Z](?:\.?[0-9A-Z]{1,4})?(?:-[A-Z][0-9][0-9A-Z](?:\.[0-9A-Z]{1,4})?)?"
        ),
        "http://www.ama-assn.org/go/cpt": _shaped("[0-9]{4}[0-9A-Z](?:-[0-9A-Z]{2})*"),
    }
)
