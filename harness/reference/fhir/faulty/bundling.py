"""Faults of batch and transaction."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import replace
from typing import Any

from harness.reference.access import Access
from harness.reference.fhir.entries import Entry
from harness.reference.fhir.outcome import refused

Json = dict[str, Any]
Has = Callable[[str], bool]


def access(has: Has, own: Access) -> Access:
    """Alters what the entries may do."""
    return replace(own, scopes=("system/*.cruds",)) if has("batch-ignores-token") else own


def undoes(has: Has) -> bool:
    """Whether a transaction that fails leaves nothing behind."""
    return not (has("transaction-half-done") or tolerates(has))


def tolerates(has: Has) -> bool:
    """Whether an entry that fails is no reason to refuse the transaction."""
    return has("transaction-done-entry-by-entry")


def no_transaction() -> AbstractContextManager[None]:
    """Returns the context of writes of which each counts by itself."""
    return nullcontext()


def order(has: Has, ordered: Sequence[Entry], given: Sequence[Entry]) -> Sequence[Entry]:
    """Alters the order in which the entries of a transaction are done."""
    return given if has("transaction-in-given-order") else ordered


def places(has: Has, known: dict[str, str]) -> dict[str, str]:
    """Alters which names of entries are replaced by places, and whether any may be."""
    if known and has("transaction-refuses-urns"):
        raise refused(400, "not-supported", "no entry may have a name")
    return {} if has("transaction-keeps-urns") else known


def kind(has: Has, kind: str) -> str:
    """Alters what the response says that it answers."""
    return "batch" if has("transaction-answered-as-batch") else kind


def answers(has: Has, entries: list[Json]) -> list[Json]:
    """Alters the entries of the response."""
    if has("batch-answers-out-of-order"):
        return entries[::-1]
    if has("batch-statuses-all-200"):
        return [{**one, "response": {**one["response"], "status": "200 OK"}} for one in entries]
    return entries
