"""For each fault of Bulk Data export a probe: whether a client sees the defect."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import datetime, timedelta
from email.utils import parsedate_to_datetime
from functools import cached_property
from typing import Any

import httpx

from harness.reference.data.instants import instant
from harness.tests.integration.reference.bulk_client import ASYNC, GROUP, ask, export, lines, post
from harness.tests.integration.reference.fhir_server import Endpoint
from harness.tests.unit.reference.fhir_doubles import weight

Json = dict[str, Any]
SMALL = "Condition,Patient,Goal"
EARLIER = "2020-01-01T00:00:00Z"


class BulkProbe:
    """A client of one instance, with short ways to export."""

    def __init__(self, endpoint: Endpoint) -> None:
        self.endpoint: Endpoint = endpoint
        self.client: httpx.Client = endpoint.client()
        self.patient: str = endpoint.ehr.store.patient_ids()[0]

    def ask(self, **query: str | list[str]) -> httpx.Response:
        query.setdefault("_type", SMALL)
        return ask(self.client, GROUP, **query)

    def export(self, **query: str | list[str]) -> Json:
        query.setdefault("_type", SMALL)
        return export(self.client, GROUP, **query)

    @cached_property
    def where(self) -> str:
        """Where the status of an export is."""
        return str(self.ask().headers["content-location"])

    @cached_property
    def file(self) -> str:
        """The URL of the first file of that export."""
        return str(self.client.get(self.where).json()["output"][0]["url"])

    def status(self) -> httpx.Response:
        return self.client.get(self.where)

    def manifest(self) -> Json:
        return dict(self.status().json())

    def content(self, url: str | None = None, **headers: str) -> httpx.Response:
        return self.client.get(url or self.file, headers={"Accept-Encoding": "identity", **headers})

    def raw(self) -> list[bytes]:
        return [self.content(one["url"]).content for one in self.export()["output"]]

    def ids(self, **query: str | list[str]) -> list[str]:
        found = lines(self.client, self.export(**query))
        return [f"{one['resourceType']}/{one['id']}" for one in found]

    def wrote(self, **changes: Any) -> str:
        store, now = self.endpoint.ehr.store, self.endpoint.ehr.clock.now()
        return store.put_as_other(weight(self.patient, **changes), now).id

    def deleted(self) -> Json:
        """The manifest since before a deletion."""
        one = self.wrote()
        since = self.export(_type="Observation", _since=self.now())["transactionTime"]
        store, now = self.endpoint.ehr.store, self.endpoint.ehr.clock.now()
        store.delete("Observation", one, now)
        return self.export(_type="Observation", _since=since)

    def now(self) -> str:
        return instant(self.endpoint.ehr.clock.now())


def kinds(found: Json) -> set[str]:
    return {str(one["type"]) for one in found["output"]}


def _undeclared(p: BulkProbe) -> bool:
    statement = p.client.get("metadata").json()
    return "$export" not in json.dumps(statement) and "/export" not in json.dumps(statement)


def _any_token(p: BulkProbe) -> bool:
    person = p.endpoint.client("patient/Patient.r", patient=p.patient)
    return ask(person, _type=SMALL).status_code == 202


def _lenient_errors(p: BulkProbe) -> bool:
    headers = ASYNC | {"Prefer": "respond-async, handling=lenient"}
    answer = p.client.get(f"{GROUP}?_type=Goal,Gaol", headers=headers)
    return not p.client.get(answer.headers["content-location"]).json()["error"]


def _others_of_a_post(p: BulkProbe) -> bool:
    answer = post(p.client, patient=f"Patient/{p.patient}", _type="Patient")
    (only,) = p.client.get(answer.headers["content-location"]).json()["output"]
    return bool(only["count"] > 1)


def _late_entry_missed(p: BulkProbe) -> bool:
    since = p.now()
    p.endpoint.ehr.clock.advance(1)
    late = p.wrote(effectiveDateTime="2026-10-01T08:00:00Z")
    return f"Observation/{late}" not in p.ids(_type="Observation", _since=since)


def _recent_missed(p: BulkProbe) -> bool:
    return f"Observation/{p.wrote()}" not in p.ids(_type="Observation", _since=EARLIER)


def _gap_before_the_end(p: BulkProbe) -> bool:
    where = p.ask(_type="Observation").headers["content-location"]
    p.endpoint.ehr.clock.advance(30)
    missed = p.wrote()
    p.endpoint.ehr.clock.advance(30)
    found = p.client.get(where).json()
    stored = p.client.get(f"Observation/{missed}").json()["meta"]["lastUpdated"]
    held = {one["id"] for one in lines(p.client, found)}
    return stored <= found["transactionTime"] and missed not in held


def _time(judge: Callable[[BulkProbe, str], bool]) -> Callable[[BulkProbe], bool]:
    def probe(p: BulkProbe) -> bool:
        return judge(p, str(p.export(_since=p.now())["transactionTime"]))

    return probe


def _is_ahead(p: BulkProbe, text: str) -> bool:
    return datetime.fromisoformat(text) > p.endpoint.ehr.clock.now() + timedelta(hours=1)


def _is_before(p: BulkProbe, text: str) -> bool:
    return datetime.fromisoformat(text) < p.endpoint.ehr.clock.now() - timedelta(hours=1)


def _has_zone(_p: BulkProbe, text: str) -> bool:
    return not text.endswith("Z") and text[-6] not in "+-"


def _is_instant(_p: BulkProbe, text: str) -> bool:
    return "T" not in text


def _versions(p: BulkProbe) -> bool:
    one = p.wrote()
    p.wrote(id=one, status="amended")
    return p.ids(_type="Observation").count(f"Observation/{one}") == 2


def _deleted_is_there(p: BulkProbe) -> bool:
    found = p.deleted()
    return bool(found["output"]) and not found["deleted"]


def _relative_attachments(p: BulkProbe) -> bool:
    return any(b'"url":"Binary/' in one for one in _raw(p, "DocumentReference"))


def _raw(p: BulkProbe, kind: str) -> list[bytes]:
    return [p.content(one["url"]).content for one in p.export(_type=kind)["output"]]


def _strange_lines(p: BulkProbe) -> bool:
    found = p.export()
    return any(
        json.loads(line)["resourceType"] != one["type"]
        for one in found["output"]
        for line in p.content(one["url"]).text.splitlines()
    )


def _broken(content: bytes) -> bool:
    try:
        for line in content.splitlines():
            json.loads(line)
    except ValueError:
        return True
    return False


def _cut(p: BulkProbe) -> bool:
    return all(_broken(one) and not one.endswith(b"}") for one in p.raw())


def _counts(p: BulkProbe) -> bool:
    found = p.export()["output"]
    return any(one["count"] != p.content(one["url"]).content.count(b"\n") for one in found)


def _expires(p: BulkProbe) -> bool:
    told = parsedate_to_datetime(p.status().headers["expires"])
    return told <= p.endpoint.ehr.clock.now()


def _other_client(p: BulkProbe) -> bool:
    other = p.endpoint.client(client_id="other")
    codes = {other.get(p.where).status_code, other.get(p.file).status_code}
    return codes == {200}


def _other_scopes(p: BulkProbe) -> bool:
    return p.endpoint.client("system/Device.rs").get(p.file).status_code == 200


def _redirected(p: BulkProbe) -> bool:
    _elsewhere(p)
    answer = p.content()
    return answer.status_code == 307 and _foreign(answer.headers["location"])


def _gone(p: BulkProbe) -> bool:
    assert p.content().status_code == 200
    p.endpoint.ehr.clock.advance(1200)
    assert p.status().status_code == 200
    return p.content().status_code == 404


def _shifted(p: BulkProbe) -> bool:
    part = p.content(Range="bytes=10-")
    return part.status_code == 206 and part.content == p.content().content[11:]


def _after_delete(p: BulkProbe) -> tuple[int, int, int]:
    """The status of the DELETE, and of status and file after it."""
    file = p.file
    gone = p.client.delete(p.where).status_code
    return gone, p.status().status_code, p.content(file).status_code


def _elsewhere(p: BulkProbe) -> Endpoint:
    """The same instance, with a storage at another origin."""
    p.endpoint.ehr.bulk.storage = "http://storage.example.org/i"
    return p.endpoint


def _foreign(url: str) -> bool:
    return url.startswith("http://storage.example.org/i/")


def _status_elsewhere(p: BulkProbe) -> bool:
    _elsewhere(p)
    return _foreign(p.ask().headers["content-location"])


def _page_elsewhere(p: BulkProbe) -> bool:
    _elsewhere(p)
    return _foreign(p.manifest()["link"][0]["url"])


def _token_elsewhere(p: BulkProbe) -> bool:
    _elsewhere(p)
    found = p.manifest()
    return found["requiresAccessToken"] is True and _foreign(found["output"][0]["url"])


PROBES: dict[str, Callable[[BulkProbe], bool]] = {
    "bulk-not-declared": _undeclared,
    "bulk-scopes-ignored": _any_token,
    "bulk-format-by-full-name-only": lambda p: p.ask(_outputFormat="ndjson").status_code == 400,
    "bulk-repeated-type-refused": lambda p: p.ask(_type=["Goal", "Patient"]).status_code == 400,
    "bulk-parameters-passed-over": lambda p: p.ask(_until=EARLIER).status_code == 202,
    "bulk-lenience-untold": _lenient_errors,
    "bulk-kickoff-answers-200": lambda p: p.ask().status_code == 200,
    "bulk-location-missing": lambda p: "content-location" not in p.ask().headers,
    "bulk-location-relative": lambda p: p.ask().headers["content-location"].startswith("/"),
    "bulk-location-elsewhere": _status_elsewhere,
    "bulk-next-page-elsewhere": _page_elsewhere,
    "bulk-token-wanted-elsewhere": _token_elsewhere,
    "bulk-type-ignored": lambda p: len(kinds(p.export())) > 20,
    "bulk-type-filter-ignored": lambda p: "Goal" in kinds(p.export(_typeFilter="Goal?_id=none")),
    "bulk-since-ignored": lambda p: bool(p.export(_since=p.now())["output"]),
    "bulk-since-by-clinical-date": _late_entry_missed,
    "bulk-patient-ignored": _others_of_a_post,
    "bulk-group-ignored": lambda p: len(p.ids(_type="Patient")) == 6,
    "bulk-snapshot-lags": _recent_missed,
    "bulk-time-of-the-end": _gap_before_the_end,
    "bulk-time-without-zone": _time(_has_zone),
    "bulk-time-not-an-instant": _time(_is_instant),
    "bulk-time-in-the-future": _time(_is_ahead),
    "bulk-time-before-since": _time(_is_before),
    "bulk-output-empty": lambda p: p.export()["output"] == [],
    "bulk-type-lost": lambda p: "Condition" not in kinds(p.export()) and not p.export()["error"],
    "bulk-type-fails": lambda p: bool(p.export()["error"]),
    "bulk-duplicates": lambda p: len(set(p.ids())) < len(p.ids()),
    "bulk-versions-exported": _versions,
    "bulk-deletions-untold": lambda p: p.deleted()["deleted"] == p.deleted()["output"] == [],
    "bulk-deleted-exported": _deleted_is_there,
    "bulk-attachment-urls-relative": _relative_attachments,
    "bulk-line-of-another-type": _strange_lines,
    "bulk-line-broken": lambda p: any(_broken(one) and one.endswith(b"\n") for one in p.raw()),
    "bulk-line-huge": lambda p: any(len(one) > 12_000_000 for one in _raw(p, "DocumentReference")),
    "bulk-byte-order-mark": lambda p: p.raw()[0].startswith(b"\xef\xbb\xbf"),
    "bulk-lines-end-in-crlf": lambda p: b"}\r\n" in p.raw()[0],
    "bulk-blank-lines": lambda p: b"\n\n" in p.raw()[0],
    "bulk-last-line-cut": _cut,
    "bulk-final-newline-missing": lambda p: p.raw()[0].endswith(b"}"),
    "bulk-count-wrong": _counts,
    "bulk-never-ready": lambda p: p.status().status_code == p.status().status_code == 202,
    "bulk-status-fails": lambda p: p.status().status_code == p.status().status_code == 500,
    "bulk-status-fails-once": lambda p: (
        (p.status().status_code, p.status().status_code) == (503, 200)
    ),
    "bulk-progress-absurd": lambda p: p.status().headers.get("x-progress") == "150 %",
    "bulk-forgotten-when-ready": lambda p: p.status().status_code == 404,
    "bulk-manifest-told-once": lambda p: (
        (p.status().status_code, p.status().status_code) == (200, 404)
    ),
    "bulk-expires-past": _expires,
    "bulk-expires-missing": lambda p: "expires" not in p.status().headers,
    "bulk-manifest-as-fhir-json": lambda p: "fhir" in p.status().headers["content-type"],
    "bulk-token-need-not-said": lambda p: "requiresAccessToken" not in p.manifest(),
    "bulk-token-need-denied": lambda p: p.manifest()["requiresAccessToken"] is False,
    "bulk-request-not-said": lambda p: "request" not in p.manifest(),
    "bulk-error-not-listed": lambda p: "error" not in p.manifest(),
    "bulk-file-urls-relative": lambda p: p.file.startswith("/"),
    "bulk-file-types-wrong": lambda p: kinds(p.manifest()) == {"Basic"},
    "bulk-file-listed-that-is-not-there": lambda p: (
        p.content(p.manifest()["output"][-1]["url"]).status_code == 404
    ),
    "bulk-other-clients-admitted": _other_client,
    "bulk-file-scopes-ignored": _other_scopes,
    "bulk-file-accept-by-name-only": lambda p: p.content().status_code == 406,
    "bulk-files-as-octet-stream": lambda p: (
        p.content().headers["content-type"] == "application/octet-stream"
    ),
    "bulk-files-compressed-unasked": lambda p: "content-encoding" in p.content().headers,
    "bulk-files-redirect-to-storage": _redirected,
    "bulk-files-answer-404-with-content": lambda p: (
        p.content().status_code == 404 and p.content().text.startswith('{"resourceType":')
        and p.content().headers["content-type"] == "application/fhir+ndjson"
    ),
    "bulk-files-gone-early": _gone,
    "bulk-parts-begin-late": _shifted,
    "bulk-delete-refused": lambda p: _after_delete(p) == (405, 200, 200),
    "bulk-delete-ignored": lambda p: _after_delete(p) == (202, 200, 200),
    "bulk-status-202-after-delete": lambda p: _after_delete(p)[1] == 202,
    "bulk-files-outlive-delete": lambda p: _after_delete(p) == (202, 404, 200),
}  # fmt: skip
"""By fault."""
OPTIONS: dict[str, dict[str, int | bool]] = {
    "bulk-next-page-elsewhere": {"page_size": 1},
    "bulk-token-wanted-elsewhere": {"presigned": True},
    "bulk-time-of-the-end": {"seconds": 60},
    "bulk-progress-absurd": {"polls": 1},
}
"""How an instance exports where a fault shows only then."""
