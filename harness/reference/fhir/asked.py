"""What a search asks for, as data (FHIR R4, search: http://hl7.org/fhir/R4/search.html)."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

from harness.reference.fhir.matching import Criterion
from harness.reference.fhir.outcome import Issue
from harness.reference.fhir.parameters import PARAMETERS, Parameter
from harness.reference.fhir.values import Target

DEFAULT_COUNT: Final = 50
MOST_COUNT: Final = 200
MOST_LINKS: Final = 4
"""How many references a chain may follow, and how many rounds of `:iterate` there are."""


@dataclass(frozen=True, slots=True)
class Link:
    """A condition on another resource: a chain, or `_has`.

    Args:
        parameter: the reference between the two.
        queries: what is asked of the other resource, one for each type that it may have.
        reverse: the other resource refers to this one (`_has`), not this one to it.
    """

    parameter: Parameter
    queries: tuple[Query, ...]
    reverse: bool = False


@dataclass(frozen=True, slots=True)
class Inclusion:
    """What `_include` or `_revinclude` brings along: `source:parameter:target`.

    Args:
        source: type of the resource that refers.
        name: of the reference parameter.
        target: type of what is referred to; None for any.
        iterate: also of what was brought along itself.
    """

    source: str
    name: str
    target: str | None
    iterate: bool

    @property
    def parameter(self) -> Parameter:
        """The reference parameter."""
        return PARAMETERS[self.source][self.name]


@dataclass
class Query:
    """One search. Read-only once it is made; `query.read` makes it.

    Args:
        resource_type: what is searched.
        criteria: all must match.
        links: conditions on other resources, which must hold as well.
        within: only what lies in the compartment of this patient; None for all.
        sort: parameter names in order, with a leading `-` for descending.
        count: the most matches on one page.
        includes: what comes along since a match refers to it.
        rev_includes: what comes along since it refers to a match.
        count_only: `_summary=count`.
        summary: another `_summary`; None for whole resources.
        elements: the only elements that are wanted; empty for all.
        total: whether the Bundle says how many matched.
        used: the parameters that counted, for the self link.
        ignored: what did not count, one issue each.
    """

    resource_type: str
    criteria: list[Criterion] = field(default_factory=list)
    links: list[Link] = field(default_factory=list)
    within: str | None = None
    sort: tuple[str, ...] = ()
    count: int = DEFAULT_COUNT
    includes: list[Inclusion] = field(default_factory=list)
    rev_includes: list[Inclusion] = field(default_factory=list)
    count_only: bool = False
    summary: str | None = None
    elements: tuple[str, ...] = ()
    total: bool = True
    used: list[tuple[str, str]] = field(default_factory=list)
    ignored: list[Issue] = field(default_factory=list)

    def named_patients(self) -> set[str | None]:
        """Returns the ids of the patients that the search names by reference."""
        return {
            want.resource_id
            for one in self.criteria
            if "Patient" in one.parameter.targets and one.parameter.name in {"patient", "subject"}
            for want in one.wanted
            if isinstance(want, Target) and want.resource_type in (None, "Patient")
        }
