from __future__ import annotations

import copy
import json
import pickle
import secrets as entropy
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

from harness.config.ehr import SecretRef
from harness.config.secrets import Secret, Secrets
from harness.errors import ConfigError

VALUE = entropy.token_urlsafe()


def ref(text: str) -> SecretRef:
    found = SecretRef.parse(text)
    assert found is not None
    return found


@pytest.mark.parametrize(
    "show", [repr, str, "{}".format, "{!r}".format, "{:>40}".format, lambda s: f"{[s]}"]
)
def test_a_secret_is_never_shown(show: object) -> None:
    assert callable(show)
    assert VALUE not in show(Secret(VALUE))


def test_a_secret_is_never_serialised() -> None:
    with pytest.raises(TypeError):
        pickle.dumps(Secret(VALUE))
    with pytest.raises(TypeError):
        json.dumps(Secret(VALUE))
    with pytest.raises(TypeError):
        vars(Secret(VALUE))
    with pytest.raises(TypeError):
        hash(Secret(VALUE))


def test_secrets_compare_by_value_and_only_with_each_other() -> None:
    assert Secret(VALUE) == Secret(VALUE)
    assert Secret(VALUE) != Secret(VALUE + "x")
    assert Secret("ä") == Secret("ä")
    assert Secret(VALUE) != VALUE
    assert copy.deepcopy(Secret(VALUE)).reveal() == VALUE


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("env:A_1", ("env", "A_1")),
        ("file:/a/b:c", ("file", "/a/b:c")),
        ("keyring:https://x/y/name", ("keyring", "https://x/y/name")),
    ],
)
def test_a_reference_is_parsed_and_written_back(text: str, parts: tuple[str, str]) -> None:
    assert (ref(text).scheme, ref(text).name) == parts
    assert str(ref(text)) == text


@pytest.mark.parametrize("text", ["", "env:", "env:1A", "env:A-B", "file:", "keyring:x", "vault:x"])
def test_what_is_no_reference_is_not_taken_for_one(text: str) -> None:
    assert SecretRef.parse(text) is None


def test_the_runs_own_secrets_win_over_the_environment() -> None:
    found = Secrets({"A": "outer", "B": "b"}, {"A": VALUE})
    assert found.resolve(ref("env:A")).reveal() == VALUE
    assert found.resolve(ref("env:B")).reveal() == "b"


def test_what_was_given_out_can_be_redacted() -> None:
    found = Secrets({"A": VALUE, "USER": "fhir"})
    assert not found.resolved
    found.resolve(ref("env:A"))
    found.resolve(ref("env:A"))
    assert found.text(ref("env:USER")) == "fhir"
    assert found.text("plain") == "plain"
    assert found.resolved == (VALUE,)
    assert VALUE not in repr(found)


@pytest.mark.parametrize("environ", [{}, {"A": ""}])
def test_a_missing_variable_is_named(environ: dict[str, str]) -> None:
    with pytest.raises(ConfigError, match="env:A: "):
        Secrets(environ).resolve(ref("env:A"))


def test_a_missing_variable_names_every_place_looked_in() -> None:
    with pytest.raises(ConfigError, match="the run's own secrets and the environment"):
        Secrets({}, {"B": "b"}).resolve(ref("env:A"))


def test_a_file_loses_one_trailing_newline(tmp_path: Path) -> None:
    path = tmp_path / "secret"
    for written, expected in ((f"{VALUE}\n", VALUE), (f"{VALUE}\r\n", VALUE), ("a\n\n", "a\n")):
        path.write_bytes(written.encode())
        path.chmod(0o600)
        assert Secrets({}).resolve(SecretRef("file", str(path))).reveal() == expected


@pytest.mark.parametrize("mode", [0o604, 0o602, 0o644])
def test_a_file_open_to_everybody_is_refused(tmp_path: Path, mode: int) -> None:
    path = tmp_path / "secret"
    path.write_text(VALUE)
    path.chmod(mode)
    with pytest.raises(ConfigError, match=f"mode {mode:04o}") as caught:
        Secrets({}).resolve(SecretRef("file", str(path)))
    assert caught.value.hint == f"chmod 600 {path}"
    assert VALUE not in str(caught.value)


@pytest.mark.parametrize("content", [b"", b"\n", b"\xff\xfe", b"x" * 70_000])
def test_a_file_that_holds_no_secret_is_refused(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "secret"
    path.write_bytes(content)
    path.chmod(0o600)
    with pytest.raises(ConfigError):
        Secrets({}).resolve(SecretRef("file", str(path)))


@pytest.mark.parametrize("name", ["missing", "", "a\0b"])
def test_a_file_that_cannot_be_read_is_named(tmp_path: Path, name: str) -> None:
    with pytest.raises(ConfigError, match="cannot be read"):
        Secrets({}).resolve(SecretRef("file", f"{tmp_path}/{name}"))


def keyring(entries: dict[tuple[str, str], str]) -> SimpleNamespace:
    return SimpleNamespace(get_password=lambda service, name: entries.get((service, name)))


def test_a_keyring_entry_is_found_by_service_and_name(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "keyring", keyring({("https://ehr/x", "me"): VALUE}))
    assert Secrets({}).resolve(ref("keyring:https://ehr/x/me")).reveal() == VALUE
    with pytest.raises(ConfigError, match="no entry 'you' of service 'https://ehr/x'"):
        Secrets({}).resolve(ref("keyring:https://ehr/x/you"))


def test_a_keyring_that_refuses_is_a_configuration_error(monkeypatch: pytest.MonkeyPatch) -> None:
    def locked(service: str, name: str) -> str:
        raise RuntimeError(VALUE)

    monkeypatch.setitem(sys.modules, "keyring", SimpleNamespace(get_password=locked))
    with pytest.raises(ConfigError, match="the keyring refused: RuntimeError") as caught:
        Secrets({}).resolve(ref("keyring:a/b"))
    assert VALUE not in str(caught.value)


def test_a_missing_keyring_package_names_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "keyring", None)
    with pytest.raises(ConfigError, match=r"fhir-harness\[keyring\]"):
        Secrets({}).resolve(ref("keyring:a/b"))


def test_missing_references_are_told_with_their_keys() -> None:
    wanted = [("auth.password", ref("env:A")), ("clients[0].secret", ref("env:B"))]
    ((path, reason),) = Secrets({"A": VALUE}).missing(wanted)
    assert path == "clients[0].secret"
    assert "variable B" in reason
