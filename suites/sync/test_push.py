"""FHIR R4, Subscription, rest-hook: an application is told of what is written.

http://hl7.org/fhir/R4/subscription.html
"""

from __future__ import annotations

import pytest

from harness import conforms, expect, prerequisite, supported_if, verifies
from harness.checks.pushed import FORMS, Pushed, Subscribed, payload

pytestmark = pytest.mark.write

FORM = pytest.mark.parametrize("form", FORMS)


def taken(push: Pushed, form: str) -> Subscribed:
    """The Subscription of a form, where it was taken and became active."""
    one = push.known[form]
    refused = f"refused: status {one.create.status}"
    supported_if(one.id or not one.refused_in_words, unless=refused)
    prerequisite(one.id, unless=f"{refused}, which is judged by itself")
    prerequisite(push.active, unless="no Subscription became active, which is judged by itself")
    return one


def notified(push: Pushed, form: str) -> Subscribed:
    """The Subscription of a form, where its endpoint was told."""
    one = taken(push, form)
    prerequisite(push.told(form), unless="no notification arrived, which is judged by itself")
    return one


def main(push: Pushed) -> str:
    """The form of the Subscription that tells most, where its endpoint was told."""
    form = push.main.name if push.main else next(iter(FORMS))
    return notified(push, form).name


@FORM
@verifies("harness/push/taken")
def test_subscription_is_taken_or_refused_in_words(push: Pushed, form: str) -> None:
    """A server that declares Subscriptions takes one, or says in an OperationOutcome why not."""
    one = push.known[form]
    supported_if(one.id or not one.refused_in_words, unless=f"refused: status {one.create.status}")
    expect(one.create).that(
        one.id,
        expected="201 with the place of the Subscription, or a refusal with an OperationOutcome",
        actual=f"status {one.create.status} without either",
    )


@verifies("harness/push/active")
def test_subscription_becomes_active(push: Pushed) -> None:
    """A Subscription that was requested is to become active, or nobody knows that it works."""
    one = push.main or push.known[next(iter(FORMS))]
    supported_if(one.id or not one.refused_in_words, unless=f"refused: status {one.create.status}")
    prerequisite(one.id, unless="it was not taken, which is judged by itself")
    expect(one.read).that(
        push.activated,
        expected=f"status active within {push.wait:g} s",
        actual="status requested, until the client said that it is active"
        if push.active
        else f"status {one.status}",
    )


@FORM
@verifies("harness/push/arrives")
def test_notification_arrives(push: Pushed, form: str) -> None:
    """What meets the criteria is told at the endpoint that was named, in good time."""
    one = taken(push, form)
    told = push.told(form)
    conforms(
        told,
        expected=f"a notification at the endpoint within {push.wait:g} s",
        actual=push.came,
        where=one.create.where,
    )


@FORM
@verifies("harness/push/headers")
def test_notification_carries_the_headers_of_the_channel(push: Pushed, form: str) -> None:
    """An application knows by the headers that a notification is genuine."""
    one = notified(push, form)
    known = f"Bearer {push.secret}"
    genuine = [each.request.headers.get_all("Authorization") == (known,) for each in one.arrived]
    conforms(
        all(genuine),
        expected="the header of the channel, once, in each notification",
        actual=f"missing or other in {genuine.count(False)} of {len(genuine)}",
        where=one.create.where,
    )


@verifies("harness/push/payload")
def test_payload_is_the_resource(push: Pushed) -> None:
    """A notification with a payload brings the resource that was written."""
    one = notified(push, "payload")
    wanted = push.ids["first"]
    whole = [
        each
        for each in push.told("payload")
        if payload(each).get("resourceType") == "Observation" and payload(each).get("id") == wanted
    ]
    conforms(
        whole,
        expected="the Observation that was written, as application/fhir+json",
        actual=f"{len(push.told('payload'))} notifications without it",
        where=one.create.where,
    )


@verifies("harness/push/payload-by-update")
def test_payload_comes_as_an_update(push: Pushed) -> None:
    """With a payload the endpoint is a service base, and an update (PUT) is made."""
    one = notified(push, "payload")
    expected = "PUT", f"{one.below}/Observation/{push.ids['first']}"
    made = [tuple(each.where.split(" ", 1)) for each in push.told("payload")]
    conforms(
        expected in made,
        expected="PUT [endpoint]/Observation/[id]",
        actual=f"{made[0][0]} {made[0][1].replace(one.below, '[endpoint]')}",
        where=one.create.where,
    )


@verifies("harness/push/no-payload")
def test_nothing_is_told_unasked(push: Pushed) -> None:
    """A notification without a payload holds no data, as its channel may not be fit for them."""
    one = notified(push, "empty")
    bodies = [each for each in one.arrived if each.request.body.strip() not in (b"", b"{}")]
    conforms(
        not bodies,
        expected="no content, as no payload was asked for",
        actual=f"content in {len(bodies)} of {len(one.arrived)} notifications",
        where=one.create.where,
    )


@verifies("harness/push/criteria")
def test_nothing_else_is_notified(push: Pushed) -> None:
    """What does not meet the criteria is not told."""
    one = notified(push, "payload")
    conforms(
        not push.named("payload", "other"),
        expected="no notification of an Observation of another day",
        actual="it was notified",
        where=one.create.where,
    )


@pytest.mark.parametrize("end", ["off", "deleted"])
@verifies("harness/push/ends")
def test_nothing_comes_once_it_is_over(push: Pushed, end: str) -> None:
    """A Subscription that was set off or deleted tells nothing any more."""
    main(push)
    one = push.known[end]
    supported_if(one.id and one.over is not None, unless=f"it could not be {end}")
    if one.over is not None:
        supported_if(one.over.status < 300, unless=f"refused: status {one.over.status}")
    late = push.late(end)
    expect(one.over).that(
        not late,
        expected=f"no notification of what is written {push.wait:g} s afterwards",
        actual=f"{len(late)} notifications",
    )


@verifies("harness/push/again")
def test_notification_is_sent_again(push: Pushed) -> None:
    """An endpoint that failed once is told again, or what was written is lost to it."""
    one = notified(push, "empty")
    told, written = len(push.told("empty")), len(push.writes.keys() - {"other"})
    conforms(
        told > written,
        expected=f"a second attempt after 503, within {push.wait:g} s",
        actual=f"{told} attempts for {written} Observations",
        where=one.create.where,
    )


@verifies("harness/push/failure-told")
def test_failing_endpoint_is_told(push: Pushed) -> None:
    """An endpoint that takes no notification shows in the status or the error."""
    main(push)
    one = push.known["failing"]
    supported_if(one.id and one.read, unless="it could not be subscribed")
    expect(one.read).that(
        one.tells_of_failure,
        expected=f"status error or off, or an error, within {push.wait:g} s",
        actual=f"status {one.status} without an error",
    )
