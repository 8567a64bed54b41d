"""A walk over a page by the standard library: slow, and patient with what it takes for JSON.

Its C scanner reads value after value and says where each ends; the bytes between are the resource.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from typing import Any

from harness.errors import ProtocolError

_SPACE = re.compile(r"[ \t\n\r]*")


def _refuse(constant: str) -> None:
    raise ValueError(f"{constant} is not JSON")


_DECODER = json.JSONDecoder(parse_constant=_refuse)


def resources_of(body: bytes) -> tuple[tuple[Any, bytes], ...]:
    """Each `Bundle.entry[].resource` of a page as (parsed value, raw bytes), in order.

    Entries without a resource are left out. Of repeated members the last one counts, as it does for
    `json.loads`.

    Raises:
        ProtocolError: the body is not UTF-8 JSON with an object at its top.
    """
    try:
        return Walk(body.decode("utf-8-sig")).resources()
    except (ValueError, IndexError, RecursionError) as error:
        raise ProtocolError(f"expected a Bundle as JSON, got {len(body)} bytes: {error}") from None


class Walk:
    """One walk over a page; values that are no resource are parsed and dropped."""

    decoder = _DECODER

    def __init__(self, text: str) -> None:
        self.text = text
        self.found: list[tuple[Any, bytes]] = []
        self.resource: tuple[Any, bytes] | None = None

    def resources(self) -> tuple[tuple[Any, bytes], ...]:
        """Each resource as (parsed value, raw bytes), in order.

        Raises:
            ValueError, IndexError, RecursionError: the text is not JSON.
        """
        end = self._skip(self._object(self._skip(0), self._bundle_member))
        if end != len(self.text):
            raise ValueError(f"more after the end, at character {end}")
        return tuple(self.found)

    def _bundle_member(self, name: str, at: int) -> int:
        if name != "entry":
            return self._value(at)[1]
        self.found = []
        return self._array(at) if self.text[at] == "[" else self._value(at)[1]

    def _entry_member(self, name: str, at: int) -> int:
        value, end = self._value(at)
        if name == "resource":
            self.resource = value, self.text[at:end].encode()
        return end

    def _array(self, at: int) -> int:
        at = self._skip(at + 1)
        while self.text[at] != "]":
            at = self._comma(self._entry(at), "]")
        return at + 1

    def _entry(self, at: int) -> int:
        if self.text[at] != "{":
            return self._value(at)[1]
        self.resource = None
        end = self._object(at, self._entry_member)
        if self.resource is not None:
            self.found.append(self.resource)
        return end

    def _object(self, at: int, member: Callable[[str, int], int]) -> int:
        at = self._expect(at, "{")
        while self.text[at] != "}":
            name, at = self._value(at)
            if not isinstance(name, str):
                raise ValueError(  # noqa: TRY004 - the text is wrong, not an argument
                    f"expected a member's name before character {at}"
                )
            at = self._comma(member(name, self._expect(self._skip(at), ":")), "}")
        return at + 1

    def _comma(self, at: int, closing: str) -> int:
        at = self._skip(at)
        if self.text[at] == closing:
            return at
        at = self._expect(at, ",")
        if self.text[at] == closing:
            raise ValueError(f"expected a value at character {at}")
        return at

    def _expect(self, at: int, sign: str) -> int:
        if self.text[at] != sign:
            raise ValueError(f"expected {sign!r} at character {at}")
        return self._skip(at + 1)

    def _value(self, at: int) -> tuple[Any, int]:
        return self.decoder.raw_decode(self.text, at)

    def _skip(self, at: int) -> int:
        match = _SPACE.match(self.text, at)
        return match.end() if match else at
