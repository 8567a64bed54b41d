"""Each report format, from the same account."""

from __future__ import annotations

import io
import json
import shlex
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

import jsonschema
import pytest
from allure_commons import model2
from hypothesis import given
from hypothesis import strategies as st

from harness.checks.verdict import Check, Verdict, Word
from harness.config.ehr import AuthSpec, EhrFile
from harness.errors import ExitStatus, UsageError
from harness.http.exchange import Exchange, Headers, Request, Response
from harness.reporting import allure, evidence, folders, html, junit, log, summary
from harness.reporting.account import About, Account, FailedAct, completeness
from harness.reporting.curl import curl
from harness.reporting.sweep import sweep, written
from harness.reporting.terminal import Terminal
from harness.spec.regulatory import Versions
from harness.spec.requirements import Requirement

VERSIONS = Versions(us_core="6.1.0", smart="2.0.0", bulk="1.0.1")
NOW = datetime(2026, 11, 21, 7, 0, tzinfo=UTC)
REQUIREMENT = Requirement("smart/x", "smart", "It is <so>.", {"*": "SHALL"}, "https://hl7.org/x")


def sentence() -> None:
    """It SHALL be so."""


def exchange(number: int = 3, body: bytes = b"{}", kind: str = "application/json") -> Exchange:
    headers = Headers((("Authorization", "Bearer t"), ("Accept", "it's")))
    request = Request("POST", "https://ehr.example/token", headers, b"a=b")
    response = Response(200, Headers((("Content-Type", kind),)), body)
    return Exchange(number, "act", request, response, NOW, 0.25)


def verdict(word: Word, name: str = "it", **more: Any) -> Verdict:
    check = Check(
        f"smart/test_x.py::test_{name}", sentence, REQUIREMENT, suite="smart", section="Section"
    )
    reason = "" if word is Word.PASSED else f"because of {name}"
    return Verdict(check, word, **{"level": "SHALL", "reason": reason, **more})


def account(tmp_path: Path, *verdicts: Verdict, **more: Any) -> Account:
    ehr = EhrFile("tiny", "Tiny \x1b[31m", "https://ehr.example/r4", AuthSpec())
    about = About(ehr, VERSIONS, "20261121T070000Z-abc", tmp_path, NOW, "https://ehr.example")
    whole = completeness(verdicts)
    ended = NOW + timedelta(seconds=2)
    return Account(about, verdicts, ended, ExitStatus.OK, whole, **more)


EVERY = tuple(verdict(word, word.value.replace(" ", "_")) for word in Word)


def test_completeness_counts_shalls_only() -> None:
    should = verdict(Word.NOT_CONFIGURED, level="SHOULD")
    assert str(completeness([verdict(Word.PASSED), should])) == "complete: yes"
    assert str(completeness(EVERY)) == (
        "complete: no, 8 of 14 SHALLs not judged: advised 1, error 1, not configured 1, "
        "not permitted 1, not run 1, not supported 1, prerequisite failed 1, unreachable 1"
    )


def test_summary_follows_its_published_schema(tmp_path: Path) -> None:
    whole = account(tmp_path, *EVERY, failed_acts=(FailedAct("a", "r"),), left_behind=("x",))
    summary.write(whole, tmp_path / "summary.json")
    data = json.loads((tmp_path / "summary.json").read_text())
    jsonschema.validate(data, summary.schema())
    assert [each["verdict"] for each in data["verdicts"]] == [word.value for word in Word]
    assert data["counts"] == {word.value: 1 for word in Word}
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate({**data, "version": 2}, summary.schema())


def test_junit_holds_every_verdict_and_only_legal_characters(tmp_path: Path) -> None:
    nasty = verdict(Word.FAILED, reason="a\x00b\x1bc\ud800", expected="\x0b", actual="<&>")
    junit.write(account(tmp_path, nasty, *EVERY), tmp_path / "junit.xml")
    root = ET.parse(tmp_path / "junit.xml").getroot()
    assert len(list(root.iter("testcase"))) == 1 + len(Word)
    assert "\x1b" not in (tmp_path / "junit.xml").read_text()
    numbers = {name: root.get(name) for name in ("tests", "failures", "errors", "skipped")}
    assert numbers == {"tests": "15", "failures": "2", "errors": "2", "skipped": "9"}


def filled(each: Verdict) -> tuple[model2.TestResult, dict[str, str]]:
    files: dict[str, str] = {}
    result = model2.TestResult(uuid="u")
    allure.Filler(lambda content, name: files.update({name: content})).fill(result, each)
    return result, files


def test_an_allure_result_says_what_the_verdict_says() -> None:
    result, files = filled(verdict(Word.FAILED, exchanges=(exchange(),), link="https://l"))
    assert (result.status, result.fullName) == ("failed", "smart/test_x.py::test_it")
    assert result.statusDetails.message == "failed: because of it"
    assert [(each.name, each.url) for each in result.links] == [("smart/x (SHALL)", "https://l")]
    labels = {each.name: each.value for each in result.labels}
    assert labels["severity"] == "critical"
    assert "host" not in labels
    assert "It is &lt;so&gt;." in result.description
    (attachment,) = result.attachments
    assert attachment.name == "3. POST /token -> 200"
    assert "curl -i -X POST" in files[attachment.source]


