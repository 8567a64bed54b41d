"""Registries of packages over loopback sockets: those that work, and those that do not."""

from __future__ import annotations

import asyncio
import secrets
import socket
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from harness.cli import main
from harness.config.secrets import Secret
from harness.errors import ExitStatus, HostileInput, PackageUnavailable, UsageError
from harness.profiles.registry import Registry, download, download_url, registries
from harness.tests.integration.hostile import (
    Asked,
    Behaviour,
    Hostile,
    answers,
    breaks_off,
    closes,
    deep,
    endless,
    hostile,
    page,
    redirects,
    says,
)
from harness.tests.unit.profiles.making import archive, base_types, packed

NAME = "example.package"
FILE = archive(packed(base_types()[:2]))
TGZ = "application/gzip"
VERSIONS: dict[str, Any] = {"1.0.0": {}, "1.0.2": {}, "1.1.0-ballot": {}, "1.10.0": {}}
LISTING = {"name": NAME, "dist-tags": {"latest": "1.0.2"}, "versions": VERSIONS}


@pytest.fixture
def server() -> Iterator[Hostile]:
    """A registry as packages.fhir.org is one."""
    with hostile(
        {f"/{NAME}": says(LISTING)}
        | {f"/{NAME}/{version}": answers(FILE, TGZ) for version in VERSIONS}
    ) as running:
        yield running


def fetched(
    folder: Path, version: str, *bases: str | Registry, told: Callable[[int], None] | None = None
) -> tuple[str, bytes]:
    """What came of asking registries for a version of the package."""
    into = folder / "fetched.tgz"
    asked = tuple(each if isinstance(each, Registry) else Registry(each) for each in bases)
    exact = asyncio.run(download(NAME, version, into, asked, told=told or (lambda _: None)))
    return exact, into.read_bytes()


def remembering(then: Behaviour, seen: list[Asked]) -> Behaviour:
    """Keeps what was asked."""

    def behave(connection: socket.socket, asked: Asked) -> None:
        seen.append(asked)
        then(connection, asked)

    return behave


@pytest.mark.parametrize(
    ("wanted", "exact"),
    [("1.0.0", "1.0.0"), ("latest", "1.0.2"), ("1.0.x", "1.0.2"), ("1.10.x", "1.10.0")],
)
def test_a_version_is_found_and_fetched(
    server: Hostile, tmp_path: Path, wanted: str, exact: str
) -> None:
    assert fetched(tmp_path, wanted, server.url) == (exact, FILE)


def test_an_exact_version_is_asked_for_at_once(server: Hostile, tmp_path: Path) -> None:
    fetched(tmp_path, "1.0.0", server.url)
    assert server.asked == [f"GET /{NAME}/1.0.0"]


def test_it_says_how_far_it_is(server: Hostile, tmp_path: Path) -> None:
    sizes: list[int] = []
    fetched(tmp_path, "1.0.0", server.url, told=sizes.append)
    assert sizes[-1] == len(FILE)


@pytest.mark.parametrize(
    "broken",
    [closes, breaks_off, page(), answers("no", "text/plain", 500), redirects("{url}")],
    ids=["closes", "breaks off", "HTML", "500", "in circles"],
)
def test_the_second_registry_is_asked_where_the_first_one_fails(
    server: Hostile, tmp_path: Path, broken: Behaviour
) -> None:
    with hostile({"*": broken}) as first:
        for wanted in ("1.0.2", "1.0.x", "latest"):
            assert fetched(tmp_path, wanted, first.url, server.url) == ("1.0.2", FILE)


def test_a_package_that_nobody_knows_is_a_wrong_name(server: Hostile, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"example\.package#2\.0\.0: no such package: .*404"):
        fetched(tmp_path, "2.0.0", server.url, server.url)
    with pytest.raises(UsageError, match=r"no version 2\.0\.x; it has 1\.0\.0, 1\.0\.2"):
        fetched(tmp_path, "2.0.x", server.url)


def test_each_registry_that_failed_is_told_with_its_reason(server: Hostile, tmp_path: Path) -> None:
    with (
        hostile({"*": answers("", "text/plain", 503)}) as first,
        pytest.raises(PackageUnavailable) as raised,
    ):
        fetched(tmp_path, "9.9.9", first.url, server.url)
    said = str(raised.value)
    assert f"{first.url}: GET /{NAME}/9.9.9: expected 200, got 503" in said
    assert f"{server.url}: GET /{NAME}/9.9.9: 404" in said
    assert "--from" in said
    assert "EHR" not in said


