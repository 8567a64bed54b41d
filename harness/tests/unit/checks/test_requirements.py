"""The catalogue of requirements, and its reader."""

from __future__ import annotations

from pathlib import Path

import pytest

from harness.errors import ConfigError
from harness.spec.regulatory import Versions
from harness.spec.requirements import catalogue, find, read_catalogue

VERSIONS = Versions(us_core="6.1.0", smart="2.0.0", bulk="1.0.1")
GOOD = """
spec = "smart"
[releases]
"2.0.0" = "STU2"
[[requirement]]
id = "smart/a"
text = " It is so. "
url = "https://hl7.org/{release}/x"
urls = { "1.0.0" = "https://hl7.org/one" }
levels = { "1.0.0" = "SHALL", "2.0.0" = "SHOULD" }
refs = ["other@1"]
"""


def read(tmp_path: Path, text: str) -> dict[str, object]:
    file = tmp_path / "x.toml"
    file.write_text(text)
    return dict(read_catalogue([file]))


def test_level_and_link_depend_on_the_version(tmp_path: Path) -> None:
    read(tmp_path, GOOD)
    requirement = read_catalogue([tmp_path / "x.toml"])["smart/a"]
    two, one, none = (
        Versions(us_core="6.1.0", smart=each, bulk="1.0.1") for each in ("2.0.0", "1.0.0", "2.2.0")
    )
    assert (requirement.text, requirement.refs) == ("It is so.", ("other@1",))
    assert [requirement.level(each) for each in (two, one, none)] == ["SHOULD", "SHALL", None]
    assert requirement.link(two) == "https://hl7.org/STU2/x"
    assert requirement.link(one) == "https://hl7.org/one"


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (('spec = "smart"', 'spec = "smrt"'), "expected spec to be one of"),
        (('id = "smart/a"', 'id = "fhir/a"'), "expected an id that starts with 'smart/'"),
        (("url =", "ulr ="), "unknown key 'ulr'; did you mean 'url'?"),
        (('text = " It is so. "', ""), "expected a string for 'text'"),
        (('"SHOULD"', '"OUGHT"'), "expected SHALL, SHOULD, MAY, ADVICE for 2.0.0, got 'OUGHT'"),
        (("refs", 'level = "SHALL"\nrefs'), "expected either level or levels"),
        (("[releases]", "[releases"), "x.toml"),
    ],
)
def test_a_file_that_does_not_follow_the_form_is_refused(
    tmp_path: Path, change: tuple[str, str], said: str
) -> None:
    with pytest.raises(ConfigError) as caught:
        read(tmp_path, GOOD.replace(*change, 1))
    assert said in str(caught.value)


def test_an_id_stands_once(tmp_path: Path) -> None:
    twice = GOOD + GOOD.partition('"2.0.0" = "STU2"')[2]
    with pytest.raises(ConfigError, match="'smart/a' is given twice"):
        read(tmp_path, twice)


def test_every_shipped_requirement_has_a_level_or_a_link_in_the_current_set() -> None:
    assert len(catalogue()) > 50
    for each in catalogue().values():
        link = each.link(VERSIONS)
        assert link.startswith("http")
        assert "{" not in link, each.id


def test_the_nearest_id_is_named() -> None:
    with pytest.raises(ConfigError, match="did you mean 'smart/discovery/media-type'"):
        find(catalogue(), "smart/discovery/media-typ")
