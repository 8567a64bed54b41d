"""Refresh tokens rotate, and what happens in between loses no grant without saying so."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from harness.errors import LoginFailed
from harness.http.transport import Answer
from harness.scheduler import jobs
from harness.sync.access.grant import Standing
from harness.sync.account import Account
from harness.sync.model import RunStatus
from harness.tests.chaos.home import SCOPES, TOKEN, Home
from harness.tests.chaos.wire import (
    Do,
    Harm,
    Sent,
    answer,
    lose_answer,
    no_answer,
    search,
    with_body,
    with_status,
)

HOUR = 4000
"""Seconds after which an access token has ended."""


def synced(home: Home) -> Home:
    """After a first sync, an hour later, with something new at the EHR."""
    assert home.sync().status is RunStatus.COMPLETE
    home.clock.advance(HOUR)
    home.observe("new")
    return home


def assert_lost_then_found(home: Home, account: Account, why: str) -> None:
    """The run says that the grant is lost, and why; a login brings everything."""
    assert account.status is RunStatus.FAILED
    assert why in str(account.reason)
    assert "harness login --tenant north" in str(account.reason)
    grant = home.grant()
    assert grant.standing is Standing.LOST
    assert grant.lost is not None
    assert account.started <= grant.lost <= account.ended
    assert home.sync().status is RunStatus.FAILED, "and it stays lost"
    assert home.grant().lost == grant.lost
    home.log_in()
    assert home.grant().standing is Standing.GOOD
    assert home.sync().status is RunStatus.COMPLETE
    assert home.stored() == home.truth()


def test_the_successor_is_stored_before_the_access_token_is_used(tmp_path: Path) -> None:
    home, seen = synced(Home(tmp_path)), list[bool]()

    async def look(sent: Sent) -> Answer:
        stored = home.vaulted().refresh_token.reveal()
        seen.append(stored in home.ehr.ledger.refresh_tokens)
        return await sent.on()

    home.sync(Harm(look, on=search("Patient"), times=1))
    assert seen == [True]
    assert home.stored() == home.truth()


def test_a_token_that_somebody_else_used_ends_the_grant_and_is_told(tmp_path: Path) -> None:
    home = Home(tmp_path)
    home.sync()
    copied = home.ehr.ledger.live_refresh(home.vaulted().refresh_token.reveal(), home.clock.now())
    assert copied is not None
    home.clock.advance(HOUR)
    home.observe("new")
    home.ehr.ledger.rotate(copied)  # whoever had a copy has refreshed with it
    account = home.sync()
    assert home.ehr.ledger.revoked(copied.grant), "the EHR ends the whole family"
    assert_lost_then_found(home, account, "refused: invalid_grant")


def test_a_grant_that_is_revoked_is_lost_at_the_next_request(tmp_path: Path) -> None:
    home = Home(tmp_path)
    home.sync()
    home.revoke()
    home.observe("new")
    assert_lost_then_found(home, home.sync(), "refused: invalid_grant")


LOST: dict[str, Do] = {
    "the connection breaks": lose_answer(),
    "a gateway times out": with_status(504),
    "half of it arrives": with_body(lambda body: body[:20]),
    "a page arrives": with_body(lambda _: b"<html>welcome</html>"),
}


@pytest.mark.parametrize("how", LOST)
def test_a_lost_answer_costs_nothing_where_the_old_token_has_a_grace_period(
    tmp_path: Path, how: str
) -> None:
    home = synced(Home(tmp_path, faults=["refresh-reuse-accepted"]))
    account = home.sync(Harm(LOST[how], on=TOKEN, times=1))
    assert account.status is RunStatus.COMPLETE, account.lines()
    assert home.refreshes() == 2, "once more, at once"
    assert home.stored() == home.truth()


@pytest.mark.parametrize("how", LOST)
def test_a_lost_answer_elsewhere_is_given_as_the_reason(tmp_path: Path, how: str) -> None:
    home = synced(Home(tmp_path))
    account = home.sync(Harm(LOST[how], on=TOKEN, times=1))
    assert_lost_then_found(home, account, "the answer to an earlier refresh was lost")


def test_answers_lost_in_one_run_are_remembered_in_the_next(tmp_path: Path) -> None:
    home = synced(Home(tmp_path))
    account = home.sync(Harm(lose_answer(), on=TOKEN))
    assert account.status is RunStatus.FAILED
    assert home.grant().standing is Standing.GOOD, "nobody has refused it yet"
    home.clock.advance(600)
    assert_lost_then_found(home, home.sync(), "the answer to an earlier refresh was lost")


def test_a_run_that_is_cancelled_while_it_refreshes_keeps_the_successor(tmp_path: Path) -> None:
    home = synced(Home(tmp_path))

    async def go() -> None:
        async def cancel(sent: Sent) -> Answer:
            came = await sent.on()
            run.cancel()
            for _ in range(20):
                await asyncio.sleep(0)
            return came

        home.wire(Harm(cancel, on=TOKEN, times=1))
        run = asyncio.create_task(jobs.sync(home.loaded(), home.process, "cancelled"))
        await asyncio.wait({run})

    asyncio.run(go())
    stored = home.vaulted()
    assert stored.refresh_token.reveal() in home.ehr.ledger.refresh_tokens
    assert not stored.begun
    assert home.sync().status is RunStatus.COMPLETE
    assert (home.refreshes(), home.stored()) == (0, home.truth())


def test_an_ehr_that_does_not_answer_casts_no_doubt_on_the_grant(tmp_path: Path) -> None:
    home = synced(Home(tmp_path))
    account = home.sync(Harm(no_answer(), on=TOKEN))
    assert account.status is RunStatus.FAILED
    assert not home.vaulted().begun
    home.clock.advance(3600)
    assert home.sync().status is RunStatus.COMPLETE
    assert home.stored() == home.truth()


def test_an_answer_without_a_refresh_token_keeps_the_old_one(tmp_path: Path) -> None:
    home = synced(Home(tmp_path, variants=["refresh-token-not-rotated"]))
    before = home.vaulted().refresh_token.reveal()
    for _ in range(2):
        assert home.sync().status is RunStatus.COMPLETE
        assert (home.refreshes(), home.stored()) == (1, home.truth())
        home.clock.advance(HOUR)
    assert home.vaulted().refresh_token.reveal() == before


@pytest.mark.parametrize("body", [b"", b"Bad Request", b"<html>", b"{}", b"null"])
def test_one_bare_400_is_asked_again_and_two_end_the_run(tmp_path: Path, body: bytes) -> None:
    home = synced(Home(tmp_path))
    refusal = answer(400, body, "text/html")
    assert home.sync(Harm(refusal, on=TOKEN, times=2)).status is RunStatus.FAILED
    assert home.grant().standing is Standing.GOOD, "that is no word about the grant"
    home.clock.advance(600)
    assert home.sync(Harm(refusal, on=TOKEN, times=1)).status is RunStatus.COMPLETE
    assert home.stored() == home.truth()


def test_a_login_without_offline_access_is_told_at_once(tmp_path: Path) -> None:
    home = Home(tmp_path, variants=["refresh-tokens-not-offered"])
    with pytest.raises(LoginFailed, match=r"granted no refresh token.*offline_access"):
        home.log_in()
    account = home.sync()
    assert account.status is RunStatus.FAILED
    assert "offline_access" in str(account.reason)
    assert home.grant().standing is Standing.NONE


def test_a_login_that_asks_for_no_offline_access_is_told_the_same(tmp_path: Path) -> None:
    home = Home(tmp_path)
    home.tenant("north", scopes=SCOPES.replace("offline_access ", ""))
    with pytest.raises(LoginFailed, match="offline_access"):
        home.log_in()
