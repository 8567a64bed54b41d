from __future__ import annotations

import gzip
import json
import stat
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.errors import UsageError
from harness.sync.deletions.gone import Gone, Held, mark_gone
from harness.sync.model import Lease, PageDone, Query, Received, RunStatus
from harness.sync.store.database import Place
from harness.sync.store.export import Format, Selection, export, ndjson, one_line
from harness.sync.store.store import Store

T0 = datetime(2026, 1, 1, 12, tzinfo=UTC)
DAY = timedelta(days=1)
PRESSURE = {
    "resourceType": "Observation",
    "id": "bp",
    "status": "final",
    "code": {"coding": [{"system": "http://loinc.org", "code": "85354-9"}]},
    "effectiveDateTime": "2026-01-01T07:00:00-05:00",
    "component": [
        {
            "code": {"coding": [{"code": "8480-6"}]},
            "valueQuantity": {"value": 120, "code": "mm[Hg]"},
        },
        "nonsense",
    ],
}


class Exporting:
    """A store with two patients, of two runs a day apart."""

    def __init__(self, store: Store) -> None:
        self.store = store
        store.connection.execute("INSERT INTO leases VALUES ('t', 'sync', 'me:1', 1, '')")
        self.lease = Lease("t", "sync", "me:1", 1, T0)

    def run(self, number: int, *resources: tuple[str, str, str, bytes]) -> None:
        now = T0 + number * DAY
        run = self.store.begin(self.lease, f"r{number}", now)
        for patient, type_, id_, raw in resources:
            one = Received(type_, id_, str(number), now, raw)
            self.store.commit(self.lease, run, PageDone(Query(patient, type_), (one,), now))
        row = replace(self.store.runs()[0], ended=now, status=RunStatus.COMPLETE)
        self.store.finish(self.lease, row, [])

    def gone(self, number: int, held: Held) -> None:
        mark_gone(self.store, self.lease, [Gone(held, "410")], T0 + number * DAY)

    def to(self, folder: Path, form: Format | None = None, **what: Any) -> dict[str, list[bytes]]:
        """What the files hold, line by line."""
        selection = replace(Selection(), **what)
        written, strange = export(self.store.connection, selection, folder, form or ndjson())
        assert strange == ()
        found = {each.path.name: each.path.read_bytes().splitlines() for each in written}
        assert [each.resources for each in written] == [len(lines) for lines in found.values()]
        return found


@pytest.fixture
def held(place: Place) -> Iterator[Exporting]:
    with Store(place) as store:
        made = Exporting(store)
        made.run(0, ("p", "Patient", "p", b'{"id": "p"}'), ("p", "Observation", "a", b'{"v": 1.0}'))
        made.run(2, ("q", "Observation", "b", b'{\r\n  "v": 1.10,\n  "t": "a \\" b"\n}'))
        yield made


def test_each_type_is_a_file_of_the_bytes_that_came(held: Exporting, tmp_path: Path) -> None:
    found = held.to(tmp_path / "new" / "out")
    assert found == {
        "Observation.ndjson": [b'{"v": 1.0}', b'{"v":1.10,"t":"a \\" b"}'],
        "Patient.ndjson": [b'{"id": "p"}'],
    }
    modes = [stat.S_IMODE(each.stat().st_mode) for each in (tmp_path / "new").rglob("*")]
    assert sorted(modes) == [0o600, 0o600, 0o700]


def test_types_patients_and_time_narrow_an_export(held: Exporting, tmp_path: Path) -> None:
    assert held.to(tmp_path, types=("Patient",)) == {"Patient.ndjson": [b'{"id": "p"}']}
    assert held.to(tmp_path, types=("Observation",), patients=("p",)) == {
        "Observation.ndjson": [b'{"v": 1.0}']
    }
    later = held.to(tmp_path, since=T0 + DAY)
    assert later["Observation.ndjson"] == [b'{"v":1.10,"t":"a \\" b"}']
    assert later["Patient.ndjson"] == [], "a file of an earlier export does not stay"


def test_what_is_gone_is_left_out_unless_it_is_asked_for(held: Exporting, tmp_path: Path) -> None:
    held.gone(3, Held("p", "Observation", "a"))
    assert held.to(tmp_path, types=("Observation",))["Observation.ndjson"] == [
        b'{"v":1.10,"t":"a \\" b"}'
    ]
    found = held.to(tmp_path, types=("Observation",), deleted=True, since=T0 + 3 * DAY)
    assert found["Observation.ndjson"] == []
    (bundle,) = [json.loads(line) for line in found["deleted.ndjson"]]
    assert bundle["type"] == "transaction"
    assert bundle["entry"] == [{"request": {"method": "DELETE", "url": "Observation/a"}}]


