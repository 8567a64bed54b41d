"""The table of the outbox: every change of an entry is one transaction.

Whoever delivers holds a lease; its fence is checked with each change, so that a process that was
taken for dead sends nothing once its successor has begun.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from datetime import datetime
from typing import Any

from harness.errors import UsageError
from harness.sync.model import Lease
from harness.sync.outbox.model import Draft, Entry, Key, KeyTaken, Op, State, Waiting
from harness.sync.store.rows import instant, instant_or_none, text_of
from harness.sync.store.store import Store

KEPT, DROPPED = "kept", "dropped"


class Box:
    """The outbox of one tenant's store. One thread at a time may use it."""

    def __init__(self, store: Store) -> None:
        self.store = store

    # -- what an application does

    def put(self, draft: Draft, now: datetime) -> tuple[Entry, bool]:
        """Queue a write; what was submitted before is found, not queued again.

        Returns:
            The entry, and whether it is new.

        Raises:
            KeyTaken: the key was used for other content.
        """
        with self.store.connection.transaction() as db:
            known = db.execute("SELECT * FROM outbox WHERE mark = ?", (draft.mark,)).fetchone()
            if known is not None:
                if known["content"] != draft.content:
                    raise KeyTaken(
                        f"the key of this {draft.type} was used for another one"
                        f" (entry {known['id']})",
                        hint="give each measurement a key of its own, or correct the earlier one",
                    )
                return entry_of(known), False
            row = db.execute(
                "INSERT INTO outbox (place, op, type, patient, resource, base, target, mark,"
                " content, key_system, key_value, server_id, version, state, submitted, changed)"
                " VALUES ((SELECT coalesce(max(place), 0) + 1 FROM outbox),"
                " ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) RETURNING *",
                (*_columns(draft), State.QUEUED.value, text_of(now), text_of(now)),
            ).fetchone()
        return entry_of(row), True

    def retry(self, id_: int, now: datetime) -> Entry:
        """Take a dead entry up again, behind the others; whether it is at the EHR is asked first.

        Raises:
            UsageError: there is none, or it is not dead.
        """
        with self.store.connection.transaction() as db:
            entry = self._dead_or_queued(id_, (State.DEAD,))
            state = State.UNCERTAIN if entry.attempts else State.QUEUED
            known = None if entry.op is Op.CREATE else entry.server_id
            row = db.execute(
                "UPDATE outbox SET state = ?, failures = 0, status = NULL, next_at = NULL,"
                " server_id = ?, changed = ?,"
                " place = (SELECT coalesce(max(place), 0) + 1 FROM outbox)"
                " WHERE id = ? RETURNING *",
                (state.value, known, text_of(now), id_),
            ).fetchone()
        return entry_of(row)

    def drop(self, id_: int) -> Entry:
        """Forget a dead entry, or one that never went out.

        Raises:
            UsageError: there is none, it is under way, or others change what it writes.
        """
        with self.store.connection.transaction() as db:
            entry = self._dead_or_queued(id_, (State.DEAD, State.QUEUED))
            if db.execute("SELECT 1 FROM outbox WHERE target = ?", (id_,)).fetchone():
                raise UsageError(
                    f"entry {id_}: later entries change what it writes", hint="drop those first"
                )
            db.execute("DELETE FROM outbox WHERE id = ?", (id_,))
        return entry

    # -- what can be asked

    def entry(self, id_: int) -> Entry | None:
        """One entry, if there is one."""
        row = self._one("SELECT * FROM outbox WHERE id = ?", id_)
        return entry_of(row) if row else None

    def entries(self, states: Iterable[State]) -> tuple[Entry, ...]:
        """Those in one of the states, in their order."""
        wanted = [each.value for each in states]
        marks = ", ".join("?" * len(wanted))
        rows = self.store.connection.execute(
            f"SELECT * FROM outbox WHERE state IN ({marks}) ORDER BY place",  # noqa: S608 - marks only
            wanted,
        )
        return tuple(entry_of(row) for row in rows)

    def counts(self) -> dict[State, int]:
        """How many there are, by state."""
        rows = self.store.connection.execute(
            "SELECT state, count(*) AS n FROM outbox GROUP BY state"
        )
        return {State(row["state"]): row["n"] for row in rows}

    def waiting(self) -> tuple[Waiting, ...]:
        """The open entries in their order, those that are being sent left out."""
        rows = self.store.connection.execute(
            "SELECT place, id, patient, next_at, op, state FROM outbox"
            " WHERE state IN (?, ?) ORDER BY place",
            (State.QUEUED.value, State.UNCERTAIN.value),
        )
        return tuple(
            Waiting(
                row["place"],
                row["id"],
                row["patient"],
                instant_or_none(row["next_at"]),
                (row["op"], row["state"]) == (Op.CREATE.value, State.QUEUED.value),
            )
            for row in rows
        )

    def latest_of(self, target: int) -> Entry | None:
        """The last change of an entry that is not dead; the entry itself where there is none."""
        row = self._one(
            "SELECT * FROM outbox WHERE (id = ? OR target = ?) AND state <> 'dead'"
            " ORDER BY place DESC LIMIT 1",
            target,
            target,
        )
        return entry_of(row) if row else self.entry(target)

    def is_taken(self, server_id: str, by_other_than: int) -> bool:
        """Whether a resource of the EHR is what another entry wrote."""
        statement = "SELECT 1 FROM outbox WHERE server_id = ? AND id <> ?"
        return self._one(statement, server_id, by_other_than) is not None

    def knows(self, patient: str) -> bool:
        """Whether the store has synced this patient."""
        for table in ("watermarks", "resources"):
            statement = f"SELECT 1 FROM {table} WHERE patient = ? LIMIT 1"  # noqa: S608 - one of two
            if self._one(statement, patient) is not None:
                return True
        return False

    def keeps_identifiers(self, type_: str) -> bool:
        """Whether the EHR was seen to keep identifiers of this type."""
        statement = "SELECT value FROM learnt WHERE type = ? AND what = 'identifier'"
        row = self._one(statement, type_)
        return row is not None and row["value"] == KEPT

    # -- what the deliverer does, under its lease

    def recover(self, lease: Lease, now: datetime, next_at: datetime) -> int:
        """Let what a dead process was sending count as uncertain; how many there were."""
        with self.store.fenced(lease) as db:
            return db.execute(
                "UPDATE outbox SET state = ?, next_at = ?, changed = ? WHERE state = ?",
                (State.UNCERTAIN.value, text_of(next_at), text_of(now), State.SENDING.value),
            ).rowcount

    def send(self, lease: Lease, entries: Iterable[Entry], now: datetime) -> list[Entry]:
        """Write down that these go out now; those that were dropped meanwhile are left out."""
        sent = []
        with self.store.fenced(lease) as db:
            for entry in entries:
                changed = db.execute(
                    "UPDATE outbox SET state = ?, attempts = attempts + 1, changed = ?"
                    " WHERE id = ? AND state = ?",
                    (State.SENDING.value, text_of(now), entry.id, entry.state.value),
                ).rowcount
                if changed:
                    sent.append(replace(entry, state=State.SENDING, attempts=entry.attempts + 1))
        return sent

    def save(self, lease: Lease, entry: Entry, now: datetime) -> Entry:
        """Write down how an entry stands."""
        with self.store.fenced(lease) as db:
            db.execute(
                "UPDATE outbox SET state = ?, status = ?, failures = ?, next_at = ?, error = ?,"
                " note = ?, server_id = ?, version = ?, changed = ? WHERE id = ?",
                (
                    entry.state.value,
                    entry.status,
                    entry.failures,
                    text_of(entry.next_at),
                    entry.error,
                    entry.note,
                    entry.server_id,
                    entry.version,
                    text_of(now),
                    entry.id,
                ),
            )
        return replace(entry, changed=now)

    def rebase(self, lease: Lease, entry: Entry, base: str) -> Entry:
        """Keep what an update is based on, once it was read."""
        with self.store.fenced(lease) as db:
            db.execute("UPDATE outbox SET base = ? WHERE id = ?", (base, entry.id))
        return replace(entry, base=base)

    def remember_identifiers(self, lease: Lease, type_: str, now: datetime, *, kept: bool) -> None:
        """Keep whether the EHR keeps identifiers of this type."""
        value = KEPT if kept else DROPPED
        with self.store.fenced(lease) as db:
            db.execute(
                "INSERT INTO learnt (type, what, value, at) VALUES (?, 'identifier', ?, ?)"
                " ON CONFLICT (type, what) DO UPDATE SET value = excluded.value, at = excluded.at",
                (type_, value, text_of(now)),
            )

    def _dead_or_queued(self, id_: int, states: tuple[State, ...]) -> Entry:
        entry = self.entry(id_)
        if entry is None:
            raise UsageError(f"the outbox has no entry {id_}", hint="see harness write --list")
        if entry.state not in states:
            allowed = " or ".join(each.value for each in states)
            raise UsageError(f"entry {id_}: expected one that is {allowed}, it is {entry.state}")
        return entry

    def _one(self, statement: str, *values: Any) -> Any:
        return self.store.connection.execute(statement, values).fetchone()


def entry_of(row: Any) -> Entry:
    """A row of `outbox`."""
    return Entry(
        id=row["id"],
        place=row["place"],
        op=Op(row["op"]),
        type=row["type"],
        patient=row["patient"],
        resource=row["resource"],
        key=Key(row["key_system"], row["key_value"]),
        base=row["base"],
        target=row["target"],
        server_id=row["server_id"],
        version=row["version"],
        state=State(row["state"]),
        status=row["status"],
        attempts=row["attempts"],
        failures=row["failures"],
        next_at=instant_or_none(row["next_at"]),
        error=row["error"],
        note=row["note"],
        submitted=instant(row["submitted"]),
        changed=instant(row["changed"]),
    )


def _columns(draft: Draft) -> tuple[Any, ...]:
    return (
        draft.op.value,
        draft.type,
        draft.patient,
        draft.resource,
        draft.base,
        draft.target,
        draft.mark,
        draft.content,
        draft.key.system,
        draft.key.value,
        draft.server_id,
        draft.version,
    )
