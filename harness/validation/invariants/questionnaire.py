"""Invariants of Questionnaire and QuestionnaireResponse.

https://hl7.org/fhir/R4/questionnaire.html#invs
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from harness.validation.invariants.nodes import each, items
from harness.validation.invariants.scope import Scope
from harness.validation.invariants.words import (
    all_different,
    all_of,
    among,
    any_of,
    at_most_one,
    counted,
    empty,
    exists,
    implies,
    spellings,
    table,
    true,
)

_display = among("type", "display")
_VALUED = ("decimal", "integer", "date", "dateTime", "time", "string", "quantity")
_WRITTEN = ("boolean", "decimal", "integer", "string", "text", "url", "open-choice")


def link_ids_differ(node: Any, _: Scope) -> bool:
    """The link ids for groups and questions must be unique within the questionnaire."""
    return all_different(each({"item": list(_below(node, "item"))}, "item", "linkId"))


def answered_once(node: Any, _: Scope) -> bool:
    """Among the items of one parent, no two with answers have the same linkId."""
    return all(
        all_different(
            item["linkId"]
            for item in items(parent, "item")
            if item.__class__ is dict
            and item.get("linkId").__class__ is str
            and any(map(_has_value, items(item, "answer")))
        )
        for parent in (node, *_below(node, "item", "answer"))
    )


_no_value = spellings("value[x]").isdisjoint


def _has_value(answer: Any) -> bool:
    return answer.__class__ is dict and not _no_value(answer)


def _below(node: Any, *names: str) -> Iterator[Any]:
    """All nodes below that are in elements of these names, at any depth."""
    rest = [node]
    while rest:
        parent = rest.pop()
        for name in names:
            for child in items(parent, name):
                if child.__class__ is dict:
                    yield child
                    rest.append(child)


TRANSLATIONS = table(
    ("descendants().linkId.isDistinct()", link_ids_differ),
    (
        (
            "(type='group' implies item.empty().not()) and "
            "(type.trace('type')='display' implies item.trace('item').empty())"
        ),
        all_of(implies(among("type", "group"), exists("item")), implies(_display, empty("item"))),
    ),
    ("type!='display' or code.empty()", implies(_display, empty("code"))),
    (
        "answerOption.empty() or answerValueSet.empty()",
        at_most_one(exists("answerOption"), exists("answerValueSet")),
    ),
    (
        (
            "(type ='choice' or type = 'open-choice' or type = 'decimal' or "
            "type = 'integer' or type = 'date' or type = 'dateTime' or type = "
            "'time' or type = 'string' or type = 'quantity') or "
            "(answerValueSet.empty() and answerOption.empty())"
        ),
        any_of(
            among("type", "choice", "open-choice", *_VALUED),
            empty("answerValueSet", "answerOption"),
        ),
    ),
    (
        "type!='display' or (required.empty() and repeats.empty())",
        implies(_display, empty("required", "repeats")),
    ),
    (
        "(type!='group' and type!='display') or initial.empty()",
        implies(among("type", "group", "display"), empty("initial")),
    ),
    ("type!='display' or readOnly.empty()", implies(_display, empty("readOnly"))),
    (
        (
            "(type in ('boolean' | 'decimal' | 'integer' | 'string' | 'text' | "
            "'url' | 'open-choice')) or maxLength.empty()"
        ),
        any_of(among("type", *_WRITTEN), empty("maxLength")),
    ),
    (
        "answerOption.empty() or initial.empty()",
        at_most_one(exists("answerOption"), exists("initial")),
    ),
    (
        "enableWhen.count() > 2 implies enableBehavior.exists()",
        any_of(counted("enableWhen", most=2), exists("enableBehavior")),
    ),
    ("repeats=true or initial.count() <= 1", any_of(true("repeats"), counted("initial", most=1))),
    (
        "operator = 'exists' implies (answer is Boolean)",
        implies(among("operator", "exists"), exists("answerBoolean")),
    ),
    ("(answer.exists() and item.exists()).not()", at_most_one(exists("answer"), exists("item"))),
    ("subject.exists()", exists("subject")),
    (
        (
            "(QuestionnaireResponse|repeat(answer|item)).select(item.where"
            "(answer.value.exists()).linkId.isDistinct()).allTrue()"
        ),
        answered_once,
    ),
)
