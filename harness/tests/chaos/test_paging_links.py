"""Next links as servers give them: relative, elsewhere, too long, in a circle, or none at all."""

from __future__ import annotations

import json
from pathlib import Path
from urllib.parse import parse_qsl, urlencode, urlsplit

import pytest

from harness.http.transport import Answer
from harness.reference.process import Running
from harness.sync.account import Account
from harness.sync.model import RunStatus
from harness.tests.chaos.wire import (
    Harm,
    Sent,
    Trial,
    answer,
    ask_otherwise,
    is_next_page,
    made,
    outcome,
    search,
    with_json,
    with_next,
)

CONDITIONS = search("Condition")
FOREIGN = "https://evil.example/r4?_page=2"


def complete(trial: Trial, account: Account) -> bool:
    """Whether a run has everything and says so."""
    assert account.status is RunStatus.COMPLETE, account.lines()
    assert trial.stored() == trial.truth()
    return True


def incomplete(trial: Trial, account: Account, reason: str) -> bool:
    """Whether a run says what is missing, and the next one without harm fetches it."""
    assert account.exit_status != 0
    assert account.missing
    assert all(reason in each.reason for each in account.missing), account.lines()
    assert trial.stored() != trial.truth()
    return complete(trial, trial.sync())


def test_every_page_is_asked_for_with_the_token(tmp_path: Path, reference: Running) -> None:
    trial = Trial.small(tmp_path, reference, "paging-signed")
    assert complete(trial, trial.sync())
    further = [each for each in trial.chaos.asked if is_next_page(each)]
    assert len(further) == 4
    assert all("Authorization" in each.headers for each in further)


@pytest.mark.parametrize("link", [FOREIGN, "http://127.0.0.1:1/r4?_page=2"])
def test_no_token_follows_a_link_to_another_origin(
    tmp_path: Path, reference: Running, link: str
) -> None:
    trial = Trial.small(tmp_path, reference, f"paging-foreign-{len(link)}")
    account = trial.sync(Harm(with_next(lambda _: link), on=CONDITIONS))
    home = urlsplit(trial.chaos.asked[0].url).netloc
    assert {urlsplit(each.url).netloc for each in trial.chaos.asked} == {home}
    assert incomplete(trial, account, "an access token goes to")


def test_links_to_a_base_that_the_file_names_are_asked_at_home(
    tmp_path: Path, reference: Running
) -> None:
    ehr = '[sync]\nlink_bases = ["http://internal:8080/fhir/"]'
    trial = Trial.small(tmp_path, reference, "paging-proxied", ehr=ehr)
    behind = Harm(
        with_next(lambda link: link.replace(trial.base, "http://internal:8080/fhir")),
        on=lambda request: CONDITIONS(request) or is_next_page(request),
    )
    assert complete(trial, trial.sync(behind))
    assert behind.struck == 6
    home = urlsplit(trial.base).netloc
    assert {urlsplit(each.url).netloc for each in trial.chaos.asked} == {home}


def test_relative_links_are_followed(tmp_path: Path, reference: Running) -> None:
    trial = Trial.small(tmp_path, reference, "paging-relative")

    def relative(link: str) -> str:
        parts = urlsplit(link)
        return f"{parts.path}?{parts.query}"

    harm = Harm(with_next(relative))
    harm.on = CONDITIONS
    assert complete(trial, trial.sync(harm, Harm(with_next(relative), on=is_next_page)))


def test_a_link_that_the_server_finds_too_long_is_said(tmp_path: Path, reference: Running) -> None:
    trial = Trial.small(tmp_path, reference, "paging-long")
    account = trial.sync(Harm(answer(414, outcome("error", "too-long")), on=is_next_page))
    assert incomplete(trial, account, "status 414: error too-long")


def test_an_empty_last_page_that_links_to_itself_is_the_end(
    tmp_path: Path, reference: Running
) -> None:
    trial = Trial.small(tmp_path, reference, "paging-phantom")

    async def phantom(sent: Sent) -> Answer:
        if "_phantom=1" not in sent.request.url:
            return await sent.on()
        links = [{"relation": "next", "url": sent.request.url}]
        empty = {"resourceType": "Bundle", "type": "searchset", "link": links}
        return sent.answered(made(200, empty))

    def lead_on(bundle: dict[str, object]) -> None:
        links = bundle["link"]
        assert isinstance(links, list)
        if not any(link["relation"] == "next" for link in links):
            here = next(link["url"] for link in links if link["relation"] == "self")
            links.append({"relation": "next", "url": f"{here}&_phantom=1&_page=x"})

    account = trial.sync(
        Harm(phantom, on=lambda request: "_phantom" in request.url),
        Harm(with_json(lead_on), on=is_next_page),
    )
    assert complete(trial, account)
    assert len(trial.chaos.urls("_phantom")) == 2, "once for each patient"


