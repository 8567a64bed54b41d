"""Scopes: what is not granted, or is taken back, is named as missing and never takes for absent."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from harness.http.exchange import Request
from harness.reference.process import Running
from harness.sync.access.grant import Standing
from harness.sync.account import Account
from harness.sync.model import RunStatus
from harness.sync.verify.verification import Result
from harness.tests.chaos.home import TOKEN, Home
from harness.tests.chaos.wire import (
    Do,
    Harm,
    answer,
    is_next_page,
    search,
    then,
    url,
    with_json,
)
from harness.tests.integration.sync_site import Site

OBSERVATIONS = url("/r4/Observation")
EMPTY = {"resourceType": "Bundle", "type": "searchset", "entry": []}


def granting(change: Any) -> Do:
    """Token responses whose scope is what `change` makes of it; None leaves it out."""

    def changed(body: dict[str, Any]) -> None:
        if "scope" in body:
            scope = change(body.pop("scope"))
            body |= {} if scope is None else {"scope": scope}

    return with_json(changed)


def without_observations(scope: str) -> str:
    return " ".join(each for each in scope.split() if "Observation" not in each)


def assert_observations_are_missing(account: Account, why: str) -> None:
    assert account.status is RunStatus.INCOMPLETE
    assert {each.type for each in account.missing} == {"Observation"}
    assert all(why in each.reason for each in account.missing)
    assert account.by_type.keys() == {"Patient", "Condition"}


def only(home: Home, *types: str) -> dict[tuple[str, str], str]:
    return {key: version for key, version in home.truth().items() if key[0] in types}


def test_types_that_were_not_granted_are_named_and_the_rest_is_complete(tmp_path: Path) -> None:
    home = Home(tmp_path)
    less = Harm(granting(without_observations), on=TOKEN)
    account = home.sync(less, Harm(answer(200, EMPTY), on=OBSERVATIONS))
    assert_observations_are_missing(account, "no granted scope covers it")
    assert not home.chaos.urls("/r4/Observation"), "an empty answer would prove nothing"
    assert home.stored() == only(home, "Patient", "Condition")
    assert home.grant().not_covered == ("Observation",)
    home.log_in()
    assert home.sync().status is RunStatus.COMPLETE
    assert home.stored() == home.truth()


def test_scopes_that_a_refresh_takes_back_are_named_and_nothing_is_deleted(tmp_path: Path) -> None:
    home = Home(tmp_path)
    home.describe(more="[sync]\nfull_every_days = 1")
    home.sync()
    whole = home.stored()
    home.clock.advance(2 * 86400)
    home.observe("new")
    less = Harm(granting(without_observations), on=TOKEN)
    hidden = [
        Harm(answer(404), on=OBSERVATIONS),
        Harm(answer(200, EMPTY), on=search("Observation")),
    ]
    account = home.sync(less, *hidden)
    assert_observations_are_missing(account, "the EHR took back patient/Observation.rs")
    assert home.stored() == whole, "what cannot be seen any more is not gone"
    verification = home.verify(*hidden)
    assert verification.result is Result.INCOMPLETE
    assert verification.differences == ()
    assert home.grant().standing is Standing.GOOD
    assert home.grant().lines(home.clock.now())[1].startswith("grant: no scope covers Observation")
    home.clock.advance(4000)
    assert home.sync().status is RunStatus.COMPLETE, "the EHR gave it back"
    assert home.stored() == home.truth()


def test_scopes_that_are_taken_back_in_the_middle_of_paging_move_no_watermark(
    tmp_path: Path,
) -> None:
    """The EHR hides what the new token may not see: pages are empty, and end."""
    home = Home(tmp_path)
    less = Harm(granting(without_observations), on=TOKEN, after=1)
    empty = Harm(answer(200, EMPTY), on=lambda each: less.struck > 0 and is_next_page(each))
    ended = Harm(then(home.end_access_tokens), on=is_next_page, times=1, after=5)
    account = home.sync(less, empty, ended)
    assert account.status is RunStatus.INCOMPLETE
    assert {each.type for each in account.missing} == {"Observation"}
    assert "the EHR took back" in account.missing[0].reason
    assert (less.struck, empty.struck) == (1, 0)
    home.clock.advance(4000)
    assert home.sync().status is RunStatus.COMPLETE
    assert home.stored() == home.truth()


@pytest.mark.parametrize(
    "change",
    [
        lambda _: None,
        lambda _: "",
        lambda _: "openid fhirUser offline_access launch/patient",
        lambda scope: scope.replace("patient/", "PATIENT/"),
        lambda scope: scope.replace(".rs", ".sr"),
    ],
    ids=["left out", "empty", "without resources", "upper case", "letters in another order"],
)
def test_scopes_that_say_nothing_keep_nothing_from_being_asked(tmp_path: Path, change: Any) -> None:
    home = Home(tmp_path)
    for _ in range(2):
        account = home.sync(Harm(granting(change), on=TOKEN))
        assert account.status is RunStatus.COMPLETE, account.lines()
        assert home.stored() == home.truth()
        home.clock.advance(4000)
        home.observe("more")


@pytest.mark.parametrize(
    "variant",
    [
        "scopes-one-permission-each",
        "scopes-in-version-1",
        "scopes-granted-for-all-types",
        "scopes-in-another-order",
    ],
)
def test_scopes_in_other_words_are_the_same_scopes(tmp_path: Path, variant: str) -> None:
    home = Home(tmp_path, variants=[variant])
    for _ in range(2):
        assert home.sync().status is RunStatus.COMPLETE
        assert home.stored() == home.truth()
        assert home.grant().not_covered == ()
        home.clock.advance(4000)
        home.observe("more")


def test_scopes_that_change_their_words_at_a_refresh_have_not_vanished(tmp_path: Path) -> None:
    home = Home(tmp_path)
    split = granting(lambda scope: scope.replace(".rs", ".r") + " " + scope.replace(".rs", ".s"))
    home.sync()
    home.clock.advance(4000)
    home.observe("more")
    assert home.sync(Harm(split, on=TOKEN)).status is RunStatus.COMPLETE
    assert home.stored() == home.truth()


def refreshing(request: Request) -> bool:
    return TOKEN(request) and b"grant_type=refresh_token" in request.body


def naming(request: Request) -> bool:
    return refreshing(request) and b"scope=" in request.body


def test_a_refresh_names_scopes_only_where_the_ehr_file_says_so(tmp_path: Path) -> None:
    home = Home(tmp_path)
    home.sync()
    refusal = answer(400, {"error": "invalid_scope"}, "application/json")
    home.clock.advance(4000)
    assert home.sync(Harm(refusal, on=naming)).status is RunStatus.COMPLETE
    demand = answer(400, {"error": "invalid_request"}, "application/json")
    lacking = Harm(demand, on=lambda each: refreshing(each) and not naming(each))
    home.clock.advance(4000)
    home.observe("more")
    account = home.sync(lacking)
    assert account.status is RunStatus.FAILED
    assert "invalid_request" in str(account.reason)
    assert home.grant().standing is Standing.GOOD
    home.describe(auth="refresh_names_scope = true")
    assert home.sync(lacking).status is RunStatus.COMPLETE
    assert home.stored() == home.truth()


def test_a_login_says_at_once_what_its_scopes_will_not_bring(
    tmp_path: Path, reference: Running
) -> None:
    """By the commands, at an EHR that grants no Provenance."""
    site = Site(tmp_path, reference)
    described = reference.instance("less-granted", variants=["some-scopes-not-granted"])
    base, types = str(described["fhir_base"]), json.dumps(["Patient", "Provenance"])
    tenant = site.person("less", base, types=types)
    status, said, errors = site.command("login", "--tenant", str(tenant))
    assert status == 0, errors
    assert "no granted scope covers Provenance; syncs will list that as missing" in said
    status, account = site.sync(tenant)
    assert status == 7
    assert {each["type"] for each in account["missing"]} == {"Provenance"}
    _, shown, _ = site.command("sync", "status", "--tenant", str(tenant))
    assert "grant: good, last refreshed" in shown
    assert "grant: no scope covers Provenance: log in again" in shown
