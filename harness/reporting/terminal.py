"""What a person sees: header, sections, failures, totals. The one importer of rich."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from contextlib import suppress
from typing import TextIO

from rich.console import Console
from rich.text import Text

from harness.checks.verdict import ERRORS, SKIPS, Check, Verdict, Word
from harness.errors import ExitStatus
from harness.reporting.account import About, Account
from harness.reporting.alike import alike, others
from harness.reporting.curl import curl
from harness.reporting.evidence import printable

STYLES = {
    Word.PASSED: "green",
    Word.FAILED: "bold red",
    Word.ADVISED: "yellow",
    Word.KNOWN_DEVIATION: "magenta",
    Word.NOW_PASSING: "bold magenta",
    Word.ATTESTED: "cyan",
    Word.ERROR: "bold red",
    Word.UNREACHABLE: "bold red",
    Word.NOT_RUN: "dim",
}
_MANY = 10
_LABEL = 11


class _Console(Console):
    """Falls silent when its reader goes away, as `| head` does; the run goes on to its reports."""

    def on_broken_pipe(self) -> None:
        """Send what is left to nowhere, without rich's exit."""
        with suppress(SystemExit):
            super().on_broken_pipe()


class Terminal:
    """Prints to one stream.

    Args:
        file: where to.
        color: False never colours; None leaves it to the stream and to NO_COLOR.
    """

    def __init__(self, file: TextIO, *, color: bool | None = None) -> None:
        self._console = _Console(
            file=file,
            force_terminal=color or None,
            no_color=True if color is False else None,
            highlight=False,
            markup=False,
            emoji=False,
            soft_wrap=True,
        )
        self._passing = 0

    @property
    def live(self) -> bool:
        """Whether a passing line may be shown and wiped."""
        return self._console.is_terminal

    def line(self, *parts: str | tuple[str, str]) -> None:
        """One line of plain and styled parts; nothing in them moves the cursor."""
        self.wipe()
        clean = [
            printable(each) if isinstance(each, str) else (printable(each[0]), each[1])
            for each in parts
        ]
        self._console.print(Text.assemble(*clean), soft_wrap=True)

    def passing(self, text: str) -> None:
        """A line that the next one replaces; nothing where the stream is no terminal."""
        if not self.live:
            return
        shown = printable(text)[: max(10, self._console.width - 1)]
        self._console.file.write(f"\r{shown.ljust(self._passing)}")
        self._console.file.flush()
        self._passing = len(shown)

    def wipe(self) -> None:
        """Remove the passing line."""
        if self._passing:
            self._console.file.write(f"\r{' ' * self._passing}\r")
            self._passing = 0

    def header(self, about: About, checks: Sequence[Check]) -> None:
        """Who is judged, by what, and where it will be told."""
        ehr, versions = about.ehr, about.versions
        # Who gets secrets is said first, so that a wrong URL is seen before anything is sent.
        self._pair("secrets to", about.endpoints)
        self._pair("EHR", f"{ehr.name} ({ehr.title})" if ehr.title != ehr.name else ehr.name)
        self._pair("base", ehr.fhir_base)
        spoken = f"US Core {versions.us_core}, SMART {versions.smart}, Bulk Data {versions.bulk}"
        self._pair("versions", spoken)
        kinds = f"{ehr.environment.value}, {ehr.data.value} data"
        permits = ", ".join(sorted(each.value for each in ehr.permit)) or "reading only"
        self._pair("permitted", f"{permits} ({kinds})")
        if about.replayed:
            self._pair("replay of", about.replayed)
        self._pair("reports", str(about.folder))
        self._pair("checks", str(len(checks)))
        self.line()

    def section(self, name: str, verdicts: Sequence[Verdict], done: int, total: int) -> None:
        """One line for the verdicts of a file of checks."""
        said = Counter(each.word for each in verdicts)
        parts: list[str | tuple[str, str]] = [(f"[{done:>{len(str(total))}}/{total}] ", "dim")]
        parts.append(f"{name}: ")
        for position, word in enumerate(word for word in Word if said[word]):
            parts += [", "] if position else []
            parts.append((f"{said[word]} {word}", STYLES.get(word, "")))
        self.line(*parts)

    def verdict(self, verdict: Verdict) -> None:
        """One line for one verdict, as `-v` asks for."""
        word = (f"{verdict.word:<19} ", STYLES.get(verdict.word, ""))
        reason = f" ({verdict.reason})" if verdict.reason else ""
        self.line(word, verdict.check.id, (reason, "dim"))

    def summary(self, account: Account) -> None:
        """Failures, advice, skips, totals; the last line says whether the run is complete."""
        said = account.verdicts
        if account.cut_off and all(each.word is Word.NOT_RUN for each in said):
            self.totals(account)
            return
        self._misses("failed", [each for each in said if each.word is Word.FAILED])
        self._misses("errors", [each for each in said if each.word in ERRORS])
        self._acts(account)
        self._list("advised", [each for each in said if each.word is Word.ADVISED])
        self._list("now passing", [each for each in said if each.word is Word.NOW_PASSING])
        self._list("known deviations", [each for each in said if each.word is Word.KNOWN_DEVIATION])
        self._skips(said)
        self._lines("facts", [line for each in said for line in each.facts])
        self._lines("left behind on the server", account.left_behind)
        self._lines("defects of the harness", account.defects)
        self.totals(account)

    def _pair(self, name: str, value: str) -> None:
        self.line((f"{name:<{_LABEL}}", "bold"), value)

    def _title(self, text: str) -> None:
        self.line()
        self.line((text, "bold"))

    def _misses(self, title: str, verdicts: Sequence[Verdict]) -> None:
        if not verdicts:
            return
        self._title(f"{title} ({len(verdicts)})")
        for number, group in enumerate(alike(verdicts), 1):
            self.line()
            self.line((f"{number}. {group[0].check.title}", STYLES.get(group[0].word, "")))
            self._detail(group[0], others(group))

    def _detail(self, verdict: Verdict, more: str) -> None:
        requirement = verdict.check.requirement
        touched = verdict.exchanges or verdict.standing_on
        numbers = ", ".join(str(each.number) for each in touched[-5:])
        self._fact("check", verdict.check.id)
        self._fact("and", more)
        self._fact("requires", f"{requirement.text} [{verdict.level}, {requirement.id}]")
        self._fact("", verdict.link)
        if verdict.expected is None:
            self._fact("reason", verdict.reason)
        else:
            self._fact("expected", verdict.expected)
            self._fact("actual", verdict.actual or "")
        where = verdict.where or (touched[-1].where if touched else "")
        self._fact("where", f"{where}, exchange {numbers}" if numbers else where)
        if touched and not touched[-1].arrived:
            self._fact("again", curl(touched[-1].request))
        if verdict.detail:
            for line in verdict.detail.rstrip().splitlines():
                self.line((f"     {line}", "dim"))

    def _fact(self, name: str, value: str) -> None:
        if value:
            self.line((f"   {name:<9} ", "dim"), value)

    def _acts(self, account: Account) -> None:
        shown = {each.root for each in account.verdicts if each.word in ERRORS}
        failed = [each for each in account.failed_acts if each.name not in shown]
        if not failed:
            return
        self._title(f"acts that could not go on ({len(failed)})")
        for each in failed:
            self.line(f"   {each.name}: {each.reason}")
            for line in (each.detail or "").rstrip().splitlines():
                self.line((f"     {line}", "dim"))

    def _list(self, title: str, verdicts: Sequence[Verdict]) -> None:
        if not verdicts:
            return
        self._title(f"{title} ({len(verdicts)})")
        groups = alike(verdicts)
        for group in groups[:_MANY]:
            first, more = group[0], others(group)
            level = f"{first.level}, " if first.level else ""
            self.line(f"   {first.check.title} [{level}{first.check.requirement.id}]")
            self.line((f"     {first.reason}", "dim"))
            self.line((f"     {first.check.id}{', ' if more else ''}{more}", "dim"))
        left = sum(len(group) for group in groups[_MANY:])
        if left:
            self.line(f"   and {left} more, see summary.json")

    def _skips(self, verdicts: Iterable[Verdict]) -> None:
        grouped = Counter(
            (each.word, each.reason)
            for each in verdicts
            if each.word in {*SKIPS, Word.NOT_RUN, Word.ATTESTED}
        )
        if not grouped:
            return
        self._title(f"not judged ({sum(grouped.values())})")
        for (word, reason), count in grouped.most_common(_MANY * 2):
            self.line(f"   {count:>4} {word}: {reason}")
        if len(grouped) > _MANY * 2:
            self.line(f"        and {len(grouped) - _MANY * 2} more reasons, see summary.json")

    def _lines(self, title: str, lines: Sequence[str]) -> None:
        if not lines:
            return
        self._title(f"{title} ({len(lines)})")
        for each in lines:
            self.line(f"   {each}")

    def totals(self, account: Account) -> None:
        """Totals, duration, where the reports are, and whether the run is complete."""
        self.line()
        if account.cut_off:
            self.line((account.cut_off, "bold red"))
        parts: list[str | tuple[str, str]] = []
        for name, count in account.counts.items():
            parts += [", "] if parts else []
            parts.append((f"{count} {name}", STYLES.get(Word(name), "")))
        deselected = f", {account.deselected} not selected" if account.deselected else ""
        self.line(*(parts or ["nothing was judged"]), f"{deselected} in {account.seconds:.1f} s")
        self._pair("reports", str(account.about.folder))
        if account.status not in {ExitStatus.OK, ExitStatus.NOT_CONFORMANT}:
            name = account.status.name.lower().replace("_", " ")
            self._pair("status", f"{account.status.value} ({name})")
        self.line(str(account.completeness))
