"""Patients, practitioners and the organization (US Core 6.1.0)."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Final

from harness.reference.data.building import Json, meta
from harness.reference.data.chance import label, stream
from harness.reference.data.demographics import ETHNICITIES, RACES, demographics
from harness.reference.data.instants import instant
from harness.reference.data.vocabulary import (
    IDENTIFIER_TYPE,
    MRN,
    NPI,
)

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

ORGANIZATION_ID: Final = "clinic"
CLINIC_ADDRESS: Final = {
    "line": ["1 Example Plaza"],
    "city": "Springfield",
    "state": "IL",
    "postalCode": "62701",
    "country": "US",
}
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


def patient(who: Person, registered: datetime, died: datetime | None, *, full: bool) -> Json:
    """Returns the Patient resource, version 1 (US Core Patient 6.1.0).

    Args:
        who: whose it is.
        registered: when it was stored.
        died: when the patient died, if so; both in UTC.
        full: whether nothing is missing that US Core knows.
    """
    made: Json = {
        "resourceType": "Patient",
        "id": who.id,
        "meta": meta("us-core-patient", registered),
        "extension": demographics(who, full=full),
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
        "address": [_home(who)],
        "communication": [
            {"language": {"coding": [{"system": "urn:ietf:bcp:47", "code": "en-US"}]}}
        ],
        "generalPractitioner": [{"reference": f"Practitioner/{practitioner_id(who.ordinal)}"}],
        "managingOrganization": {"reference": f"Organization/{ORGANIZATION_ID}"},
    }
    if died:
        made["deceasedDateTime"] = instant(died)
    if full:
        made["name"][0]["suffix"] = ["PhD"]
        made["name"].append(_former_name(who, registered))
        made["address"].append(_former_address(registered))
    return made


def practitioner_id(number: int) -> str:
    """Returns the id of the practitioner who looks after patient or visit `number`."""
    return f"practitioner-{number % len(PRACTITIONERS) + 1}"


def practitioners(since: datetime) -> list[Json]:
    """Returns the Practitioner resources (US Core Practitioner 6.1.0)."""
    return [
        {
            "resourceType": "Practitioner",
            "id": f"practitioner-{number}",
            "meta": meta("us-core-practitioner", since + timedelta(minutes=number)),
            "identifier": [{"system": NPI, "value": npi(100000000 + number)}],
            "active": True,
            "name": [{"family": family, "given": [given], "prefix": ["Dr."]}],
            "telecom": [{"system": "email", "value": f"practitioner{number}@example.org"}],
            "address": [CLINIC_ADDRESS],
        }
        for number, (family, given) in enumerate(PRACTITIONERS, start=1)
    ]


def organization(since: datetime) -> Json:
    """Returns the Organization resource (US Core Organization 6.1.0)."""
    return {
        "resourceType": "Organization",
        "id": ORGANIZATION_ID,
        "meta": meta("us-core-organization", since),
        "identifier": [{"system": NPI, "value": npi(199999999)}],
        "active": True,
        "name": "Example Clinic",
        "telecom": [{"system": "phone", "value": "555-0100", "use": "work"}],
        "address": [CLINIC_ADDRESS],
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


def _home(who: Person) -> Json:
    return {
        "use": "home",
        "line": [f"{100 + who.ordinal} Example Street"],
        "city": who.city[0],
        "state": who.city[1],
        "postalCode": who.city[2],
        "country": "US",
    }


def _former_name(who: Person, until: datetime) -> Json:
    family = FAMILIES[(who.ordinal * 11) % len(FAMILIES)]
    period = {"end": until.date().isoformat()}
    return {"use": "old", "family": family, "given": list(who.given), "period": period}


def _former_address(until: datetime) -> Json:
    return {
        "use": "old",
        "line": ["7 Former Street"],
        "city": "Albany",
        "state": "NY",
        "postalCode": "12207",
        "country": "US",
        "period": {"start": "2001-05-01", "end": until.date().isoformat()},
    }
