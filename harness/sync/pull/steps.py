"""A query on its way through its pages: where it is, and whether it may go on."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime

from harness.http.exchange import Exchange
from harness.sync.answers.answer import Page
from harness.sync.asking.marks import SKEW, advance, believable, latest, server_start
from harness.sync.model import Cursor, Query, Watermark

EMPTY_PAGES = 10
"""Empty pages with a next link in a row; some servers send a few, a loop sends no end of them."""


@dataclass(frozen=True, slots=True)
class Step:
    """Where a query is, and what guards it against going round in circles.

    Attributes:
        query: the query.
        watermark: how far it was complete before.
        cursor: the next page; None asks for the first.
        visited: hashes of the pages that were asked for.
        empty: empty pages in a row.
        restarts: how often it started again within this run.
        resumed: whether it goes on at the cursor of an earlier run: at its end it reaches up to the
            start of that run only, so it is asked once more.
        unbounded: whether the EHR refused a lower bound, so that everything is asked for.
        uncounted: whether the EHR may have refused `_count`, so that none is sent.
        asked_count: the `_count` that its first page was asked with.
        last: hash of what the last page held, where pages have no next link.
        tries: how often its page came as something that is no FHIR.
        counted: how many matches the store had of it when it was read for a second time because
            the EHR counts more; None where it was not.
        ordered: whether its first page was asked for in ascending order.
        since: the lower bound that spares it what came in ascending order before its paging session
            expired; None asks from its watermark.
        flaw: what is wrong with a page that it has passed: it is read to its end and stays open.
        stirred: whether a page held what changed after the first one was asked for: where rows are
            sorted anew for each page, others may have slipped from one to another.
    """

    query: Query
    watermark: Watermark | None
    cursor: Cursor | None
    visited: frozenset[int] = frozenset()
    empty: int = 0
    restarts: int = 0
    resumed: bool = False
    unbounded: bool = False
    uncounted: bool = False
    asked_count: int | None = None
    last: int | None = None
    tries: int = 0
    counted: int | None = None
    flaw: str | None = None
    stirred: bool = False
    ordered: bool = False
    since: datetime | None = None

    def again(self, *, unbounded: bool = False, uncounted: bool = False) -> Step:
        """From the first page on, once more."""
        return replace(
            self,
            cursor=None,
            visited=frozenset(),
            empty=0,
            resumed=False,
            restarts=self.restarts + 1,
            since=None,
            stirred=False,
            unbounded=self.unbounded or unbounded,
            uncounted=self.uncounted or uncounted,
        )

    def advanced(
        self, page: Page, exchange: Exchange, asked_from: datetime | None, run: int
    ) -> Cursor:
        """Where the query is after `page`; `asked_from` is the bound of a first page."""
        before = self.cursor
        if before is None:
            began = server_start(page.server_time, exchange.seconds, exchange.started_at)
            before = Cursor("", asked_from, began, None, 0, run)
        seen = believable([each.last_updated for each in page.received], before.started)
        return Cursor(
            url=page.next or "",
            asked_from=before.asked_from,
            started=before.started,
            newest=latest(before.newest, seen),
            pages=before.pages + 1,
            run=run,
            reached=before.reached,
        )

    def stirred_by(self, page: Page, exchange: Exchange) -> bool:
        """Whether this page or one before it held what changed after the first was asked for.

        In ascending order that is no harm: what changes moves to the end, and nothing before it.
        """
        if self.cursor is None or self.stirred or self.in_order:
            return self.stirred
        latest_true = (page.server_time or exchange.started_at) + SKEW
        stamps = (each.last_updated for each in page.received if each.last_updated is not None)
        return any(self.cursor.started < stamp <= latest_true for stamp in stamps)

    def following(self, here: Cursor, page: Page, flaw: str | None) -> Step:
        """The step to the next page."""
        return replace(
            self,
            cursor=here,
            visited=self.visited | {hash(here.url)},
            empty=0 if page.received else self.empty + 1,
            tries=0,
            flaw=flaw,
            since=None,
            last=self.of(page),
        )

    @property
    def in_order(self) -> bool:
        """Whether its pages came in ascending order so far, as they were asked for."""
        return self.ordered if self.cursor is None else self.cursor.reached is not None

    @property
    def is_plain(self) -> bool:
        """Whether the store knows all of it that matters after its first page."""
        known = Step(
            self.query,
            self.watermark,
            self.cursor,
            self.visited,
            asked_count=self.asked_count,
            last=self.last,
            ordered=self.ordered,
        )
        return self == known

    def of(self, page: Page) -> int:
        """What tells two pages apart."""
        return hash(tuple((each.type, each.id) for each in page.received))

    def completed(self, here: Cursor) -> Watermark:
        """The watermark after the last page."""
        known = self.watermark
        mark = advance(known.mark if known else None, here.started, here.newest)
        before = known.full if known else None
        full = here.started if here.asked_from is None else before
        return Watermark(self.query, mark, here.started, full)

    def flaw_after(self, page: Page) -> str | None:
        """What keeps the query from ending well: entries that cannot be stored, or are left out."""
        if page.unusable:
            return f"{page.unusable} entries are no resource with a type and an id"
        if page.lacking:
            return f"the EHR left matches out: {page.lacking}"
        return self.flaw

    def ends(self, page: Page) -> bool:
        """Whether it is the last page.

        One without matches that leads back to itself is: some servers link on from their last page.
        """
        return page.next is None or (not page.entries and self.was_at(page.next))

    def dead_end(self, page: Page) -> str | None:
        """Why the next page is not asked for."""
        if page.foreign:
            return f"{page.foreign} entries belong to another patient; they were not stored"
        if self.ends(page) or page.next is None:
            return None
        if self.was_at(page.next):
            return "the next links go round in a circle"
        if not page.received and self.empty + 1 >= EMPTY_PAGES:
            return f"{EMPTY_PAGES} empty pages in a row, each with a next link"
        return None

    def was_at(self, url: str) -> bool:
        """Whether a page was asked for before."""
        return hash(url) in self.visited or (self.cursor is not None and url == self.cursor.url)
