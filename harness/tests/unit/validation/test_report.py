"""Counts, blocks and lines of what was found; outcomes that are FHIR."""

from __future__ import annotations

import json
from typing import Any

import pytest
from fhir.resources.R4B.operationoutcome import OperationOutcome
from hypothesis import given
from hypothesis import strategies as st

from harness.validation.findings import Finding, Rule, Severity
from harness.validation.results.links import Links
from harness.validation.results.outcome import CODES, outcome
from harness.validation.results.printing import PRINTERS, Ending, JsonLines, Outcomes, Style, Text
from harness.validation.results.tally import LEVELS, MOST_KINDS, Judged, Tally, identity, plain

US_CORE_PATIENT = "http://hl7.org/fhir/us/core/StructureDefinition/us-core-patient"
LINKS = Links({"6.1.0": "STU6.1"}, "6.1.0")


def finding(path: str = "Patient.gender", **changed: Any) -> Finding:
    given = {
        "severity": Severity.ERROR,
        "rule": Rule.BINDING,
        "path": path,
        "expected": "a code of administrative-gender (required)",
        "actual": '"M"',
    }
    return Finding(**{**given, **changed})


def patient(number: int = 1, *findings: Finding) -> Judged:
    value = {"resourceType": "Patient", "id": f"p-{number}"}
    return Judged("some.ndjson", number, value, findings or (finding(),))


def style(limit: int = 3, *, least: Severity = Severity.WARNING, colors: bool = False) -> Style:
    return Style(frozenset(LEVELS[: LEVELS.index(least) + 1]), limit, LINKS, colors)


def printed(form: str, judged: list[Judged], given: Style, **ending: Any) -> str:
    out: list[str] = []
    printer, tally = PRINTERS[form](out.append, given), Tally()
    for each in judged:
        printer.found(each, tally.add(each))
    printer.end(Ending(tally, "US Core 6.1.0", **ending))
    return "".join(out)


def test_a_block_names_line_resource_element_rule_and_specification() -> None:
    told = printed("text", [patient(12, finding(profile=US_CORE_PATIENT))], style())
    assert told.splitlines()[:4] == [
        "some.ndjson:12  Patient/p-12",
        "  error       Patient.gender",
        '              expected a code of administrative-gender (required), got "M"',
        "              binding, https://hl7.org/fhir/us/core/STU6.1/StructureDefinition-us-core-patient.html",
    ]
    assert told.splitlines()[-3:] == [
        "1 resource by FHIR R4 and US Core 6.1.0: not valid; 1 error",
        "  by rule: binding 1",
        f"  by profile: {US_CORE_PATIENT} 1",
    ]


def test_what_repeats_is_shown_a_few_times_and_counted() -> None:
    judged = [patient(n, finding(f"Patient.contact[{n}].gender")) for n in range(1, 1001)]
    told = printed("text", judged, style(limit=2))
    assert told.count("contact[") == 2
    assert "1,000 error       Patient.contact.gender" in told
    assert "first at some.ndjson:1 Patient/p-1" in told
    assert "1,000 resources by FHIR R4 and US Core 6.1.0: 1,000 not valid; 1,000 errors" in told


def test_without_a_limit_everything_is_shown() -> None:
    told = printed("text", [patient(n) for n in range(1, 21)], style(limit=0))
    assert told.count("expected a code") == 21


def test_what_is_less_severe_than_asked_for_is_counted_only() -> None:
    note = finding(
        severity=Severity.INFORMATION, rule=Rule.NOT_CHECKED, expected="LOINC", actual=""
    )
    told = printed("text", [patient(1, note)], style())
    assert "LOINC" not in told
    assert told == "1 resource by FHIR R4 and US Core 6.1.0: valid; 1 note\n"
    shown = printed("text", [patient(1, note)], style(least=Severity.INFORMATION))
    assert "not checked: LOINC" in shown


def test_findings_in_a_bundle_are_told_by_resource() -> None:
    entries = [{"resource": {"resourceType": "Patient", "id": each}} for each in ("a", "b")]
    bundle = Judged(
        "b.json",
        0,
        {"resourceType": "Bundle", "entry": entries},
        (
            finding("Bundle.entry[1].resource.gender"),
            finding("Bundle.entry[0].resource.gender"),
            finding("Bundle.entry[7].resource.gender"),
            finding("Bundle.type"),
        ),
    )
    told = printed("text", [bundle], style())
    heads = [line for line in told.splitlines() if line.startswith("b.json")]
    assert heads == ["b.json  Patient/b", "b.json  Patient/a", "b.json  Bundle"]
    tally = Tally()
    tally.add(bundle)
    assert {kind.path: seen.count for kind, seen in tally.kinds.items()} == {
        "Patient.gender": 2,
        "Bundle.gender": 1,
        "Bundle.type": 1,
    }


