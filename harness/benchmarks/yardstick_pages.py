"""What the yardstick serves: made-up patients and heart rates, as the bytes of pages and files."""

from __future__ import annotations

import json
from collections.abc import Iterable
from functools import lru_cache
from typing import Any, Final

from harness.benchmarks.yardstick import Settings

KEPT_PAGES: Final = 4096
KEPT_FILES: Final = 4
NEWEST: Final = "2025-06-29"
"""The day after the last `meta.lastUpdated`; a search from here on finds nothing."""

_HEART_RATE = {
    "resourceType": "Observation",
    "id": "o-%(patient)d-%(number)d",
    "meta": {
        "versionId": "1",
        "lastUpdated": "2025-06-%(day)02dT%(hour)02d:%(minute)02d:00.000Z",
        "profile": ["http://hl7.org/fhir/us/core/StructureDefinition/us-core-vital-signs"],
    },
    "status": "final",
    "category": [
        {
            "coding": [
                {
                    "system": "http://terminology.hl7.org/CodeSystem/observation-category",
                    "code": "vital-signs",
                    "display": "Vital Signs",
                }
            ],
            "text": "Vital Signs",
        }
    ],
    "code": {
        "coding": [{"system": "http://loinc.org", "code": "8867-4", "display": "Heart rate"}],
        "text": "Heart rate",
    },
    "subject": {"reference": "Patient/p%(patient)d"},
    "encounter": {"reference": "Encounter/e-%(patient)d-%(number)d"},
    "effectiveDateTime": "2025-05-%(day)02dT%(hour)02d:%(minute)02d:00+00:00",
    "issued": "2025-05-%(day)02dT%(hour)02d:%(minute)02d:01.000+00:00",
    "valueQuantity": {
        "value": "%(value)d",
        "unit": "beats/minute",
        "system": "http://unitsofmeasure.org",
        "code": "/min",
    },
}
_PATIENT = {
    "resourceType": "Patient",
    "id": "p%(patient)d",
    "meta": {"versionId": "1", "lastUpdated": "2025-06-01T00:00:00.000Z"},
    "identifier": [{"system": "urn:example:mrn", "value": "MRN%(patient)06d"}],
    "active": True,
    "name": [{"family": "Fam%(patient)d", "given": ["Given"]}],
    "gender": "female",
    "birthDate": "1970-01-01",
}


def _template(resource: dict[str, Any]) -> bytes:
    text = json.dumps(resource, separators=(",", ":"))
    return text.replace('"%(value)d"', "%(value)d").encode()


_HEART_RATE_BYTES = _template(_HEART_RATE)
_PATIENT_BYTES = _template(_PATIENT)


def heart_rate(patient: int, number: int) -> bytes:
    """One Observation, about 840 bytes."""
    return _HEART_RATE_BYTES % {
        b"patient": patient,
        b"number": number,
        b"day": 1 + number % 28,
        b"hour": number % 24,
        b"minute": patient % 60,
        b"value": 60 + number % 40,
    }


def person(patient: int) -> bytes:
    """One Patient."""
    return _PATIENT_BYTES % {b"patient": patient}


class Pages:
    """The pages and files of a yardstick; kept once made, as far as they are few.

    Args:
        settings: how much there is.
        base: the FHIR base.
    """

    def __init__(self, settings: Settings, base: str) -> None:
        self._settings = settings
        self._base = base
        self.of_patient = lru_cache(KEPT_PAGES)(self._of_patient)
        self.observations = lru_cache(KEPT_PAGES)(self._observations)
        self.patients = lru_cache(KEPT_PAGES)(self._patients)
        self.file = lru_cache(KEPT_FILES)(self._file)

    def warm(self) -> None:
        """Make what fits, so that no client waits for it."""
        settings = self._settings
        pages = -(-settings.observations // settings.page)
        for patient in range(min(settings.patients, KEPT_PAGES // pages)):
            for page in range(pages):
                self.of_patient(patient, page)

    def has(self, patient: int) -> bool:
        """Whether there is such a patient."""
        return 0 <= patient < self._settings.patients

    def empty(self, query: str) -> bytes:
        """A page of nothing."""
        return self._bundle(query, (), 0, 0)

    def one(self, patient: int) -> bytes:
        """The page that a search for one patient finds."""
        return self._bundle(f"Patient?_id=p{patient}", (person(patient),), 0, 1)

    def files(self) -> int:
        """How many files an export of all Observations has."""
        return -(-self._settings.resources // self._settings.file_lines)

    def _file(self, number: int) -> bytes:
        size = self._settings.file_lines
        return b"".join(raw + b"\n" for raw in self._slice(number * size, size))

    def _of_patient(self, patient: int, page: int) -> bytes:
        size, each = self._settings.page, self._settings.observations
        numbers = range(page * size, min((page + 1) * size, each))
        raws = (heart_rate(patient, number) for number in numbers)
        return self._bundle(f"Observation?patient=p{patient}&_count={size}", raws, page, each)

    def _observations(self, page: int) -> bytes:
        size = self._settings.page
        raws = self._slice(page * size, size)
        return self._bundle(f"Observation?_count={size}", raws, page, self._settings.resources)

    def _patients(self, page: int) -> bytes:
        size, total = self._settings.page, self._settings.patients
        raws = (person(each) for each in range(page * size, min((page + 1) * size, total)))
        return self._bundle(f"Patient?_count={size}", raws, page, total)

    def _slice(self, begin: int, size: int) -> Iterable[bytes]:
        each = self._settings.observations
        numbers = range(begin, min(begin + size, self._settings.resources))
        return (heart_rate(*divmod(number, each)) for number in numbers)

    def _bundle(self, query: str, raws: Iterable[bytes], page: int, total: int) -> bytes:
        links = [{"relation": "self", "url": f"{self._base}/{query}&page={page}"}]
        if (page + 1) * self._settings.page < total:
            links.append({"relation": "next", "url": f"{self._base}/{query}&page={page + 1}"})
        head = {"resourceType": "Bundle", "type": "searchset", "total": total, "link": links}
        url = self._base.encode()
        entries = b",".join(
            b'{"fullUrl":"%b/%b","resource":%b,"search":{"mode":"match"}}' % (url, place(raw), raw)
            for raw in raws
        )
        return json.dumps(head, separators=(",", ":")).encode()[:-1] + b',"entry":[%b]}' % entries


def place(raw: bytes) -> bytes:
    """Type and id of one of our resources, as they stand in its URL."""
    kind, id_ = raw.split(b'"', 8)[3:8:4]
    return b"%b/%b" % (kind, id_)