@pytest.mark.parametrize("each", EVERY, ids=lambda each: each.word.value)
def test_every_word_but_passed_falls_into_one_category(each: Verdict) -> None:
    result, _ = filled(each)
    message = result.statusDetails.message if result.statusDetails else ""
    fitting = [
        name
        for name, statuses, regex in allure.CATEGORIES
        if result.status in statuses and message.startswith(regex.lstrip("^"))
    ]
    assert len(fitting) == (0 if each.word is Word.PASSED else 1)


def test_an_exchange_is_attached_once_and_shown_often() -> None:
    written_files: list[str] = []
    filler = allure.Filler(lambda _, name: written_files.append(name))
    for name in ("one", "two"):
        result = model2.TestResult()
        filler.fill(result, verdict(Word.PASSED, name, exchanges=(exchange(),)))
        assert len(result.attachments) == 1
    assert written_files == ["exchange-00003-attachment.txt"]


@pytest.mark.parametrize(
    ("body", "kind"),
    [
        (b"<html><script>", "text/html"),
        (b"  <script>", "application/json"),
        (b"\x89PNG", "image/png"),
        (b"<svg/>", "image/svg+xml"),
        (b"x", ""),
    ],
)
def test_markup_and_binary_bodies_are_noted_and_not_kept(body: bytes, kind: str) -> None:
    text = evidence.as_text(exchange(body=body, kind=kind))
    assert "not kept, it is markup or binary" in text
    assert body.decode("latin-1").strip() not in text or body == b"x"


@given(st.binary(), st.text())
def test_no_control_character_leaves_the_evidence(body: bytes, path: str) -> None:
    made = exchange(body=body)
    made = replace(made, request=replace(made.request, url=f"https://x/{path}"))
    text = evidence.as_text(made)
    assert not [c for c in text if ord(c) < 32 and c not in "\t\n\r"]
    ET.fromstring(f"<a>{text.translate({38: '', 60: '', 62: ''})}</a>")


