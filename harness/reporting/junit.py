"""JUnit XML from verdicts, one test suite per file of checks."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby
from pathlib import Path
from xml.etree.ElementTree import Element, ElementTree, SubElement, indent

from harness.checks.verdict import ERRORS, PASSES, Verdict, Word
from harness.reporting.account import Account
from harness.reporting.evidence import printable, title


def write(account: Account, path: Path) -> None:
    """Write the XML; it appears under its name only when complete."""
    root = document(account)
    indent(root)
    unfinished = path.with_name(f".{path.name}")
    ElementTree(root).write(unfinished, encoding="utf-8", xml_declaration=True)
    unfinished.replace(path)


def document(account: Account) -> Element:
    """The account as a `testsuites` element."""
    root = Element("testsuites", _numbers(account.verdicts) | {"name": account.about.ehr.name})
    by_file = sorted(account.verdicts, key=_file)
    for name, group in groupby(by_file, key=_file):
        verdicts = list(group)
        suite = SubElement(root, "testsuite", _numbers(verdicts) | {"name": name})
        suite.set("timestamp", account.about.started_at.isoformat())
        for each in verdicts:
            _case(suite, each)
    return root


def _case(suite: Element, verdict: Verdict) -> None:
    check = verdict.check
    case = SubElement(
        suite,
        "testcase",
        {
            "name": printable(check.id),
            "classname": _file(verdict).removesuffix(".py").replace("/", "."),
            "time": f"{verdict.seconds:.3f}",
        },
    )
    properties = SubElement(case, "properties")
    said = {
        "requirement": check.requirement.id,
        "level": verdict.level or "none",
        "verdict": verdict.word.value,
    }
    for name, value in said.items():
        SubElement(properties, "property", {"name": name, "value": value})
    for each in verdict.facts:
        SubElement(properties, "property", {"name": "fact", "value": printable(each)})
    if verdict.word not in PASSES:
        _outcome(case, verdict)


def _outcome(case: Element, verdict: Verdict) -> None:
    reason = printable(verdict.reason)
    if verdict.word is Word.FAILED:
        kind, message = "failure", reason
    elif verdict.word in ERRORS:
        kind, message = "error", f"{verdict.word}: {reason}"
    else:
        SubElement(case, "skipped", {"message": f"{verdict.word}: {reason}"})
        return
    element = SubElement(case, kind, {"message": message, "type": verdict.word.value})
    facts = [
        f"{verdict.check.requirement.text} ({verdict.level}) {verdict.link}",
        f"expected: {verdict.expected}" if verdict.expected else "",
        f"actual: {verdict.actual}" if verdict.actual else "",
        *(title(each) for each in verdict.exchanges),
        verdict.detail or "",
    ]
    element.text = printable("\n".join(each for each in facts if each))


def _numbers(verdicts: Sequence[Verdict]) -> dict[str, str]:
    failures = sum(each.word is Word.FAILED for each in verdicts)
    errors = sum(each.word in ERRORS for each in verdicts)
    passed = sum(each.word in PASSES for each in verdicts)
    return {
        "tests": str(len(verdicts)),
        "failures": str(failures),
        "errors": str(errors),
        "skipped": str(len(verdicts) - failures - errors - passed),
        "time": f"{sum(each.seconds for each in verdicts):.3f}",
    }


def _file(verdict: Verdict) -> str:
    return verdict.check.id.partition("::")[0]
