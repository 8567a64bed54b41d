"""What to search for: a type and its parameters, in order.

https://hl7.org/fhir/R4/search.html
"""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import quote, urlencode


@dataclass(frozen=True, slots=True)
class Search:
    """A search on one type.

    Attributes:
        type: the resource type.
        parameters: names (with modifiers) and values, in order, not encoded; a name may repeat.
    """

    type: str
    parameters: tuple[tuple[str, str], ...] = ()

    @classmethod
    def on(cls, kind: str, /, **parameters: str) -> Search:
        """For parameters whose names are Python names: `Search.on("Observation", patient="1")`."""
        return cls(kind, tuple(parameters.items()))

    def and_(self, name: str, value: str) -> Search:
        """A copy with one more parameter; a second of the same name narrows the search (AND)."""
        return Search(self.type, (*self.parameters, (name, value)))

    def url(self, base: str) -> str:
        """The URL of the search by GET; only `,` stays as it is, besides letters and digits.

        `/` and `:` are encoded although RFC 3986 section 3.4 would let them pass: some proxies fold
        `//` wherever they see it, and the system of a token has one.
        """
        query = urlencode(self.parameters, quote_via=quote, safe=",")
        return f"{base.rstrip('/')}/{quote(self.type, safe='')}" + (f"?{query}" if query else "")

    def __str__(self) -> str:
        return self.url("").lstrip("/")
