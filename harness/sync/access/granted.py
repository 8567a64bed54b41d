"""Which types a grant lets a sync read, by its scopes (RFC 6749 section 3.3, SMART scopes).

An EHR may grant less than was asked for, and may take scopes back at any refresh. Some then answer
searches with nothing, which would look like a patient without data. So what no scope covers is not
asked: it is missing, and said to be.
"""

from __future__ import annotations

from collections.abc import Iterable

from harness.errors import HarnessError
from harness.smart.scopes import Scope, ScopeSet

LEVELS = ("patient", "user", "system")


class NotGranted(HarnessError):
    """The grant's scopes do not cover what is to be read."""


def not_covered(
    types: Iterable[str], granted: ScopeSet | None, vanished: Iterable[Scope] = ()
) -> tuple[str, ...]:
    """Those of `types` that the scopes let nobody search.

    Args:
        types: resource types.
        granted: the scopes of the token; None where the server did not say.
        vanished: what the login was granted, and the token no longer has.

    Returns:
        None of them where nothing is known: no scopes were told, or only such as name no
        resources (some EHRs keep what an application may read to its registration).
    """
    if granted is None:
        return ()
    names_any = granted.resources or any(each.is_resource for each in vanished)
    return tuple(each for each in types if names_any and not _covers(granted, each))


def require(type_: str, granted: ScopeSet | None, vanished: tuple[Scope, ...]) -> None:
    """Go on only if `type_` may be searched.

    Raises:
        NotGranted: no scope covers it.
    """
    if not not_covered([type_], granted, vanished):
        return
    taken = [str(each) for each in vanished if each.type in (type_, "*")]
    because = f"the EHR took back {', '.join(taken)}" if taken else "no granted scope covers it"
    raise NotGranted(f"{type_} is not asked for: {because}")


def _covers(granted: ScopeSet, type_: str) -> bool:
    if any(granted.allows(level, type_, "s", partly=True) for level in LEVELS):
        return True
    return any(f"/{type_}." in each.text for each in granted.malformed)
