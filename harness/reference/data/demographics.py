"""Race, ethnicity, sex, gender and tribe as US Core extensions of a Patient (6.1.0)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from harness.reference.data.building import Code, Json, coding, concept
from harness.reference.data.systems import TRIBES
from harness.reference.data.vocabulary import SNOMED, US_CORE

if TYPE_CHECKING:
    from harness.reference.data.people import Person

RACES: Final = (
    ("2106-3", "White"),
    ("2054-5", "Black or African American"),
    ("2028-9", "Asian"),
    ("1002-5", "American Indian or Alaska Native"),
)
ETHNICITIES: Final = (("2135-2", "Hispanic or Latino"), ("2186-5", "Not Hispanic or Latino"))
DETAILED: Final = {  # a category, and a code below it
    "us-core-race": (RACES[3], ("1586-7", "Shoshone")),
    "us-core-ethnicity": (ETHNICITIES[0], ("2184-0", "Dominican")),
}
SEXES: Final = {"female": ("248152002", "F"), "male": ("248153007", "M")}
GENDERS: Final = {
    "female": ("446141000124107", "Identifies as female gender"),
    "male": ("446151000124109", "Identifies as male gender"),
}
TRIBE: Final = ("187", "Paiute-Shoshone Tribe")
OMB: Final = "urn:oid:2.16.840.1.113883.6.238"


def demographics(who: Person, *, full: bool) -> list[Json]:
    """Returns the extensions of a Patient.

    Args:
        who: whose they are.
        full: with detailed codes, gender identity and tribe.
    """
    sct, birth_sex = SEXES[who.gender]
    found = [
        _omb("us-core-race", who.race, full=full),
        _omb("us-core-ethnicity", who.ethnicity, full=full),
        {"url": US_CORE + "us-core-birthsex", "valueCode": birth_sex},
        {"url": US_CORE + "us-core-sex", "valueCode": sct},
    ]
    if full:
        identity = concept(SNOMED, *GENDERS[who.gender])
        found.append({"url": US_CORE + "us-core-genderIdentity", "valueCodeableConcept": identity})
        found.append(_tribe())
    return found


def _omb(name: str, answer: Code, *, full: bool) -> Json:
    if not full:
        parts = [_part("ombCategory", answer)]
    else:
        category, detail = DETAILED[name]
        # Of races there may be several, of ethnicities one.
        answers = {answer: None, category: None} if name == "us-core-race" else {category: None}
        parts = [*(_part("ombCategory", one) for one in answers), _part("detailed", detail)]
    words = ", ".join(part["valueCoding"]["display"] for part in parts)
    return {"url": US_CORE + name, "extension": [*parts, {"url": "text", "valueString": words}]}


def _part(url: str, code: Code) -> Json:
    return {"url": url, "valueCoding": coding(OMB, *code)}


def _tribe() -> Json:
    return {
        "url": US_CORE + "us-core-tribal-affiliation",
        "extension": [
            {
                "url": "tribalAffiliation",
                "valueCodeableConcept": {"coding": [coding(TRIBES, TRIBE[0])], "text": TRIBE[1]},
            },
            {"url": "isEnrolled", "valueBoolean": False},
        ],
    }