@given(st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"])))
def test_curl_lines_survive_a_shell(value: str) -> None:
    request = Request("POST", f"https://x/?{value}", Headers((("X", value),)), value.encode())
    words = shlex.split(curl(request))
    assert words[-1] == f"https://x/?{value}"
    assert f"X: {value}" in words


def test_a_curl_line_offers_old_tls_where_that_was_offered() -> None:
    asked = Request("GET", "https://ehr.example/metadata", old_tls=True)
    assert "--tls-max 1.1" in curl(asked)
    assert "--tls-max" not in curl(Request("GET", "https://ehr.example/metadata"))


def test_a_curl_line_names_the_token_and_does_not_hold_it() -> None:
    line = curl(exchange().request)
    assert '-H "Authorization: Bearer $TOKEN"' in line
    assert "Bearer t'" not in line


def test_the_sweep_finds_a_secret_in_any_disguise(tmp_path: Path) -> None:
    secret = "s3cr/t+va lue"
    clean = tmp_path / "clean.txt"
    clean.write_text("nothing to see")
    hits = {
        "plain": secret,
        "basic": "Basic YXBwOnMzY3IvdCt2YSBsdWU=",
        "url": "s3cr%2Ft%2Bva+lue",
        "json": json.dumps(secret),
    }
    for name, text in hits.items():
        (tmp_path / name).write_text(f"... {text} ...")
    removed = sweep(written(tmp_path), [secret, "short"])
    assert {each.name for each in removed} == set(hits)
    assert list(tmp_path.iterdir()) == [clean]


def test_the_sweep_spares_what_is_public(tmp_path: Path) -> None:
    (tmp_path / "a").write_text("the password grant")
    assert sweep(written(tmp_path), ["password"], public="password grant") == []


def test_the_sweep_spares_a_secret_in_the_url_of_the_base_and_there_alone(tmp_path: Path) -> None:
    base = "https://ehr.example/sim/WyJhcHAiLCJzM2NyM3Qtc2VjcmV0Il0/fhir"
    (tmp_path / "a").write_text(f"GET {base}/Patient")
    assert sweep(written(tmp_path), ["s3cr3t-secret"], public=base) == []
    (tmp_path / "b").write_text("client_secret=s3cr3t-secret")
    assert [each.name for each in sweep(written(tmp_path), ["s3cr3t-secret"], base)] == ["b"]


def test_latest_is_a_relative_link_that_is_swapped(tmp_path: Path) -> None:
    runs = [folders.create(tmp_path, "tiny", f"2026-{number}") for number in (1, 2)]
    for run in runs:
        (run / "summary.json").write_text("{}")
        folders.point_latest(run)
    latest = tmp_path / "tiny" / "latest"
    assert str(latest.readlink()) == "2026-2"
    assert sorted(each.name for each in latest.parent.iterdir()) == ["2026-1", "2026-2", "latest"]
    for name in ("tiny", "tiny/2026-2", "2026-2", None, str(runs[1])):
        assert folders.find(name, str(tmp_path)) == runs[1]
    with pytest.raises(UsageError, match="no run 'other'"):
        folders.find("other", str(tmp_path))


def test_latest_is_a_file_where_links_fail(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise OSError

    monkeypatch.setattr(Path, "symlink_to", refuse)
    run = folders.create(tmp_path, "tiny", "2026-1")
    (run / "summary.json").write_text("{}")
    folders.point_latest(run)
    assert (tmp_path / "tiny" / "latest").read_text() == "2026-1\n"
    assert folders.find("tiny", str(tmp_path)) == run


def test_html_is_written_by_allure(tmp_path: Path) -> None:
    (tmp_path / "allure-results").mkdir()
    asked: list[Any] = []

    def run(command: Any, folder: Path) -> tuple[int, str]:
        asked.append((command, folder))
        (folder / "allure-report").mkdir()
        (folder / "allure-report" / "index.html").write_text("x")
        return 0, ""

    page = html.generate(tmp_path, find=lambda _: "/bin/npx", run=run)
    assert page == tmp_path / "allure-report" / "index.html"
    assert asked[0][0][:4] == ["/bin/npx", "--yes", "allure@3", "generate"]
    with pytest.raises(html.ReportFailed, match="no network"):
        html.generate(tmp_path, find=lambda _: "npx", run=lambda *_: (1, "no network"))
    with pytest.raises(UsageError, match=r"needs Node\.js"):
        html.generate(tmp_path, find=lambda _: None)
    with pytest.raises(UsageError, match="no Allure results"):
        html.generate(tmp_path / "allure-results")


def test_the_log_has_one_line_for_each_thing(tmp_path: Path) -> None:
    whole = account(tmp_path, verdict(Word.FAILED, reason="two\nlines\x1b"))
    log.write(whole, [exchange()], tmp_path / "run.log")
    lines = (tmp_path / "run.log").read_text().splitlines()
    assert any(
        each.startswith("verdict smart/test_x.py::test_it failed: two lines") for each in lines
    )
    assert "\x1b" not in "".join(lines)


def test_no_control_character_of_an_ehr_file_reaches_the_terminal(tmp_path: Path) -> None:
    out = io.StringIO()
    terminal = Terminal(out)
    whole = account(tmp_path, *EVERY)
    terminal.header(whole.about, [each.check for each in whole.verdicts])
    terminal.summary(whole)
    assert "\x1b" not in out.getvalue()
    assert out.getvalue().strip().endswith(str(whole.completeness))


def test_what_differs_by_its_parameter_alone_is_told_once_with_every_parameter(
    tmp_path: Path,
) -> None:
    same = {"expected": "status 201", "actual": "status 200"}
    failed = [verdict(Word.FAILED, f"create[{each}]", **same) for each in ("weight", "steps")]
    other = verdict(Word.FAILED, "create[sleep]", expected="status 201", actual="status 202")
    reason = "expected: status 400 | actual: status 201"
    advised = [verdict(Word.ADVISED, f"odd[{each}]", reason=reason) for each in ("no-code", "two")]
    stream = io.StringIO()
    Terminal(stream, color=False).summary(account(tmp_path, *failed, other, *advised))
    told = stream.getvalue()
    assert "failed (3)" in told
    assert "test_create[weight]\n   and       [steps]\n" in told
    assert "2. It SHALL be so.\n   check     smart/test_x.py::test_create[sleep]\n" in told
    assert told.count(reason) == 1
    assert "     smart/test_x.py::test_odd[no-code], [two]\n" in told


def test_a_fact_of_a_passing_check_stands_in_every_report(tmp_path: Path) -> None:
    told = verdict(Word.PASSED, facts=("usable rate: 50 <requests> a second",))
    whole = account(tmp_path, told)
    junit.write(whole, tmp_path / "junit.xml")
    log.write(whole, [], tmp_path / "run.log")
    stream = io.StringIO()
    Terminal(stream, color=False).summary(whole)
    result, _ = filled(told)
    (property_,) = ET.parse(tmp_path / "junit.xml").getroot().iterfind(".//property[@name='fact']")
    assert summary.summary(whole)["verdicts"][0]["facts"] == [*told.facts]
    assert property_.get("value") == told.facts[0]
    assert f"fact smart/test_x.py::test_it {told.facts[0]}" in (tmp_path / "run.log").read_text()
    assert f"facts (1)\n   {told.facts[0]}" in stream.getvalue()
    assert "Fact: usable rate: 50 &lt;requests&gt; a second" in result.description
    jsonschema.validate(summary.summary(whole), summary.schema())
