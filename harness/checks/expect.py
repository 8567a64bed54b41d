"""What a check expects of an exchange: a chain that reads like the sentence it verifies.

    expect(well_known).status(200).media_type("application/json").member("issuer", str)

Every miss raises `NotConformant` with all that is acceptable, what came instead, and where.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import Any, Self

from harness.errors import NotConformant, ProtocolError
from harness.http.exchange import Exchange, kind_of

_MISSING: Any = object()
_SHOWN = 120
_KINDS: dict[type, str] = {
    str: "a string",
    bool: "a boolean",
    int: "an integer",
    float: "a number",
    list: "an array",
    dict: "an object",
}


@dataclass(slots=True)
class Watch:
    """What a judgement touched, and whether it may quote values.

    Attributes:
        values: False with real data: then messages describe values and never quote them.
        exchanges: the exchanges that `expect` was called with, in order.
        facts: what the check told beside its judgement, one line each.
    """

    values: bool = True
    exchanges: list[Exchange] = field(default_factory=list)
    facts: list[str] = field(default_factory=list)


_watch: ContextVar[Watch | None] = ContextVar("harness_watch", default=None)


@contextmanager
def watching(*, values: bool) -> Iterator[Watch]:
    """Note the exchanges that `expect` is called with while the context is open."""
    watch = Watch(values=values)
    token = _watch.set(watch)
    try:
        yield watch
    finally:
        _watch.reset(token)


def tell(fact: str) -> None:
    """Keep a fact for whoever reads the verdict; without effect where nothing is judged."""
    watch = _watch.get()
    if watch is not None:
        watch.facts.append(fact)


def shown(value: object) -> str:
    """A value as messages show it: quoted and shortened; only its kind with real data."""
    watch = _watch.get()
    if watch is not None and not watch.values:
        return kind_of(value)
    text = repr(value) if isinstance(value, str | int | float) else kind_of(value)
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}…"


def expect(subject: object) -> Expectation:
    """Start a chain of expectations.

    Args:
        subject: an exchange, which becomes evidence of the verdict; or the value of an act, whose
            `exchange` does so where it has one, and for which `that` is the word.
    """
    exchange = subject if isinstance(subject, Exchange) else getattr(subject, "exchange", None)
    if not isinstance(exchange, Exchange):
        return Expectation(None)
    watch = _watch.get()
    if watch is not None:
        watch.exchanges.append(exchange)
    return Expectation(exchange)


@dataclass(frozen=True, slots=True)
class Expectation:
    """Expectations of one exchange; each returns the chain or raises `NotConformant`."""

    subject: Exchange | None

    @property
    def exchange(self) -> Exchange:
        """The exchange.

        Raises:
            TypeError: the chain was started with something else, so only `that` can be asked.
        """
        if self.subject is None:
            raise TypeError("expected an Exchange, or a value with one, as the subject of expect()")
        return self.subject

    @property
    def where(self) -> str | None:
        """Method and path, where the subject has them."""
        return self.subject.where if self.subject else None

    def that(self, condition: object, *, expected: str, actual: str) -> Self:
        """Any condition that the other words do not cover."""
        if not condition:
            raise NotConformant(expected, actual, self.where)
        return self

    def status(self, *acceptable: int) -> Self:
        """The status is one of these."""
        return self._status(
            self.exchange.status in acceptable, " or ".join(str(each) for each in acceptable)
        )

    def status_between(self, first: int, last: int) -> Self:
        """The status lies in a range, both ends included: `status_between(400, 499)`."""
        return self._status(first <= self.exchange.status <= last, f"{first} to {last}")

    def _status(self, condition: object, acceptable: str) -> Self:
        return self.that(
            condition,
            expected=f"status {acceptable}",
            actual=f"status {self.exchange.status}{_error_code(self.exchange)}",
        )

    def media_type(self, *acceptable: str) -> Self:
        """The media type, parameters aside, is one of these."""
        actual = self.exchange.media_type
        return self.that(
            actual in {each.lower() for each in acceptable},
            expected=f"media type {' or '.join(acceptable)}",
            actual=actual or "no Content-Type",
        )

    def header(
        self,
        name: str,
        *,
        equals: str | None = None,
        matches: str | None = None,
        contains: str | None = None,
    ) -> Self:
        """The header is there, and its value is as asked.

        Args:
            name: compared without case.
            equals: the whole value, compared without case.
            matches: a regular expression to be found in the value.
            contains: one of the comma-separated elements, compared without case.
        """
        value = self.exchange.headers.get(name)
        wanted, good = f"header {name}", value is not None
        if equals is not None:
            wanted, good = f"{wanted}: {equals}", good and str(value).lower() == equals.lower()
        if matches is not None:
            wanted = f"{wanted} matching {matches}"
            good = good and re.search(matches, str(value)) is not None
        if contains is not None:
            wanted = f"{wanted} with {contains}"
            good = good and contains.lower() in _elements(self.exchange, name)
        return self.that(good, expected=wanted, actual="absent" if value is None else shown(value))

    def no_header(self, name: str) -> Self:
        """The header is absent."""
        value = self.exchange.headers.get(name)
        return self.that(value is None, expected=f"no header {name}", actual=shown(value))

    def json(self) -> Self:
        """The body is JSON."""
        self._parsed()
        return self

    def json_object(self) -> Self:
        """The body is a JSON object."""
        self._object()
        return self

    def refused_by_oauth(self, *acceptable: int) -> Self:
        """An OAuth error response (RFC 6749 section 5.2): status, JSON, a string `error`."""
        return self.status(*acceptable).member("error", str).no_member("access_token")

    def member(
        self,
        path: str,
        kind: type | None = None,
        *,
        equals: object = _MISSING,
        matches: str | None = None,
        contains: object = _MISSING,
        one_of: tuple[object, ...] | None = None,
        items: type | None = None,
    ) -> Self:
        """A member of the JSON body is there, and as asked.

        Args:
            path: names joined by dots, array positions as numbers: `entry.0.resource.id`.
            kind: str, int, float (any number), bool, list or dict.
            equals: the very value.
            matches: a regular expression to be found in a string.
            contains: an element of an array.
            one_of: the acceptable values.
            items: the kind of every element of an array.
        """
        value = self._present(path, kind)
        if equals is not _MISSING:
            same = value == equals and isinstance(value, bool) == isinstance(equals, bool)
            self._member(path, value, same, f"to be {equals!r}")
        if one_of is not None:
            choice = " or ".join(repr(each) for each in one_of)
            self._member(path, value, value in one_of, f"to be {choice}")
        if matches is not None:
            found = isinstance(value, str) and re.search(matches, value) is not None
            self._member(path, value, found, f"to match {matches}")
        if contains is not _MISSING:
            found = isinstance(value, list) and contains in value
            self._member(path, value, found, f"to contain {contains!r}")
        if items is not None:
            good = isinstance(value, list) and all(_is(each, items) for each in value)
            self._member(path, value, good, f"to be an array, each item {_KINDS.get(items, items)}")
        return self

    def no_member(self, path: str) -> Self:
        """The JSON body has no such member."""
        value = self._find(path)
        actual = "" if value is _MISSING else shown(value)
        return self.that(value is _MISSING, expected=f"no member {path}", actual=actual)

    def resource(self, *types: str) -> Self:
        """The body is a FHIR resource of one of these types."""
        return self.member("resourceType", str, one_of=types)

    def _member(self, path: str, value: object, condition: object, wanted: str) -> None:
        self.that(condition, expected=f"member {path} {wanted}", actual=_listed(value))

    def _present(self, path: str, kind: type | None) -> Any:
        value = self._find(path)
        if value is _MISSING:
            wanted = f"member {path}{f' of type {_KINDS.get(kind, kind)}' if kind else ''}"
            raise NotConformant(wanted, "absent", self.exchange.where)
        if kind is not None:
            self._member(path, value, _is(value, kind), f"to be {_KINDS.get(kind, kind)}")
        return value

    def _parsed(self) -> Any:
        try:
            return self.exchange.json()
        except ProtocolError as error:
            actual = error.message.removeprefix(f"{self.exchange.where}: ")
            raise NotConformant("a JSON body", actual, self.exchange.where) from None

    def _object(self) -> dict[str, Any]:
        value = self._parsed()
        if not isinstance(value, dict):
            raise NotConformant("a JSON object", kind_of(value), self.exchange.where)
        return value

    def _find(self, path: str) -> Any:
        value: Any = self._object()
        for step in path.split("."):
            if isinstance(value, dict) and step in value:
                value = value[step]
            elif isinstance(value, list) and step.isdecimal() and int(step) < len(value):
                value = value[int(step)]
            else:
                return _MISSING
        return value


def _is(value: object, kind: type) -> bool:
    if kind is float:
        return isinstance(value, int | float) and not isinstance(value, bool)
    if kind is int:
        return isinstance(value, int) and not isinstance(value, bool)
    return isinstance(value, kind)


def _listed(value: object) -> str:
    if isinstance(value, list) and all(isinstance(each, str | int) for each in value):
        watch = _watch.get()
        if watch is None or watch.values:
            text = ", ".join(str(each) for each in value)
            return f"[{text[:_SHOWN]}{'…' if len(text) > _SHOWN else ''}]"
    return shown(value)


def _elements(exchange: Exchange, name: str) -> set[str]:
    values = exchange.headers.get_all(name)
    return {part.strip().lower() for value in values for part in value.split(",")}


def _error_code(exchange: Exchange) -> str:
    """The registered code of an OAuth error or OperationOutcome, never free text: it may be PHI."""
    try:
        body = exchange.json_object()
    except ProtocolError:
        return ""
    code = body.get("error")
    if not isinstance(code, str) and isinstance(issues := body.get("issue"), list) and issues:
        code = issues[0].get("code") if isinstance(issues[0], dict) else None
    plain = isinstance(code, str) and re.fullmatch(r"[a-z_-]{1,60}", code)
    return f" ({code})" if plain else ""
