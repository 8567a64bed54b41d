"""Which format the client wants, and how a resource goes out.

FHIR R4, "content types and encodings": http://hl7.org/fhir/R4/http.html#mime-type. This server
speaks JSON alone.
"""

from __future__ import annotations

import gzip
from collections.abc import Mapping
from datetime import datetime
from email.utils import format_datetime
from typing import Final

from starlette.requests import Request
from starlette.responses import Response

from harness.reference.fhir.json import dumps
from harness.reference.fhir.outcome import Json, Refused, operation_outcome, refused

FHIR_JSON: Final = "application/fhir+json"
JSON_PATCH: Final = "application/json-patch+json"
CHARSET: Final = "; charset=utf-8"
_ACCEPTABLE: Final = {FHIR_JSON, "application/json", "text/json", "application/*", "*/*"}
_FORMATS: Final = {"json", "application/json", FHIR_JSON, "text/json"}
_FHIR_VERSIONS: Final = {"4.0", "4.0.1"}
_WORTH_COMPRESSING: Final = 1024


def require_json(request: Request) -> None:
    """Checks that the client takes what this server writes.

    Raises:
        Refused: 406; `_format` counts before Accept.
    """
    wanted = request.query_params.get("_format")
    if wanted is not None:
        # A + in a URL is a blank, and clients do forget to escape it.
        if not _is_json(wanted.replace(" ", "+"), _FORMATS):
            raise _not_acceptable(f"_format={wanted}")
        return
    accept = request.headers.get("accept", "*/*")
    if not any(_is_json(part, _ACCEPTABLE) for part in accept.split(",")):
        raise _not_acceptable(f"Accept: {accept}")


def require_json_body(request: Request) -> None:
    """Checks that the body claims to be FHIR in JSON.

    Raises:
        Refused: 415.
    """
    came = request.headers.get("content-type", "")
    if not _is_json(came, {FHIR_JSON, "application/json"}):
        raise refused(
            415,
            "not-supported",
            f"Content-Type is {came or 'absent'!r}; this server takes {FHIR_JSON} in UTF-8",
        )


def require_json_patch(request: Request) -> None:
    """Checks that the body claims to be a JSON Patch, the only kind of patch taken here.

    Raises:
        Refused: 415.
    """
    came = request.headers.get("content-type", "")
    if not _is_json(came, {JSON_PATCH}):
        raise refused(
            415,
            "not-supported",
            f"Content-Type is {came or 'absent'!r}; a patch is taken as {JSON_PATCH}",
            headers={"Accept-Patch": JSON_PATCH},
        )


def preferences(request: Request) -> set[str]:
    """Returns what the Prefer header asks for, in lower case (RFC 7240)."""
    given = request.headers.get("prefer", "").replace(";", ",").lower().split(",")
    return {one.strip() for one in given}


def respond(
    request: Request,
    resource: Json | bytes | None,
    status: int = 200,
    headers: Mapping[str, str] | None = None,
) -> Response:
    """Returns the response: compressed if that is welcome, without a body for None."""
    if resource is None:
        return Response(status_code=status, headers=dict(headers or {}))
    body = resource if isinstance(resource, bytes) else dumps(resource)
    sent = {"Content-Type": FHIR_JSON + CHARSET, "Vary": "Accept, Accept-Encoding"}
    sent |= headers or {}
    if len(body) >= _WORTH_COMPRESSING and takes_gzip(request):
        body = gzip.compress(body, compresslevel=1, mtime=0)
        sent["Content-Encoding"] = "gzip"
    return Response(body, status_code=status, headers=sent)


def refusal(request: Request, why: Refused) -> Response:
    """Returns the response to a refused request: its OperationOutcome."""
    return respond(request, operation_outcome(why.issues), why.status, why.headers)


def http_date(moment: datetime) -> str:
    """Returns an HTTP-date, such as `Sat, 21 Nov 2026 07:00:00 GMT` (RFC 9110 section 5.6.7)."""
    return format_datetime(moment, usegmt=True)


def _is_json(media_range: str, known: set[str]) -> bool:
    media_type, *parameters = (part.strip().lower() for part in media_range.split(";"))
    named = dict(part.partition("=")[::2] for part in parameters)
    return (
        media_type in known
        and named.get("charset", "utf-8").strip('"') in {"utf-8", "utf8"}
        and named.get("fhirversion", "4.0") in _FHIR_VERSIONS
        and _is_wanted(named.get("q", "1"))
    )


def _is_wanted(quality: str) -> bool:
    """Whether a quality value is above zero (RFC 9110 section 12.4.2)."""
    return quality.strip("0. ") != ""


def _not_acceptable(wanted: str) -> Refused:
    return refused(
        406, "not-supported", f"{wanted} is not served; this server writes {FHIR_JSON} (FHIR 4.0)"
    )


def takes_gzip(request: Request) -> bool:
    """Whether the client takes a compressed answer (RFC 9110 section 12.5.3)."""
    codings = request.headers.get("accept-encoding", "").lower().split(",")
    named = dict(coding.replace(" ", "").partition(";q=")[::2] for coding in codings)
    return _is_wanted(named.get("gzip", named.get("*", "0")) or "1")
