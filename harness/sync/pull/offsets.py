"""Pages by number, for EHRs that answer without next links (gICS): the first match is counted."""

from __future__ import annotations

from dataclasses import replace
from urllib.parse import parse_qsl, quote, urlencode, urlsplit, urlunsplit

from harness.sync.answers.answer import Page
from harness.sync.pull.steps import Step


def linked(page: Page, step: Step, url: str, parameter: str | None) -> Page:
    """The page with the link that the EHR file says how to make, where it has none.

    Args:
        page: what came.
        step: the query.
        url: where it came from.
        parameter: see `following`; None if the EHR file names none.
    """
    if parameter is None or page.next is not None:
        return page
    if step.last is not None and step.last == step.of(page):
        return page  # the parameter is ignored: the same page again
    return replace(page, next=following(page, url, parameter))


def following(page: Page, url: str, parameter: str) -> str | None:
    """The URL of the page after the one that came from `url`; None after one without matches.

    Args:
        page: what came.
        url: where it came from.
        parameter: the one that names the number of the first match, such as `_offset`.
    """
    if not page.entries:
        return None
    parts = urlsplit(url)
    given = parse_qsl(parts.query, keep_blank_values=True)
    before = next((value for name, value in given if name == parameter), "0")
    at = (int(before) if before.isdecimal() else 0) + page.entries
    kept = [(name, value) for name, value in given if name != parameter]
    query = urlencode([*kept, (parameter, str(at))], quote_via=quote, safe=",")
    return urlunsplit(parts._replace(query=query))
