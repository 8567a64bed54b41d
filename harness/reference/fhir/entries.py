"""The entries of a batch or transaction, read and checked (FHIR R4, Bundle and http.html)."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from harness.reference.fhir.outcome import Issue, Refused

Json = dict[str, Any]

ORDER: Final = {"DELETE": 0, "POST": 1, "PUT": 2, "PATCH": 2, "GET": 3, "HEAD": 3}
"""In which order the entries of a transaction are done, by method."""
MOST_ENTRIES: Final = 1000
_CONDITIONS: Final = {
    "ifMatch": "if-match",
    "ifNoneMatch": "if-none-match",
    "ifModifiedSince": "if-modified-since",
    "ifNoneExist": "if-none-exist",
}
_INSTANCE: Final = re.compile(r"(?P<type>[A-Z][A-Za-z]{1,63})/(?P<id>[A-Za-z0-9\-.]{1,64})")


@dataclass(frozen=True, slots=True)
class Entry:
    """One entry.

    Args:
        index: its place in the Bundle, from 0.
        method: in capitals.
        path: relative to the base, without a leading slash.
        query: what follows `?`; empty for none.
        resource: None where there is none.
        full_url: empty for none.
        conditions: request headers, in lower case.
    """

    index: int
    method: str
    path: str
    query: str = ""
    resource: Json | None = None
    full_url: str = ""
    conditions: Mapping[str, str] = field(default_factory=dict)

    @property
    def expression(self) -> str:
        """FHIRPath of the entry."""
        return f"Bundle.entry[{self.index}]"

    @property
    def order(self) -> tuple[int, bool]:
        """When a transaction does it; a Provenance after that which it is about."""
        return ORDER[self.method], self.path == "Provenance"

    @property
    def place(self) -> str | None:
        """The relative reference of the one resource that its URL names."""
        named = _INSTANCE.fullmatch(self.path)
        return self.path if named and not self.query else None


def read(bundle: Json, base: str) -> tuple[Entry | Issue, ...]:
    """Reads the entries of a Bundle; an issue stands for one that cannot be read.

    Args:
        bundle: parsed JSON whose resourceType is Bundle.
        base: the FHIR base of this server, which the URLs may begin with.

    Raises:
        Refused: 400 or 413; there is no list of entries, or it is too long.
    """
    given = bundle.get("entry", [])
    if not isinstance(given, list):
        raise Refused(400, (Issue("structure", "entry is no array", "Bundle.entry"),))
    if len(given) > MOST_ENTRIES:
        text = f"{len(given)} entries; this server takes {MOST_ENTRIES} at once"
        raise Refused(413, (Issue("too-costly", text, "Bundle.entry"),))
    return tuple(_entry(one, index, base) for index, one in enumerate(given))


def duplicates(entries: tuple[Entry, ...]) -> list[Issue]:
    """Returns why the entries of a transaction cannot be done together."""
    writes = [one for one in entries if one.method not in {"GET", "HEAD"}]
    issues = []
    for what, named in (
        ("resource", [(one, one.place) for one in writes]),
        ("fullUrl", [(one, one.full_url) for one in writes]),
    ):
        counted = Counter(name for _, name in named if name)
        issues += [
            Issue("duplicate", f"two entries have the {what} {name!r:.100}", one.expression)
            for one, name in named
            if name and counted[name] > 1
        ]
    return issues


def _entry(given: Any, index: int, base: str) -> Entry | Issue:
    where = f"Bundle.entry[{index}]"
    request = given.get("request") if isinstance(given, dict) else None
    if not isinstance(request, dict):
        return Issue("required", "the entry has no request", f"{where}.request")
    method, url = request.get("method"), request.get("url")
    if not isinstance(method, str) or method not in ORDER:
        text = f"method is {method!r:.40}, one of {', '.join(ORDER)} expected"
        return Issue("code-invalid", text, f"{where}.request.method")
    local = url.removeprefix(f"{base}/").lstrip("/") if isinstance(url, str) else ""
    if not local or "://" in local.partition("?")[0]:
        text = f"url is {url!r:.100}, one below {base} expected"
        return Issue("value", text, f"{where}.request.url")
    resource = given.get("resource")
    if method in {"POST", "PUT", "PATCH"} and not isinstance(resource, dict):
        return Issue("required", f"a {method} needs a resource", f"{where}.resource")
    path, _, query = local.partition("?")
    full_url = given.get("fullUrl")
    conditions = {
        header: str(request[member]) for member, header in _CONDITIONS.items() if member in request
    }
    return Entry(
        index=index,
        method=method,
        path=path,
        query=query,
        resource=resource,
        full_url=full_url if isinstance(full_url, str) else "",
        conditions=conditions,
    )
