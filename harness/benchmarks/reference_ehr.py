"""How fast the reference EHR reads, searches and writes, and what many patients cost.

    python -m harness.benchmarks.reference_ehr [--json FILE] [--against FILE] [--patients 10000]

Server and client each get a processor of their own where the system lets them. Each workload runs
in rounds, in turn; what is printed is the median of the rounds.
"""

from __future__ import annotations

import argparse
import asyncio
import base64
import json
import os
import statistics
import sys
import time
import urllib.parse
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from harness.benchmarks.load import NextRequest, Round, press, resident_mebibytes
from harness.reference.process import Running, start

Json = dict[str, Any]
CONNECTIONS = 8
VISITED = 200
"""How many patients are looked at, spread evenly, where all of them would take minutes."""


@dataclass(frozen=True, slots=True)
class Workload:
    """One kind of request.

    Args:
        name: as it is printed.
        request: makes the bytes of one from its number.
        status: what must come.
    """

    name: str
    request: NextRequest
    status: int = 200


@dataclass(frozen=True, slots=True)
class Client:
    """What requests to one reference EHR are made of; `token` is a bearer token."""

    base: str
    token: str

    def request(self, method: str, path: str, body: bytes = b"", **headers: str) -> bytes:
        """Returns the bytes of a request below the FHIR base."""
        parts = urllib.parse.urlsplit(f"{self.base}/{path}")
        target = f"{parts.path}?{parts.query}" if parts.query else parts.path
        given = {
            "Host": parts.netloc,
            "Authorization": f"Bearer {self.token}",
            "Accept": "application/fhir+json",
            **{name.replace("_", "-"): value for name, value in headers.items()},
        }
        if body:
            given |= {"Content-Type": "application/fhir+json", "Content-Length": str(len(body))}
        head = "".join(f"{name}: {value}\r\n" for name, value in given.items())
        return f"{method} {target} HTTP/1.1\r\n{head}\r\n".encode() + body

    def get(self, path: str) -> Json:
        """Returns the resource at a path."""
        asked = urllib.request.Request(  # noqa: S310 - the loopback URL of the ready line
            f"{self.base}/{path}", headers={"Authorization": f"Bearer {self.token}"}
        )
        with urllib.request.urlopen(asked, timeout=600) as response:  # noqa: S310 - as above
            answer: Json = json.load(response)
        return answer


def main() -> int:
    """Measures, prints, and writes what later runs are compared with."""
    options = _options()
    print(f"{'':34}{'req/s':>8}{'req/CPU s':>11}{'median ms':>11}{'ratio':>8}")
    earlier = json.loads(options.against.read_text()) if options.against else {}
    results: dict[str, Mapping[str, float | None]] = {}
    for name, figures in measured(options.seconds, options.rounds):
        before = earlier.get(name, {}).get("cpu_rate")
        ratio = f"{figures['cpu_rate'] / before:8.2f}" if before and figures["cpu_rate"] else ""
        cpu = f"{figures['cpu_rate']:11.0f}" if figures["cpu_rate"] else f"{'':11}"
        print(f"{name:34}{figures['rate']:8.0f}{cpu}{figures['median_ms']:11.2f}{ratio}")
        results[name] = figures
    if options.patients:
        costs = many(options.patients, whole=options.whole)
        results["many"] = dict(costs)
        for name, value in costs.items():
            print(f"{name.replace('_', ' '):34}{value:8.2f}")
    if options.json:
        options.json.write_text(json.dumps(results, indent=2) + "\n")
    return 0


def measured(seconds: float, rounds: int) -> Iterator[tuple[str, dict[str, float | None]]]:
    """Yields each workload's name and figures."""
    with start(patients=20) as running, apart(running.process.pid):
        client = signed_in(running)
        parts = urllib.parse.urlsplit(running.fhir_base)
        workloads = tuple(_workloads(client, str(running.ready["users"][0]["patients"][0])))
        taken: dict[str, list[Round]] = {one.name: [] for one in workloads}
        for number in range(rounds + 1):
            for one in workloads:
                pressed = press(
                    host=str(parts.hostname),
                    port=int(parts.port or 80),
                    request=one.request,
                    expected=one.status,
                    seconds=seconds if number else seconds / 4,
                    connections=CONNECTIONS,
                    pid=running.process.pid,
                )
                result = asyncio.run(pressed)
                if number:  # the first round warms up
                    taken[one.name].append(result)
    for name, results in taken.items():
        computed = [one.cpu_rate for one in results if one.cpu_rate]
        yield (
            name,
            {
                "rate": statistics.median(one.rate for one in results),
                "cpu_rate": statistics.median(computed) if computed else None,
                "median_ms": statistics.median(one.median_ms for one in results),
            },
        )


