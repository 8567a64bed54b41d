"""Whose data a tenant syncs: listed, in the launch context, in a Group, or all that may be seen."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

from harness.config.tenant import Discover, Tenant
from harness.errors import ConfigError, ProtocolError
from harness.http.exchange import Exchange
from harness.sync.access.connect import Connection
from harness.sync.answers.answer import OK, next_link
from harness.sync.answers.raw import page_of
from harness.sync.answers.said import lacking

MOST_PAGES = 10_000


async def patients_of(tenant: Tenant, connection: Connection) -> tuple[str, ...]:
    """The ids of the tenant's patients at the EHR, each once.

    Raises:
        ConfigError: the grant is for no patient, or the Group has no members.
        HarnessError: the EHR would not say.
    """
    kind = tenant.patients.discover
    if kind is Discover.LISTED:
        found = tenant.patients.ids
    elif kind is Discover.LAUNCH:
        found = (await _in_context(tenant, connection),)
    elif kind is Discover.GROUP:
        exchange = await connection.next(connection.fhir.url("Group", tenant.patients.group))
        found = tuple(_members(_good(exchange).json_object()))
    else:
        found = tuple([each async for each in _search(connection)])
    if not found:
        raise ConfigError(f"tenant {tenant.name}: there are no patients to sync (by {kind.value})")
    return tuple(dict.fromkeys(found))


async def _in_context(tenant: Tenant, connection: Connection) -> str:
    session = connection.session
    if session is not None:
        await session.access_token()
    patient = session.token.patient if session and session.token else None
    patient = patient or (tenant.login.patient if tenant.login else None)
    if patient is None:
        raise ConfigError(
            f"tenant {tenant.name}: the token response names no patient",
            hint='set patients.discover = "listed" and patients.ids, or login.patient',
        )
    return patient


def _good(exchange: Exchange) -> Exchange:
    if exchange.status != OK:
        raise ProtocolError(f"{exchange.where}: expected status 200, got {exchange.status}")
    return exchange


def _members(group: dict[str, Any]) -> list[str]:
    """The patients of a Group; inactive members are left out."""
    members = group.get("member")
    found = []
    for member in members if isinstance(members, list) else []:
        if not isinstance(member, dict) or member.get("inactive") is True:
            continue
        entity = member.get("entity")
        reference = entity.get("reference") if isinstance(entity, dict) else None
        kind, _, id_ = reference.rpartition("/") if isinstance(reference, str) else ("", "", "")
        if kind.endswith("Patient") and id_:
            found.append(id_)
    return found


async def _search(connection: Connection) -> AsyncIterator[str]:
    exchange = await connection.first("Patient", ())
    visited: set[str] = set()
    for _ in range(MOST_PAGES):
        page = page_of(_good(exchange))
        for resource, _raw in page.resources:
            if resource is None:
                continue
            outcome = {"issue": resource.issue}
            if resource.type == "OperationOutcome" and (cut := lacking(outcome)):
                raise ProtocolError(
                    f"the search for patients left matches out: {cut}",
                    hint='list them: patients.discover = "listed", or name a Group',
                )
            if resource.type == "Patient" and isinstance(resource.id, str):
                yield resource.id
        link = next_link(page.head, exchange.request.url)
        if link is None:
            return
        if link in visited:
            break
        visited.add(link)
        exchange = await connection.next(link)
    raise ProtocolError("the pages of the search for patients do not end")