@pytest.mark.parametrize("listing", [deep(), answers("[]"), says({"versions": 3}), endless])
def test_a_listing_that_is_none_ends_in_one_line(tmp_path: Path, listing: Behaviour) -> None:
    with (
        hostile({f"/{NAME}": listing}) as server,
        pytest.raises((PackageUnavailable, UsageError), match=r"example\.package#latest"),
    ):
        fetched(tmp_path, "latest", server.url)


def test_redirects_are_followed_and_a_token_stays_at_home(tmp_path: Path) -> None:
    token = secrets.token_urlsafe()
    here: list[Asked] = []
    there: list[Asked] = []
    with hostile({"/file.tgz": remembering(answers(FILE, TGZ), there)}) as store:
        moved = redirects(f"{store.url}/file.tgz")
        with hostile({f"/{NAME}/1.0.0": remembering(moved, here)}) as server:
            registry = Registry(server.url, Secret(token))
            assert fetched(tmp_path, "1.0.0", registry) == ("1.0.0", FILE)
    assert here[0].headers["Authorization"] == f"Bearer {token}"
    assert "Authorization" not in there[0].headers


def test_a_redirect_to_what_is_no_url_is_refused(tmp_path: Path) -> None:
    moved = redirects("ftp://127.0.0.1/file.tgz")
    with (
        hostile({"*": moved}) as server,
        pytest.raises(PackageUnavailable, match="a redirect to a place where nothing is fetched"),
    ):
        fetched(tmp_path, "1.0.0", server.url)


def test_a_disk_that_is_full_is_no_fault_of_the_registry(server: Hostile) -> None:
    if not Path("/dev/full").exists():
        pytest.skip("this system has no device that is always full")
    asked = (Registry(server.url),)
    with pytest.raises(UsageError, match="cannot be written: No space left"):
        asyncio.run(download(NAME, "1.0.0", Path("/dev/full"), asked))


def test_a_registry_in_the_manner_of_npm_says_where_its_archives_are(tmp_path: Path) -> None:
    with hostile({"/a/file.tgz": answers(FILE, TGZ)}) as server:
        place = f"/{NAME}/-/{NAME}-1.0.2.tgz"
        server.behaviours[place] = answers(FILE, TGZ)
        told = {"1.0.0": {"dist": {"tarball": f"{server.url}/a/file.tgz"}}, "1.0.2": {}}
        server.behaviours[f"/{NAME}"] = says({"versions": told})
        registry = Registry(server.url, npm=True)
        assert fetched(tmp_path, "1.0.0", registry) == ("1.0.0", FILE)
        assert fetched(tmp_path, "1.0.x", registry) == ("1.0.2", FILE)
        assert server.asked[-1] == f"GET {place}"


def test_an_archive_that_was_labelled_as_encoded_arrives_all_the_same(tmp_path: Path) -> None:
    encoded = answers(FILE, "application/x-tar", 200, "Content-Encoding: gzip")
    with hostile({f"/{NAME}/1.0.0": encoded}) as server:
        _, raw = fetched(tmp_path, "1.0.0", server.url)
    assert b"ustar" in raw


def test_a_url_is_fetched_with_the_token_of_its_registry_alone(tmp_path: Path) -> None:
    seen: list[Asked] = []
    into = tmp_path / "file.tgz"
    with hostile({"*": remembering(answers(FILE, TGZ), seen)}) as server:
        own = Registry(server.url, Secret("t0ken"), npm=True)
        other = Registry("http://127.0.0.1:9", Secret("0ther"), npm=True)
        for registry in (own, other):
            asyncio.run(download_url(f"{server.url}/file.tgz", into, (registry,)))
            assert into.read_bytes() == FILE
    assert [each.headers.get("Authorization") for each in seen] == ["Bearer t0ken", None]


def test_which_registries_are_asked_can_be_chosen() -> None:
    assert [each.base for each in registries({})] == [
        "https://packages.fhir.org",
        "https://packages2.fhir.org/packages",
    ]
    chosen = {"FPL_REGISTRY": "http://r.example/npm/", "FPL_REGISTRY_TOKEN": "t0ken"}
    (own,) = registries(chosen)
    assert (own.base, own.npm) == ("http://r.example/npm", True)
    assert own.token == Secret("t0ken")
    assert "t0ken" not in repr(own)
    with pytest.raises(UsageError, match="FPL_REGISTRY"):
        registries({"FPL_REGISTRY": "registry.example"})


