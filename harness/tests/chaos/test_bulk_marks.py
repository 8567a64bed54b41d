"""Exports that say wrongly up to when they reach, or hold other than what they were asked for."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit

import pytest

from harness.http.exchange import Response
from harness.reference.process import Running
from harness.sync.model import RunStatus
from harness.tests.chaos.bulk import KICKOFF, is_poll, jobs, listed, marks, trial
from harness.tests.chaos.wire import Harm, Sent, Trial, alter, answer, ask_otherwise

HOUR = 3600.0


def complete(of: Trial, *harms: Harm) -> None:
    account = of.sync(*harms)
    assert account.status is RunStatus.COMPLETE, account.lines()
    assert of.stored() == of.truth()
    assert jobs(of) == []


def since(of: Trial) -> datetime | None:
    """What the last export was asked for."""
    (kickoff,) = of.chaos.urls("/$export")
    value = dict(parse_qsl(urlsplit(kickoff).query)).get("_since")
    return None if value is None else datetime.fromisoformat(value)


def claiming(time: object) -> Harm:
    """A manifest with another transactionTime; None takes it away."""

    def altered(response: Response) -> Response:
        if response.status != 200:
            return response
        value = json.loads(response.body)
        value["transactionTime"] = time
        if time is None:
            del value["transactionTime"]
        return replace(response, body=json.dumps(value).encode())

    return Harm(alter(altered), on=is_poll)


@pytest.mark.parametrize(
    ("time", "remark"),
    [
        (None, "missing or no instant"),
        ("now", "missing or no instant"),
        (1790000000, "missing or no instant"),
        ("2099-01-01T00:00:00Z", "lies in the future"),
        ("2019-01-01T00:00:00Z", "lies before _since"),
        ("0001-01-01T00:00:00Z", "lies before _since"),
    ],
)
def test_a_transaction_time_that_cannot_be_moves_no_watermark_too_far(
    tmp_path: Path, reference: Running, time: Any, remark: str
) -> None:
    of = trial(tmp_path, reference, f"bulk-time-{abs(hash(time)) % 10**6}")
    complete(of)
    of.advance(2 * HOUR)
    before = of.clock.now()
    # Written while the export is made: it is not in it, and nothing says so.
    of.observe(of.patients[0], "before")
    account = of.sync(claiming(time))
    assert account.status is RunStatus.COMPLETE
    assert any(remark in note for note in account.notes), account.notes
    after = of.clock.now()
    assert all(datetime.fromisoformat(mark) <= after for mark in marks(of))
    of.observe(of.patients[0], "meanwhile")
    of.advance(HOUR)
    complete(of)
    asked = since(of)
    assert asked is not None
    assert asked <= before


def test_a_transaction_time_without_a_zone_is_taken_as_the_earliest_it_can_mean(
    tmp_path: Path, reference: Running
) -> None:
    of = trial(tmp_path, reference, "bulk-zone")
    now = of.clock.now().replace(tzinfo=None, microsecond=0)
    complete(of, claiming(now.isoformat()))
    assert all(
        datetime.fromisoformat(mark) <= now.replace(tzinfo=UTC) - timedelta(hours=13)
        for mark in marks(of)
    )
    of.observe(of.patients[0], "meanwhile")
    complete(of)


def test_what_was_written_while_an_export_was_made_comes_with_the_next(
    tmp_path: Path, reference: Running
) -> None:
    of = trial(tmp_path, reference, "bulk-meanwhile", bulk={"polls": 2})

    written: list[int] = []

    async def write(sent: Sent) -> Any:
        written.append(1)
        of.advance(60)
        of.observe(of.patients[len(written) % 3], f"meanwhile-{len(written)}")
        return await sent.on()

    assert of.sync(Harm(write, on=is_poll)).status is RunStatus.COMPLETE
    assert of.stored() != of.truth()
    complete(of)
    assert len(written) >= 3


# -- what is asked for


def test_types_are_asked_for_as_the_ehr_takes_them(tmp_path: Path, reference: Running) -> None:
    """Cerner refuses a second `_type`."""
    of = trial(tmp_path, reference, "bulk-types", spec='type_encoding = "repeated"')
    refusal = Harm(answer(400, b""), on=lambda request: request.url.count("_type=") > 1)
    account = of.sync(refusal)
    assert account.status is RunStatus.FAILED
    assert "starts no export: status 400" in str(account.reason)
    assert jobs(of) == []
    file = of.site.folder / "limited.toml"
    file.write_text(file.read_text().replace('"repeated"', '"comma"'))
    complete(of, refusal)


def test_types_that_were_not_asked_for_are_left_out(tmp_path: Path, reference: Running) -> None:
    of = trial(
        tmp_path,
        reference,
        "bulk-all-types",
        spec='type_encoding = "omitted"',
        types=("Patient", "Condition"),
    )
    account = of.sync()
    assert account.status is RunStatus.COMPLETE
    assert account.notes["Observation: came although it was not asked for"] > 1000
    assert of.stored() == of.truth()


def test_a_filter_with_commas_reaches_the_ehr_as_one(tmp_path: Path, reference: Running) -> None:
    codes = "http://loinc.org|8867-4,http://loinc.org|59408-5"
    spec = f'type_filters = ["Observation?code={codes}"]'
    of = trial(tmp_path, reference, "bulk-filter", spec=spec, types=("Observation",))
    assert of.sync().status is RunStatus.COMPLETE
    found = of.rows("SELECT body FROM resources")
    stored = {json.loads(body)["code"]["coding"][0]["code"] for (body,) in found}
    assert stored == {"8867-4", "59408-5"}


def without_since(url: str) -> str:
    parts = urlsplit(url)
    kept = [each for each in parse_qsl(parts.query) if each[0] != "_since"]
    return parts._replace(query=urlencode(kept)).geturl()


def test_a_since_that_is_ignored_costs_time_and_nothing_else(
    tmp_path: Path, reference: Running
) -> None:
    of = trial(tmp_path, reference, "bulk-since")
    complete(of)
    of.advance(HOUR)
    of.observe(of.patients[0], "new")
    account = of.sync(Harm(ask_otherwise(without_since), on=KICKOFF))
    assert account.status is RunStatus.COMPLETE
    assert (account.by_type["Observation"].new, account.by_type["Observation"].changed) == (1, 0)
    assert account.notes["export: _since was not kept to: most of it is older"] == 1
    assert of.stored() == of.truth()
    assert of.rows("SELECT count(*) FROM versions") == [(0,)]


def relist(of: Trial, *patients: str) -> None:
    """Let the tenant list these patients."""
    text = of.path.read_text()
    head, _, rest = text.partition("[patients]\n")
    of.path.write_text(
        f"{head}[patients]\n{listed(*patients)}\n[schedule]{rest.split('[schedule]')[1]}"
    )


@pytest.mark.parametrize("backfill", ["search", "export"])
def test_patients_that_join_get_the_history_that_since_would_hide(
    tmp_path: Path, reference: Running, backfill: str
) -> None:
    of = trial(
        tmp_path,
        reference,
        f"bulk-join-{backfill}",
        spec=f'level = "patient"\nbackfill = "{backfill}"',
        whose=listed("nobody-yet"),
    )
    *known, joined = of.patients
    relist(of, *known)
    complete(of)
    assert not of.rows("SELECT 1 FROM resources WHERE patient = ?", joined)
    of.advance(HOUR)
    relist(of, *known, joined)
    complete(of)
    assert len(of.rows("SELECT 1 FROM resources WHERE patient = ?", joined)) > 100
    assert (since(of) is None) is (backfill == "export")
    assert bool(of.chaos.urls("/Observation?", f"patient={joined}")) is (backfill == "search")
    of.advance(HOUR)
    complete(of)
    assert since(of) is not None
    assert of.chaos.urls("/Observation?") == []


def test_patients_of_others_are_not_stored(tmp_path: Path, reference: Running) -> None:
    of = trial(
        tmp_path, reference, "bulk-others-data", spec='level = "system"', whose=listed("nobody-yet")
    )
    ours = of.patients[0]
    relist(of, ours)
    account = of.sync()
    assert account.status is RunStatus.COMPLETE
    assert of.stored() == of.truth()
    assert {patient for (patient,) in of.rows("SELECT DISTINCT patient FROM resources")} == {ours}
    assert account.notes["Patient: belongs to patients of others"] == len(of.patients) - 1


# -- what was deleted


def test_what_a_deleted_file_names_is_deleted_here(tmp_path: Path, reference: Running) -> None:
    of = trial(tmp_path, reference, "bulk-deleted")
    of.observe(of.patients[0], "doomed")
    complete(of)
    of.advance(HOUR)
    of.site.running.control("DELETE", f"/instances/{of.instance}/resources/Observation/doomed")
    of.advance(HOUR)
    account = of.sync()
    assert account.status is RunStatus.COMPLETE
    assert [(each.type, each.id) for each in account.gone] == [("Observation", "doomed")]
    assert of.stored() == of.truth()


def test_an_export_of_everything_shows_what_is_gone(tmp_path: Path, reference: Running) -> None:
    of = trial(tmp_path, reference, "bulk-gone", sync="full_every_days = 7")
    of.observe(of.patients[0], "doomed")
    complete(of)
    of.site.running.control("DELETE", f"/instances/{of.instance}/resources/Observation/doomed")
    of.advance(8 * 24 * HOUR)
    account = of.sync()
    assert since(of) is None
    assert [(each.type, each.id) for each in account.gone] == [("Observation", "doomed")]
    assert of.stored() == of.truth()
