"""Allure results from verdicts: stable ids, severity, links, evidence, categories.

allure-pytest writes the files; here its results are made to say what a verdict says. Allure 2 reads
`categories.json`; Allure 3 ignores it and reads the same rules from `allurerc.mjs`.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from hashlib import md5
from pathlib import Path
from typing import Any

from allure_commons.model2 import Attachment, Label, Link, Parameter, StatusDetails, TestResult

from harness.checks.verdict import ERRORS, PASSES, Verdict, Word
from harness.http.exchange import Exchange
from harness.reporting.account import About, Account
from harness.reporting.evidence import as_text, printable, title

_STATUS = {Word.FAILED: "failed", Word.NOT_RUN: "unknown"}
_SEVERITY = {"SHALL": "critical", "SHOULD": "normal"}
_MOST = 40
"""Exchanges attached to one result; a check that stands on more names how many."""

CATEGORIES: tuple[tuple[str, tuple[str, ...], str], ...] = (
    ("SHALL not met", ("failed",), r"^failed: "),
    ("SHOULD not met (advised)", ("skipped",), r"^advised: "),
    ("Known deviations", ("skipped",), r"^known deviation: "),
    ("Now passing: remove from the EHR file", ("passed",), r"^now passing: "),
    ("Attested", ("skipped",), r"^attested: "),
    ("Not applicable", ("skipped",), r"^not applicable: "),
    ("Not supported", ("skipped",), r"^not supported: "),
    ("Not configured", ("skipped",), r"^not configured: "),
    ("Not permitted", ("skipped",), r"^not permitted: "),
    ("Prerequisite failed", ("skipped",), r"^prerequisite failed: "),
    ("Network: the EHR could not be reached", ("broken",), r"^unreachable: "),
    ("Defects of the harness", ("broken",), r"^error: "),
    ("Not run", ("unknown",), r"^not run: "),
)
"""Name, statuses and what the message starts with."""


@dataclass(slots=True)
class Filler:
    """Makes Allure results say what verdicts say.

    Args:
        attach: writes an attachment: content and file name.
    """

    attach: Callable[[str, str], None]
    _attached: set[int] = field(default_factory=set)

    def fill(self, result: TestResult, verdict: Verdict) -> None:
        """Overwrite what a test framework knows with what the verdict knows."""
        check, word = verdict.check, verdict.word
        function, separator, params = check.id.partition("[")
        result.name = printable(f"{check.title} [{params}" if separator else check.title)
        result.fullName = check.id
        result.testCaseId = _digest(function)
        result.historyId = _digest(check.id)
        result.titlePath = [part for part in function.replace("::", "/").split("/")[:-1] if part]
        result.status = _status(word)
        reason = printable(f"{word}: {verdict.reason}") if word is not Word.PASSED else None
        trace = printable(verdict.detail) if verdict.detail else None
        result.statusDetails = StatusDetails(message=reason, trace=trace) if reason else None
        result.description = _description(verdict)
        result.descriptionHtml = None
        result.parameters = _parameters(verdict)
        result.labels = [Label(name=name, value=value) for name, value in _labels(verdict)]
        named = (
            f"{check.requirement.id} ({verdict.level})" if verdict.level else check.requirement.id
        )
        result.links = [Link(type="link", url=verdict.link, name=named)]
        result.steps = []
        result.attachments = [self._evidence(each) for each in verdict.evidence[:_MOST]]

    def _evidence(self, exchange: Exchange) -> Attachment:
        """The exchange as an attachment; written once, shared by all results that show it."""
        name = f"exchange-{exchange.number:05d}-attachment.txt"
        if exchange.number not in self._attached:
            self._attached.add(exchange.number)
            self.attach(as_text(exchange), name)
        return Attachment(name=printable(title(exchange)), source=name, type="text/plain")


def write_surroundings(account: Account, folder: Path) -> None:
    """Write environment, categories, executor and the configuration of Allure 3."""
    about = account.about
    (folder / "environment.properties").write_text(_properties(about), encoding="utf-8")
    categories = [
        {"name": name, "matchedStatuses": list(statuses), "messageRegex": f"(?s){regex}.*"}
        for name, statuses, regex in CATEGORIES
    ]
    _write_json(folder / "categories.json", categories)
    executor = {
        "name": "fhir-harness",
        "type": "fhir-harness",
        "buildName": f"{about.ehr.name} {about.run}",
        "reportName": f"{about.ehr.title}: conformance",
    }
    _write_json(folder / "executor.json", executor)


def write_configuration(account: Account, path: Path) -> None:
    """Write `allurerc.mjs`, which `allure generate` (Allure 3) reads."""
    rules = [
        {
            "name": name,
            "matchers": {"statuses": list(statuses), "message": regex},
        }
        for name, statuses, regex in CATEGORIES
    ]
    name = f"{account.about.ehr.title}: conformance"
    lines = [
        "// Read by `allure generate` (Allure 3), which ignores categories.json.",
        f"const categories = {json.dumps(rules, indent=2)}.map((rule) => ({{",
        "  ...rule,",
        "  matchers: { ...rule.matchers, message: new RegExp(rule.matchers.message) },",
        "}));",
        "",
        "export default {",
        f"  name: {json.dumps(name)},",
        '  output: "./allure-report",',
        '  historyPath: "../allure-history.jsonl",',
        "  categories,",
        "  plugins: {",
        '    awesome: { options: { groupBy: ["epic", "feature"], singleFile: true } },',
        "  },",
        "};",
    ]
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")


def _status(word: Word) -> str:
    if word in PASSES:
        return "passed"
    return "broken" if word in ERRORS else _STATUS.get(word, "skipped")


def _digest(text: str) -> str:
    return md5(text.encode(), usedforsecurity=False).hexdigest()


def _description(verdict: Verdict) -> str:
    requirement = verdict.check.requirement
    lines = [f"{requirement.text} ({verdict.level or 'not in this version'})"]
    if verdict.expected is not None:
        lines.append(f"Expected: {verdict.expected}")
        lines.append(f"Actual: {verdict.actual}")
    if verdict.where:
        lines.append(f"Where: {verdict.where}")
    lines += [f"Fact: {each}" for each in verdict.facts]
    if len(verdict.evidence) > _MOST:
        lines.append(f"The first {_MOST} of {len(verdict.evidence)} exchanges are attached.")
    if requirement.refs:
        lines.append(f"Also known as: {', '.join(requirement.refs)}")
    return printable("\n\n".join(_unmarked(each) for each in lines))


def _unmarked(text: str) -> str:
    """Words of an EHR never become markup of a report."""
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def _parameters(verdict: Verdict) -> list[Parameter]:
    values = verdict.check.params.items()
    plain = [
        (name, value.__name__ if isinstance(value, type) else value)
        for name, value in values
        if isinstance(value, str | int | float | type)
    ]
    return [Parameter(name=name, value=str(value)) for name, value in plain]


def _labels(verdict: Verdict) -> list[tuple[str, str]]:
    check = verdict.check
    return [
        ("severity", _SEVERITY.get(verdict.level or "", "minor")),
        ("epic", check.requirement.spec),
        ("feature", check.section),
        ("story", check.requirement.id),
        ("parentSuite", check.suite or "checks"),
        ("suite", check.section),
        ("tag", verdict.word.value),
        ("framework", "fhir-harness"),
        ("language", "http"),
    ]


def _properties(about: About) -> str:
    versions = about.versions
    facts: dict[str, Any] = {
        "ehr": about.ehr.name,
        "base": about.ehr.fhir_base,
        "environment": about.ehr.environment.value,
        "us_core": versions.us_core,
        "smart": versions.smart,
        "bulk_data": versions.bulk,
        "run": about.run,
        **about.packages,
    }
    lines = (f"{name}={' '.join(str(value).split())}" for name, value in facts.items())
    return "\n".join(lines) + "\n"


def _write_json(path: Path, value: object) -> None:
    path.write_text(json.dumps(value, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
