"""How entries and deliveries are told to people and scripts, without PHI where data is real.

The EHR's own words may name a person, and so may what was altered on the way; with real data they
are shown only to whoever asks for them.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from harness.sync.outbox.model import Entry, Op, State
from harness.sync.outbox.verdict import in_codes


@dataclass(frozen=True, slots=True)
class Teller:
    """What may be told of entries.

    Attributes:
        pseudonym: from an id and its kind to the name of it in reports.
        plain: ids and words are shown as they are: the data is synthetic.
        words: the EHR's own words are shown, ids are not.
    """

    pseudonym: Callable[[str, str], str]
    plain: bool = False
    words: bool = False

    def line(self, entry: Entry) -> str:
        """One line for a person."""
        what = "" if entry.op is Op.CREATE else f" ({entry.op.value})"
        head = f"{entry.id}: {entry.type}{what} of {self._patient(entry)}: {entry.state.value}"
        if entry.server_id is not None and entry.state is State.CONFIRMED:
            version = f" version {entry.version}" if entry.version else ""
            head += f" as {entry.type}/{self._id(entry.server_id)}{version}"
        if entry.note:
            head += f", but {self._words(entry, entry.note)}"
        if entry.error:
            head += f": {self._words(entry, entry.error)}"
        if entry.next_at is not None and entry.is_open:
            head += f" (again at {entry.next_at:%Y-%m-%d %H:%M:%S} UTC)"
        return head

    def json(self, entry: Entry) -> dict[str, Any]:
        """For a script; times are ISO 8601 in UTC."""
        return {
            "entry": entry.id,
            "op": entry.op.value,
            "type": entry.type,
            "patient": self._patient(entry),
            "state": entry.state.value,
            "id": self._id(entry.server_id) if entry.server_id else None,
            "version": entry.version,
            "status": entry.status,
            "attempts": entry.attempts,
            "next_at": entry.next_at.isoformat() if entry.next_at else None,
            "error": self._words(entry, entry.error) if entry.error else None,
            "note": self._words(entry, entry.note) if entry.note else None,
            "submitted": entry.submitted.isoformat(),
            "changed": entry.changed.isoformat(),
        }

    def _patient(self, entry: Entry) -> str:
        return entry.patient if self.plain else self.pseudonym(entry.patient, "patient")

    def _id(self, server_id: str) -> str:
        return server_id if self.plain else self.pseudonym(server_id, "resource")

    def _words(self, entry: Entry, text: str) -> str:
        if self.plain:
            return text
        if not self.words:
            return in_codes(text)
        for id_, name in ((entry.patient, self._patient(entry)), (entry.server_id, "")):
            text = text.replace(id_, name or self._id(id_)) if id_ else text
        return text


@dataclass(frozen=True, slots=True)
class Outgoing:
    """What a delivery did, in numbers.

    Attributes:
        confirmed: how many became confirmed.
        altered: how many of these with a note.
        died: how many became dead.
        open: how many are still to be delivered.
        dead: how many are in the dead-letter list, from earlier as well.
        reason: why some are still open; None where none is, or they only wait for their time.
        come_back: when the EHR may be asked again; None where nothing was said.
        elsewhere: another process is about to deliver what is open.
    """

    confirmed: int = 0
    altered: int = 0
    died: int = 0
    open: int = 0
    dead: int = 0
    reason: str | None = None
    come_back: datetime | None = None
    elsewhere: bool = False

    @property
    def is_complete(self) -> bool:
        """Whether nothing was refused, and nothing waits that nobody delivers."""
        return not self.died and (self.elsewhere or not self.open)

    def line(self) -> str:
        """For a person."""
        parts = [f"{self.confirmed} confirmed"]
        parts += [f"{self.altered} of them altered"] * bool(self.altered)
        parts += [f"{self.open} still queued"] * bool(self.open)
        parts += [f"{self.died} refused for good"] * bool(self.died)
        parts += [f"{self.dead} in the dead-letter list"] * bool(self.dead)
        why = f", because {self.reason}" if self.reason and self.open else ""
        return f"outbox: {', '.join(parts)}{why}"

    def as_json(self) -> dict[str, Any]:
        """For a script."""
        return {
            "confirmed": self.confirmed,
            "altered": self.altered,
            "died": self.died,
            "open": self.open,
            "dead": self.dead,
            "reason": self.reason,
            "come_back": self.come_back.isoformat() if self.come_back else None,
        }
