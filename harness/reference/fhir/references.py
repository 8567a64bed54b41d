"""References between the entries of a transaction (FHIR R4, http://hl7.org/fhir/R4/http.html#trules).

An entry names another by its fullUrl, often a `urn:uuid:`; when all are stored, each of these
names is the place where the resource has come to be.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any, Final

Json = dict[str, Any]

URI_MEMBERS: Final = frozenset(
    {"reference", "url", "uri", "valueUri", "valueUrl", "valueUuid", "valueOid", "instantiatesUri"}
)
"""Members whose values are of the types Reference (its reference), uri, url, oid or uuid."""
_LINK: Final = re.compile(r"""(?P<before>\s(?:href|src)\s*=\s*)(?P<quote>["'])(?P<url>[^"']*)""")


def rewritten(resource: Json, places: Mapping[str, str]) -> Json:
    """Returns a resource in which each name of an entry is the place where it is.

    Args:
        resource: stays as it is.
        places: from fullUrl to relative reference.
    """
    renamed: Json = _walk(resource, lambda url: places.get(url, url))
    return renamed


def searches(resource: Json) -> set[str]:
    """Returns the conditional references in a resource, such as `Patient?identifier=a|b`."""
    found: set[str] = set()

    def look(url: str) -> str:
        if re.match(r"[A-Z][A-Za-z]+\?", url):
            found.add(url)
        return url

    _walk(resource, look, frozenset({"reference"}))
    return found


def _walk(value: Any, rename: Callable[[str], str], members: frozenset[str] = URI_MEMBERS) -> Any:
    if isinstance(value, list):
        return [_walk(one, rename, members) for one in value]
    if not isinstance(value, dict):
        return value
    walked: Json = {}
    for name, inner in value.items():
        if isinstance(inner, str) and name in members:
            walked[name] = rename(inner)
        elif isinstance(inner, str) and name == "div" and "reference" in members:
            walked[name] = _LINK.sub(
                lambda link: link["before"] + link["quote"] + rename(link["url"]), inner
            )
        elif isinstance(inner, list) and name in members:
            walked[name] = [
                rename(one) if isinstance(one, str) else _walk(one, rename, members)
                for one in inner
            ]
        else:
            walked[name] = _walk(inner, rename, members)
    return walked
