"""Acts of expiry: what a code and a token are good for once their time is over.

They come last of all, where the EHR file permits waiting: every token of the run may end meanwhile.
Of the reference EHR a run moves the clock instead.
"""

from __future__ import annotations

from datetime import datetime, timedelta

from harness.checks.acting import Run, act
from harness.checks.acts.access import fhir_get
from harness.checks.acts.backend import BackendGrant
from harness.checks.acts.introspection import introspected
from harness.checks.acts.launch import exchanged, negative, with_code
from harness.checks.found import Found
from harness.checks.launching import Authorization, Launch
from harness.config.ehr import Permit
from harness.errors import NotApplicable, NotPermitted
from harness.http.exchange import Exchange
from harness.smart.discovery import Discovery
from harness.smart.tokens import TokenResponse

CODE_LIFE = timedelta(minutes=10)
"""The longest that RFC 6749 section 4.1.2 recommends."""

MARGIN = timedelta(minutes=2)
"""By how much clocks may differ, and validations be remembered."""


def may_wait(run: Run, life: timedelta) -> None:
    """Refuse to wait longer than the EHR file permits.

    Raises:
        NotPermitted: it permits no waiting, or not for so long.
    """
    if not run.permits(Permit.WAIT):
        raise NotPermitted("permit has no wait")
    needed, most = (life + MARGIN).total_seconds(), run.ehr.limits.max_wait
    if needed > most:
        raise NotPermitted(f"limits.max_wait is {most:.0f} s, and {needed:.0f} s are needed")


async def wait_until(run: Run, moment: datetime) -> None:
    """Let time go by until a moment is over beyond doubt."""
    remaining = moment + MARGIN - run.clock.now()
    if remaining > timedelta():
        await run.clock.elapse(remaining.total_seconds())


def end_of(run: Run, token: TokenResponse) -> datetime:
    """When a token ends.

    Raises:
        NotApplicable: the server does not say.
        NotPermitted: as `may_wait`.
    """
    if token.expires_in is None or token.expires_at is None:
        raise NotApplicable("the token response says no expires_in")
    may_wait(run, timedelta(seconds=token.expires_in))
    return token.expires_at


@act
async def unused_code(run: Run, discovery: Discovery, launch: Launch) -> Authorization:
    """A code that nobody exchanges while it is good."""
    negative(run)
    may_wait(run, CODE_LIFE)
    return await with_code(run, discovery, launch.authorization.plan)


@act(last=True, after=("batch_pull", "token_under_load"))
async def cleared(run: Run) -> None:
    """Nothing is left that a token of this run would be needed for: all writes are undone."""
    await run.scratch.undo()


@act(last=True)
async def expired_code(
    run: Run, discovery: Discovery, unused_code: Authorization, cleared: None
) -> Exchange:
    """The code, exchanged after its time."""
    del cleared
    await wait_until(run, run.clock.now() + CODE_LIFE)
    return await exchanged(run, discovery, unused_code)


@act(last=True)
async def expired_token_read(run: Run, launch: Launch, cleared: None) -> Exchange:
    """The patient in context, read with the token of the launch after its time."""
    del cleared
    await wait_until(run, end_of(run, launch.token))
    return await fhir_get(run, f"Patient/{launch.patient}", launch.token.access_token)


@act(last=True)
async def expired_backend_read(
    run: Run, backend_grant: BackendGrant, system_search: Found, cleared: None
) -> Exchange:
    """What the backend client could search, after the time of its token."""
    del cleared
    await wait_until(run, end_of(run, backend_grant.token))
    path = system_search.pages[0].request.url.removeprefix(f"{run.ehr.fhir_base}/")
    return await fhir_get(run, path, backend_grant.token.access_token)


@act(last=True)
async def introspection_of_expired(
    run: Run, discovery: Discovery, launch: Launch, expired_token_read: Exchange
) -> Exchange:
    """What the access token of the launch is worth after its time."""
    del expired_token_read
    return await introspected(run, discovery, launch, launch.token.access_token)
