"""What a sync makes of servers that misbehave, and of being told to stop."""

from __future__ import annotations

import signal
import socket
import sqlite3
import subprocess
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from typing import Any

import pytest

from harness.reference.process import Running
from harness.tests.integration.sync_site import Site

LONGEST = 30.0


@pytest.fixture
def site(tmp_path: Path, reference: Running) -> Site:
    return Site(tmp_path, reference)


def faulty(site: Site, fault: str, **what: Any) -> str:
    made = site.running.instance(f"sync-{fault}", faults=[fault], **what)
    return str(made["fhir_base"])


@pytest.mark.parametrize(
    ("fault", "reason"),
    [
        ("next-link-foreign-host", "an access token goes to"),
        ("next-link-loops", "the next links go round in a circle"),
        ("page-two-answers-500", "status 500"),
    ],
)
def test_paging_that_breaks_is_a_gap_and_never_a_watermark(
    site: Site, fault: str, reason: str
) -> None:
    ehr = site.ehr_file(page_size=5, requests_per_second=80, burst=30, concurrency=4)
    tenant = site.backend("faulty", faulty(site, fault), ehr=ehr, types='["Observation"]')
    status, account = site.sync(tenant)
    assert (status, account["status"]) == (7, "incomplete")
    assert {each["type"] for each in account["missing"]} == {"Observation"}
    assert all(reason in each["reason"] for each in account["missing"]), account["missing"]
    with closing(sqlite3.connect(site.store(tenant))) as db:
        # The history of the type has a mark as well, and no patient.
        marks = db.execute("SELECT count(*) FROM watermarks WHERE patient <> ''").fetchone()[0]
    assert marks == account["patients"] - len(account["missing"])


def test_a_throttle_that_gives_no_hint_loses_nothing(site: Site) -> None:
    base = faulty(site, "throttle-without-retry-after", rate=20, burst=3)
    ehr = site.ehr_file(requests_per_second=24, burst=3, concurrency=2)
    tenant = site.backend("throttled", base, ehr=ehr)
    status, account = site.sync(tenant)
    assert (status, account["missing"]) == (0, [])
    assert site.stored(tenant) == site.truth("sync-throttle-without-retry-after")


@contextmanager
def hanging_server() -> Iterator[str]:
    """Takes connections and never answers."""
    with closing(socket.create_server(("127.0.0.1", 0))) as server:
        yield f"http://127.0.0.1:{server.getsockname()[1]}/r4"


def test_a_tenant_that_hangs_is_ended_and_delays_no_other(site: Site) -> None:
    base = str(site.running.instance("sync-beside")["fhir_base"])
    good = site.backend("good", base)
    with hanging_server() as hangs:
        site.backend("hanging", hangs)
        began = time.monotonic()
        status, out, err = site.command(
            "scheduler",
            "--once",
            f"--tenants={site.tenants}",
            f"--reports={site.reports}",
            "--timeout=4",
        )
    assert (status, err) == (7, "")
    assert time.monotonic() - began < LONGEST
    assert out.index("sync of good: complete") < out.index("sync of hanging: incomplete")
    assert site.stored(good) == site.truth("sync-beside")


def test_how_long_an_answer_may_take_is_the_ehr_files_to_say(site: Site) -> None:
    with hanging_server() as hangs:
        ehr = site.ehr_file(connect_timeout=5, read_timeout=0.2, total_timeout=1)
        tenant = site.backend("impatient", hangs, ehr=ehr)
        began = time.monotonic()
        status, account = site.sync(tenant)
    assert (status, account["status"]) == (1, "failed")
    assert "timed out after 0.2 s" in account["reason"]
    assert time.monotonic() - began < LONGEST


def pages(store: Path) -> int:
    with suppress(sqlite3.OperationalError), closing(sqlite3.connect(store)) as db:
        return int(db.execute("SELECT total(pages) FROM counts").fetchone()[0])
    return 0


def await_first_page(site: Site, tenant: Path, process: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + LONGEST
    store = site.store(tenant)
    while process.poll() is None and time.monotonic() < deadline:
        if store.exists() and pages(store):
            return
        with suppress(subprocess.TimeoutExpired):
            process.wait(timeout=0.02)


def slow(site: Site, name: str) -> Path:
    base = str(site.running.instance(f"sync-{name}")["fhir_base"])
    ehr = site.ehr_file(page_size=20, requests_per_second=5, burst=1, concurrency=1)
    return site.backend(name, base, ehr=ehr)


def test_a_run_told_to_stop_ends_incomplete_and_is_taken_up_again(site: Site) -> None:
    tenant = slow(site, "stopped")
    process = site.start(*site.sync_words(tenant))
    await_first_page(site, tenant, process)
    process.send_signal(signal.SIGTERM)
    out, err = process.communicate(timeout=LONGEST)
    assert (process.returncode, err) == (7, b""), out
    assert b"told to stop by SIGTERM" in out
    site.ehr_file(page_size=50, requests_per_second=80, burst=30, concurrency=8)
    assert site.sync(tenant)[0] == 0
    assert site.stored(tenant) == site.truth("sync-stopped")


def test_the_scheduler_runs_until_told_and_finishes_the_running_page(site: Site) -> None:
    tenant = slow(site, "scheduled")
    words = ["scheduler", f"--tenants={site.tenants}", f"--reports={site.reports}"]
    process = site.start(*words)
    await_first_page(site, tenant, process)
    process.send_signal(signal.SIGTERM)
    out, err = process.communicate(timeout=LONGEST)
    assert (process.returncode, err) == (0, b"")
    assert b"sync of scheduled: incomplete, because the scheduler was told to stop" in out
    assert (site.reports / "tenants" / "scheduled" / "latest").exists()


def test_two_runs_of_one_tenant_do_not_mix(site: Site) -> None:
    tenant = slow(site, "twice")
    first = site.start(*site.sync_words(tenant))
    await_first_page(site, tenant, first)
    status, _, err = site.command(*site.sync_words(tenant))
    first.send_signal(signal.SIGTERM)
    first.communicate(timeout=LONGEST)
    assert status == 4
    assert "is at its sync already" in err
