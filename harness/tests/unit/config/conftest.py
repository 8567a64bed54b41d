from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from harness.config.ehr import EhrFile
from harness.config.load import load_ehr
from harness.errors import ConfigError

SMALL = """\
title = "An EHR"
fhir_base = "https://ehr.example/r4"
[auth]
kind = "smart"
"""


@pytest.fixture
def load(tmp_path: Path) -> Callable[[str], EhrFile]:
    """Loads the text of an EHR file."""

    def load_text(text: str) -> EhrFile:
        path = tmp_path / "x.toml"
        path.write_text(text, encoding="utf-8")
        return load_ehr(str(path))

    return load_text


@pytest.fixture
def refusal(
    load: Callable[[str], EhrFile], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Callable[[str], list[str]]:
    """The lines of the error that the text of an EHR file causes, without the file's name."""
    monkeypatch.chdir(tmp_path)

    def refuse(text: str) -> list[str]:
        with pytest.raises(ConfigError) as caught:
            load(text)
        lines = str(caught.value).splitlines()
        assert all(line.startswith("x.toml: ") for line in lines)
        return [line.removeprefix("x.toml: ") for line in lines]

    return refuse