def test_a_script_gets_a_line_per_finding_and_one_that_sums_up() -> None:
    lines = printed("json", [patient(3)], style()).splitlines()
    first, last = map(json.loads, lines)
    assert first == {
        "source": "some.ndjson",
        "line": 3,
        "resource": "Patient/p-3",
        "severity": "error",
        "rule": "binding",
        "path": "Patient.gender",
        "expected": "a code of administrative-gender (required)",
        "actual": '"M"',
        "profile": None,
        "key": None,
    }
    assert last["summary"]["resources"] == last["summary"]["invalid"] == 1
    assert last["summary"]["errors_by_rule"] == {"binding": 1}
    assert last["summary"]["errors_by_profile"] == {"FHIR R4": 1}


@pytest.mark.parametrize("rule", Rule)
def test_every_rule_makes_an_operation_outcome_that_is_fhir(rule: Rule) -> None:
    made = outcome(patient(1, finding(rule=rule, profile=US_CORE_PATIENT, key="us-core-2")), [])
    parsed = OperationOutcome.model_validate(made)
    assert parsed.issue[0].severity == "information"
    made = outcome(patient(), [finding(rule=rule, profile=US_CORE_PATIENT, key="us-core-2")])
    issue = OperationOutcome.model_validate(made).issue[0]
    assert (issue.severity, issue.code) == ("error", CODES[rule])
    assert issue.expression == ["Patient.gender"]
    assert "us-core-2" in str(issue.diagnostics)
    assert "some.ndjson:1 Patient/p-1" in str(issue.diagnostics)


def test_where_nothing_is_wrong_an_outcome_says_so() -> None:
    (line,) = printed("outcome", [], style()).splitlines()
    assert OperationOutcome.model_validate_json(line).issue[0].severity == "information"


def test_must_support_that_was_not_seen_is_listed() -> None:
    told = printed(
        "text", [], style(), coverage={US_CORE_PATIENT: ["Patient.telecom"], "http://e.org/p": []}
    )
    assert (
        f"{US_CORE_PATIENT}: 1 must-support element was in no resource:\n  Patient.telecom" in told
    )
    assert "http://e.org/p: every must-support element was there" in told


def test_colours_are_for_terminals_alone() -> None:
    assert "\x1b" not in printed("text", [patient()], style())
    assert "\x1b[1;31merror" in printed("text", [patient()], style(colors=True))


def test_the_tally_stays_small_however_many_kinds_there_are() -> None:
    tally = Tally()
    for number in range(MOST_KINDS + 500):
        tally.add(patient(number, finding(f"Patient.x{number}")))
    assert len(tally.kinds) == MOST_KINDS
    assert tally.by_severity()[Severity.ERROR] == MOST_KINDS + 500
    assert tally.by_rule() == {"binding": MOST_KINDS + 500}


def test_a_resource_without_a_name_is_told_all_the_same() -> None:
    assert identity([1]) == "no resource"
    assert identity({"id": 7}) == "resource without a type"
    assert identity({"resourceType": "A\x1b[2J", "id": "a\nb"}) == "A�[2J/a b"


_texts = st.text(max_size=400)


@given(_texts, _texts, _texts, st.none() | _texts, st.none() | _texts, st.sampled_from(Rule))
def test_no_control_character_reaches_the_terminal(
    path: str, expected: str, actual: str, profile: str | None, key: str | None, rule: Rule
) -> None:
    odd = Finding(Severity.ERROR, rule, path, expected, actual, profile, key)
    judged = Judged(path, 1, {"resourceType": actual, "id": expected}, (odd,))
    told = printed("text", [judged] * 5, style(limit=1), remarks=(actual,))
    assert all(c.isprintable() or c == "\n" for c in told)
    assert all(len(line) < 1000 for line in told.splitlines())
    for form in ("json", "outcome"):
        for line in printed(form, [judged], style()).splitlines():
            assert line.isascii()
            json.loads(line)


@given(_texts, st.integers(2, 50))
def test_plain_is_short_and_printable(text: str, limit: int) -> None:
    shown = plain(text, limit)
    assert len(shown) <= limit
    assert shown.isprintable()


@pytest.mark.parametrize(
    ("found", "page"),
    [
        (finding(), "https://hl7.org/fhir/R4/patient.html"),
        (finding(rule=Rule.JSON), "https://hl7.org/fhir/R4/json.html"),
        (
            finding(profile="http://hl7.org/fhir/StructureDefinition/BodyWeight"),
            "https://hl7.org/fhir/R4/bodyweight.html",
        ),
        (finding(profile="http://example.org/p|1.0"), "http://example.org/p"),
    ],
)
def test_links_lead_to_the_specification(found: Finding, page: str) -> None:
    assert LINKS.of(found, "Patient") == page


def test_printers_are_what_they_are_called() -> None:
    assert {"text": Text, "json": JsonLines, "outcome": Outcomes} == PRINTERS
