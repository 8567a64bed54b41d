"""A token session renews once, stores before use, and says when a grant is lost."""

from __future__ import annotations

import asyncio
import secrets as randomness
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from starlette.requests import Request as Asked
from starlette.responses import HTMLResponse, JSONResponse
from starlette.responses import Response as Answered

from harness.config.ehr import AuthSpec, EhrFile, Login, OAuthClient, SecretRef
from harness.config.secrets import Secret, Secrets
from harness.errors import (
    ConfigError,
    EhrUnreachable,
    GrantLost,
    HarnessError,
    OAuthError,
    Throttled,
    UsageError,
)
from harness.http.client import HttpClient
from harness.http.clock import ManualClock
from harness.http.transport import NoAnswerError
from harness.smart.drivers.refresh_token import entry_of, open_session
from harness.smart.identity import Identity
from harness.smart.session import TokenSession
from harness.smart.stored import Stored
from harness.smart.vault import Entry, Vault, new_key
from harness.tests.unit.smart.site import app_of, client_of, fields_of

TOKEN = "https://ehr.example.org/token"
ENTRY = Entry("tenant:north", "app", "camila")


@dataclass
class Server:
    """A token endpoint that rotates its refresh token, and takes each only once."""

    life: Any = 3600
    scope: str = "openid patient/Patient.rs"
    rotates: bool = True
    current: str = "rt-0"
    asked: list[dict[str, str]] = field(default_factory=list)
    first: list[Callable[[], Answered]] = field(default_factory=list)
    hold: asyncio.Event | None = None
    arrived: asyncio.Event = field(default_factory=asyncio.Event)

    async def token(self, asked: Asked) -> Answered:
        sent = await fields_of(asked)
        self.asked.append(sent)
        self.arrived.set()
        if self.hold is not None:
            await self.hold.wait()
        if self.first:
            return self.first.pop(0)()
        given = sent.get("refresh_token")
        if given is not None and given != self.current:
            return JSONResponse({"error": "invalid_grant"}, 400)
        body = {
            "access_token": f"at-{len(self.asked)}",
            "token_type": "bearer",
            "expires_in": self.life,
            "scope": self.scope,
        }
        if given is not None and self.rotates:
            self.current = f"rt-{len(self.asked)}"
            body["refresh_token"] = self.current
        return JSONResponse({k: v for k, v in body.items() if v is not None})


@pytest.fixture
def vault(tmp_path: Path) -> Vault:
    vault = Vault(tmp_path / "v" / "vault.sqlite", Secret(new_key()))
    vault.put(ENTRY, "rt-0", now=ManualClock().now(), scope="openid patient/Patient.rs")
    return vault


def identity_of(http: HttpClient, clock: ManualClock, **environ: str) -> Identity:
    client = OAuthClient("app", "app-id")
    return Identity(http, client, Secrets(environ), TOKEN, clock, randomness.token_bytes)


def run(
    server: Server, vault: Vault | None, use: Callable[[TokenSession, ManualClock], Awaitable[Any]]
) -> Any:
    async def go() -> Any:
        clock = ManualClock()
        async with client_of(app_of(token=server.token), clock) as http:
            entry = ENTRY if vault else None
            scopes = ("system/*.rs",)
            session = TokenSession(identity_of(http, clock), vault, entry, scopes)
            return await use(session, clock)

    return asyncio.run(go())


def stored(vault: Vault) -> str:
    found = vault.get(ENTRY)
    assert found is not None
    return found.refresh_token.reveal()


def test_many_who_ask_at_once_cause_one_refresh(vault: Vault) -> None:
    server = Server()

    async def use(session: TokenSession, _: ManualClock) -> set[str]:
        return set(await asyncio.gather(*(session.access_token() for _ in range(20))))

    assert run(server, vault, use) == {"at-1"}
    assert len(server.asked) == 1


