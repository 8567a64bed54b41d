"""A change of the issuer's keys costs one fetch, and only where the key is unknown."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from starlette.requests import Request as Asked
from starlette.responses import JSONResponse
from starlette.responses import Response as Answered

from harness.smart.id_token import IdToken, Part, has_key
from harness.smart.key_rotation import Verified, verify_with_rotation
from harness.smart.keys import SigningKey, generate, public_jwks
from harness.tests.unit.smart.site import app_of, client_of
from harness.tests.unit.smart.test_id_token import ISSUER, NOW, token

OLD, NEW = generate("RS256", "old"), generate("RS256", "new")
BEFORE, AFTER = public_jwks([OLD]), public_jwks([OLD, NEW])


def verified(text: str, published: object, status: int = 200, **how: Any) -> tuple[Verified, int]:
    asked: list[str | None] = []

    async def jwks(request: Asked) -> Answered:
        asked.append(request.headers.get("Cache-Control"))
        return JSONResponse(published, status)

    async def go() -> Verified:
        async with client_of(app_of(jwks=jwks)) as http:
            return await verify_with_rotation(
                http,
                f"{ISSUER}/jwks",
                IdToken.parse(text),
                issuer=ISSUER,
                client_id="app",
                now=NOW,
                nonce="n-1",
                **how,
            )

    done = asyncio.run(go())
    assert asked in ([], ["no-cache" if "known" in how else None])
    return done, len(asked)


@pytest.mark.parametrize(
    ("key", "known", "published", "fetches"),
    [(OLD, BEFORE, AFTER, 0), (NEW, BEFORE, AFTER, 1), (NEW, None, AFTER, 1)],
    ids=["known", "rotated", "first"],
)
def test_the_key_set_is_fetched_where_it_lacks_the_key(
    key: SigningKey, known: object, published: object, fetches: int
) -> None:
    how: dict[str, Any] = {"known": known} if known else {}
    done, count = verified(token(key), published, **how)
    assert done.findings == ()
    assert count == fetches
    assert (done.fetched is not None) == bool(fetches)
    assert done.jwks == (published if fetches else known)


def test_a_key_that_is_not_published_is_asked_for_once_and_found_missing() -> None:
    done, count = verified(token(NEW), BEFORE, known=BEFORE)
    assert [finding.part for finding in done.findings] == [Part.KID]
    assert count == 1


def test_a_wrong_signature_by_a_known_key_fetches_nothing() -> None:
    impostor = generate("RS256", "old")
    done, count = verified(token(impostor), AFTER, known=BEFORE)
    assert [finding.part for finding in done.findings] == [Part.SIGNATURE]
    assert count == 0


def test_keys_stay_where_they_cannot_be_fetched_again() -> None:
    done, _ = verified(token(NEW), {}, 500, known=BEFORE)
    assert [finding.part for finding in done.findings] == [Part.KID]
    assert done.jwks == BEFORE
    assert verified(token(NEW), {}, 500)[0].jwks is None


def test_an_algorithm_that_is_never_accepted_needs_no_other_key_set() -> None:
    assert has_key(IdToken.parse(token(OLD, header={"kid": None})), BEFORE)
    assert not has_key(IdToken.parse(token(NEW)), [])
    assert has_key(IdToken("", {"alg": "none"}, {}), BEFORE)
    assert has_key(IdToken("", {"alg": ["RS256"]}, {}), BEFORE)