def test_a_page_may_hold_more_or_less_than_was_asked_for(
    tmp_path: Path, reference: Running
) -> None:
    trial = Trial.small(tmp_path, reference, "paging-larger")
    more = Harm(ask_otherwise(lambda url: url.replace("_count=3", "_count=50")), on=CONDITIONS)
    assert complete(trial, trial.sync(more))
    other = Trial.small(tmp_path / "other", reference, "paging-smaller")
    less = Harm(ask_otherwise(lambda url: url.replace("_count=3", "_count=2")), on=CONDITIONS)
    assert complete(other, other.sync(less))


@pytest.mark.parametrize("text", ["_count must not exceed 10", ""])
def test_a_page_size_that_is_refused_is_halved_and_remembered(
    tmp_path: Path, reference: Running, text: str
) -> None:
    name = f"paging-count-{len(text)}"
    trial = Trial.small(tmp_path, reference, name, limits={"page_size": 64})
    refused = answer(400, outcome("error", "invalid", text=text))

    def too_many(url: str) -> bool:
        return int(dict(parse_qsl(urlsplit(url).query)).get("_count", "0")) > 10

    refuse = Harm(refused, on=lambda request: too_many(request.url))
    assert complete(trial, trial.sync(refuse))
    if text:
        again = Harm(refused, on=lambda request: too_many(request.url))
        assert complete(trial, trial.sync(again))
        assert again.struck == 0, "the size that is taken is remembered"


def test_links_of_other_names_are_left_alone(tmp_path: Path, reference: Running) -> None:
    trial = Trial.small(tmp_path, reference, "paging-names")

    def more_links(bundle: dict[str, object]) -> None:
        links = bundle["link"]
        assert isinstance(links, list)
        following = [link for link in links if link["relation"] == "next"]
        links[:0] = [{"relation": "prev", "url": "https://evil.example/"}, *following]

    harms = [Harm(with_json(more_links), on=which) for which in (CONDITIONS, is_next_page)]
    assert complete(trial, trial.sync(*harms))


def test_searches_are_asked_by_get(tmp_path: Path, reference: Running) -> None:
    trial = Trial.small(tmp_path, reference, "paging-get")
    refuse = Harm(answer(404), on=lambda request: "_search" in request.url)
    assert complete(trial, trial.sync(refuse))
    methods = {each.method for each in trial.chaos.asked if "/Condition" in each.url}
    assert (methods, refuse.met) == ({"GET"}, 0)


def test_a_link_goes_back_as_it_came(tmp_path: Path, reference: Running) -> None:
    trial = Trial.small(tmp_path, reference, "paging-opaque")
    odd = "&cookie=a+b%2Bc/d%20e=="
    came: list[str] = []

    def strip(url: str) -> str:
        came.append(url)
        return url.replace(odd, "")

    add = with_next(lambda link: link + odd)
    harms = [Harm(add, on=CONDITIONS), Harm(ask_otherwise(strip), on=is_next_page)]
    assert complete(trial, trial.sync(*harms))
    assert len([url for url in came if url.endswith(odd)]) == 2


async def by_offset(sent: Sent) -> Answer:
    """As a server answers that has no links, and takes `_offset`."""
    parts = urlsplit(sent.request.url)
    given = dict(parse_qsl(parts.query))
    at, size = int(given.pop("_offset", "0")), int(given.pop("_count"))
    whole = parts._replace(query=urlencode({**given, "_count": "100"})).geturl()
    got = await sent.forward(type(sent.request)(sent.request.method, whole, sent.request.headers))
    bundle = json.loads(got.response.body)
    bundle["entry"] = bundle.get("entry", [])[at : at + size]
    bundle["link"] = []
    return sent.answered(made(200, bundle))


def test_pages_without_links_are_read_by_number_where_the_file_says_how(
    tmp_path: Path, reference: Running
) -> None:
    trial = Trial.small(tmp_path, reference, "paging-offset", ehr='[sync]\noffset = "_offset"')
    assert complete(trial, trial.sync(Harm(by_offset, on=CONDITIONS)))


def test_pages_without_links_are_a_gap_where_it_does_not(
    tmp_path: Path, reference: Running
) -> None:
    trial = Trial.small(tmp_path, reference, "paging-linkless")
    account = trial.sync(Harm(by_offset, on=CONDITIONS))
    assert incomplete(trial, account, "see [sync] offset in the EHR file")
