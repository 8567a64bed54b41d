"""Parameters of a request: form bodies and query strings, bounded, repetition noticed."""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import parse_qsl

from starlette.requests import Request

MEDIA_TYPE = "application/x-www-form-urlencoded"
_MAX_BYTES = 64 * 1024
_MAX_FIELDS = 200


class FormRefused(ValueError):
    """The body is no form, or beyond its bounds; the text says why."""


@dataclass(frozen=True, slots=True)
class Form:
    """Parameters in order; a parameter without a value counts as left out (RFC 6749 3.1)."""

    pairs: tuple[tuple[str, str], ...]

    @classmethod
    def parse(cls, text: str) -> Form:
        """Reads `a=1&b=2`.

        Raises:
            FormRefused: too many parameters, or percent-encoding that is no UTF-8.
        """
        try:
            pairs = parse_qsl(
                text, keep_blank_values=True, max_num_fields=_MAX_FIELDS, errors="strict"
            )
        except ValueError as error:
            raise FormRefused("the parameters are not readable") from error
        return cls(tuple((name, value) for name, value in pairs if value))

    def get(self, name: str) -> str | None:
        """The first value of a parameter; None where it is left out."""
        return next((value for each, value in self.pairs if each == name), None)

    def all(self, name: str) -> tuple[str, ...]:
        """All values of a parameter."""
        return tuple(value for each, value in self.pairs if each == name)

    def repeated(self) -> str | None:
        """Name of a parameter that is given more than once (RFC 6749 sections 3.1 and 3.2)."""
        names = [name for name, _ in self.pairs]
        return next((name for name in names if names.count(name) > 1), None)


async def read_form(request: Request) -> Form:
    """The form in the body of a POST.

    Raises:
        FormRefused: another media type, or beyond the bounds.
    """
    media_type = request.headers.get("content-type", "").split(";")[0].strip().lower()
    if media_type != MEDIA_TYPE:
        raise FormRefused(f"the body must be {MEDIA_TYPE}")
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > _MAX_BYTES:
            raise FormRefused(f"the body is larger than {_MAX_BYTES} bytes")
    try:
        return Form.parse(body.decode("utf-8"))
    except UnicodeDecodeError as error:
        raise FormRefused("the body is not UTF-8") from error
