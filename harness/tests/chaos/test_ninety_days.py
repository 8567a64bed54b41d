"""Daily syncs for ninety days: whenever the EHR is up and the grant good, nothing is missing.

The scheduler decides what is due, in New York, across a change of clocks. By day other clients
write, amend, delete and merge; refresh tokens rotate, access tokens end. Some days the EHR is down,
on one the grant is revoked, on one the token endpoint rotates and its answer is lost.

`HARNESS_SOAK=1` plays the whole ninety days, twice; else twelve days round each change of clocks.
"""

from __future__ import annotations

import asyncio
import os
import random
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from harness.config.tenant import Tenant
from harness.reference.app import DEFAULT, InstanceApp
from harness.scheduler.jobs import Ended
from harness.scheduler.service import Service
from harness.sync.access.grant import Standing
from harness.sync.account import Account
from harness.sync.model import RunStatus
from harness.sync.verify.verification import Result
from harness.tests.chaos.home import TOKEN, Home
from harness.tests.chaos.test_tokens_lifetime import before
from harness.tests.chaos.wire import (
    Harm,
    answer,
    lose_answer,
    no_answer,
    search,
    url,
)

SOAK = bool(os.environ.get("HARNESS_SOAK"))
ZONE = ZoneInfo("America/New_York")
DAY = timedelta(days=1)
NORTH, CLINIC = "north", "clinic"
LOOKS = (5, 25, 45, 53)
"""Minutes of each hour at which the scheduler looks."""


@dataclass(frozen=True)
class Story:
    """What happens on which day, counted from 0.

    Attributes:
        begin: the first day.
        days: how many.
        refused: nobody listens.
        unavailable: 503 all day.
        revoked: the person revokes the grant after the sync; the next sync finds it lost.
        lost: the token endpoint rotates, and its answer is lost.
        graced: the same, and the old token has a grace period.
        ended: access tokens end in the middle of a run.
        merged: the first patient is merged into the second.
        verified: `sync verify` reads everything again.
        history: whether the EHR shows the history of a type, and so its deletions.

    No day has two of those that hinder a sync.
    """

    begin: date
    days: int
    refused: frozenset[int]
    unavailable: frozenset[int]
    revoked: int
    lost: int
    graced: int
    ended: frozenset[int]
    merged: int
    verified: frozenset[int]
    history: bool = True

    def __post_init__(self) -> None:
        hindered = [*self.refused, *self.unavailable, *self.ended, self.lost, self.graced]
        assert len(hindered) == len(set(hindered))
        assert not self.verified & (self.down | {self.revoked + 1, self.lost})

    @property
    def down(self) -> frozenset[int]:
        """Days on which nobody gets anything."""
        return self.refused | self.unavailable


def twelve(change: date) -> Story:
    """Around a change of clocks, which is on the sixth day."""
    return Story(
        begin=change - timedelta(days=5),
        days=12,
        refused=frozenset({2}),
        unavailable=frozenset({6}),
        revoked=3,
        lost=8,
        graced=10,
        ended=frozenset({7}),
        merged=1,
        verified=frozenset({5, 11}),
    )


def ninety(change: date) -> Story:
    """A quarter of a year with a change of clocks in its middle."""
    return Story(
        begin=change - timedelta(days=45),
        days=90,
        refused=frozenset({9, 33, 34, 71}),
        unavailable=frozenset({14, 44, 60}),
        revoked=20,
        lost=40,
        graced=66,
        ended=frozenset(range(5, 90, 7)) - {33, 40},
        merged=25,
        verified=frozenset(range(1, 90, 8)) - {9, 33},
    )


SPRING, AUTUMN = date(2026, 3, 8), date(2026, 11, 1)
STORIES = [ninety(SPRING), ninety(AUTUMN)] if SOAK else [twelve(SPRING), twelve(AUTUMN)]