def test_the_rotated_token_is_stored(vault: Vault) -> None:
    async def use(session: TokenSession, clock: ManualClock) -> None:
        for _ in range(3):
            await session.access_token()
            await clock.sleep(3600)

    server = Server()
    run(server, vault, use)
    assert stored(vault) == server.current == "rt-3"
    assert [each["refresh_token"] for each in server.asked] == ["rt-0", "rt-1", "rt-2"]


def test_without_rotation_the_old_token_stays(vault: Vault) -> None:
    async def use(session: TokenSession, clock: ManualClock) -> None:
        await session.access_token()
        await clock.sleep(3600)
        await session.access_token()

    run(Server(rotates=False), vault, use)
    assert stored(vault) == "rt-0"


@pytest.mark.parametrize(
    ("life", "good_until"), [(3600, 3540), (570, 510), (100, 80), (None, 240), ("600", 540)]
)
def test_a_token_is_renewed_before_it_ends(vault: Vault, life: Any, good_until: float) -> None:
    async def use(session: TokenSession, clock: ManualClock) -> tuple[str, str]:
        await session.access_token()
        await clock.sleep(good_until - 1)
        before = await session.access_token()
        await clock.sleep(1)
        return before, await session.access_token()

    assert run(Server(life=life), vault, use) == ("at-1", "at-2")


def test_a_rejected_token_is_renewed_once_however_many_report_it(vault: Vault) -> None:
    async def use(session: TokenSession, _: ManualClock) -> set[str]:
        rejected = await session.access_token()
        first = await asyncio.gather(*(session.renew(rejected) for _ in range(5)))
        return {*first, await session.renew(rejected)}

    server = Server()
    assert run(server, vault, use) == {"at-2"}
    assert len(server.asked) == 2


def test_a_cancelled_caller_does_not_lose_the_rotation(vault: Vault) -> None:
    async def use(session: TokenSession, _: ManualClock) -> str:
        server.hold = asyncio.Event()
        caller = asyncio.create_task(session.access_token())
        await server.arrived.wait()
        caller.cancel()
        with pytest.raises(asyncio.CancelledError):
            await caller
        server.hold.set()
        return await session.access_token()

    server = Server()
    assert run(server, vault, use) == "at-1"
    assert stored(vault) == "rt-1"
    assert len(server.asked) == 1


def test_closing_waits_for_the_rotation_under_way(vault: Vault) -> None:
    async def use(session: TokenSession, _: ManualClock) -> str:
        server.hold = asyncio.Event()
        caller = asyncio.create_task(session.access_token())
        await server.arrived.wait()
        caller.cancel()
        server.hold.set()
        await session.aclose()
        return stored(vault)

    server = Server()
    assert run(server, vault, use) == "rt-1"


def test_a_newer_login_is_not_overwritten_by_an_older_rotation(vault: Vault) -> None:
    async def use(session: TokenSession, clock: ManualClock) -> str:
        server.hold = asyncio.Event()
        caller = asyncio.create_task(session.access_token())
        await server.arrived.wait()
        vault.put(ENTRY, "rt-of-a-new-login", now=clock.now())
        server.hold.set()
        return await caller

    server = Server()
    assert run(server, vault, use) == "at-1"
    assert stored(vault) == "rt-of-a-new-login"


def test_waiting_for_another_session_ends(vault: Vault) -> None:
    async def use(session: TokenSession, _: ManualClock) -> None:
        session.patience = 0.0
        await session.access_token()

    assert vault.lock(ENTRY, "another", 3600)
    with pytest.raises(UsageError, match="stays in use by process"):
        run(Server(), vault, use)
    vault.unlock(ENTRY, "another")


def test_two_sessions_on_one_grant_never_use_one_refresh_token_twice(vault: Vault) -> None:
    server = Server()

    async def use(session: TokenSession, clock: ManualClock) -> list[str]:
        other = TokenSession(session.identity, vault, ENTRY)
        return list(await asyncio.gather(session.access_token(), other.access_token()))

    assert sorted(run(server, vault, use)) == ["at-1", "at-2"]
    assert [each["refresh_token"] for each in server.asked] == ["rt-0", "rt-1"]


