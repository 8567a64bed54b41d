"""What may leave memory: verdicts and exchanges, redacted, without control characters."""

from __future__ import annotations

import re
from dataclasses import replace

from harness.checks.verdict import Verdict
from harness.http.exchange import Exchange
from harness.http.findings import find
from harness.http.recording import drawn_secrets
from harness.http.redaction import LABEL
from harness.plugin.live import Live

_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069]")


class Publisher:
    """Redacts what the run found.

    Args:
        live: knows the exchanges, the secrets and the redactor.
    """

    def __init__(self, live: Live) -> None:
        self._live = live
        self._learnt = 0
        self._public: dict[int, Exchange] = {}

    def verdict(self, verdict: Verdict) -> Verdict:
        """A copy of a verdict that may leave memory."""
        self._learn()
        where = next(
            (self.exchange(each).where for each in verdict.evidence if each.where == verdict.where),
            self._text(verdict.where),
        )
        said = [verdict.reason, verdict.expected, verdict.actual, verdict.detail]
        reason, expected, actual, detail = (self._text(each, verdict.where, where) for each in said)
        return replace(
            verdict,
            reason=" ".join((reason or "").split()),
            expected=expected,
            actual=actual,
            detail=detail,
            where=where,
            facts=tuple(self._text(each) or "" for each in verdict.facts),
            exchanges=tuple(self.exchange(each) for each in verdict.exchanges),
            standing_on=tuple(self.exchange(each) for each in verdict.standing_on),
        )

    def text(self, text: str) -> str:
        """A text that may leave memory."""
        self._learn()
        return self._text(text) or ""

    def exchange(self, exchange: Exchange) -> Exchange:
        """A copy of an exchange that may leave memory; the same one each time."""
        if exchange.number not in self._public:
            self._public[exchange.number] = self._live.redactor.exchange(exchange)
        return self._public[exchange.number]

    def exchanges(self) -> list[Exchange]:
        """Every exchange of the run, redacted, in order."""
        return [self.exchange(each) for each in self._live.evidence.all]

    def secrets(self) -> set[str]:
        """Every secret that the run has seen, as it is: what no report may hold."""
        found = {*self._live.target.secrets.resolved}
        # What is as short as this protects nothing: it is part of an identifier.
        found |= {*drawn_secrets(self._live.entropy.drawn)}
        for exchange in self._live.evidence.all:
            # The claims of a JWT may be shown; its signature may not.
            found |= {each.value.rpartition(".")[2] for each in find(exchange)}
        return {each for each in found if not LABEL.fullmatch(each)}

    def _text(
        self, text: str | None, where: str | None = None, public: str | None = None
    ) -> str | None:
        if text is None:
            return None
        if where and public and where != public:
            text = text.replace(where, public)
        return _CONTROL.sub("�", self._live.redactor.text(text))

    def _learn(self) -> None:
        """Know every secret seen so far, before anything is said about it."""
        redactor = self._live.redactor
        known = self._live.evidence.all
        # Draws come first: their labels can be drawn again by a replay, wherever they were sent.
        for value in drawn_secrets(self._live.entropy.drawn):
            redactor.learn(value, "drawn")
        for value in self._live.target.secrets.resolved:
            redactor.learn(value, "secret")
        for exchange in known[self._learnt :]:
            redactor.learn_from(exchange)
        self._learnt = len(known)
