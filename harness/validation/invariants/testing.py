"""Invariants of TestScript and TestReport.

https://hl7.org/fhir/R4/testscript.html#invs
"""

from __future__ import annotations

from harness.validation.invariants.words import (
    all_of,
    among,
    any_of,
    counted,
    empty,
    exactly_one,
    exists,
    implies,
    no,
    same,
    some,
    table,
)

_ASSERTIONS = (
    *("contentType", "expression", "headerField", "minimumId", "navigationLinks", "path"),
    *("requestMethod", "resource", "responseCode", "response", "validateProfileId"),
)
_one_target = any_of(
    exists("sourceId"),
    counted("targetId", "url", "params", least=1, most=1),
    some("type", among("code", "capabilities", "search", "transaction", "history")),
)
_one_assertion = any_of(exists("extension"), counted(*_ASSERTIONS, most=1))

TRANSLATIONS = table(
    ("operation.exists() xor assert.exists()", exactly_one(exists("operation"), exists("assert"))),
    (
        "capability.required.exists() or capability.validated.exists()",
        some("capability", exists("required", "validated")),
    ),
    (
        "expression.empty() or headerField.empty() or path.empty()",
        no(all_of(exists("expression"), exists("headerField"), exists("path"))),
    ),
    (
        (
            "sourceId.exists() or (targetId.count() + url.count() + "
            "params.count() = 1) or (type.code in ('capabilities' |'search' | "
            "'transaction' | 'history'))"
        ),
        _one_target,
    ),
    (
        (
            "extension.exists() or (contentType.count() + expression.count() + "
            "headerField.count() + minimumId.count() + navigationLinks.count() "
            "+ path.count() + requestMethod.count() + resource.count() + "
            "responseCode.count() + response.count()  + "
            "validateProfileId.count() <=1)"
        ),
        _one_assertion,
    ),
    (
        (
            "compareToSourceId.empty() xor (compareToSourceExpression.exists() "
            "or compareToSourcePath.exists())"
        ),
        same(
            exists("compareToSourceId"), exists("compareToSourceExpression", "compareToSourcePath")
        ),
    ),
    (
        (
            "(response.empty() and responseCode.empty() and direction = "
            "'request') or direction.empty() or direction = 'response'"
        ),
        implies(among("direction", "request"), empty("response", "responseCode")),
    ),
    (
        (
            "sourceId.exists() or (targetId.count() + url.count() + "
            "params.count() = 1) or (type.code in ('capabilities' | 'search' | "
            "'transaction' | 'history'))"
        ),
        _one_target,
    ),
    (
        (
            "extension.exists() or (contentType.count() + expression.count() + "
            "headerField.count() + minimumId.count() + navigationLinks.count() "
            "+ path.count() + requestMethod.count() + resource.count() + "
            "responseCode.count() + response.count() + "
            "validateProfileId.count() <=1)"
        ),
        _one_assertion,
    ),
)
