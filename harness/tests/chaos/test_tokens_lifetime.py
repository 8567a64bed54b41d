"""Access tokens end early, late, or without a word: pages are replayed once, nothing is lost."""

from __future__ import annotations

import base64
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from harness.http.exchange import Request
from harness.http.transport import Answer
from harness.sync.access.grant import Standing
from harness.sync.model import RunStatus
from harness.tests.chaos.home import TOKEN, Home
from harness.tests.chaos.wire import (
    Do,
    Harm,
    Sent,
    answer,
    every,
    is_next_page,
    search,
    url,
    with_json,
    without,
)

FHIR = without(url("/r4/"), "smart-configuration", "metadata")


def before(happening: Any) -> Do:
    """Something happens just before the request arrives."""

    async def do(sent: Sent) -> Answer:
        happening()
        return await sent.on()

    return do


def test_a_token_that_dies_in_the_middle_of_paging_costs_one_page(tmp_path: Path) -> None:
    home = Home(tmp_path)
    account = home.sync(Harm(before(home.end_access_tokens), on=is_next_page, times=1, after=5))
    assert account.status is RunStatus.COMPLETE, account.lines()
    assert home.stored() == home.truth()
    assert home.refreshes() == 2, "the code of the login, and one refresh"
    pages = [each.url for each in home.chaos.asked if is_next_page(each)]
    assert 1 <= len(pages) - len(set(pages)) <= 4, "what was under way is asked for once more"


def test_a_token_is_renewed_before_it_ends(tmp_path: Path) -> None:
    """Two minutes of life, and pages that take sixteen seconds each: none of them meets a 401."""
    home = Home(tmp_path)
    short = Harm(with_json(lambda body: {**body, "expires_in": 120}), on=TOKEN)
    account = home.sync(short, Harm(before(lambda: home.clock.advance(16)), on=is_next_page))
    assert account.status is RunStatus.COMPLETE, account.lines()
    assert home.stored() == home.truth()
    assert 401 not in [status for _, status in home.chaos.answers]
    assert home.refreshes() >= 3, "the code of the login, and then each 96 s"


def test_a_token_that_ends_before_its_time_is_renewed_once_for_all(tmp_path: Path) -> None:
    home = Home(tmp_path)
    home.sync()
    home.end_access_tokens()
    home.observe("while-it-ended")
    account = home.sync()
    assert account.status is RunStatus.COMPLETE
    assert (home.refreshes(), home.stored()) == (1, home.truth())


@pytest.mark.parametrize(
    "refusal",
    [
        answer(401),
        answer(401, "<html><p>Session expired</p></html>", "text/html"),
        answer(401, {"fault": "x"}, "application/json", WWW_Authenticate="Negotiate"),
    ],
    ids=["bare", "html", "another challenge"],
)
def test_the_status_alone_tells_that_a_token_ended(tmp_path: Path, refusal: Do) -> None:
    home = Home(tmp_path)
    account = home.sync(Harm(refusal, on=search("Observation"), times=1))
    assert account.status is RunStatus.COMPLETE, account.lines()
    assert (home.refreshes(), home.stored()) == (2, home.truth())


def test_an_ehr_that_takes_no_token_does_not_cost_a_refresh_for_each_query(tmp_path: Path) -> None:
    home = Home(tmp_path)
    account = home.sync(Harm(answer(401), on=FHIR))
    assert account.status is RunStatus.FAILED
    assert {each.type for each in account.missing} == {"Patient", "Observation", "Condition"}
    assert home.refreshes() <= 3
    assert home.sync().status is RunStatus.COMPLETE
    assert home.stored() == home.truth()


LIVES: list[tuple[Any, int]] = [
    (None, 1),
    ("3600", 0),
    (0, 1),
    (-5, 1),
    (10**30, 0),
    ("soon", 1),
    (True, 1),
    (3599.5, 0),
]
"""What `expires_in` says, and how many refreshes a run causes that comes 400 s later."""


@pytest.mark.parametrize(("life", "refreshes"), LIVES)
def test_a_life_that_makes_no_sense_is_taken_for_five_minutes(
    tmp_path: Path, life: Any, refreshes: int
) -> None:
    def said(body: dict[str, Any]) -> None:
        body.pop("expires_in")
        if life is not None:
            body["expires_in"] = life

    home = Home(tmp_path)
    assert home.sync(Harm(with_json(said), on=TOKEN)).status is RunStatus.COMPLETE
    home.clock.advance(200)
    home.sync(Harm(with_json(said), on=TOKEN))
    assert home.refreshes() == 0
    home.clock.advance(200)
    home.observe("later")
    assert home.sync(Harm(with_json(said), on=TOKEN)).status is RunStatus.COMPLETE
    assert home.refreshes() == refreshes
    assert home.stored() == home.truth()


