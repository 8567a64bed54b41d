"""Faults of push: each alters one decision, and is asked for at one place."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from urllib.parse import urlsplit

from starlette.responses import Response

from harness.reference.fhir.formats import FHIR_JSON
from harness.reference.fhir.stored import Stored
from harness.reference.push.delivery import WAITS, Notification
from harness.reference.push.wanted import Wanted, origin

Has = Callable[[str], bool]


def refusal(has: Has) -> Response | None:
    """Returns a page for people in the place of what a Subscription is answered with."""
    if not has("push-refused-without-outcome"):
        return None
    return Response("<h1>Bad Request</h1>", 400, media_type="text/html")


def activates(has: Has) -> bool:
    """Whether a requested Subscription becomes active."""
    return not has("push-never-activated")


def told(has: Has, *, active: bool, off: bool, deleted: bool) -> bool:
    """Whether a Subscription is told of what meets its criteria."""
    if deleted:
        return has("push-after-delete")
    return active or (off and has("push-after-off"))


def meets(has: Has, met: bool) -> bool:  # noqa: FBT001 - the value to alter
    """Whether a version of the type counts as what the criteria ask for."""
    return met or has("push-ignores-criteria")


def sent(has: Has, wanted: Wanted, stored: Stored, what: Notification) -> Notification | None:
    """Alters a notification; None where it is lost."""
    if has("push-not-sent"):
        return None
    if has("push-to-the-root"):
        what = replace(what, url=origin(urlsplit(what.url)))
    if has("push-without-headers"):
        what = replace(what, headers=tuple(each for each in what.headers if _typed(each)))
    if wanted.payload is None:
        if has("push-payload-unasked"):
            headers = (*what.headers, ("Content-Type", FHIR_JSON))
            what = replace(what, headers=headers, body=stored.body)
        return what
    if has("push-payload-missing"):
        what = replace(what, body=b"")
    if has("push-payload-by-post"):
        what = replace(what, method="POST", url=wanted.endpoint)
    return what


def _typed(header: tuple[str, str]) -> bool:
    return header[0] == "Content-Type"


def waits(has: Has) -> tuple[float, ...]:
    """When what was not taken is sent again."""
    return () if has("push-not-repeated") else WAITS


def says(has: Has) -> bool:
    """Whether a Subscription says that its endpoint fails."""
    return not has("push-failure-untold")
