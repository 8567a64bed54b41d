"""What a search asks for, read from its parameters.

FHIR R4, search: http://hl7.org/fhir/R4/search.html. Parameters that this server does not know are
left out and reported, or refused under `Prefer: handling=strict`
(http://hl7.org/fhir/R4/search.html#errors). What was used stands in `used`, for the self link.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Final

from harness.reference.fhir.dates import criterion
from harness.reference.fhir.matching import Criterion, Target, Text, Token, Wanted
from harness.reference.fhir.outcome import Issue, Refused, refused
from harness.reference.fhir.parameters import INCLUDES, PARAMETERS, REV_INCLUDES, Parameter

DEFAULT_COUNT: Final = 50
MOST_COUNT: Final = 200
_MODIFIERS: Final = {
    "token": {"not"},
    "string": {"exact", "contains"},
    "date": set[str](),
    "reference": {"Patient", "Practitioner", "Organization", "Device", "Encounter", "Observation"},
}
_TRANSPORT: Final = {"_format", "_pretty"}


@dataclass
class Query:
    """One search. Read-only once it is made; `read` makes it.

    Args:
        resource_type: what is searched.
        criteria: all must match.
        sort: parameter names in order, with a leading `-` for descending.
        count: the most matches on one page.
        includes: parameters whose targets come along.
        rev_includes: such as `Provenance:target`.
        count_only: `_summary=count`.
        total: whether the Bundle says how many matched.
        used: the parameters that counted, for the self link.
        ignored: what did not count, one issue each.
    """

    resource_type: str
    criteria: list[Criterion] = field(default_factory=list)
    sort: tuple[str, ...] = ()
    count: int = DEFAULT_COUNT
    includes: list[str] = field(default_factory=list)
    rev_includes: list[str] = field(default_factory=list)
    count_only: bool = False
    total: bool = True
    used: list[tuple[str, str]] = field(default_factory=list)
    ignored: list[Issue] = field(default_factory=list)

    def named_patients(self) -> set[str | None]:
        """Returns the ids of the patients that the search names by reference."""
        return {
            want.resource_id
            for criterion_ in self.criteria
            if criterion_.parameter.name in {"patient", "subject"}
            for want in criterion_.wanted
            if isinstance(want, Target)
        }


def read(resource_type: str, pairs: Sequence[tuple[str, str]], base: str, *, strict: bool) -> Query:
    """Reads the parameters of a search.

    Args:
        resource_type: what is searched.
        pairs: names and values, decoded, in order.
        base: the FHIR base of this server, for absolute references.
        strict: refuse what would be ignored.

    Raises:
        Refused: 400; a value cannot be read, or something is not supported and `strict` holds.
    """
    query = Query(resource_type)
    for name, value in pairs:
        if name in _TRANSPORT or not value:
            continue  # an empty parameter is not an error, it counts as absent
        problem = _take(query, name, value, base)
        if problem is None:
            continue
        if strict:
            raise Refused(400, (Issue("not-supported", problem),))
        query.ignored.append(Issue("not-supported", problem, severity="warning"))
    query.used.append(("_count", str(query.count)))
    return query


def _take(query: Query, name: str, value: str, base: str) -> str | None:
    """Adds one parameter to the query; returns why not, if it is not supported."""
    if name in _RESULTS:
        return _RESULTS[name](query, value)
    base_name, _, modifier = name.partition(":")
    parameter = PARAMETERS[query.resource_type].get(base_name)
    if parameter is None:
        return f"{query.resource_type} has no search parameter {base_name!r} here; it was ignored"
    query.criteria.append(_criterion(parameter, modifier, value, base))
    query.used.append((name, value))
    return None


def _criterion(parameter: Parameter, modifier: str, value: str, base: str) -> Criterion:
    if modifier == "missing":
        if value not in {"true", "false"}:
            raise refused(400, "value", f"{parameter.name}:missing={value}: true or false expected")
        return Criterion(parameter, (), missing=value == "true")
    if modifier and modifier not in _MODIFIERS[parameter.kind]:
        # An unknown modifier changes the meaning, so ignoring it would answer another question.
        raise refused(400, "not-supported", f"the modifier {parameter.name}:{modifier} is unknown")
    try:
        wanted = tuple(_wanted(parameter, modifier, one, base) for one in split(value, ","))
    except ValueError as problem:
        raise refused(400, "value", f"{parameter.name}={value}: {problem}") from None
    return Criterion(parameter, wanted, negated=modifier == "not")


def _wanted(parameter: Parameter, modifier: str, text: str, base: str) -> Wanted:
    match parameter.kind:
        case "date":
            return criterion(text)
        case "string":
            return Text(unescaped(text), modifier or "start")
        case "reference":
            return _target(text, parameter.target or modifier or None, base)
        case "token":
            parts = [unescaped(part) for part in split(text, "|")]
            if len(parts) == 1:
                return Token(None, parts[0])
            return Token(parts[0], "|".join(parts[1:]) or None)


def _target(text: str, resource_type: str | None, base: str) -> Target:
    local = text.removeprefix(f"{base}/")
    if "://" in local:
        return Target(resource_type, None)
    kind, slash, resource_id = local.partition("/")
    if not slash:
        return Target(resource_type, kind)
    fits = resource_type in (None, kind)
    return Target(kind, resource_id if fits else None)


def split(text: str, separator: str) -> list[str]:
    r"""Splits at a separator that no backslash escapes; escapes stay in the parts."""
    parts, start, index = [], 0, 0
    while index < len(text):
        if text[index] == "\\":
            index += 1
        elif text[index] == separator:
            parts.append(text[start:index])
            start = index + 1
        index += 1
    return [*parts, text[start:]]


def unescaped(text: str) -> str:
    r"""Takes the escapes `\,` `\|` `\$` `\\` out (FHIR R4, search, escaping)."""
    return re.sub(r"\\([,|$\\])", r"\1", text)


def _take_count(query: Query, value: str) -> None:
    if not re.fullmatch(r"\d{1,9}", value, re.ASCII):
        raise refused(400, "value", f"_count={value}: a whole number of at least 0 expected")
    query.count = min(int(value), MOST_COUNT)
    query.count_only = query.count_only or query.count == 0


def _take_sort(query: Query, value: str) -> str | None:
    known = PARAMETERS[query.resource_type]
    keys = tuple(value.split(","))
    for key in keys:
        parameter = known.get(key.removeprefix("-"))
        if parameter is None or (
            parameter.kind not in {"date", "string"} and parameter.name != "_id"
        ):
            return f"{query.resource_type} cannot be sorted by {key!r} here; _sort was ignored"
    query.sort = keys
    query.used.append(("_sort", value))
    return None


def _take_include(query: Query, value: str) -> str | None:
    source, _, name = value.partition(":")
    name = name.partition(":")[0]
    if source != query.resource_type or name not in INCLUDES.get(source, ()):
        return f"_include={value} is not supported; it was ignored"
    query.includes.append(name)
    query.used.append(("_include", value))
    return None


def _take_rev_include(query: Query, value: str) -> str | None:
    if value not in REV_INCLUDES.get(query.resource_type, ()):
        return f"_revinclude={value} is not supported; it was ignored"
    query.rev_includes.append(value)
    query.used.append(("_revinclude", value))
    return None


def _take_summary(query: Query, value: str) -> str | None:
    if value not in {"count", "false"}:
        return f"_summary={value} is not supported; it was ignored"
    query.count_only = query.count_only or value == "count"
    query.used.append(("_summary", value))
    return None


def _take_total(query: Query, value: str) -> str | None:
    if value not in {"none", "estimate", "accurate"}:
        return f"_total={value} is not supported; it was ignored"
    query.total = value != "none"
    query.used.append(("_total", value))
    return None


_RESULTS: Final[dict[str, Callable[[Query, str], str | None]]] = {
    "_count": _take_count,
    "_sort": _take_sort,
    "_include": _take_include,
    "_revinclude": _take_rev_include,
    "_summary": _take_summary,
    "_total": _take_total,
}
