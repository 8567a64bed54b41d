"""Patients, practitioners and the organization (US Core 6.1.0)."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any, Final

from harness.reference.data.chance import label, stream
from harness.reference.data.instants import instant
from harness.reference.data.vocabulary import (
    IDENTIFIER_TYPE,
    MRN,
    NPI,
    SYNTHETIC,
    US_CORE,
    profile,
)

Json = dict[str, Any]

FAMILIES: Final = (
    "Abernathy", "Bowman", "Castillo", "Delacroix", "Eriksen", "Farouk", "Goldberg", "Hernández",
    "Ivanova", "Jefferson", "Kowalczyk", "Lindqvist", "McAllister", "Nakamura", "O'Brien",
    "Petrović", "Quigley", "Robinson", "Smith-Jones", "Tanaka", "Underwood", "Vasquez",
    "Whitfield", "Ximénez", "Youngblood", "Zielinski",
)  # fmt: skip
GIVEN: Final = {
    "female": ("Amara", "Beatriz", "Chloe", "Denise", "Elena", "Fatima", "Grace", "Hanna",
               "Ingrid", "Joanna", "Keiko", "Lucía"),
    "male": ("Anton", "Benedict", "Carlos", "Dmitri", "Elias", "Felix", "Gustav", "Hiroshi",
             "Isaac", "Jorge", "Kwame", "Leonard"),
}  # fmt: skip
CITIES: Final = (
    ("Springfield", "IL", "62701", -6),
    ("Albany", "NY", "12207", -5),
    ("Portland", "OR", "97204", -8),
    ("Boulder", "CO", "80302", -7),
)
RACES: Final = (
    ("2106-3", "White"),
    ("2054-5", "Black or African American"),
    ("2028-9", "Asian"),
    ("1002-5", "American Indian or Alaska Native"),
)
ETHNICITIES: Final = (("2135-2", "Hispanic or Latino"), ("2186-5", "Not Hispanic or Latino"))
SEXES: Final = {"female": ("248152002", "F"), "male": ("248153007", "M")}
OMB: Final = "urn:oid:2.16.840.1.113883.6.238"

ORGANIZATION_ID: Final = "clinic"
PRACTITIONERS: Final = (("Marlow", "Judith"), ("Okafor", "Chidi"), ("Ramírez", "Sofía"))


@dataclass(frozen=True, slots=True)
class Person:
    """One synthetic patient before it becomes a resource.

    Args:
        ordinal: 1 for the first patient.
        id: of the Patient resource.
        offset_hours: of the zone in which the devices of this patient write; 0 is written `Z`.
    """

    ordinal: int
    id: str
    family: str
    given: tuple[str, ...]
    gender: str
    born: date
    offset_hours: float
    city: tuple[str, str, str, int]
    race: tuple[str, str]
    ethnicity: tuple[str, str]

    @property
    def reference(self) -> str:
        """The relative reference to the Patient."""
        return f"Patient/{self.id}"

    @property
    def full_name(self) -> str:
        """Given names and family name as people write them."""
        return " ".join((*self.given, self.family))


def person(seed: int, ordinal: int) -> Person:
    """Returns the patient with this number; no two of the first 300 share a name and birth date."""
    chance = stream(seed, "person", ordinal)
    gender = chance.choice(("female", "male"))
    given = tuple(chance.sample(GIVEN[gender], 2))
    city = chance.choice(CITIES)
    # Half of the devices report in local time, the others in UTC: clients meet both.
    offset = (city[3], 0)[ordinal % 2] if ordinal > 1 else -5
    return Person(
        ordinal=ordinal,
        id=f"p{ordinal}-{label(seed, 'patient', ordinal)}",
        family=FAMILIES[(ordinal * 7 + seed) % len(FAMILIES)],
        given=given,
        gender=gender,
        born=date(1938, 1, 1) + timedelta(days=chance.randrange(365 * 60)),
        offset_hours=offset,
        city=city,
        race=chance.choice(RACES),
        ethnicity=chance.choice(ETHNICITIES),
    )


def patient(who: Person, registered: datetime) -> Json:
    """Returns the Patient resource, version 1 (US Core Patient 6.1.0)."""
    street, state = who.city[0], who.city[1]
    return {
        "resourceType": "Patient",
        "id": who.id,
        "meta": _meta("us-core-patient", registered),
        "extension": _demographics(who),
        "identifier": [
            {
                "use": "usual",
                "type": {"coding": [{"system": IDENTIFIER_TYPE, "code": "MR"}]},
                "system": MRN,
                "value": f"MRN{who.ordinal:06d}",
            }
        ],
        "active": True,
        "name": [{"use": "official", "family": who.family, "given": list(who.given)}],
        "telecom": [
            {"system": "phone", "value": f"555-01{who.ordinal % 100:02d}", "use": "home"},
            {"system": "email", "value": f"patient{who.ordinal}@example.org"},
        ],
        "gender": who.gender,
        "birthDate": who.born.isoformat(),
        "address": [
            {
                "use": "home",
                "line": [f"{100 + who.ordinal} Example Street"],
                "city": street,
                "state": state,
                "postalCode": who.city[2],
                "country": "US",
            }
        ],
        "communication": [
            {"language": {"coding": [{"system": "urn:ietf:bcp:47", "code": "en-US"}]}}
        ],
        "generalPractitioner": [{"reference": f"Practitioner/{practitioner_id(who.ordinal)}"}],
        "managingOrganization": {"reference": f"Organization/{ORGANIZATION_ID}"},
    }


def practitioner_id(number: int) -> str:
    """Returns the id of the practitioner who looks after patient or visit `number`."""
    return f"practitioner-{number % len(PRACTITIONERS) + 1}"


def practitioners(since: datetime) -> list[Json]:
    """Returns the Practitioner resources (US Core Practitioner 6.1.0)."""
    return [
        {
            "resourceType": "Practitioner",
            "id": f"practitioner-{number}",
            "meta": _meta("us-core-practitioner", since + timedelta(minutes=number)),
            "identifier": [{"system": NPI, "value": npi(100000000 + number)}],
            "active": True,
            "name": [{"family": family, "given": [given], "prefix": ["Dr."]}],
            "telecom": [{"system": "email", "value": f"practitioner{number}@example.org"}],
        }
        for number, (family, given) in enumerate(PRACTITIONERS, start=1)
    ]


def organization(since: datetime) -> Json:
    """Returns the Organization resource (US Core Organization 6.1.0)."""
    return {
        "resourceType": "Organization",
        "id": ORGANIZATION_ID,
        "meta": _meta("us-core-organization", since),
        "identifier": [{"system": NPI, "value": npi(199999999)}],
        "active": True,
        "name": "Example Clinic",
        "telecom": [{"system": "phone", "value": "555-0100", "use": "work"}],
        "address": [
            {
                "line": ["1 Example Plaza"],
                "city": "Springfield",
                "state": "IL",
                "postalCode": "62701",
                "country": "US",
            }
        ],
    }


def npi(stem: int) -> str:
    """Returns a National Provider Identifier: nine digits and their check digit.

    The check digit is Luhn's over the digits behind the prefix 80840 (CMS, "Requirements for
    National Provider Identifier and NPI Check Digit"; US Core invariant us-core-17).
    """
    digits = [int(digit) for digit in f"80840{stem}"]
    doubled = (digit * 2 for digit in digits[-1::-2])
    total = sum(value - 9 if value > 9 else value for value in doubled)  # noqa: PLR2004 - Luhn's rule
    total += sum(digits[-2::-2])
    return f"{stem}{-total % 10}"


def _meta(profile_name: str, updated: datetime) -> Json:
    return {
        "versionId": "1",
        "lastUpdated": instant(updated),
        "profile": [profile(profile_name)],
        "security": [SYNTHETIC],
    }


def _demographics(who: Person) -> list[Json]:
    sct, birth_sex = SEXES[who.gender]
    return [
        _omb("us-core-race", who.race),
        _omb("us-core-ethnicity", who.ethnicity),
        {"url": US_CORE + "us-core-birthsex", "valueCode": birth_sex},
        {"url": US_CORE + "us-core-sex", "valueCode": sct},
    ]


def _omb(name: str, answer: tuple[str, str]) -> Json:
    code, display = answer
    return {
        "url": US_CORE + name,
        "extension": [
            {
                "url": "ombCategory",
                "valueCoding": {"system": OMB, "code": code, "display": display},
            },
            {"url": "text", "valueString": display},
        ],
    }
