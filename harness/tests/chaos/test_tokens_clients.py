"""How a client proves itself, clocks that differ, and endpoints that are told wrongly."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs

import pytest
from joserfc.util import urlsafe_b64decode

from harness.sync.model import RunStatus
from harness.tests.chaos.home import PUBLIC, TOKEN, Home
from harness.tests.chaos.wire import Do, Harm, answer, url, with_body, with_headers, with_json

CONFIGURATION = url("smart-configuration")
HOUR = 4000


def assertions(home: Home) -> list[tuple[dict[str, Any], dict[str, Any]]]:
    """Header and claims of every client assertion of the last run."""
    found = []
    for request in home.chaos.asked:
        for sent in parse_qs(request.body.decode()).get("client_assertion", []):
            header, claims = (
                json.loads(urlsafe_b64decode(p.encode())) for p in sent.split(".")[:2]
            )
            found.append((header, claims))
    return found


def by_key(tmp_path: Path) -> Home:
    home = Home(tmp_path)
    home.tenant("north", client="person-by-key")
    return home


def test_assertions_are_short_lived_fresh_and_name_their_key(tmp_path: Path) -> None:
    home, jtis = by_key(tmp_path), list[str]()
    for _ in range(3):
        assert home.sync().status is RunStatus.COMPLETE
        assert home.stored() == home.truth()
        for header, claims in assertions(home):
            assert claims["exp"] - claims["iat"] <= 300
            assert claims["aud"] == f"{PUBLIC}/oauth/token"
            assert header["kid"]
            jtis.append(claims["jti"])
        home.clock.advance(HOUR)
        home.observe("more")
    assert len(jtis) == len(set(jtis)) == 3


def test_a_refused_assertion_says_so_and_leaves_the_grant(tmp_path: Path) -> None:
    home = by_key(tmp_path)
    home.sync()
    home.clock.advance(HOUR)
    home.observe("more")
    refusal = {"error": "invalid_client", "error_description": "kid is unknown"}
    account = home.sync(Harm(answer(401, refusal, "application/json"), on=TOKEN))
    assert account.status is RunStatus.FAILED
    assert "invalid_client: kid is unknown" in str(account.reason)
    assert home.sync().status is RunStatus.COMPLETE
    assert home.stored() == home.truth()


@pytest.mark.parametrize("minutes", [-1440, -10, -2, 0, 2, 10, 1440])
def test_clocks_that_differ_cost_one_request(tmp_path: Path, minutes: float) -> None:
    home = by_key(tmp_path)
    home.log_in()
    home.clock.advance(HOUR)
    home.time.ahead = type(home.time.ahead)(minutes=minutes)
    if minutes < 0:
        home.clock.advance(-minutes * 60)  # what was written before is not of the future
    account = home.sync()
    assert account.status is RunStatus.COMPLETE, account.lines()
    # Ours behind by up to four minutes is still within the life of an assertion.
    assert home.refreshes() == (1 if minutes in (0, 2) else 2)
    home.observe("more")
    assert home.sync().status is RunStatus.COMPLETE
    assert home.stored() == home.truth()


def test_a_server_without_a_date_is_taken_at_its_word(tmp_path: Path) -> None:
    home = by_key(tmp_path)
    home.sync()
    home.clock.advance(HOUR)
    home.time.ahead = type(home.time.ahead)(minutes=10)
    account = home.sync(Harm(with_headers(Date=None)))
    assert account.status is RunStatus.FAILED
    assert "invalid_client" in str(account.reason)
    assert home.refreshes() == 1


UNTOLD: dict[str, Do] = {
    "not found": answer(404, "no such page", "text/plain"),
    "a page": answer(200, "<html>sign in</html>", "text/html"),
    "no endpoints": with_json(
        lambda body: {name: body[name] for name in body if not name.endswith("_endpoint")}
    ),
    "the wrong type": with_headers(Content_Type="text/plain"),
    "cut": with_body(lambda body: body[:40]),
}


@pytest.mark.parametrize("how", UNTOLD)
def test_endpoints_that_are_not_told_are_found_in_the_capability_statement(
    tmp_path: Path, how: str
) -> None:
    home = Home(tmp_path)
    for _ in range(2):
        account = home.sync(Harm(UNTOLD[how], on=CONFIGURATION))
        assert account.status is RunStatus.COMPLETE, account.lines()
        assert home.stored() == home.truth()
        home.clock.advance(HOUR)
        home.observe("more")


def test_the_ehr_file_wins_over_endpoints_that_are_told_wrongly(tmp_path: Path) -> None:
    home = Home(tmp_path)
    home.sync()
    home.clock.advance(HOUR)
    home.observe("more")
    elsewhere = f"{PUBLIC}/oauth/old-token"
    lying = Harm(with_json(lambda body: {**body, "token_endpoint": elsewhere}), on=CONFIGURATION)
    account = home.sync(lying)
    assert account.status is RunStatus.FAILED
    home.describe(auth=f'token_endpoint = "{PUBLIC}/oauth/token"')
    assert home.sync(lying).status is RunStatus.COMPLETE
    assert not home.chaos.urls("old-token")
    assert home.stored() == home.truth()
