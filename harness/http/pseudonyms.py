"""URLs of real patients' data: which parts identify somebody."""

from __future__ import annotations

import re
from collections.abc import Callable
from urllib.parse import quote, unquote_plus

_ID = re.compile(r"(?<=/)(?P<type>[A-Z][A-Za-z]{2,40})/(?P<id>[^/?#;,>\s$_][^/?#;,>\s]*)")
_REFERENCE = re.compile(
    r"(?<![\w.])(?P<type>[A-Z][A-Za-z]{2,40})/(?P<id>(?=[A-Za-z.-]*\d|[\w.-]{12})[\w.%-]+)"
)
_PARAMETER = re.compile(r"(?<=[?&])(?P<name>[^=&#?\s]{1,200})=(?P<value>[^&#\s>]*)")

HARMLESS = frozenset(
    {
        "_count", "_elements", "_format", "_include", "_lastUpdated", "_outputFormat", "_pretty",
        "_revinclude", "_since", "_sort", "_summary", "_total", "_type", "aud", "category",
        "client_id", "clinical-status", "code", "code_challenge", "code_challenge_method",
        "intent", "iss", "redirect_uri", "response_type", "scope", "status",
    }
)  # fmt: skip
"""Parameters whose values describe the question, not a person."""


def url_pseudonymised(url: str, pseudonym: Callable[[str], str]) -> str:
    """`url` (or a header that holds one) with ids and identifying search values replaced.

    Args:
        url: absolute or relative; all else in it stays.
        pseudonym: gives equal values equal names.
    """

    def of_id(match: re.Match[str]) -> str:
        return f"{match['type']}/{pseudonym(match['id'])}"

    def of_parameter(match: re.Match[str]) -> str:
        name = unquote_plus(match["name"]).partition(":")[0]
        if name in HARMLESS or not match["value"]:
            return match.group()
        shown = [_of_value(each, pseudonym) for each in unquote_plus(match["value"]).split(",")]
        return f"{match['name']}={quote(','.join(shown), safe=',/')}"

    return _PARAMETER.sub(of_parameter, _ID.sub(of_id, url))


def text_pseudonymised(text: str, pseudonym: Callable[[str], str]) -> str:
    """`text` with the ids in references and paths replaced, such as `Patient/85`.

    In prose an id must look like one (a digit, or twelve characters), so that `And/or` stays.
    """
    return _REFERENCE.sub(lambda match: f"{match['type']}/{pseudonym(match['id'])}", text)


def _of_value(value: str, pseudonym: Callable[[str], str]) -> str:
    """A reference keeps its type, so that `Patient/1` here and in a path get one name."""
    kind, slash, identity = value.rpartition("/")
    if slash and re.fullmatch(r"[A-Z][A-Za-z]+", kind):
        return f"{kind}/{pseudonym(identity)}"
    return pseudonym(value)
