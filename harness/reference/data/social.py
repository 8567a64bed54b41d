"""How the patient lives: social history, screening and its questionnaire (US Core 6.1.0)."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from typing import Any, Final

from harness.reference.data.building import (
    Json,
    absent,
    coding,
    concept,
    in_loinc,
    in_snomed,
    quantity,
    reference,
    resource,
)
from harness.reference.data.chart import Chart
from harness.reference.data.findings import finding
from harness.reference.data.places import HUNGER_ITEMS, HUNGER_URL
from harness.reference.data.systems import NULL_FLAVOR, OCCUPATION, PROTOCOLS
from harness.reference.data.vocabulary import LOINC, US_CORE, Unit

SMOKING: Final = ("72166-2", "Tobacco smoking status NHIS")
SMOKES: Final = (
    ("266919005", "Never smoked tobacco"),
    ("8517006", "Ex-smoker"),
    ("449868002", "Smokes tobacco daily"),
)
STOPPED: Final = 1
SMOKER: Final = 2
ORIENTATION: Final = ("76690-7", "Sexual orientation")
ORIENTATIONS: Final = (
    in_snomed(("20430005", "Heterosexual")),
    in_snomed(("38628009", "Homosexual")),
    concept(NULL_FLAVOR, "ASKU", "asked but unknown"),
)
PREGNANCY: Final = ("82810-3", "Pregnancy status")
PREGNANCIES: Final = (
    ("60001007", "Not pregnant"),
    ("77386006", "Pregnancy"),
)
OLD_TO_BE_PREGNANT: Final = 1985
INTENTION: Final = ("86645-9", "Pregnancy intention in the next year - Reported")
UNSURE: Final = ("454381000124105", "Not sure of desire to become pregnant (finding)")
WORK: Final = ("11341-5", "History of Occupation")
INDUSTRY: Final = ("86188-0", "History of Occupation industry")
ASSISTANT: Final = ("31-1014.00.007136", "Certified nursing assistant")
HOME_NURSING: Final = ("621610.008495", "Home nursing services")
HUNGER_PANEL: Final = ("88121-9", "Hunger Vital Sign [HVS]")
ANSWERS: Final = (
    ("LA28397-0", "Often true"), ("LA6729-3", "Sometimes true"), ("LA19952-3", "At risk"),
)  # fmt: skip
PHQ: Final = ("44261-6", "Patient Health Questionnaire 9 item (PHQ-9) total score [Reported]")
STREET: Final = ("56799-0", "Address")
HOURS: Final = ("67875-5", "Employment status - current")
STATUSES: Final = (
    ("disability-status", ("69856-3", "Are you deaf, or do you have serious difficulty hearing")),
    ("cognitive-status", ("72106-8", "Total score [MMSE]")),
    ("functional-status", ("54522-8", "Functional status")),
    ("sdoh", ("93030-5", "Has lack of transportation kept you from what you need")),
)
SCORE: Final = Unit("{score}", "score")
SCREENING: Final = "us-core-observation-screening-assessment"
SIMPLE: Final = "us-core-simple-observation"
_LIFE: Final = ("social-history",)
_ASKED: Final = ("survey", "sdoh")


def social_history(chart: Chart) -> Iterator[Json]:
    """Yields smoking, sexual orientation, pregnancy and work."""
    ordinal, at = chart.who.ordinal, chart.during(1, 6)
    for number in range(1, len(chart.visits) + 1):
        stopped = number == len(chart.visits) and ordinal % 3 == SMOKER
        habit = SMOKES[STOPPED if stopped else ordinal % 3]
        yield finding(
            chart, f"smoking-{number}", "us-core-smokingstatus", _LIFE, SMOKING,
            chart.during(number, 6), valueCodeableConcept=in_snomed(habit),
        )  # fmt: skip
    yield finding(
        chart, "orientation", "us-core-observation-sexual-orientation", _LIFE, ORIENTATION, at,
        valueCodeableConcept=ORIENTATIONS[ordinal % len(ORIENTATIONS)],
    )  # fmt: skip
    if chart.who.gender == "female":
        yield from _pregnancy(chart)
    period = {"start": (at - timedelta(days=900)).date().isoformat()}
    yield finding(
        chart, "occupation", "us-core-observation-occupation", _LIFE, WORK, at,
        effectivePeriod=period, valueCodeableConcept=concept(OCCUPATION, *ASSISTANT),
        component=[{
            "code": in_loinc(INDUSTRY),
            "valueCodeableConcept": concept(OCCUPATION, *HOME_NURSING),
        }],
    )  # fmt: skip


def screening(chart: Chart) -> Iterator[Json]:
    """Yields the answers to a questionnaire, as a form and as Observations."""
    asked = chart.during(1, 8)
    form = reference(f"QuestionnaireResponse/{chart.id('hunger')}")
    yield _form(chart)
    members = []
    pairs = list(zip(HUNGER_ITEMS, ANSWERS, strict=True))
    for number, (question, answer) in enumerate(pairs, start=1):
        members.append(reference(f"Observation/{chart.id(f'hunger-{number}')}"))
        yield _answer(
            chart, f"hunger-{number}", _ASKED, question,
            valueCodeableConcept=concept(LOINC, *answer), derivedFrom=[form],
        )  # fmt: skip
    yield _answer(chart, "hunger-panel", _ASKED, HUNGER_PANEL, hasMember=members)
    score = chart.chance("phq").randrange(0, 20)
    yield _answer(chart, "phq", ("survey",), PHQ, valueQuantity=quantity(score, SCORE),
                  derivedFrom=[members[0]])  # fmt: skip
    yield _answer(chart, "street", _ASKED, STREET, valueString="Example Street")
    if chart.full:
        refused = absent("asked-declined")
        yield _answer(chart, "employment", _ASKED, HOURS, dataAbsentReason=refused)
    yield from _status(chart, asked)


def _status(chart: Chart, asked: Any) -> Iterator[Json]:
    """Yields simple Observations, one for each kind of value."""
    hunger = reference(f"Observation/{chart.id('hunger-3')}")
    answers: tuple[dict[str, Any], ...] = (
        {"valueBoolean": chart.who.ordinal % 5 == 0},
        {"valueQuantity": quantity(28, SCORE)},
        {"valueString": "Walks half a mile without rest"},
        {"valueCodeableConcept": concept(LOINC, "LA32-8", "No"), "derivedFrom": [hunger]},
    )
    for (category, code), value in zip(STATUSES, answers, strict=True):
        yield finding(
            chart, f"simple-{category}", SIMPLE, (category,), code, asked,
            performer=[chart.clinician(1)], **value,
        )  # fmt: skip


def _pregnancy(chart: Chart) -> Iterator[Json]:
    status = PREGNANCIES[chart.who.born.year > OLD_TO_BE_PREGNANT]
    yield finding(
        chart, "pregnancy", "us-core-observation-pregnancystatus", _LIFE, PREGNANCY,
        chart.during(2, 6), valueCodeableConcept=in_snomed(status),
    )  # fmt: skip
    yield finding(
        chart, "intention", "us-core-observation-pregnancyintent", _LIFE, INTENTION,
        chart.during(1, 6), valueCodeableConcept=in_snomed(UNSURE),
    )  # fmt: skip


def _answer(
    chart: Chart, suffix: str, categories: tuple[str, ...], code: tuple[str, str], **value: Any
) -> Json:
    return finding(
        chart, suffix, SCREENING, categories, code, chart.during(1, 8),
        performer=[chart.subject], **value,
    )  # fmt: skip


def _form(chart: Chart) -> Json:
    authored = chart.during(1, 8)
    uri = {"url": f"{US_CORE}us-core-extension-questionnaire-uri", "valueUri": HUNGER_URL}
    display = {
        "url": "http://hl7.org/fhir/StructureDefinition/display",
        "valueString": "Hunger Vital Sign",
    }
    items = [
        {
            "linkId": code,
            "text": text,
            "answer": [{"valueCoding": coding(LOINC, *answer)}],
        }
        for (code, text), answer in zip(HUNGER_ITEMS, ANSWERS, strict=True)
    ]
    why = {"linkId": "why", "text": "Why", "answer": [{"valueString": "As always"}]}
    stove = {"linkId": "stove", "text": "A stove", "answer": [{"valueString": "Yes"}]}
    more: list[Json] = [
        {"linkId": "comment", "text": "Anything else", "answer": [{"valueString": "No"}]},
        {"linkId": "meals", "text": "Meals", "answer": [{"valueDecimal": 2.5, "item": [why]}]},
        {"linkId": "home", "text": "At home", "item": [stove]},
    ]
    return resource(
        "QuestionnaireResponse",
        chart.id("hunger"),
        "us-core-questionnaireresponse",
        authored + timedelta(minutes=2),
        identifier={"system": PROTOCOLS + "form", "value": chart.id("hunger")},
        questionnaire=HUNGER_URL,
        _questionnaire={"extension": [display, uri]},
        status="completed",
        subject=chart.subject,
        encounter=chart.visit(1),
        authored=chart.local(authored),
        author=chart.clinician(1),
        item=[*items, *more],
    )
