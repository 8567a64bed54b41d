"""Pages by number, for EHRs that answer without next links (gICS): the first match is counted."""

from __future__ import annotations

from urllib.parse import parse_qsl, quote, urlencode, urlsplit, urlunsplit

from harness.sync.answers.answer import Page


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
