"""RFC 6585 section 4 and RFC 9110 section 10.2.3: what a server answers when it is too much.

https://www.rfc-editor.org/rfc/rfc6585#section-4
"""

from __future__ import annotations

from harness import applies_if, conforms, expect, verifies
from harness.checks.acts.throttling import BatchPull, UnderLoad


@verifies("harness/throttling/refusal")
def test_overload_is_refused_as_such(batch_pull: BatchPull) -> None:
    """A server that has too much to do needs to say so: 429 or 503."""
    conforms(
        not batch_pull.odd,
        expected="the result, 429 or 503",
        actual=", ".join(batch_pull.odd),
    )


@verifies("harness/throttling/retry-after")
def test_refusal_says_when_to_come_back(batch_pull: BatchPull) -> None:
    """A refusal for load needs to say when to come back."""
    applies_if(batch_pull.refusals, unless=batch_pull.no_refusal)
    expect(batch_pull.refusals[0]).header("Retry-After")


@verifies("harness/throttling/recovers")
def test_slower_client_gets_everything(batch_pull: BatchPull) -> None:
    """After a refusal, a client that slows down needs to get everything."""
    applies_if(batch_pull.refusals, unless=batch_pull.no_refusal)
    conforms(
        not batch_pull.missing,
        expected="every answer, once the client has slowed down",
        actual=f"{batch_pull.missing} of {batch_pull.asked} answers missing",
    )


@verifies("harness/throttling/token-endpoint")
def test_tokens_are_given_while_the_api_refuses(token_under_load: UnderLoad) -> None:
    """A client that is refused for load needs to get a token all the same, or it is locked out."""
    refused = token_under_load.refused
    expect(token_under_load).that(
        not refused,
        expected="tokens, whatever the load of the FHIR interface",
        actual=f"{len(refused)} of {len(token_under_load.answers)} token requests refused for load",
    )
