"""Acts of a person who says no: to the whole request, or to one of its scopes.

RFC 6749 section 4.1.2.1.
"""

from __future__ import annotations

from dataclasses import replace

from harness.checks.acting import Run, act
from harness.checks.acts.access import Probe, probe
from harness.checks.acts.launch import authorized, whole_launch
from harness.checks.launching import Authorization, Launch, Variation
from harness.errors import NotApplicable, NotConfigured, NotSupported
from harness.smart.discovery import Discovery
from harness.smart.drivers import Choices
from harness.smart.scopes import Scope

LEVELS = ("patient", "user", "system")


@act
async def denied_authorization(run: Run, discovery: Discovery, launch: Launch) -> Authorization:
    """A launch that the person declines altogether."""
    what = launch.authorization.plan
    choices = Choices(patient=what.login.patient, deny=True)
    done = await authorized(run, discovery, what, choices=choices)
    if not done.denied and "openid" in what.spec.scopes:
        # Who remembers an approval asks again on demand (OpenID Connect Core 3.1.2.1).
        again = Variation(parameters={"prompt": "consent"})
        done = await authorized(run, discovery, what, choices=choices, variation=again)
    if not done.denied:
        raise NotSupported("no page lets the person decline")
    return done


@act
async def declined_launch(run: Run, discovery: Discovery, launch: Launch) -> Launch:
    """A launch whose user declines the scopes of one resource type."""
    what = launch.authorization.plan
    resources = [Scope.parse(each) for each in what.spec.scopes]
    declined = tuple(str(each) for each in resources if each.is_resource)[-1:]
    if len([each for each in resources if each.is_resource]) < 2:
        raise NotConfigured("the launch asks for fewer than two resource scopes: none to decline")
    choices = Choices(patient=what.login.patient, decline=frozenset(declined))
    done = await whole_launch(run, discovery, what, choices)
    if not done.authorization.offered_choice:
        raise NotSupported("no page lets the user decline single scopes")
    return replace(done, declined=declined)


@act
async def declined_search(run: Run, declined_launch: Launch) -> Probe:
    """Resources of the type whose scope the user declined, with the token of the rest."""
    declined = Scope.parse(declined_launch.declined[0])
    type_, granted = str(declined.type), declined_launch.granted
    if declined.type == "*":
        raise NotApplicable("the declined scope names no resource type")
    if any(granted.allows(level, type_, "s", partly=True) for level in LEVELS):
        raise NotApplicable(f"searching {type_} is granted all the same, which is judged by itself")
    return await probe(run, type_, declined_launch.patient, declined_launch.token.access_token)
