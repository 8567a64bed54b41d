"""A login for its refresh token takes the right launch, and the right way to sign in."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from harness.config.ehr import (
    AuthorizeMethod,
    AuthSpec,
    DriverKind,
    EhrFile,
    Environment,
    LaunchKind,
    LaunchSource,
    LaunchSpec,
    Login,
    SecretRef,
    Versions,
)
from harness.config.secrets import Secrets
from harness.errors import ConfigError
from harness.smart.drivers.refresh_token import seed_of
from harness.smart.sign_in import chosen, interactive, suited

FROM_EHR = LaunchSpec(
    "ehr",
    LaunchKind.EHR,
    "app",
    "l",
    (),
    LaunchSource.FORM,
    "https://ehr.example/start",
    AuthorizeMethod.POST,
)
STANDALONE = LaunchSpec("alone", LaunchKind.STANDALONE, "app", "l", ())
CREDENTIALS: dict[str, Any] = {"username": "u", "password": SecretRef("env", "P")}


def ehr(
    driver: DriverKind, environment: Environment = Environment.SANDBOX, **login: Any
) -> EhrFile:
    return EhrFile(
        "e",
        "E",
        "https://ehr.example/fhir",
        AuthSpec(),
        environment=environment,
        logins=(Login("other"), Login("l", driver, **login)),
        launches=(FROM_EHR, STANDALONE),
    )


def test_the_first_standalone_launch_is_taken_unless_one_is_named() -> None:
    assert chosen(ehr(DriverKind.FORM)) is STANDALONE
    assert chosen(ehr(DriverKind.FORM), "ehr") is FROM_EHR
    with pytest.raises(ConfigError, match="no launch 'x'; there are: ehr, alone"):
        chosen(ehr(DriverKind.FORM), "x")


def test_the_launch_without_a_name_suits_the_version_as_it_does_for_a_run() -> None:
    old = replace(STANDALONE, name="v1", scopes=("launch/patient", "patient/Patient.read"))
    new = replace(STANDALONE, name="v2", scopes=("launch/patient", "patient/Patient.rs"))
    both = replace(ehr(DriverKind.FORM), launches=(old, new))
    assert chosen(both).name == "v2"
    assert chosen(replace(both, versions=Versions(smart="1.0.0"))).name == "v1"
    assert chosen(replace(both, launches=(old,))).name == "v1"
    assert suited(both, LaunchKind.EHR, "2.0.0") is None


@pytest.mark.parametrize(
    ("file", "driver"),
    [
        (ehr(DriverKind.FORM), DriverKind.FORM),
        (ehr(DriverKind.MANUAL, **CREDENTIALS), DriverKind.MANUAL),
        (ehr(DriverKind.BROWSER), DriverKind.MANUAL),
        (ehr(DriverKind.REFRESH_TOKEN), DriverKind.MANUAL),
        (ehr(DriverKind.REFRESH_TOKEN, **CREDENTIALS), DriverKind.FORM),
        (ehr(DriverKind.REFRESH_TOKEN, Environment.PRODUCTION, **CREDENTIALS), DriverKind.MANUAL),
    ],
)
def test_forms_sign_in_where_they_can_and_a_person_elsewhere(
    file: EhrFile, driver: DriverKind
) -> None:
    acting, _ = interactive(file, STANDALONE)
    drivers = {each.name: each.driver for each in acting.logins}
    assert drivers == {"other": DriverKind.FORM, "l": driver}


def test_what_a_person_does_happens_in_their_browser_from_start_to_end() -> None:
    _, by_hand = interactive(ehr(DriverKind.MANUAL), FROM_EHR)
    assert (by_hand.source, by_hand.method) == (LaunchSource.MANUAL, AuthorizeMethod.GET)
    assert interactive(ehr(DriverKind.FORM), FROM_EHR)[1] == FROM_EHR
    assert interactive(ehr(DriverKind.MANUAL), STANDALONE)[1] == STANDALONE


def test_a_launch_without_its_login_is_named() -> None:
    with pytest.raises(ConfigError, match="'alone' names no login"):
        interactive(ehr(DriverKind.FORM), replace(STANDALONE, login="nobody"))


def test_a_reference_that_the_login_has_overtaken_is_remembered() -> None:
    login = Login("l", refresh_token=SecretRef("env", "RT"))
    assert seed_of(Login("l"), Secrets({})) is None
    assert seed_of(login, Secrets({})) is None
    before = seed_of(login, Secrets({"RT": "rt-1"}))
    assert before == seed_of(login, Secrets({"RT": "rt-1"}))
    assert before != seed_of(login, Secrets({"RT": "rt-2"}))