def shared(session: TokenSession) -> TokenSession:
    return TokenSession(session.identity, session.vault, session.entry, shared=True)


def test_sessions_that_share_a_grant_refresh_once_for_all(vault: Vault) -> None:
    server = Server()

    async def use(session: TokenSession, _: ManualClock) -> set[str]:
        several = [shared(session) for _ in range(6)]
        tokens = set(await asyncio.gather(*(each.access_token() for each in several)))
        assert {str(each.granted) for each in several} == {server.scope}
        return tokens

    assert run(server, vault, use) == {"at-1"}
    assert len(server.asked) == 1


def test_a_token_that_the_server_rejects_is_not_taken_over(vault: Vault) -> None:
    server = Server()

    async def use(session: TokenSession, _: ManualClock) -> list[str]:
        one, other, late = (shared(session) for _ in range(3))
        rejected = await one.access_token()
        assert await other.access_token() == rejected
        renewed = await asyncio.gather(*(each.renew(rejected) for each in (one, other)))
        joined = await asyncio.gather(late.access_token(), late.renew(rejected))
        return [*renewed, *joined]

    assert set(run(server, vault, use)) == {"at-2"}
    assert len(server.asked) == 2


def test_a_renewal_that_took_over_a_rejected_token_is_followed_by_another(vault: Vault) -> None:
    async def use(session: TokenSession, _: ManualClock) -> list[str]:
        rejected = await shared(session).access_token()
        late = shared(session)
        return list(await asyncio.gather(late.access_token(), late.renew(rejected)))

    assert run(Server(), vault, use) == ["at-1", "at-2"]


def test_a_token_that_is_about_to_end_is_not_taken_over(vault: Vault) -> None:
    async def use(session: TokenSession, clock: ManualClock) -> list[str]:
        first = await shared(session).access_token()
        await clock.sleep(3539)
        second = await shared(session).access_token()
        await clock.sleep(1)
        return [first, second, await shared(session).access_token()]

    assert run(Server(), vault, use) == ["at-1", "at-1", "at-2"]


def test_a_grant_is_refreshed_weekly_though_its_access_token_lives_on(vault: Vault) -> None:
    async def use(session: TokenSession, clock: ManualClock) -> list[str]:
        found = []
        for _ in range(4):
            found.append(await shared(session).access_token())
            await clock.sleep(4 * 86400)
        return found

    assert run(Server(life=10**9), vault, use) == ["at-1", "at-1", "at-2", "at-2"]


def row(vault: Vault) -> Stored:
    found = vault.get(ENTRY)
    assert found is not None
    return found


def test_a_lost_grant_is_noted_with_its_time_and_found_again_by_a_login(vault: Vault) -> None:
    async def use(session: TokenSession, clock: ManualClock) -> None:
        for _ in range(2):
            with pytest.raises(GrantLost):
                await session.access_token()
            await clock.sleep(60)
        assert row(vault).lost_at == ManualClock().now(), "it stays lost since the first refusal"
        vault.put(ENTRY, server.current, now=clock.now())
        await session.access_token()

    server = Server(current="rt-other")
    run(server, vault, use)
    assert (row(vault).lost_at, row(vault).lost_because) == (None, None)


def test_a_refusal_that_repeats_the_token_does_not_give_it_away(vault: Vault) -> None:
    refusal = {"error": "invalid_grant", "error_description": "token rt-0 was revoked"}
    server = Server(first=[lambda: JSONResponse(refusal, 400)])
    with pytest.raises(GrantLost, match=r"\[refresh token\] was revoked") as lost:
        run(server, vault, lambda session, _: session.access_token())
    assert "rt-0" not in str(lost.value)
    assert "rt-0" not in str(row(vault).lost_because)


