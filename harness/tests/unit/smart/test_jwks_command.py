"""Keys are made privately, and only their public half is ever shown or served."""

from __future__ import annotations

import json
import re
import signal
import socket
import stat
import subprocess
import sys
import threading
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
)

from harness.cli import main
from harness.cli.jwks_server import server_of
from harness.errors import ConfigError, ExitStatus, UsageError
from harness.smart.keys import SigningKey, generate, load_key, private_jwk, published

EC, RSA = generate("ES384", "ec-1"), generate("RS384", "rsa-1")
PRIVATE = {"d", "p", "q", "dp", "dq", "qi", "k"}


@pytest.fixture(autouse=True)
def _data(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("HARNESS_DATA", str(tmp_path / "data"))


def run(*argv: str, capsys: pytest.CaptureFixture[str]) -> tuple[int, str, str]:
    status = main(["jwks", *argv])
    said = capsys.readouterr()
    return status, said.out, said.err


@pytest.mark.parametrize("alg", ["RS384", "ES384"])
def test_a_new_key_lies_in_a_file_of_its_owner_and_its_public_half_is_printed(
    alg: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "keys" / "key.json"
    status, out, err = run("new", "--alg", alg, "--output", str(path), capsys=capsys)
    assert status == ExitStatus.OK
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    key = load_key(path.read_text())
    assert (key.alg, f"kid: {key.kid}" in err, f"file:{path}" in err) == (alg, True, True)
    assert json.loads(out) == {"keys": [key.public_jwk()]}
    secret = json.loads(path.read_text())["d"]
    assert secret not in out + err


def test_a_new_key_goes_to_private_data_by_default_and_replaces_none(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    _, out, _ = run("new", "--alg", "ES384", capsys=capsys)
    kid = json.loads(out)["keys"][0]["kid"]
    path = tmp_path / "data" / "keys" / f"{kid}.json"
    assert path.is_file()
    status, _, err = run("new", "--output", str(path), capsys=capsys)
    assert (status, "not written over" in err) == (ExitStatus.USAGE, True)
    status, _, err = run("new", "--output", str(path / "x"), capsys=capsys)
    assert (status, "cannot be written" in err) == (ExitStatus.USAGE, True)


def pem(key: SigningKey) -> str:
    private: Any = key.key.get_op_key("sign")
    return str(private.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode())


@pytest.mark.parametrize(
    ("text", "kids"),
    [
        (private_jwk(EC), ["ec-1"]),
        (json.dumps({"keys": [json.loads(private_jwk(k)) for k in (EC, RSA)]}), ["ec-1", "rsa-1"]),
        (json.dumps({"keys": [EC.public_jwk()]}), ["ec-1"]),
        (pem(RSA), [RSA.key.thumbprint()]),
        (pem(EC), [EC.key.thumbprint()]),
    ],
    ids=["private", "private set", "public set", "RSA PEM", "EC PEM"],
)
def test_the_public_set_of_any_file_is_shown(
    text: str, kids: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "key"
    path.write_text(text)
    status, out, err = run("show", str(path), capsys=capsys)
    keys = json.loads(out)["keys"]
    assert (status, err) == (ExitStatus.OK, "")
    assert [key["kid"] for key in keys] == kids
    assert not any(PRIVATE & key.keys() for key in keys)
    assert all(key["use"] == "sig" for key in keys)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{",
        "[]",
        "{}",
        '{"keys": []}',
        '{"keys": [{"kty": "oct", "k": "c2VjcmV0"}]}',
        '{"kty": "RSA", "n": "c2VjcmV0"}',
        json.dumps(EC.public_jwk() | {"alg": "RS384"}),
    ],
)
def test_a_file_without_a_usable_key_is_named_and_not_quoted(
    text: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "key"
    path.write_text(text)
    status, out, err = run("show", str(path), capsys=capsys)
    assert (status, out) == (ExitStatus.USAGE, "")
    assert str(path) in err
    assert "c2VjcmV0" not in err
    assert "defect" not in err


def test_files_that_cannot_be_read_are_usage_errors(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "big").write_bytes(b" " * 300_000)
    (tmp_path / "odd").write_bytes(b"\xff")
    for name, word in (("none", "cannot be read"), ("big", "larger"), ("odd", "UTF-8")):
        status, _, err = run("show", str(tmp_path / name), capsys=capsys)
        assert (status, word in err) == (ExitStatus.USAGE, True)
    for argv in (["show"], ["show", "x", "--ehr", "y"], ["serve", "x", "--port", "70000"]):
        assert run(*argv, capsys=capsys)[0] == ExitStatus.USAGE


EHR = """title = "E"
fhir_base = "https://ehr.example/fhir"
[auth]
kind = "smart"
[[clients]]
name = "app"
id = "app"
auth = "private_key_jwt"
key = "env:APP_KEY"
redirect_uri = "https://app.example/callback"
[[clients]]
name = "backend"
id = "backend"
auth = "private_key_jwt"
key = "env:APP_KEY"
grants = ["client_credentials"]
scopes = "system/*.rs"
"""


def test_the_keys_of_an_ehr_file_are_shown_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "e.toml"
    path.write_text(EHR)
    monkeypatch.setenv("APP_KEY", private_jwk(EC))
    status, out, _ = run("show", "--ehr", str(path), capsys=capsys)
    assert (status, json.loads(out)) == (ExitStatus.OK, {"keys": [EC.public_jwk()]})
    path.write_text(EHR.split("[[clients]]", maxsplit=1)[0])
    status, _, err = run("show", "--ehr", str(path), capsys=capsys)
    assert (status, "no client has auth private_key_jwt" in err) == (ExitStatus.USAGE, True)


@pytest.fixture
def served() -> Iterator[str]:
    with server_of(published(private_jwk(RSA)), "127.0.0.1", 0) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


def test_the_public_set_is_served_with_its_type_and_how_long_it_may_be_kept(served: str) -> None:
    with urllib.request.urlopen(f"{served}/jwks.json?x=1", timeout=5) as answer:
        assert json.load(answer) == {"keys": [RSA.public_jwk()]}
        assert answer.headers["Content-Type"] == "application/json"
        assert answer.headers["Cache-Control"] == "public, max-age=300"
    head = urllib.request.Request(f"{served}/jwks.json", method="HEAD")
    with urllib.request.urlopen(head, timeout=5) as answer:
        assert answer.read() == b""
    with pytest.raises(urllib.error.HTTPError, match="404") as missing:
        urllib.request.urlopen(f"{served}/../etc/passwd", timeout=5)
    missing.value.close()
    post = urllib.request.Request(f"{served}/jwks.json", data=b"x", method="POST")
    with pytest.raises(urllib.error.HTTPError, match="501") as refused:
        urllib.request.urlopen(post, timeout=5)
    refused.value.close()


def test_a_port_in_use_is_named() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        with pytest.raises(UsageError, match="cannot listen on"):
            server_of({"keys": []}, "127.0.0.1", taken.getsockname()[1])


def test_serving_ends_with_ctrl_c(tmp_path: Path) -> None:
    path = tmp_path / "key.json"
    path.write_text(private_jwk(EC))
    code = "import sys; from harness.cli import main; sys.exit(main(sys.argv[1:]))"
    command = [sys.executable, "-c", code, "jwks", "serve", str(path), "--port", "0"]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as serving:
        assert serving.stderr is not None
        said = serving.stderr.readline()
        url = re.search(r"http://127\.0\.0\.1:\d+/jwks\.json", said)
        try:
            assert url is not None, said
            with urllib.request.urlopen(url[0], timeout=5) as answer:
                assert json.load(answer) == {"keys": [EC.public_jwk()]}
        finally:
            serving.send_signal(signal.SIGINT)
        rest = serving.stderr.read()
    assert (serving.returncode, rest.strip()) == (ExitStatus.OK, "")


def test_text_that_is_no_key_is_refused_in_words() -> None:
    with pytest.raises(ConfigError, match="cannot be read"):
        published("-----BEGIN PRIVATE KEY-----")