def many(patients: int, *, whole: bool) -> dict[str, float]:
    """Returns what a server with many patients costs: seconds, milliseconds, mebibytes.

    Args:
        patients: how many.
        whole: look at each of them, not at a sample.
    """
    begun = time.perf_counter()
    with start(patients=patients) as running:
        figures = {"seconds_to_start": time.perf_counter() - begun}
        client = signed_in(running)
        names = _patients(client)
        sample = names if whole else names[:: max(1, len(names) // VISITED)]
        observations = 0
        first: list[float] = []
        again: list[float] = []
        for name in sample:
            for times in (first, again):
                asked = time.perf_counter()
                bundle = client.get(f"Observation?patient={name}&_count=50")
                times.append((time.perf_counter() - asked) * 1000)
            observations += bundle["total"]
        figures |= {
            "patients_looked_at": len(sample),
            "observations_looked_at": observations,
            "first_page_ms_median": statistics.median(first),
            "first_page_ms_of_first_tenth": statistics.median(first[: len(first) // 10 + 1]),
            "first_page_ms_of_last_tenth": statistics.median(first[-(len(first) // 10 + 1) :]),
            "page_again_ms_median": statistics.median(again),
        }
        resident = resident_mebibytes(running.process.pid)
        if resident is not None:
            figures["resident_mebibytes"] = resident
    return figures


def signed_in(running: Running) -> Client:
    """Returns a client with a token for the whole system."""
    secret = running.credentials["REFERENCE_BACKEND_SECRET"]
    basic = base64.b64encode(f"harness-backend-secret:{secret}".encode()).decode()
    fields = {"grant_type": "client_credentials", "scope": "system/*.rs system/Observation.cruds"}
    asked = urllib.request.Request(  # noqa: S310 - the loopback URL of the ready line
        f"{running.ready['public_url']}/oauth/token",
        data=urllib.parse.urlencode(fields).encode(),
        headers={"Authorization": f"Basic {basic}"},
    )
    with urllib.request.urlopen(asked, timeout=30) as response:  # noqa: S310 - as above
        return Client(running.fhir_base, json.load(response)["access_token"])


@contextmanager
def apart(pid: int) -> Iterator[None]:
    """Gives server and client a processor each, where there are two and the system lets us."""
    processors = sorted(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else []
    if len(processors) > 1:
        os.sched_setaffinity(pid, {processors[0]})
        os.sched_setaffinity(0, {processors[1]})
    try:
        yield
    finally:
        if len(processors) > 1:
            os.sched_setaffinity(0, set(processors))


def _workloads(client: Client, patient: str) -> Iterator[Workload]:
    page = f"Observation?patient={patient}&_count=50"
    first = client.get(page)
    following = next(one["url"] for one in first["link"] if one["relation"] == "next")
    one = f"Observation/{first['entry'][0]['resource']['id']}"
    resource = json.dumps(_weight(patient)).encode()
    asked = {
        "search, 50 Observations": client.request("GET", page),
        "the same, compressed": client.request("GET", page, Accept_Encoding="gzip"),
        "search by category and date": client.request(
            "GET", f"{page}&category=vital-signs&date=ge2020-01-01"
        ),
        "next page": client.request("GET", following.removeprefix(f"{client.base}/")),
        "read": client.request("GET", one),
        "metadata": client.request("GET", "metadata"),
    }
    for name, sent in asked.items():
        yield Workload(name, lambda _number, sent=sent: sent)  # type: ignore[misc]
    created = client.request("POST", "Observation", resource)
    yield Workload("create", lambda _number: created, status=201)


def _weight(patient: str) -> Json:
    quantity = {"value": 72.5, "unit": "kg", "system": "http://unitsofmeasure.org", "code": "kg"}
    system = "http://terminology.hl7.org/CodeSystem/observation-category"
    return {
        "resourceType": "Observation",
        "status": "final",
        "category": [{"coding": [{"system": system, "code": "vital-signs"}]}],
        "code": {"coding": [{"system": "http://loinc.org", "code": "29463-7"}]},
        "subject": {"reference": f"Patient/{patient}"},
        "effectiveDateTime": "2020-11-20T08:00:00-05:00",
        "valueQuantity": quantity,
    }


def _patients(client: Client) -> list[str]:
    bundle, found = client.get("Patient?_count=200"), []
    while True:
        found += [one["resource"]["id"] for one in bundle["entry"]]
        following = [one["url"] for one in bundle["link"] if one["relation"] == "next"]
        if not following:
            return found
        bundle = client.get(following[0].removeprefix(f"{client.base}/"))


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=1.0, help="of one round (default: 1)")
    parser.add_argument("--rounds", type=int, default=5, help="of each workload (default: 5)")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the figures there")
    text = "figures of an earlier run; ratios are of requests for each second computed"
    parser.add_argument("--against", type=Path, metavar="FILE", help=text)
    text = "also measure a server with so many patients"
    parser.add_argument("--patients", type=int, metavar="N", help=text)
    parser.add_argument("--whole", action="store_true", help="look at each of them; takes minutes")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
