"""How a login ended."""

from __future__ import annotations

from dataclasses import dataclass

from harness.smart.authorize import AuthorizationResponse


@dataclass(frozen=True, slots=True)
class Arrival:
    """What came to the redirect URI, and what the pages on the way allowed.

    Attributes:
        response: the parameters of the redirect; a refusal is a value too.
        offered_choice: a page let the person decline single scopes.
        declined: scopes whose box was left empty, as requested.
        denied: the whole request was declined, as requested.
    """

    response: AuthorizationResponse
    offered_choice: bool = False
    declined: frozenset[str] = frozenset()
    denied: bool = False
