"""What a run is to ask: the plan from files, from what was learnt, and from probes; and of whom."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from datetime import datetime

from harness.config.tenant import Discover, Tenant
from harness.sync.access.connect import Connection
from harness.sync.answers.merged import merged
from harness.sync.asking.learnt import recall, remember_honours
from harness.sync.asking.probe import honours
from harness.sync.asking.strategy import Plan, plan_for
from harness.sync.model import Gap, Learnt, Lease, Query
from harness.sync.order import Order, Outcome, by_need
from harness.sync.pull.pull import Pull
from harness.sync.store.store import Store

MOST_ROUNDS = 4
"""How often patients may have been merged into others one after the other."""


async def planned(
    tenant: Tenant,
    store: Store,
    lease: Lease,
    way: Connection,
    patients: Sequence[str],
    now: Callable[[], datetime],
) -> Plan:
    """What to ask; where no file says how, after finding out what the EHR honours."""
    types, learnt = tenant.resources, recall(store, now())
    plan = _from(tenant, learnt)
    if tenant.strategy is not None:
        return plan
    unknown = [each for each in types if each not in learnt.honours]
    likely = {each: store.patient_with(each, patients) for each in unknown}
    found = await honours(way, plan, likely, now)
    remember_honours(store, lease, found, now())
    return _from(tenant, replace(learnt, honours={**learnt.honours, **found}))


def order_of(tenant: Tenant, store: Store, run: int, patients: Iterable[str]) -> Order:
    """What a pull of these patients is told."""
    ehr = tenant.ehr
    return Order(
        run,
        by_need(patients, store.confirmed()),
        tenant.resources,
        tenant.batch_size,
        ehr.limits.concurrency,
        ehr.limits.max_retry_after,
        ehr.sync,
        ehr.fhir_base,
    )


async def rounds(
    pull: Pull,
    order: Order,
    tenant: Tenant,
    store: Store,
    begin: Callable[[Sequence[str]], None] = lambda _patients: None,
) -> tuple[Outcome, tuple[str, ...]]:
    """Pull, and then those into whom patients turned out to be merged.

    Args:
        pull: run once for each round.
        order: of the first round.
        tenant: whose.
        store: knows who was merged.
        begin: told of the patients of each round before it.

    Returns:
        How it ended, and all patients that were asked for.
    """
    asked: tuple[str, ...] = ()
    for _ in range(MOST_ROUNDS):
        begin(order.patients)
        asked += order.patients
        outcome = await pull.run(order)
        followed = survivors(tenant, store, asked, outcome)
        if not followed or outcome.stopped is not None:
            break
        order = replace(order, patients=followed)
    return outcome, asked


def survivors(
    tenant: Tenant, store: Store, patients: Sequence[str], outcome: Outcome
) -> tuple[str, ...]:
    """Those who took the place of `patients`, so that they are to be asked for as well.

    A grant that is for one patient reads no other: then who was merged is a gap in `outcome`.
    """
    known = frozenset(patients)
    into = {each.patient: each.into for each in merged(store.bodies("Patient"), known) if each.into}
    into |= {patient: outcome.moved[patient] for patient in patients if patient in outcome.moved}
    if tenant.patients.discover is Discover.LAUNCH:
        for patient in into:
            reason = "the patient was merged into another; sign in for that one"
            outcome.gaps.append(Gap(Query(patient, "Patient"), reason))
        return ()
    return tuple(dict.fromkeys(each for each in into.values() if each not in known))


def _from(tenant: Tenant, learnt: Learnt) -> Plan:
    ehr = tenant.ehr
    return plan_for(tenant.strategy, ehr.sync, ehr.limits.page_size, tenant.resources, learnt)