AMBIGUOUS = {
    "no answer": lambda: _fail("timeout"),
    "a page": lambda: HTMLResponse("<p>gateway", 504),
    "half a body": lambda: Answered(b'{"access_token": "a', 200, media_type="application/json"),
    "a server's fault": lambda: JSONResponse({"error": "server_error"}, 500),
}


def _fail(kind: str) -> Answered:
    raise NoAnswerError(kind, "no answer")


@pytest.mark.parametrize("name", AMBIGUOUS)
def test_an_answer_that_was_lost_is_told_when_the_grant_is(vault: Vault, name: str) -> None:
    """The server has rotated, nobody heard of it, and another run finds the token used up."""

    async def use(session: TokenSession, _: ManualClock) -> None:
        server.first = [AMBIGUOUS[name]] * 2
        with pytest.raises(HarnessError):
            await session.access_token()
        assert row(vault).begun
        server.current = "rt-that-nobody-heard-of"
        with pytest.raises(GrantLost, match="the answer to an earlier refresh was lost"):
            await session.access_token()

    server = Server()
    run(server, vault, use)


@pytest.mark.parametrize("name", AMBIGUOUS)
def test_a_server_with_a_grace_period_loses_nothing(vault: Vault, name: str) -> None:
    server = Server(first=[AMBIGUOUS[name]])
    assert run(server, vault, lambda session, _: session.access_token()) == "at-2"
    assert not row(vault).begun


@pytest.mark.parametrize(
    "refusal",
    [
        lambda: _fail("refused"),
        lambda: HTMLResponse("<p>bad", 400),
        lambda: JSONResponse({"error": "invalid_client"}, 401),
    ],
)
def test_what_was_surely_not_processed_casts_no_doubt(
    vault: Vault, refusal: Callable[[], Answered]
) -> None:
    async def use(session: TokenSession, _: ManualClock) -> None:
        server.first = [refusal] * 2
        with pytest.raises(HarnessError):
            await session.access_token()
        assert not row(vault).begun
        server.first, server.current = [], "rt-other"
        with pytest.raises(GrantLost) as lost:
            await session.access_token()
        assert "lost, and" not in str(lost.value)

    server = Server()
    run(server, vault, use)


def test_scopes_are_named_in_a_refresh_where_the_server_wants_that(vault: Vault) -> None:
    async def use(session: TokenSession, _: ManualClock) -> None:
        session.names_scope = True
        await session.access_token()

    server = Server()
    run(server, vault, use)
    assert server.asked[0]["scope"] == "openid patient/Patient.rs"


def test_a_lost_grant_says_what_to_do(vault: Vault) -> None:
    async def use(session: TokenSession, _: ManualClock) -> None:
        await session.access_token()

    with pytest.raises(GrantLost, match="harness login --tenant north") as lost:
        run(Server(current="rt-other"), vault, use)
    assert "tenant:north/app/camila" in str(lost.value)
    assert "rt-0" not in str(lost.value)


def test_an_entry_without_a_token_is_a_lost_grant(vault: Vault) -> None:
    vault.delete(ENTRY)
    with pytest.raises(GrantLost, match="no refresh token is stored"):
        run(Server(), vault, lambda session, _: session.access_token())


def test_another_refusal_stays_what_it_is(vault: Vault) -> None:
    server = Server(first=[lambda: JSONResponse({"error": "invalid_client"}, 401)])
    with pytest.raises(OAuthError, match="invalid_client"):
        run(server, vault, lambda session, _: session.access_token())
    assert stored(vault) == "rt-0"


def test_a_bare_400_deserves_a_second_try(vault: Vault) -> None:
    server = Server(first=[lambda: HTMLResponse("<p>bad", 400)])
    assert run(server, vault, lambda session, _: session.access_token()) == "at-2"


