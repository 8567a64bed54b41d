"""Token responses (RFC 6749 section 5; SMART App Launch, "Access token response").

https://hl7.org/fhir/smart-app-launch/STU2.2/app-launch.html#response-5

Reading is tolerant, because an application has to live with what EHRs send; what departs from
the specification is kept in `problems`, and is for a check to judge.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from harness.errors import OAuthError, ProtocolError
from harness.http.exchange import Exchange, kind_of
from harness.smart.scopes import ScopeSet
from harness.smart.text import plain

LONGEST_LIFE = 10 * 365 * 86400
OK = 200


@dataclass(frozen=True, slots=True)
class TokenResponse:
    """A token response that can be used.

    Attributes:
        access_token: opaque, whatever it looks like.
        token_type: as it came; `Bearer` where it is missing.
        expires_in: seconds; None where it is missing or no usable number.
        expires_at: UTC; None as above.
        scope: what was granted; None where the server does not say.
        refresh_token: None where none came.
        id_token: unverified.
        patient: id of the patient in context.
        encounter: id of the encounter in context.
        need_patient_banner: None where missing or no boolean.
        smart_style_url: None where missing.
        fhir_context: as it came.
        raw: the whole object.
        problems: departures from the specification, one line each.
    """

    access_token: str = field(repr=False)
    token_type: str = "Bearer"
    expires_in: float | None = None
    expires_at: datetime | None = None
    scope: ScopeSet | None = None
    refresh_token: str | None = field(repr=False, default=None)
    id_token: str | None = field(repr=False, default=None)
    patient: str | None = field(repr=False, default=None)
    encounter: str | None = field(repr=False, default=None)
    need_patient_banner: bool | None = None
    smart_style_url: str | None = None
    fhir_context: tuple[Any, ...] = field(repr=False, default=())
    raw: Mapping[str, Any] = field(repr=False, default_factory=dict)
    problems: tuple[str, ...] = ()

    @classmethod
    def parse(cls, exchange: Exchange, now: datetime) -> TokenResponse:
        """Read the answer of the token endpoint.

        Args:
            exchange: of any status.
            now: when the answer came, UTC; `expires_at` counts from there.

        Raises:
            OAuthError: the server refused, in the words of RFC 6749 section 5.2.
            ProtocolError: no answer of a token endpoint: HTML, no JSON object, no access_token.
        """
        body = _object(exchange)
        refusal = body.get("error")
        if refusal or exchange.status >= 400:  # noqa: PLR2004 - the class of errors
            raise _oauth_error(exchange, body)
        read = _Reader(body, exchange.where)
        token = read.text("access_token")
        if token is None:
            raise ProtocolError(
                f"{exchange.where}: expected access_token, a string that is not empty; "
                f"got {_kind(body, 'access_token')}"
            )
        read.expect_status(exchange.status)
        life = read.seconds("expires_in")
        scope = read.text("scope")
        return cls(
            access_token=token,
            token_type=read.token_type(),
            expires_in=life,
            expires_at=None if life is None else now + timedelta(seconds=life),
            scope=None if scope is None else ScopeSet.parse(scope),
            refresh_token=read.text("refresh_token", required=False),
            id_token=read.text("id_token", required=False),
            patient=read.text("patient", required=False),
            encounter=read.text("encounter", required=False),
            need_patient_banner=read.flag("need_patient_banner"),
            smart_style_url=read.text("smart_style_url", required=False),
            fhir_context=read.array("fhirContext"),
            raw=body,
            problems=tuple(read.problems),
        )


class _Reader:
    """Takes members out of the object, and notes what is wrong with them."""

    def __init__(self, body: Mapping[str, Any], where: str) -> None:
        self.body = body
        self.where = where
        self.problems: list[str] = []

    def note(self, name: str, expected: str) -> None:
        self.problems.append(f"{name}: expected {expected}, got {_kind(self.body, name)}")

    def expect_status(self, status: int) -> None:
        if status != OK:
            self.problems.append(f"status: expected 200, got {status}")

    def text(self, name: str, *, required: bool = True) -> str | None:
        value = self.body.get(name)
        if isinstance(value, str) and value.strip():
            return value
        if required or (name in self.body and value is not None):
            self.note(name, "a string that is not empty")
        # An id sent as a number is still an id.
        return str(value) if type(value) is int and name in ("patient", "encounter") else None

    def token_type(self) -> str:
        value = self.text("token_type") or "Bearer"
        if value.lower() != "bearer":
            self.problems.append(f"token_type: expected Bearer, got {plain(value)!r}")
        return value

    def seconds(self, name: str) -> float | None:
        value = self.body.get(name)
        number = _number(value)
        if type(value) is not int or number is None:
            self.note(name, "a number of seconds that is positive")
        return number

    def flag(self, name: str) -> bool | None:
        value = self.body.get(name)
        if isinstance(value, bool):
            return value
        if value is not None:
            self.note(name, "a boolean")
        return None

    def array(self, name: str) -> tuple[Any, ...]:
        value = self.body.get(name)
        if isinstance(value, list):
            return tuple(value)
        if value is not None:
            self.note(name, "an array")
        return ()


def oauth_error(exchange: Exchange) -> OAuthError | None:
    """The OAuth error in the body of an answer; None where there is none."""
    try:
        body = exchange.json_object()
    except ProtocolError:
        return None
    return _oauth_error(exchange, body) if isinstance(body.get("error"), str) else None


def _object(exchange: Exchange) -> dict[str, Any]:
    try:
        return exchange.json_object()
    except ProtocolError as error:
        raise ProtocolError(f"{error.message} (status {exchange.status})") from None


def _oauth_error(exchange: Exchange, body: Mapping[str, Any]) -> OAuthError:
    error, description = body.get("error"), body.get("error_description")
    code = plain(error) if isinstance(error, str) and error else f"status {exchange.status}"
    words = plain(description) if isinstance(description, str) and description else None
    return OAuthError(code, words, http_status=exchange.status)


def _number(value: object) -> float | None:
    if isinstance(value, bool) or not isinstance(value, (int, float, str)):
        return None
    try:
        number = float(value)
    except (ValueError, OverflowError):
        return None
    return min(number, LONGEST_LIFE) if math.isfinite(number) and number > 0 else None


def _kind(body: Mapping[str, Any], name: str) -> str:
    if name not in body:
        return "nothing"
    value = body[name]
    return "an empty string" if value == "" else kind_of(value)
