from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from harness.config.ehr import EhrFile
from harness.config.load import load_ehr
from harness.config.readiness import gaps, skipped
from harness.config.secrets import Secrets
from harness.tests.unit.config.conftest import SMALL

Load = Callable[[str], EhrFile]


def test_secrets_and_files_that_are_not_there_are_gaps(load: Load, tmp_path: Path) -> None:
    ehr = load(SMALL + '[headers]\nX-Api-Key = "env:KEY"\n[tls]\nca_file = "ca.pem"\n')
    assert [gap.path for gap in gaps(ehr, Secrets({}))] == ["headers.X-Api-Key", "tls.ca_file"]
    (tmp_path / "ca.pem").write_text("")
    assert gaps(ehr, Secrets({"KEY": "x"})) == []


def test_only_the_reference_file_is_given_its_secrets_by_the_run(load: Load) -> None:
    text = SMALL + '[headers]\nX-Api-Key = "env:REFERENCE_KEY"\n'
    assert [gap.path for gap in gaps(load(text), Secrets({}))] == ["headers.X-Api-Key"]
    assert gaps(load_ehr("reference"), Secrets({})) == []


def test_what_a_small_file_leaves_out_is_told(load: Load) -> None:
    told = " ".join(skipped(load(SMALL)))
    for word in ("[[launches]]", "client_credentials", "[other]", "write"):
        assert word in told


def test_an_open_endpoint_is_told_that_smart_does_not_apply(load: Load) -> None:
    told = " ".join(skipped(load(SMALL.replace('"smart"', '"none"'))))
    assert "not applicable" in told
    assert "no patients" in told


def test_nothing_is_left_out_of_the_reference_file() -> None:
    assert list(skipped(load_ehr("reference"))) == []