def test_a_lost_answer_is_tried_once_more_with_the_same_token(vault: Vault) -> None:
    def fail() -> Answered:
        raise NoAnswerError("timeout", "no answer in time")

    server = Server(first=[fail])
    assert run(server, vault, lambda session, _: session.access_token()) == "at-2"
    assert [each["refresh_token"] for each in server.asked] == ["rt-0", "rt-0"]
    with pytest.raises(EhrUnreachable):
        run(Server(first=[fail, fail], current="rt-2"), vault, lambda s, _: s.access_token())


def test_a_throttled_token_endpoint_is_named_with_its_wait(vault: Vault) -> None:
    headers = {"Retry-After": "900"}
    server = Server(first=[lambda: JSONResponse({}, 429, headers)] * 10)
    with pytest.raises(Throttled) as refused:
        run(server, vault, lambda session, _: session.access_token())
    assert refused.value.retry_after == 900


def test_vanished_scopes_are_reported(vault: Vault) -> None:
    async def use(session: TokenSession, _: ManualClock) -> list[str]:
        await session.access_token()
        return [str(scope) for scope in session.vanished]

    assert run(Server(scope="openid patient/Patient.r"), vault, use) == ["patient/Patient.s"]


def test_client_credentials_need_no_vault() -> None:
    server = Server()
    assert run(server, None, lambda session, _: session.access_token()) == "at-1"
    assert server.asked[0]["grant_type"] == "client_credentials"
    assert server.asked[0]["scope"] == "system/*.rs"


def test_a_reserved_grant_is_for_one_run(vault: Vault) -> None:
    async def use(session: TokenSession, _: ManualClock) -> str:
        other = TokenSession(session.identity, vault, ENTRY)
        async with session.reserved(3600):
            with pytest.raises(UsageError, match="in use by process"):
                async with other.reserved(3600):
                    pass
            token = await session.access_token()
        async with other.reserved(3600):
            return token

    assert run(Server(), vault, use) == "at-1"


def test_the_reference_of_the_ehr_file_seeds_the_vault_and_the_vault_goes_on(vault: Vault) -> None:
    ehr = EhrFile("epic", "Epic", "https://ehr.example.org/fhir", AuthSpec())
    login = Login("camila", refresh_token=SecretRef("env", "RT"))
    entry = entry_of(ehr, "app", "camila")
    server = Server()

    async def once(environ: dict[str, str]) -> str:
        clock = ManualClock()
        async with client_of(app_of(token=server.token), clock) as http:
            session = await open_session(identity_of(http, clock, **environ), ehr, login, vault)
            await session.access_token()
            found = vault.get(entry)
            assert found is not None
            return found.refresh_token.reveal()

    assert asyncio.run(once({"RT": "rt-0"})) == "rt-1"
    assert asyncio.run(once({"RT": "rt-0"})) == "rt-2"
    server.current = "rt-new"
    assert asyncio.run(once({"RT": "rt-new"})) == "rt-3"


def test_a_stored_token_needs_no_reference(vault: Vault) -> None:
    ehr = EhrFile("epic", "Epic", "https://ehr.example.org/fhir", AuthSpec())
    vault.put(entry_of(ehr, "app", "camila"), "rt-0", now=ManualClock().now())

    async def use(session: TokenSession, _: ManualClock) -> str:
        opened = await open_session(session.identity, ehr, Login("camila"), vault)
        return await opened.access_token()

    assert run(Server(), vault, use) == "at-1"


def test_a_login_without_any_refresh_token_says_so(vault: Vault) -> None:
    ehr = EhrFile("epic", "Epic", "https://ehr.example.org/fhir", AuthSpec())

    async def use(session: TokenSession, _: ManualClock) -> None:
        await open_session(session.identity, ehr, Login("camila"), vault)

    with pytest.raises(ConfigError, match="neither stored nor in the EHR file"):
        run(Server(), vault, use)