@dataclass
class Quarter:
    """One EHR, two tenants with daily windows, and what became of each run."""

    home: Home
    story: Story
    chance: random.Random = field(default_factory=lambda: random.Random(90))
    today: list[tuple[str, Account | None, str | None]] = field(default_factory=list)
    logins: int = 0
    harms: list[Harm] = field(default_factory=list)

    def __post_init__(self) -> None:
        home = self.home
        # Both windows lie in the hours that a change of clocks repeats and leaves out.
        home.tenant(NORTH, daily="02:00", until="03:00")
        backend = {"client": "backend", "scopes": "system/*.rs", "discover": "search", "login": ""}
        self.paths = {
            NORTH: home.path,
            CLINIC: home.tenant(CLINIC, daily="01:00", until="02:00", **backend),
        }

        def ended(tenant: Tenant | None, end: Ended) -> None:
            assert tenant is not None, end.error
            self.today.append((tenant.name, end.account, end.error))

        names = (f"run-{number}" for number in range(10_000))
        self.service = Service(
            home.process, lambda: self.paths, lambda: next(names), ended, bound=600
        )

    def night(self, day: int) -> None:
        """From a quarter to one to five in the morning, the scheduler looks at times."""
        self.today.clear()
        self.harmed(day)
        asyncio.run(self._looks(day))
        if day == self.story.graced:
            self.grace(frozenset())

    async def _looks(self, day: int) -> None:
        local = datetime.combine(self.date(day), time(0, 45), ZONE).astimezone(UTC)
        for hour in range(5):
            for minute in LOOKS:
                moment = local.replace(minute=minute) + timedelta(hours=hour)
                self.home.clock.advance_to(moment)
                self.service.tick()
                await self.service.drain()

    def harmed(self, day: int) -> None:
        """What stands between client and EHR on this day."""
        story, harms = self.story, list[Harm]()
        if day in story.refused:
            harms = [Harm(no_answer())]
        if day in story.unavailable:
            harms = [Harm(answer(503, "<html>maintenance</html>", "text/html"))]
        if day in (story.lost, story.graced):
            harms = [Harm(lose_answer(), on=_refreshes, times=1)]
        if day == story.graced:
            self.grace(frozenset({"refresh-reuse-accepted"}))
        if day in story.ended:
            harms = [Harm(before(self.home.end_access_tokens), on=search("Observation"), times=1)]
        if not story.history:
            harms.append(Harm(answer(405), on=url("/_history")))
        self.harms = harms
        self.home.wire(*harms)

    def grace(self, faults: frozenset[str]) -> None:
        """Let rotated refresh tokens be good, or not."""
        ehr = replace(self.home.ehr, faults=faults)
        self.home.reference.apps[DEFAULT] = InstanceApp(ehr)

    def date(self, day: int) -> date:
        return self.story.begin + day * DAY

    def afternoon(self, day: int) -> None:
        """Others write, and the person revokes or signs in again."""
        home, story = self.home, self.story
        moment = datetime.combine(self.date(day), time(15), ZONE).astimezone(UTC)
        home.clock.advance_to(moment)
        if day == story.revoked:
            home.revoke()
        if home.grant().standing is Standing.LOST:
            home.log_in()
            self.logins += 1
        self.written(day)
        if day == story.merged:
            self.merge()

    def written(self, day: int) -> None:
        """New, amended, withdrawn and deleted."""
        home, chance = self.home, self.chance
        patients = home.ehr.store.patient_ids()
        for number in range(chance.randrange(2, 9)):
            home.observe(f"day-{day}-{number}", chance.choice(patients))
        known = home.ehr.store.all("Observation", chance.choice(patients))
        for stored in chance.sample(known, 4):
            status = chance.choice(["amended", "entered-in-error"])
            home.write({**stored.resource, "status": status})
        known = home.ehr.store.all("Observation", chance.choice(patients))
        for stored in chance.sample(known, chance.randrange(3)):
            home.ehr.store.delete("Observation", stored.id, home.time.now())
        condition = chance.choice(home.ehr.store.all("Condition", home.patient))
        home.write({**condition.resource, "note": [{"text": f"seen on day {day}"}]})

    def merge(self) -> None:
        """The first patient turns out to be the second, whose record takes over some results."""
        home = self.home
        first, second, *_ = home.ehr.store.patient_ids()
        patient = home.ehr.store.current("Patient", first)
        assert patient is not None
        link = {"other": {"reference": f"Patient/{second}"}, "type": "replaced-by"}
        home.write({**patient.resource, "active": False, "link": [link]})
        for stored in home.ehr.store.all("Observation", first)[:5]:
            home.write({**stored.resource, "subject": {"reference": f"Patient/{second}"}})

    def truth(self, name: str) -> dict[tuple[str, str], str]:
        return self.home.truth(*(self.home.ehr.store.patient_ids() if name == CLINIC else ()))

    def verified(self, name: str) -> Any:
        return self.home.verify(path=self.paths[name])


