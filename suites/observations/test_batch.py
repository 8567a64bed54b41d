"""FHIR R4, RESTful API, "batch/transaction".

http://hl7.org/fhir/R4/http.html#transaction
"""

from __future__ import annotations

import pytest

from harness import applies_if, conforms, expect, prerequisite, verifies
from harness.checks.acts.batches import Batch, Linked
from harness.checks.acts.observing import Written

pytestmark = pytest.mark.write
TAKEN = "the server takes an Observation without a status, which is judged by itself"


@verifies("fhir/batch/response")
def test_batch_is_answered_entry_by_entry(batch: Batch) -> None:
    """A batch SHALL be answered with 200 and one entry per request."""
    _answered(batch, "batch-response")


@verifies("fhir/batch/independent")
def test_good_entries_of_a_batch_are_done(batch: Batch) -> None:
    """An entry that fails SHALL NOT keep the others from being done."""
    missing = [str(number + 1) for number in batch.good if not batch.found[number]]
    expect(batch).that(
        not missing,
        expected="every entry that nothing is wrong with, done",
        actual=f"not found: entry {', '.join(missing)}; {batch.statuses}",
    )


@verifies("fhir/batch/refused")
def test_bad_entry_of_a_batch_is_refused(batch: Batch) -> None:
    """The entry that fails SHALL say so, and leave nothing behind."""
    applies_if(not batch.taken, unless=TAKEN)
    position = batch.wrong or 0
    prerequisite(len(batch.answered) == len(batch.sent), unless="there is no answer per entry")
    status = batch.answered[position].status
    expect(batch).that(
        status is not None and 400 <= status < 500 and not batch.found[position],
        expected=f"entry {position + 1} refused with a status of the 400s, and not stored",
        actual=f"status {status}, {'stored' if batch.found[position] else 'not stored'}",
    )


@verifies("fhir/transaction/response")
def test_transaction_is_answered_entry_by_entry(transaction: Batch) -> None:
    """A transaction SHALL be answered with 200 and one entry per request."""
    _answered(transaction, "transaction-response")


@verifies("fhir/transaction/stored")
def test_transaction_is_stored_whole(transaction: Batch) -> None:
    """What a transaction says it created SHALL be there."""
    prerequisite(transaction.exchange.status == 200, unless="the transaction was refused")
    expect(transaction).that(
        all(transaction.found),
        expected=f"{len(transaction.sent)} readings",
        actual=f"{sum(transaction.found)}",
    )


@verifies("fhir/transaction/refused")
def test_transaction_with_a_bad_entry_is_refused(failing_transaction: Batch) -> None:
    """A transaction with an entry that fails SHALL be refused as a whole."""
    applies_if(not failing_transaction.taken, unless=TAKEN)
    expect(failing_transaction.exchange).status_between(400, 599)


@verifies("fhir/transaction/atomic")
def test_refused_transaction_leaves_nothing(failing_transaction: Batch) -> None:
    """A transaction that was refused SHALL leave nothing behind."""
    applies_if(not failing_transaction.taken, unless=TAKEN)
    prerequisite(failing_transaction.exchange.status >= 400, unless="it was not refused")
    conforms(
        not any(failing_transaction.found),
        expected="none of its readings",
        actual=f"{sum(failing_transaction.found)} of them",
        where=failing_transaction.exchange.where,
    )


@verifies("fhir/transaction/references")
def test_transaction_resolves_its_references(linked_transaction: Linked) -> None:
    """A reference to another entry SHALL be replaced by the place where that one is stored."""
    done = linked_transaction
    answer = expect(done.exchange).status(200)
    places = done.expected is not None
    answer.that(places, expected="the place of each new entry", actual="none of the second one")
    answer.that(
        (done.reference or "").endswith(str(done.expected)),
        expected=f"a reference to {done.expected}",
        actual=f"{done.reference}",
    )


@verifies("fhir/transaction/order")
def test_transaction_searches_last(linked_transaction: Linked, indexed: Written) -> None:
    """A transaction SHALL do what it reads after what it writes."""
    done = linked_transaction
    applies_if(indexed.visible, unless="what is new is not found at once, in no search")
    prerequisite(done.expected is not None, unless="the transaction was refused")
    seen = done.searched == 2 or not done.paged
    applies_if(seen, unless="the search of the transaction shows its first page alone")
    expect(done).that(
        done.searched == 2,
        expected="both readings in the search of the transaction itself",
        actual=f"{done.searched} of them",
    )


def _answered(done: Batch, kind: str) -> None:
    expect(done.exchange).status(200).resource("Bundle").member("type", equals=kind)
    statuses = [each.status for each in done.answered]
    expect(done).that(
        len(statuses) == len(done.sent) and None not in statuses,
        expected=f"{len(done.sent)} entries, each with a status",
        actual=done.statuses,
    )