class TestCommand:
    @pytest.fixture(autouse=True)
    def _home(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, server: Hostile) -> None:
        server.behaviours[f"/{NAME}"] = says(
            {"versions": {"1.0.0": {"dist": {"tarball": f"{server.url}/{NAME}/1.0.0"}}}}
        )
        monkeypatch.setenv("HARNESS_FHIR_CACHE", str(tmp_path / "cache"))
        monkeypatch.setenv("FPL_REGISTRY", server.url)

    @pytest.mark.parametrize("wanted", [f"{NAME}#1.0.0", f"{NAME}#1.0.x", f"{NAME}#latest", NAME])
    def test_a_package_is_installed_by_its_name(
        self, wanted: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        assert main(["profiles", "install", wanted]) == ExitStatus.OK
        folder = tmp_path / "cache" / f"{NAME}#1.0.0"
        assert capsys.readouterr() == (f"{folder}\n", "")
        assert (folder / "package" / "package.json").is_file()

    def test_one_that_is_there_is_not_fetched_again(
        self, server: Hostile, capsys: pytest.CaptureFixture[str]
    ) -> None:
        main(["profiles", "install", f"{NAME}#1.0.0"])
        asked = len(server.asked)
        assert main(["profiles", "install", f"{NAME}#1.0.0"]) == ExitStatus.OK
        assert "is there already" in capsys.readouterr().out
        assert len(server.asked) == asked
        assert main(["profiles", "install", f"{NAME}#1.0.0", "--replace"]) == ExitStatus.OK
        assert len(server.asked) > asked

    def test_a_file_a_folder_or_a_url_will_do(self, server: Hostile, tmp_path: Path) -> None:
        file = tmp_path / "package.tgz"
        file.write_bytes(FILE)
        folder = tmp_path / "cache" / f"{NAME}#1.0.0"
        for place in (str(file), f"{server.url}/{NAME}/1.0.0", str(folder)):
            words = ["profiles", "install", "--replace", "--from", place]
            assert main(words) == ExitStatus.OK
            assert (folder / "package" / "package.json").is_file()

    def test_what_it_builds_on_and_is_not_here_is_told(
        self, tmp_path: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        needs = {"hl7.fhir.r4.core": "4.0.1", "hl7.fhir.us.core": "6.1.x", "other.guide": "2.0.0"}
        file = tmp_path / "package.tgz"
        file.write_bytes(archive(packed([], dependencies=needs)))
        assert main(["profiles", "install", "--from", str(file)]) == ExitStatus.OK
        assert capsys.readouterr().err.endswith("is not checked: other.guide#2.0.0\n")

    @pytest.mark.parametrize(
        ("words", "status", "said"),
        [
            ([], ExitStatus.USAGE, "expected NAME#VERSION or --from"),
            (["a b"], ExitStatus.USAGE, "expected NAME#VERSION"),
            (["other.package#1.0.0"], ExitStatus.USAGE, "no such package"),
            (["--from", "nowhere.tgz"], ExitStatus.USAGE, "no such file"),
            (["--from", "http://127.0.0.1:1/x.tgz"], ExitStatus.UNREACHABLE, "127.0.0.1:1"),
            (["other.package", "--from", "{file}"], ExitStatus.USAGE, "expected other.package"),
        ],
    )
    def test_what_cannot_be_installed_is_told_in_one_line(
        self,
        words: list[str],
        status: int,
        said: str,
        tmp_path: Path,
        capsys: pytest.CaptureFixture[str],
    ) -> None:
        (tmp_path / "package.tgz").write_bytes(FILE)
        named = [each.format(file=tmp_path / "package.tgz") for each in words]
        assert main(["profiles", "install", *named]) == status
        complaint = capsys.readouterr().err
        assert said in complaint
        assert complaint.count("\n") == 1
        assert not list(tmp_path.glob("cache/*/package"))

    def test_an_archive_that_means_harm_leaves_nothing(
        self, server: Hostile, tmp_path: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        harm = archive(packed([]) | {"package/../../../escaped": b"x"})
        server.behaviours[f"/{NAME}/1.0.0"] = answers(harm, TGZ)
        assert main(["profiles", "install", NAME]) == HostileInput.status
        assert "leads out of the package" in capsys.readouterr().err
        assert list((tmp_path / "cache").iterdir()) == []