def _refreshes(request: Any) -> bool:
    return TOKEN(request) and b"grant_type=refresh_token" in request.body


@pytest.fixture
def quarter(tmp_path: Path, request: pytest.FixtureRequest) -> Quarter:
    story: Story = request.param
    begin = datetime.combine(story.begin - DAY, time(15), ZONE).astimezone(UTC)
    return Quarter(Home(tmp_path, begin=begin, patients=3), story)


@pytest.mark.parametrize("quarter", STORIES, indirect=True, ids=lambda each: str(each.begin))
def test_every_day_on_which_the_ehr_was_up_ends_with_the_truth(quarter: Quarter) -> None:
    story, lost = quarter.story, {quarter.story.revoked + 1, quarter.story.lost}
    for day in range(story.days):
        quarter.night(day)
        assert all(harm.struck for harm in quarter.harms), f"day {day}"
        for name in (CLINIC, NORTH):
            ends = [(account, error) for who, account, error in quarter.today if who == name]
            accounts = [account for account, _ in ends if account is not None]
            assert [error for _, error in ends if error] == []
            assert accounts, f"day {day}: the run of {name} was lost"
            if day in story.down:
                assert {each.status for each in accounts} == {RunStatus.FAILED}, f"day {day}"
                assert all(each.reason for each in accounts)
            elif name == NORTH and day in lost:
                assert {each.status for each in accounts} == {RunStatus.FAILED}, f"day {day}"
                assert all("harness login --tenant north" in str(each.reason) for each in accounts)
                assert quarter.home.grant().standing is Standing.LOST
            else:
                statuses = [each.status for each in accounts]
                assert statuses == [RunStatus.COMPLETE], (
                    f"day {day}, {name}: {accounts[-1].lines()}"
                )
                assert quarter.home.stored(name) == quarter.truth(name), f"day {day}, {name}"
            if day in story.verified:
                assert quarter.verified(name).result is Result.EQUAL, f"day {day}, {name}"
        quarter.afternoon(day)
    assert quarter.logins == 2, "after the revocation, and after the answer that was lost"


def test_daily_full_readings_find_deletions_on_a_day_of_23_hours_too(tmp_path: Path) -> None:
    """An EHR without histories: nothing but a full reading tells what is gone."""
    story = replace(twelve(SPRING), begin=SPRING - 2 * DAY, history=False)
    begin = datetime.combine(story.begin - DAY, time(15), ZONE).astimezone(UTC)
    quarter = Quarter(Home(tmp_path, begin=begin, patients=3), replace(story, refused=frozenset()))
    del quarter.paths[CLINIC]
    quarter.home.describe(more="[sync]\nfull_every_days = 1")
    for day in range(4):
        quarter.night(day)
        ((_, account, _),) = quarter.today
        assert account is not None
        assert account.status is RunStatus.COMPLETE, account.lines()
        assert len(account.gone) == (day > 0), f"day {day}"
        assert quarter.home.stored(NORTH) == quarter.truth(NORTH)
        moment = datetime.combine(quarter.date(day), time(15), ZONE).astimezone(UTC)
        quarter.home.clock.advance_to(moment)
        last = quarter.home.ehr.store.all("Observation", quarter.home.patient)[-1]
        quarter.home.ehr.store.delete("Observation", last.id, moment)
