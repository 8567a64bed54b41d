"""The storage of exported files at an origin of its own: signed links instead of tokens.

It behaves as object storage of the large clouds does: whoever has the link may read until it
expires, and a request that also carries an Authorization header is refused.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final
from xml.sax.saxutils import escape

from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from harness.reference.bulk.faulty import serving as faulty
from harness.reference.bulk.files import served
from harness.reference.bulk.links import is_signed
from harness.reference.instance import Instance

ROUTE: Final = "(storage)"
"""What its requests are called where an instance counts them."""


class Storage:
    """The ASGI application of the storage of all instances.

    Args:
        instance: finds an instance by its name; None if there is none.
    """

    def __init__(self, instance: Callable[[str], Instance | None]) -> None:
        self._instance = instance

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One HTTP request: `/INSTANCE/JOB/FILE?expires=...&signature=...`."""
        if scope["type"] != "http":
            return
        request = Request(scope)
        name, _, place = request.url.path.removeprefix("/").partition("/")
        instance = self._instance(name)
        if instance is None:
            answer = _refused(404, "NoSuchBucket", "there is no such instance")
        else:
            answer = _answer(instance, request, place)
            instance.requests[request.method, ROUTE, answer.status_code] += 1
        await answer(scope, receive, send)


def _answer(instance: Instance, request: Request, place: str) -> Response:
    bulk, now, query = instance.bulk, instance.clock.now(), request.query_params
    if request.method not in ("GET", "HEAD"):
        return _refused(405, "MethodNotAllowed", "a signed link is for reading")
    checks = faulty.checks_links(instance.has)
    if checks and "authorization" in request.headers:
        return _refused(400, "InvalidArgument", "a signed link takes no Authorization header")
    expires = query.get("expires", "")
    if checks and not is_signed(bulk, place, expires, query.get("signature", "")):
        return _refused(403, "SignatureDoesNotMatch", "the link was not signed here, or altered")
    if checks and faulty.links_expire(instance.has) and int(expires) <= now.timestamp():
        return _refused(403, "AccessDenied", "the link has expired")
    job_id, _, file_name = place.partition("/")
    job = bulk.find(job_id, now)
    file = job.spool.files.get(file_name) if job else None
    if job is None or file is None:
        return _refused(404, "NoSuchKey", "the file is gone")
    return served(request, job, file, wanted=request.headers.get("range", ""))


def _refused(status: int, code: str, text: str) -> Response:
    body = f"<Error><Code>{escape(code)}</Code><Message>{escape(text)}</Message></Error>"
    return Response(body, status, media_type="application/xml")