@pytest.mark.parametrize("kind", ["BEARER", "bearer", "mac", "", None, 7])
def test_the_type_of_a_token_may_be_spelled_oddly(tmp_path: Path, kind: Any) -> None:
    home = Home(tmp_path)
    harm = Harm(with_json(lambda body: {**body, "token_type": kind}), on=TOKEN)
    assert home.sync(harm).status is RunStatus.COMPLETE
    assert home.stored() == home.truth()


def test_a_token_is_never_looked_into(tmp_path: Path) -> None:
    """A JWT that says it ended long ago is as good as the server's answer to it."""
    home, known = Home(tmp_path), dict[str, str]()
    claims = base64.urlsafe_b64encode(json.dumps({"exp": 1}).encode()).decode().rstrip("=")

    def dressed(body: dict[str, Any]) -> None:
        if "access_token" in body:
            opaque = body["access_token"]
            body["access_token"] = f"e30.{claims}.{len(known)}"
            known[body["access_token"]] = opaque

    async def undressed(sent: Sent) -> Answer:
        bearer = (sent.request.headers.get("Authorization") or "").removeprefix("Bearer ")
        headers = sent.request.headers
        if bearer in known:
            headers = headers.with_("Authorization", f"Bearer {known[bearer]}")
        return await sent.forward(replace(sent.request, headers=headers))

    harms = [Harm(with_json(dressed), on=TOKEN), Harm(undressed, on=FHIR)]
    for _ in range(2):
        assert home.sync(*harms).status is RunStatus.COMPLETE
        assert home.stored() == home.truth()
        home.observe("more")
        home.clock.advance(600)
    assert len(known) == 1


def test_a_grant_that_lay_idle_too_long_is_lost_and_the_status_warned(tmp_path: Path) -> None:
    home = Home(tmp_path)
    home.sync()
    home.clock.advance(61 * 86400)
    assert "unused for 61 days" in home.grant().lines(home.clock.now())[1]
    home.clock.advance(60 * 86400)
    account = home.sync()
    assert account.status is RunStatus.FAILED
    assert "refused: invalid_grant" in str(account.reason)
    assert "harness login --tenant north" in str(account.reason)
    assert home.grant().standing is Standing.LOST


def test_syncs_now_and_then_keep_a_grant_alive_beyond_its_own_life(tmp_path: Path) -> None:
    """The reference EHR ends a grant that is not refreshed for a hundred days."""
    home = Home(tmp_path)
    for number in range(10):
        home.observe(f"o{number}")
        assert home.sync(Harm(with_json(_a_year), on=TOKEN)).status is RunStatus.COMPLETE
        assert home.stored() == home.truth()
        home.clock.advance(20 * 86400)
    assert home.grant().standing is Standing.GOOD


def _a_year(body: dict[str, Any]) -> dict[str, Any]:
    return {**body, "expires_in": 365 * 86400}


def test_a_header_that_the_ehr_demands_goes_with_each_request(tmp_path: Path) -> None:
    def lacks_it(request: Request) -> bool:
        return "Epic-Client-ID" not in request.headers

    home, demand = (
        Home(tmp_path),
        Harm(answer(403, "<html>no client</html>", "text/html"), lacks_it),
    )
    assert home.sync(demand).status is RunStatus.FAILED
    home.describe(more='[headers]\n"Epic-Client-ID" = "0a1b"')
    assert home.sync(demand).status is RunStatus.COMPLETE
    assert home.stored() == home.truth()


def test_a_throttled_token_endpoint_is_asked_again_when_it_said(tmp_path: Path) -> None:
    home = Home(tmp_path)
    home.sync()
    home.clock.advance(4000)
    busy = Harm(answer(429, {}, "application/json", Retry_After="900"), on=TOKEN)
    account = home.sync(busy)
    assert account.status is not RunStatus.COMPLETE
    assert account.come_back is not None
    assert 890 <= (account.come_back - account.ended).total_seconds() <= 900
    assert home.sync(Harm(answer(500), on=every, times=0)).status is RunStatus.COMPLETE
    assert home.stored() == home.truth()
