"""Files of an export that are elsewhere, expire, break off, or hold what they should not."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from harness.http.exchange import Headers, Request, Response
from harness.http.transport import NoAnswerError
from harness.reference.process import Running
from harness.sync.model import RunStatus
from harness.tests.chaos.bulk import is_file, is_poll, jobs, trial
from harness.tests.chaos.wire import (
    Harm,
    Sent,
    Trial,
    alter,
    answer,
    cut_body,
    lose_answer,
    made,
    no_answer,
    with_body,
)

NDJSON = "application/fhir+ndjson"


def complete(of: Trial, *harms: Harm) -> None:
    account = of.sync(*harms)
    assert account.status is RunStatus.COMPLETE, account.lines()
    assert of.stored() == of.truth()
    assert jobs(of) == []


def incomplete(of: Trial, reason: str, *harms: Harm) -> None:
    """What is missing is named, the EHR is told to forget, and the next run has everything."""
    account = of.sync(*harms)
    assert account.status is RunStatus.INCOMPLETE, account.lines()
    assert reason in "\n".join(each.reason for each in account.missing)
    assert jobs(of) == []
    of.advance(600)
    complete(of)


def a_file(type_: str) -> Callable[[Request], bool]:
    """Whether a file of a type is asked for."""
    return lambda request: is_file(request) and f"/{type_}-" in request.url


def manifest(change: Callable[[dict[str, Any]], None]) -> Harm:
    """The manifest, altered."""

    def altered(response: Response) -> Response:
        if response.status != 200:
            return response
        value = json.loads(response.body)
        change(value)
        return replace(response, body=json.dumps(value).encode())

    return Harm(alter(altered), on=is_poll)


def files(of: Trial) -> list[Request]:
    return [each for each in of.chaos.asked if is_file(each)]


def bearers(of: Trial) -> set[bool]:
    return {"Authorization" in each.headers for each in files(of)}


# -- where files are


def test_signed_links_elsewhere_are_asked_for_without_a_token(
    tmp_path: Path, reference: Running
) -> None:
    """The storage answers 400 to whoever sends one."""
    of = trial(tmp_path, reference, "bulk-presigned", bulk={"presigned": True})
    complete(of)
    assert bearers(of) == {False}
    assert {urlsplit(each.url).netloc for each in files(of)} != {
        urlsplit(of.chaos.asked[0].url).netloc
    }


def test_a_token_stays_at_home_though_the_manifest_demands_it_elsewhere(
    tmp_path: Path, reference: Running
) -> None:
    of = trial(tmp_path, reference, "bulk-demanding", bulk={"presigned": True})
    complete(of, manifest(lambda value: value.update(requiresAccessToken=True)))
    assert bearers(of) == {False}


def test_a_redirect_to_storage_leaves_the_token_behind(tmp_path: Path, reference: Running) -> None:
    of = trial(tmp_path, reference, "bulk-redirect", bulk={"presigned": True})
    there: dict[str, str] = {}

    def at_home(value: dict[str, Any]) -> None:
        value["requiresAccessToken"] = True
        for number, file in enumerate(value["output"]):
            home = f"/i/{of.instance}/r4/redirected/{number}.ndjson"
            there[home] = file["url"]
            file["url"] = home

    async def redirect(sent: Sent) -> Any:
        place = there.get(urlsplit(sent.request.url).path)
        if place is None:
            return await sent.on()
        return sent.answered(made(307, Location=place))

    complete(of, manifest(at_home), Harm(redirect, on=is_file))
    by_place = {"/redirected/" in e.url: "Authorization" in e.headers for e in files(of)}
    assert by_place == {True: True, False: False}


@pytest.mark.parametrize(
    "url", ["http://169.254.169.254/latest/meta-data", "file:///etc/passwd", "gopher://x/", ""]
)
def test_files_are_fetched_from_the_web_alone(tmp_path: Path, reference: Running, url: str) -> None:
    of = trial(tmp_path, reference, f"bulk-{urlsplit(url).scheme or 'no-place'}")

    def astray(value: dict[str, Any]) -> None:
        value["output"][0]["url"] = url

    if url.startswith("http:"):
        # From a base on loopback any host may be named; what is not there does not answer.
        lost = Harm(no_answer(), on=lambda request: "169.254" in request.url)
        account = of.sync(manifest(astray), lost)
    else:
        account = of.sync(manifest(astray))
    assert account.status is not RunStatus.COMPLETE
    assert account.missing
    of.advance(600)
    complete_later(of)


def complete_later(of: Trial) -> None:
    """In at most so many runs as leave a file behind before it is given up."""
    for _ in range(4):
        account = of.sync()
        if account.status is RunStatus.COMPLETE:
            break
        of.advance(600)
    assert of.stored() == of.truth()


# -- links that expire


def test_links_that_expired_are_renewed_by_the_manifest(tmp_path: Path, reference: Running) -> None:
    of = trial(tmp_path, reference, "bulk-expired", bulk={"presigned": True, "link_seconds": 60})
    waited: list[int] = []

    async def late(sent: Sent) -> Any:
        if not waited:
            waited.append(1)
            of.advance(3600)
        return await sent.on()

    complete(of, Harm(late, on=is_file))
    statuses = [status for request, status in of.chaos.answers if is_file(request)]
    assert statuses.count(200) == 2
    assert set(statuses) <= {200, 403, 404, 410}
    assert len(statuses) > 2
    assert len(of.chaos.urls("/$export")) == 1


def test_files_that_are_gone_for_good_are_exported_anew(tmp_path: Path, reference: Running) -> None:
    of = trial(tmp_path, reference, "bulk-vanished", bulk={"expiry": 3600})
    waited: list[int] = []

    async def late(sent: Sent) -> Any:
        if not waited:
            waited.append(1)
            of.advance(2 * 3600)
        return await sent.on()

    complete(of, Harm(late, on=is_file))
    assert len(of.chaos.urls("/$export")) == 2


# -- error files, and no files


def outcome(severity: str, code: str = "processing") -> bytes:
    issue = {"severity": severity, "code": code, "diagnostics": "Jane Doe"}
    return json.dumps({"resourceType": "OperationOutcome", "issue": [issue]}).encode() + b"\n"


def with_errors(of: Trial, body: bytes, *, empty: bool = False) -> tuple[Harm, Harm]:
    """An export with a file of errors, and perhaps nothing else."""
    place = f"/i/{of.instance}/r4/errors.ndjson"

    def change(value: dict[str, Any]) -> None:
        value["error"] = [{"type": "OperationOutcome", "url": place}]
        if empty:
            value["output"] = []

    there = Harm(answer(200, body, NDJSON), on=lambda request: place in request.url)
    return manifest(change), there


@pytest.mark.parametrize("severity", ["information", "warning"])
def test_remarks_of_the_ehr_are_told(tmp_path: Path, reference: Running, severity: str) -> None:
    of = trial(tmp_path, reference, f"bulk-remark-{severity}")
    account = of.sync(*with_errors(of, outcome(severity)))
    assert account.status is RunStatus.COMPLETE
    assert account.notes[f"export: {severity} processing"] == 1
    assert of.stored() == of.truth()
    assert "Jane Doe" not in json.dumps(account.as_json())


@pytest.mark.parametrize("empty", [False, True])
@pytest.mark.parametrize("severity", ["error", "fatal"])
def test_errors_of_the_ehr_make_a_success_none(
    tmp_path: Path, reference: Running, severity: str, empty: Any
) -> None:
    of = trial(tmp_path, reference, f"bulk-errors-{severity}-{empty}".lower())
    harms = with_errors(of, outcome(severity), empty=empty)
    incomplete(of, f"the EHR reports {severity} processing", *harms)


def test_an_export_without_anything_is_complete_where_nothing_changed(
    tmp_path: Path, reference: Running
) -> None:
    of = trial(tmp_path, reference, "bulk-nothing")
    complete(of)
    of.advance(3600)
    of.sync()
    of.advance(3600)
    account = of.sync()
    assert account.status is RunStatus.COMPLETE
    assert account.by_type == {}


# -- many files


def test_very_many_small_files_are_loaded_and_gone_on_with_one_by_one(
    tmp_path: Path, reference: Running
) -> None:
    of = trial(tmp_path, reference, "bulk-tiny", bulk={"file_size": 15})
    account = of.sync(Harm(no_answer(), on=is_file, after=60))
    assert account.status is RunStatus.INCOMPLETE
    loaded = {each.url for each, status in of.chaos.answers if is_file(each) and status == 200}
    assert len(loaded) == 60
    of.advance(600)
    complete(of)
    rest = [each.url for each in files(of)]
    assert len(rest) > 150
    assert loaded.isdisjoint(rest), "what was loaded is not fetched again"
    assert of.chaos.urls("/$export") == []


def test_a_manifest_of_many_pages_is_read_to_its_end(tmp_path: Path, reference: Running) -> None:
    of = trial(tmp_path, reference, "bulk-paged", bulk={"file_size": 500, "page_size": 2})
    complete(of)
    assert len(files(of)) > 6


def test_a_page_of_the_manifest_that_cannot_be_read_hides_no_file(
    tmp_path: Path, reference: Running
) -> None:
    of = trial(tmp_path, reference, "bulk-page-lost", bulk={"file_size": 500, "page_size": 2})
    account = of.sync(Harm(answer(500, b""), on=is_poll, after=1))
    assert account.status is not RunStatus.COMPLETE
    complete(of)


# -- what is wrong inside


@pytest.mark.parametrize("harm", [cut_body(), cut_body(0.99), lose_answer()])
def test_a_file_that_breaks_off_is_fetched_again(
    tmp_path: Path, reference: Running, harm: Any, request: pytest.FixtureRequest
) -> None:
    of = trial(tmp_path, reference, f"bulk-cut-{abs(hash(request.node.name)) % 10**6}")
    complete(of, Harm(harm, on=a_file("Observation"), times=1))
    assert len(files(of)) == 3


def test_a_download_may_break_off_however_long_the_run_has_lasted(
    tmp_path: Path, reference: Running
) -> None:
    of = trial(tmp_path, reference, "bulk-late", spec="wait_seconds = 60")
    struck: list[int] = []

    async def late(sent: Sent) -> Any:
        if not struck:
            struck.append(1)
            of.advance(600)
            raise NoAnswerError("protocol", "the connection was reset")
        return await sent.on()

    complete(of, Harm(late, on=is_file))


def test_a_file_that_is_cut_each_time_is_named_and_comes_with_the_next_run(
    tmp_path: Path, reference: Running
) -> None:
    of = trial(tmp_path, reference, "bulk-cut-always")
    incomplete(of, "is cut off", Harm(cut_body(), on=a_file("Observation")))


def decorated(body: bytes) -> bytes:
    """A byte order mark, CRLF, blank lines, and no line end at the end."""
    lines = body.rstrip(b"\n").split(b"\n")
    return b"\xef\xbb\xbf" + b"\r\n\r\n".join(lines)


def test_line_ends_marks_and_blanks_of_all_kinds_are_read(
    tmp_path: Path, reference: Running
) -> None:
    of = trial(tmp_path, reference, "bulk-decorated")
    complete(of, Harm(with_body(decorated), on=is_file))
    assert len(files(of)) == 2


def test_a_line_that_is_no_json_is_named_and_hides_no_other(
    tmp_path: Path, reference: Running
) -> None:
    of = trial(tmp_path, reference, "bulk-garbage")

    def garbage(body: bytes) -> bytes:
        first, rest = body.split(b"\n", 1)
        return first + b'\n{"resourceType": NaN\n' + rest

    account = of.sync(Harm(with_body(garbage), on=a_file("Observation")))
    assert [each.reason for each in account.missing] == ["1 line: is no JSON (first at line 2)"]
    assert of.stored() == of.truth(), "the lines around it are stored"
    of.advance(600)
    complete(of)


def test_a_resource_that_is_too_long_is_named_and_comes_once_it_may(
    tmp_path: Path, reference: Running
) -> None:
    of = trial(tmp_path, reference, "bulk-long", spec="max_line_mb = 1")
    of.observe(of.patients[0], "long", note=[{"text": "x" * (2 << 20)}])
    account = of.sync()
    assert account.status is RunStatus.INCOMPLETE
    assert "1 line: is too long (2 MB)" in "\n".join(each.reason for each in account.missing)
    truth = of.truth()
    assert of.stored() == {each: truth[each] for each in truth if each[1] != "long"}
    file = of.site.folder / "limited.toml"
    file.write_text(file.read_text().replace("max_line_mb = 1", "max_line_mb = 8"))
    complete(of)


def test_a_file_that_the_ehr_could_not_make_is_left_for_the_next_run(
    tmp_path: Path, reference: Running
) -> None:
    of = trial(tmp_path, reference, "bulk-file-500")
    account = of.sync(Harm(answer(500, b"out of memory"), on=a_file("Observation")))
    assert account.status is RunStatus.INCOMPLETE
    assert "file 2 could not be fetched: status 500" in str(account.reason)
    complete(of)
    assert of.chaos.urls("/$export") == []


def test_a_file_that_no_run_gets_does_not_hold_the_export_for_ever(
    tmp_path: Path, reference: Running
) -> None:
    of = trial(tmp_path, reference, "bulk-file-never", bulk={"one_at_a_time": True})
    for _ in range(3):
        account = of.sync(Harm(answer(500, b""), on=a_file("Observation")))
        assert account.status is not RunStatus.COMPLETE
        assert account.missing
    assert jobs(of) == []
    complete(of)


def counted(by: int) -> Harm:
    def change(value: dict[str, Any]) -> None:
        for file in value["output"]:
            file["count"] += by

    return manifest(change)


def test_fewer_lines_than_promised_are_missed(tmp_path: Path, reference: Running) -> None:
    of = trial(tmp_path, reference, "bulk-fewer")
    incomplete(of, "holds 6 of 7 lines", counted(1))


def test_more_lines_than_promised_are_remarked(tmp_path: Path, reference: Running) -> None:
    of = trial(tmp_path, reference, "bulk-more")
    account = of.sync(counted(-1))
    assert account.status is RunStatus.COMPLETE
    assert account.notes["Patient: has more lines than its manifest says"] == 1
    assert of.stored() == of.truth()


def test_what_comes_twice_or_in_the_wrong_file_is_stored_once(
    tmp_path: Path, reference: Running
) -> None:
    of = trial(tmp_path, reference, "bulk-twice")

    def wrong(value: dict[str, Any]) -> None:
        for file in value["output"]:
            file.pop("count")
            file["type"] = "Observation"

    twice = Harm(with_body(lambda body: body + body), on=is_file)
    account = of.sync(manifest(wrong), twice)
    assert account.status is RunStatus.COMPLETE, account.lines()
    assert account.notes["Patient: came in a file of Observation"] == 12
    assert account.by_type["Patient"].new == account.by_type["Patient"].unchanged == 6
    assert of.stored() == of.truth()


def test_a_media_type_that_is_refused_is_asked_for_otherwise(
    tmp_path: Path, reference: Running
) -> None:
    of = trial(tmp_path, reference, "bulk-406")

    def picky(request: Request) -> bool:
        return is_file(request) and request.headers.get("Accept") == NDJSON

    async def takes_what_comes(sent: Sent) -> Any:
        fields = tuple(each for each in sent.request.headers if each[0] != "Accept")
        return await sent.forward(replace(sent.request, headers=Headers(fields)))

    harms = Harm(answer(406, b""), on=picky), Harm(takes_what_comes, on=is_file)
    complete(of, *harms)
    status = Harm(answer(406, b""), on=is_poll, times=1)
    of.advance(600)
    of.observe(of.patients[0], "later")
    complete(of, status)
