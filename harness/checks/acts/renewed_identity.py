"""The id_token of a refresh beside that of its launch (OpenID Connect Core 1.0 section 12.2)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from harness.checks.acting import Run, act
from harness.checks.acts.refresh import Refreshed
from harness.errors import NotApplicable, ProtocolError
from harness.http.exchange import Exchange
from harness.smart.id_token import IdToken

OPTIONAL = frozenset({"nonce"})
"""Claims that the later id_token may leave out."""


@dataclass(frozen=True, slots=True)
class Renewed:
    """The claims of the first and of the later id_token.

    Attributes:
        exchange: the refresh.
        before: of the launch.
        after: of the refresh; empty where its id_token cannot be read.
    """

    exchange: Exchange
    before: Mapping[str, Any]
    after: Mapping[str, Any]

    def differs(self, claim: str) -> bool:
        """Whether a claim is not what it was."""
        if claim in OPTIONAL and claim not in self.after:
            return False
        return self.before.get(claim) != self.after.get(claim)


@act
async def renewed_identity(run: Run, refreshed: Refreshed) -> Renewed:
    """The id_token that came with the first refresh."""
    del run
    later = refreshed.token.id_token if refreshed.token else None
    if later is None:
        raise NotApplicable("the refresh brings no id_token, which it need not")
    try:
        before = IdToken.parse(refreshed.original.token.id_token or "").claims
    except ProtocolError as error:
        raise NotApplicable(f"the launch brought none to compare with: {error}") from None
    try:
        after = IdToken.parse(later).claims
    except ProtocolError:
        after = {}
    return Renewed(refreshed.exchange, before, after)
