"""Invariants of administrative resources: people, appointments, documents, lists, consent.

https://hl7.org/fhir/R4/resourcelist.html
"""

from __future__ import annotations

from harness.validation.invariants.words import (
    Holds,
    all_of,
    among,
    any_of,
    at_most_one,
    coded,
    counted,
    empty,
    exactly_one,
    exists,
    implies,
    no,
    same,
    some,
    table,
    true,
)


def _patient_where_scope_is(code: str) -> Holds:
    """If the scope has the code, there must be a patient.

    The system stands in R4 as `something`, so that no real code is meant.
    """
    return any_of(exists("patient"), no(coded("scope", "something", code)))


TRANSLATIONS = table(
    ("member.empty() or (actual = true)", any_of(empty("member"), true("actual"))),
    ("start.exists() = end.exists()", same(exists("start"), exists("end"))),
    (
        (
            "(start.exists() and end.exists()) or (status in ('proposed' | "
            "'cancelled' | 'waitlist'))"
        ),
        any_of(
            all_of(exists("start"), exists("end")),
            among("status", "proposed", "cancelled", "waitlist"),
        ),
    ),
    (
        (
            "Appointment.cancelationReason.exists() implies "
            "(Appointment.status='no-show' or Appointment.status='cancelled')"
        ),
        implies(exists("cancelationReason"), among("status", "no-show", "cancelled")),
    ),
    ("type.exists() or actor.exists()", exists("type", "actor")),
    ("participantType.exists() or actor.exists()", exists("participantType", "actor")),
    ("name.empty() or query.empty()", at_most_one(exists("name"), exists("query"))),
    ("text.exists() or entry.exists() or section.exists()", exists("text", "entry", "section")),
    ("emptyReason.empty() or entry.empty()", at_most_one(exists("emptyReason"), exists("entry"))),
    ("policy.exists() or policyRule.exists()", exists("policy", "policyRule")),
    (
        (
            "patient.exists() or scope.coding.where(system='something' and "
            "code='patient-privacy').exists().not()"
        ),
        _patient_where_scope_is("patient-privacy"),
    ),
    (
        (
            "patient.exists() or scope.coding.where(system='something' and "
            "code='research').exists().not()"
        ),
        _patient_where_scope_is("research"),
    ),
    (
        (
            "patient.exists() or scope.coding.where(system='something' and "
            "code='adr').exists().not()"
        ),
        _patient_where_scope_is("adr"),
    ),
    (
        (
            "patient.exists() or scope.coding.where(system='something' and "
            "code='treatment').exists().not()"
        ),
        _patient_where_scope_is("treatment"),
    ),
    (
        "category.exists() xor productOrService.exists()",
        exactly_one(exists("category"), exists("productOrService")),
    ),
    ("(identifier.count() + name.count()) > 0", exists("identifier", "name")),
    ("item.count()>1", counted("item", least=2)),
    (
        "mode = 'changes' or entry.deleted.empty()",
        any_of(among("mode", "changes"), no(some("entry", exists("deleted")))),
    ),
    (
        "mode = 'working' or entry.date.empty()",
        any_of(among("mode", "working"), no(some("entry", exists("date")))),
    ),
    ("where(use = 'home').empty()", no(among("use", "home"))),
    (
        ("name.exists() or telecom.exists() or address.exists() or organization.exists()"),
        exists("name", "telecom", "address", "organization"),
    ),
)
