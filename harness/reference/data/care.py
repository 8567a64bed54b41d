"""Who cares, to what end, and who pays (US Core 6.1.0)."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from typing import Final

from harness.reference.data.building import (
    Code,
    Json,
    absent,
    coding,
    concept,
    in_snomed,
    reference,
    resource,
)
from harness.reference.data.chart import Chart
from harness.reference.data.people import CLINIC_ADDRESS
from harness.reference.data.places import PAYER_ID, PRIMARY_CARE
from harness.reference.data.systems import (
    CARE_PLAN_CATEGORY,
    HL7,
    PAYMENT_TYPOLOGY,
    PROTOCOLS,
    ROLE_CODE,
)
from harness.reference.data.vocabulary import ACT_CODE, IDENTIFIER_TYPE

PATIENT: Final = ("116154003", "Patient")
CAREGIVER: Final = ("133932002", "Caregiver")
CARDIOLOGIST: Final = ("17561000", "Cardiologist")
MONITORING: Final = ("135840009", "Blood pressure monitoring")
WEIGHT_LOSS: Final = ("89362005", "Weight loss")
GOALS: Final = (
    (MONITORING, "active", "in-progress"),
    (WEIGHT_LOSS, "completed", "achieved"),
)


def care(chart: Chart) -> Iterator[Json]:
    """Yields plan, teams, goals, the next of kin and the insurance."""
    yield _plan(chart)
    yield _team(chart, "team", "active", 1)
    yield _team(chart, "team-before", "inactive", 0)
    for number in range(1, len(GOALS) + 1):
        yield _goal(chart, number)
    yield _next_of_kin(chart)
    yield _insurance(chart)


def _plan(chart: Chart) -> Json:
    since = chart.during(1, 26)
    name = chart.who.full_name
    text = f'<div xmlns="http://www.w3.org/1999/xhtml">{name}: measure at home, take pills.</div>'
    return resource(
        "CarePlan",
        chart.id("plan"),
        "us-core-careplan",
        since,
        text={"status": "generated", "div": text},
        status="active",
        intent="plan",
        category=[concept(CARE_PLAN_CATEGORY, "assess-plan")],
        title="Monitoring at home",
        subject=chart.subject,
        encounter=chart.visit(1),
        period={"start": chart.local(since)},
        author=chart.clinician(1),
        careTeam=[reference(f"CareTeam/{chart.id('team')}")],
        goal=[reference(f"Goal/{chart.id('goal-1')}")],
    )


def _team(chart: Chart, suffix: str, status: str, clinician: int) -> Json:
    since = chart.registered + timedelta(days=2)
    number = (chart.who.ordinal + clinician) % 3 + 1
    members: list[tuple[Json, Json]] = [
        (in_snomed(PRIMARY_CARE), chart.clinician(clinician)),
        (in_snomed(CARDIOLOGIST), reference(f"PractitionerRole/role-{number}")),
        (in_snomed(PATIENT), chart.subject),
        (in_snomed(CAREGIVER), reference(f"RelatedPerson/{chart.id('kin')}")),
    ]
    if chart.full:
        members.append((absent("unknown"), reference(f"Organization/{PAYER_ID}")))
    return resource(
        "CareTeam",
        chart.id(suffix),
        "us-core-careteam",
        since,
        status=status,
        name="Care team",
        subject=chart.subject,
        participant=[{"role": [role], "member": member} for role, member in members],
    )


def _goal(chart: Chart, number: int) -> Json:
    description, lifecycle, achievement = GOALS[number - 1]
    set_at = chart.during(1, 27)
    due = chart.during(len(chart.visits), 0) + timedelta(days=30 * number)
    return resource(
        "Goal",
        chart.id(f"goal-{number}"),
        "us-core-goal",
        set_at,
        lifecycleStatus=lifecycle,
        achievementStatus=concept(HL7 + "goal-achievement", achievement),
        description=in_snomed(description),
        subject=chart.subject,
        startDate=set_at.date().isoformat(),
        target=[{"dueDate": due.date().isoformat()}],
        expressedBy=chart.clinician(1),
    )


def _next_of_kin(chart: Chart) -> Json:
    relation: Code = ("SPS", "spouse") if chart.who.ordinal % 2 else ("CHILD", "child")
    return resource(
        "RelatedPerson",
        chart.id("kin"),
        "us-core-relatedperson",
        chart.registered + timedelta(hours=1),
        active=True,
        patient=chart.subject,
        relationship=[concept(ROLE_CODE, *relation)],
        name=[{"family": chart.who.family, "given": ["Robin"]}],
        telecom=[{"system": "phone", "value": "555-0199", "use": "home"}],
        address=[CLINIC_ADDRESS],
    )


def _insurance(chart: Chart) -> Json:
    since = chart.registered + timedelta(hours=2)
    member = f"M{chart.who.ordinal:07d}"
    classes = {"group": ("G1", "Example employees"), "plan": ("P1", "Example Gold")}
    return resource(
        "Coverage",
        chart.id("insurance"),
        "us-core-coverage",
        since,
        identifier=[
            {
                "type": {"coding": [coding(IDENTIFIER_TYPE, "MB")]},
                "system": PROTOCOLS + "member",
                "value": member,
            }
        ],
        status="active",
        type={
            "coding": [
                coding(PAYMENT_TYPOLOGY, "3712", "PPO"),
                coding(ACT_CODE, "PPO", "preferred provider organization policy"),
            ],
            "text": "PPO",
        },
        subscriberId=member,
        beneficiary=chart.subject,
        relationship=concept(HL7 + "subscriber-relationship", "self", "Self"),
        period={"start": since.date().isoformat()},
        payor=[reference(f"Organization/{PAYER_ID}")],
        **{
            "class": [
                {
                    "type": concept(HL7 + "coverage-class", kind),
                    "value": value,
                    "name": name,
                }
                for kind, (value, name) in classes.items()
            ]
        },
    )