def test_a_compressed_export_says_the_same(held: Exporting, tmp_path: Path) -> None:
    written, _ = export(held.store.connection, Selection(), tmp_path, ndjson(packed=True))
    plain = held.to(tmp_path / "plain")
    assert {
        each.path.name.removesuffix(".gz"): gzip.decompress(each.path.read_bytes()).splitlines()
        for each in written
    } == plain


def test_an_export_that_breaks_leaves_the_file_before_it(held: Exporting, tmp_path: Path) -> None:
    out = tmp_path / "out"
    before = held.to(out, types=("Patient",))

    class Broken:
        def __init__(self, *_: object) -> None: ...
        def write(self, _row: object) -> None:
            raise OSError(28, "No space left on device")

        def close(self) -> None: ...

    with pytest.raises(UsageError, match="No space left"):
        held.to(out, Format("ndjson", Broken), types=("Patient",))
    assert [each.name for each in out.iterdir()] == list(before)
    assert (out / "Patient.ndjson").read_bytes() == b'{"id": "p"}\n'


def test_a_type_that_is_no_name_never_becomes_a_path(held: Exporting, tmp_path: Path) -> None:
    held.run(3, ("p", "../../evil", "x", b"{}"))
    out = tmp_path / "out"
    _, strange = export(held.store.connection, Selection(), out / "in", ndjson())
    assert strange == ("../../evil",)
    assert sorted(each.name for each in out.rglob("*")) == [
        "Observation.ndjson",
        "Patient.ndjson",
        "in",
    ]
    assert not list(tmp_path.rglob("evil*"))


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=10,
)


@given(JSON, st.integers(0, 4))
def test_a_line_means_what_the_text_meant(value: object, indent: int) -> None:
    raw = json.dumps(value, indent=indent).encode()
    line = one_line(raw.replace(b"\n", b"\r\n"))
    assert b"\n" not in line
    assert b"\r" not in line
    assert json.loads(line) == value


def test_digits_survive_and_lines_without_breaks_are_not_touched() -> None:
    assert (
        one_line(b'\xef\xbb\xbf{\n "a" : 1.50e+2,\n "b": [0.10]}\n') == b'{"a":1.50e+2,"b":[0.10]}'
    )
    assert one_line(b'{ "a" : 1.50 }') == b'{ "a" : 1.50 }'


def test_parquet_has_columns_of_its_own_for_what_is_measured(
    held: Exporting, tmp_path: Path
) -> None:
    pq = pytest.importorskip("pyarrow.parquet")
    from harness.sync.store.parquet import Parquet

    raw = json.dumps(PRESSURE).encode()
    held.run(
        4,
        ("p", "Observation", "bp", raw),
        ("p", "Observation", "w", b'{"valueQuantity": {"value": 70.50, "unit": "kg"}}'),
        ("p", "Observation", "odd", b'{"code": 7, "valueQuantity": [], "component": {}}'),
    )
    held.gone(5, Held("p", "Observation", "a"))
    selection = Selection(deleted=True)
    written, _ = export(held.store.connection, selection, tmp_path, Format("parquet", Parquet))
    assert [(each.path.name, each.resources) for each in written] == [
        ("Observation.parquet", 5),
        ("Patient.parquet", 1),
    ]
    rows = {row["id"]: row for row in pq.read_table(written[0].path).to_pylist()}
    assert rows["bp"]["body"] == raw.decode()
    assert rows["bp"]["last_updated"] == T0 + 4 * DAY
    assert rows["bp"]["effective_at"] == T0
    assert (rows["bp"]["code_system"], rows["bp"]["code"]) == ("http://loinc.org", "85354-9")
    (part,) = rows["bp"]["components"]
    assert (part["code"], part["value"], part["unit"]) == ("8480-6", 120.0, "mm[Hg]")
    assert (rows["w"]["value"], rows["w"]["unit"]) == (70.5, "kg")
    assert (rows["odd"]["code"], rows["odd"]["value"], rows["odd"]["components"]) == (
        None,
        None,
        [],
    )
    assert [id_ for id_, row in rows.items() if row["deleted"]] == ["a"]
