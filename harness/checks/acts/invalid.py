"""Acts of writing what is wrong: it has to be refused, and nothing of it may stay.

FHIR binds no server to refuse what it can use; what it refuses it must not store.
http://hl7.org/fhir/R4/http.html#create, http://hl7.org/fhir/R4/validation.html
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from typing import Any

from harness.checks.acting import Run, act
from harness.checks.acts.access import SEARCHES, Access
from harness.checks.acts.observing import (
    OFFSET,
    Resource,
    Written,
    having,
    identifier_of,
    new,
)
from harness.checks.acts.write import recent, stored
from harness.errors import PrerequisiteFailed
from harness.fhir.outcome import Issue, issues_of
from harness.http.client import FHIR_JSON
from harness.http.exchange import Exchange

TOO_LARGE = 3_000_000
"""Bytes: above what EHRs take in one resource, below what hurts anybody."""


@dataclass(frozen=True, slots=True)
class Wrong:
    """One thing that is wrong: how it comes about, and the element that a refusal ought to name."""

    change: Callable[[Resource], Resource]
    element: str | None = None


@dataclass(frozen=True, slots=True)
class Refused:
    """An invalid Observation: how it was answered, and whether it is there all the same."""

    create: Exchange
    found_stored: bool
    element: str | None = None

    @property
    def issues(self) -> tuple[Issue, ...]:
        """What the OperationOutcome says."""
        return issues_of(self.create)

    @property
    def names_the_element(self) -> bool:
        """Whether any issue names the element, in `expression` or in words."""
        wanted = (self.element or "").lower()
        return any(wanted in f"{each.expression} {each.text}".lower() for each in self.issues)


def _without(name: str) -> Callable[[Resource], Resource]:
    return lambda sent: {key: value for key, value in sent.items() if key != name}


def _with(**members: Any) -> Callable[[Resource], Resource]:
    return lambda sent: sent | members


def _quantity(**members: Any) -> Callable[[Resource], Resource]:
    return lambda sent: sent | {"valueQuantity": sent["valueQuantity"] | members}


SHAPES: Mapping[str, Wrong] = {
    "missing-status": Wrong(_without("status"), "status"),
    "missing-code": Wrong(_without("code"), "code"),
    "unknown-status": Wrong(_with(status="finished"), "status"),
    "number-as-text": Wrong(_quantity(value="sixty-seven"), "value"),
    "object-as-array": Wrong(_with(valueQuantity=[]), "valueQuantity"),
    "impossible-date": Wrong(_with(effectiveDateTime="2026-13-45T10:00:00Z"), "effective"),
    "two-values": Wrong(_with(valueString="67"), "value"),
    "unknown-element": Wrong(_with(heartRate=67), "heartRate"),
    "another-type": Wrong(_with(resourceType="Patient")),
    "unknown-subject": Wrong(
        _with(subject={"reference": "Patient/does-not-exist-0000"}), "subject"
    ),
}
"""What is no FHIR R4 Observation, or belongs to nobody."""

BODIES = ("broken-json", "duplicate-member", "another-media-type", "too-large")
"""What is wrong with the body before it is a resource."""

CASES = (*SHAPES, *BODIES)

DOUBTFUL: Mapping[str, Wrong] = {
    "future-time": Wrong(lambda sent: sent, "effective"),
    "unknown-device": Wrong(_with(device={"reference": "Device/does-not-exist-0000"}), "device"),
    "foreign-unit-system": Wrong(
        _quantity(system="http://example.org/units", code="bpm", unit="bpm"), "valueQuantity"
    ),
    "no-ucum-code": Wrong(_quantity(code="beats"), "valueQuantity"),
}
"""What a server may take or refuse: what it takes it has to keep as it came."""


def body_of(case: str, sent: Resource) -> tuple[bytes, str]:
    """The bytes and the media type of a body that is wrong before it is a resource."""
    text = json.dumps(sent, separators=(",", ":"))
    match case:
        case "broken-json":
            return text[:-1].encode(), FHIR_JSON
        case "duplicate-member":
            return text.replace('{"', '{"status":"preliminary","', 1).encode(), FHIR_JSON
        case "another-media-type":
            return text.encode(), "text/plain"
        case _:
            note = json.dumps(sent | {"note": [{"text": "x" * TOO_LARGE}]})
            return note.encode(), FHIR_JSON


@act(after=SEARCHES)
async def refusals(run: Run, writable: Access, created: Exchange) -> dict[str, Refused]:
    """Everything that is wrong, sent once each; then searches for any of it."""
    sent, answers = {}, {}
    for case in CASES:
        resource = new(run, writable.patient, "heart-rate")
        sent[case] = resource
        if case in SHAPES:
            wrong = SHAPES[case].change(resource)
            body, kind = json.dumps(wrong, separators=(",", ":")).encode(), FHIR_JSON
        else:
            body, kind = body_of(case, resource)
        send = partial(writable.client.post, "Observation", body, kind)
        answers[case] = await run.scratch.created(writable.client, resource, send)
    traces = await _traces(run, writable, list(sent.values()))
    return {
        case: Refused(
            answers[case],
            identifier_of(sent[case]) in traces,
            SHAPES[case].element if case in SHAPES else None,
        )
        for case in CASES
    }


async def _traces(run: Run, writable: Access, sent: list[Resource]) -> set[str | None]:
    """The identifiers of those that a search finds; they are undone at the end."""
    found = (await recent(writable, sent[0])).matches
    mine = [match for each in sent for match in having(found, identifier_of(each))]
    for each in mine:
        run.scratch.adopt(writable.client, dict(each))
    return {identifier_of(each) for each in mine}


@act(after=SEARCHES)
async def doubtful(run: Run, writable: Access, created: Exchange) -> dict[str, Written]:
    """What a server may refuse or take, each written and read back."""
    done = {}
    for case, wrong in DOUBTFUL.items():
        sent = wrong.change(new(run, writable.patient, "heart-rate"))
        if case == "future-time":
            later = (run.clock.now() + timedelta(days=400)).astimezone(OFFSET)
            sent |= {"effectiveDateTime": later.isoformat(timespec="seconds")}
        done[case] = await stored(run, writable, sent)
    if all(each.create.status >= 500 for each in done.values()):
        raise PrerequisiteFailed("the server fails at every one of them")
    return done
