"""The people who can sign in at the reference EHR, and whose records each of them may open."""

from __future__ import annotations

import secrets
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from harness.reference.credentials import PASSWORDS, Credentials

if TYPE_CHECKING:
    from harness.reference.fhir.store import Store


@dataclass(frozen=True, slots=True)
class Person:
    """Somebody with a user name and a password.

    Args:
        username: as typed on the login page.
        name: as shown on the pages.
        patients: ids of the patients whose records this person may share with an app.
        fhir_user: the person's own resource, `Practitioner/1` or `Patient/2`.
        clinician: whether `user/` scopes may be granted.
    """

    username: str
    password: str = field(repr=False)
    name: str
    patients: tuple[str, ...]
    fhir_user: str
    clinician: bool = False

    def check_password(self, password: str) -> bool:
        """Compares in constant time."""
        return secrets.compare_digest(self.password.encode(), password.encode())


def people(store: Store, credentials: Credentials) -> dict[str, Person]:
    """Everybody who can sign in, by user name.

    `patient` is the first patient. `family` is the second and acts for the third as well.
    `other` is the last one, related to nobody. `clinician` sees everybody.
    """
    ids = tuple(store.patient_ids())
    first, family, last = ids[0], ids[1:3] or ids[:1], ids[-1]
    practitioner = min(stored.id for stored in store.all("Practitioner"))

    def person(username: str, name: str, patients: tuple[str, ...], fhir_user: str) -> Person:
        password = credentials.values[PASSWORDS[username]]
        return Person(
            username, password, name, patients, fhir_user, clinician=username == "clinician"
        )

    everybody = (
        person("patient", store.patient_name(first), (first,), f"Patient/{first}"),
        person("family", store.patient_name(family[0]), family, f"Patient/{family[0]}"),
        person("other", store.patient_name(last), (last,), f"Patient/{last}"),
        person("clinician", "Clinician", ids, f"Practitioner/{practitioner}"),
    )
    return {each.username: each for each in everybody}
