"""A query on its way through its pages: where it is, and whether it may go on."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import datetime

from harness.http.exchange import Exchange
from harness.sync.answers import Page
from harness.sync.marks import advance, believable, latest, server_start
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
        visited: pages that were asked for.
        empty: empty pages in a row.
        restarts: how often it started again within this run.
        resumed: whether it goes on at the cursor of an earlier run: at its end it reaches up to the
            start of that run only, so it is asked once more.
        unbounded: whether the EHR refused a lower bound, so that everything is asked for.
    """

    query: Query
    watermark: Watermark | None
    cursor: Cursor | None
    visited: set[str] = field(default_factory=set)
    empty: int = 0
    restarts: int = 0
    resumed: bool = False
    unbounded: bool = False

    def again(self, *, unbounded: bool = False) -> Step:
        """From the first page on, once more."""
        return Step(
            self.query,
            self.watermark,
            None,
            restarts=self.restarts + 1,
            unbounded=self.unbounded or unbounded,
        )

    def advanced(
        self, page: Page, exchange: Exchange, asked_from: datetime | None, run: int
    ) -> Cursor:
        """Where the query is after `page`; `asked_from` is the bound of a first page."""
        before = self.cursor
        if before is None:
            began = server_start(page.server_time, exchange.seconds, exchange.started_at)
            before = Cursor("", asked_from, began, None, 0, run)
        seen = believable((each.last_updated for each in page.received), before.started)
        return replace(
            before,
            url=page.next or "",
            newest=latest(before.newest, seen),
            pages=before.pages + 1,
            run=run,
        )

    def following(self, here: Cursor, page: Page) -> Step:
        """The step to the next page."""
        self.visited.add(here.url)
        return replace(self, cursor=here, empty=0 if page.received else self.empty + 1)

    def completed(self, here: Cursor) -> Watermark:
        """The watermark after the last page."""
        known = self.watermark
        mark = advance(known.mark if known else None, here.started, here.newest)
        before = known.full if known else None
        full = here.started if here.asked_from is None else before
        return Watermark(self.query, mark, here.started, full)

    def flaw(self, page: Page) -> str | None:
        """Why a page, though kept, does not let its query go on or end well."""
        if page.foreign:
            return f"{page.foreign} entries belong to another patient; they were not stored"
        if page.unusable:
            return f"{page.unusable} entries have no resource with a type and an id"
        if page.next is None:
            return None
        if page.next in self.visited or (self.cursor and page.next == self.cursor.url):
            return "the next links go round in a circle"
        if not page.received and self.empty + 1 >= EMPTY_PAGES:
            return f"{EMPTY_PAGES} empty pages in a row, each with a next link"
        return None
