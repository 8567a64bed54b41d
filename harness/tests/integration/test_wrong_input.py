"""Wrong input on the command line or on the wire: one line, the right status, no traceback."""

from __future__ import annotations

import dataclasses
import json
import os
import random
import signal
import socket
import ssl
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.fernet import Fernet
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from harness.tests.integration import hostile as wire
from harness.tests.integration.hostile import Behaviour, Hostile, Passed, hostile
from harness.tests.integration.plugin.conftest import environment, plugin_arguments
from harness.tests.reference_process import clean_environment

R4 = {"resourceType": "CapabilityStatement", "fhirVersion": "4.0.1", "rest": [{"mode": "server"}]}
BOUND = 90


@dataclasses.dataclass(frozen=True)
class Ended:
    status: int
    out: str
    err: str

    @property
    def everything(self) -> str:
        assert "Traceback" not in self.out + self.err, self.out + self.err
        return self.out + self.err


class Shell:
    """Runs commands from an empty folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def pytest(self, *args: str, **env: str) -> Ended:
        own = ["-p", "no:cacheprovider", f"--reports={self.folder / 'reports'}"]
        return self._run(["-m", "pytest", *plugin_arguments(), *own, *args], env)

    def harness(self, *args: str, **env: str) -> Ended:
        return self._run(
            ["-c", "import sys; from harness.cli import main; sys.exit(main())", *args], env
        )

    def start(self, *args: str, **env: str) -> subprocess.Popen[str]:
        own = ["-p", "no:cacheprovider", f"--reports={self.folder / 'reports'}"]
        return subprocess.Popen(
            [sys.executable, "-m", "pytest", *plugin_arguments(), *own, *args],
            cwd=self.folder,
            env={**clean_environment(environment()), **env},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )

    def summary(self) -> dict[str, Any]:
        (found,) = (self.folder / "reports").glob("*/2*/summary.json")
        summary: dict[str, Any] = json.loads(found.read_text())
        return summary

    def _run(self, command: list[str], env: dict[str, str]) -> Ended:
        done = subprocess.run(
            [sys.executable, *command],
            cwd=self.folder,
            env={**clean_environment(environment()), "HARNESS_DATA": str(self.folder / "d"), **env},
            capture_output=True,
            text=True,
            timeout=BOUND,
            check=False,
        )
        return Ended(done.returncode, done.stdout, done.stderr)


@pytest.fixture
def shell(tmp_path: Path) -> Shell:
    (tmp_path / "empty").mkdir()
    return Shell(tmp_path / "empty")


@pytest.fixture
def proxied(tmp_path: Path) -> Iterator[tuple[Hostile, dict[str, str]]]:
    """A reference EHR behind a server that can misbehave, and its credentials."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    with hostile(upstream=f"http://127.0.0.1:{port}") as server:
        command = [f"--port={port}", "--patients=6", f"--public-url={server.url}"]
        process = subprocess.Popen(
            [sys.executable, "-m", "harness.reference", *command],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env=clean_environment(environment()),
        )
        assert process.stdin is not None
        assert process.stdout is not None
        try:
            yield server, json.loads(process.stdout.readline())["credentials"]
        finally:
            process.stdin.close()
            process.wait(10)
            process.stdout.close()


@pytest.mark.parametrize(
    ("argument", "said"),
    [
        ("--ehr=refrence", "did you mean 'reference'"),
        ("--ehr=./nothing.toml", "no file './nothing.toml'"),
        ("--ehr=https://ehr.example.org/r4", "a URL goes to --ehr-url"),
        ("--ehr=", "--ehr= is empty"),
        ("--ehr-url=", "--ehr-url= is empty"),
        ("--replay=", "--replay= is empty"),
        ("--replay=nothing", "no run 'nothing'"),
        ("--ehr-url=nonsense", "got 'nonsense'"),
        ("--ehr-url=ftp://ehr.example.org/", "got 'ftp://ehr.example.org'"),
        ("--ehr-url=http://someone:secret@127.0.0.1/r4", "a URL with user information"),
        ("--ehr-url=http://127.0.0.1:1/\x1b[31mr4", "without control characters"),
        ("--ehr-url=http://127.0.0.1:1/r4\n", "without control characters"),
        ("--ehr-url=http://127.0.0.1:99999/", "expected an absolute URL"),
        ("--ehr-url=http://169.254.169.254/", "expected https"),
    ],
)
def test_4_what_names_no_endpoint_is_one_line(shell: Shell, argument: str, said: str) -> None:
    ended = shell.pytest(argument)
    assert ended.status == 4, ended.everything
    (line,) = ended.err.strip().splitlines()
    assert said in line
    assert "\x1b" not in line
    assert "secret" not in line
    assert not (shell.folder / "reports").exists()


@pytest.mark.parametrize(
    ("argument", "said"),
    [
        ("--smart=9", "1.0.0, 2.0.0, 2.2.0"),
        ("--us-core=x", "6.1.0"),
        ("--bulk=", "1.0.1, 2.0.0"),
        ("--reports=/dev/null/x", "choose another place with --reports"),
        ("-k a b(", "Wrong expression"),
    ],
)
def test_4_a_wrong_option_names_what_is_valid(shell: Shell, argument: str, said: str) -> None:
    ended = shell.pytest("--ehr=reference", argument)
    assert ended.status == 4, ended.everything
    assert said in ended.err


def test_5_a_selection_that_selects_nothing_says_so(shell: Shell) -> None:
    ended = shell.pytest("--ehr=reference", "-k", "no_check_has_this_name")
    assert ended.status == 5
    assert "no check was selected" in ended.everything


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b'title = "x', "not TOML"),
        (b"title = 3", "title: expected a string"),
        (b'titel = "x"', "did you mean 'title'"),
        (b"\xff\xfe", "expected UTF-8"),
        (b"", "fhir_base: missing"),
        (b"a = " + b"[" * 5000, "nested too deep"),
    ],
)
def test_4_a_file_that_is_none_names_file_and_key(shell: Shell, content: bytes, said: str) -> None:
    (shell.folder / "mine.toml").write_bytes(content)
    for ended in (shell.pytest("--ehr=mine.toml"), shell.harness("ehrs", "check", "mine.toml")):
        assert ended.status == 4, ended.everything
        assert "mine.toml" in ended.everything
        assert said in ended.everything


def answered(**of: Behaviour) -> dict[str, Behaviour]:
    """Behaviours of `/metadata` and of the SMART configuration; the rest is not found."""
    named = {"metadata": "/r4/metadata", "smart": "*smart-configuration", "all": "*"}
    return {named[name]: behaviour for name, behaviour in of.items()}


UNUSABLE = {
    "HTML": answered(all=wire.page()),
    "HTML for the SMART configuration": answered(metadata=wire.says(R4), smart=wire.page()),
    "a body without an end, and JSON too deep": answered(metadata=wire.deep(), smart=wire.endless),
    "a gzip bomb, and an array": answered(metadata=wire.bomb(), smart=wire.says([1, 2])),
    "bytes that are no UTF-8, and NaN": answered(
        metadata=wire.answers(b'{"resourceType":"\xff\xfe"}'),
        smart=wire.answers('{"token_endpoint":NaN}'),
    ),
    "an error, and redirects in a circle": answered(
        metadata=wire.answers("{}", status=500), smart=wire.redirects("{url}")
    ),
    "ten megabytes, and a redirect to a file": answered(
        metadata=wire.answers('{"a":"' + "x" * 10**7 + '"}'),
        smart=wire.redirects("file:///etc/passwd"),
    ),
    "values of wrong types": answered(
        metadata=wire.says({**R4, "rest": {"a": 1}, "format": 7, "implementation": []}),
        smart=wire.says(
            {
                "authorization_endpoint": 7,
                "token_endpoint": ["x"],
                "capabilities": "launch",
                "jwks_uri": "javascript:alert(1)",
                "introspection_endpoint": "file:///etc/passwd",
                "code_challenge_methods_supported": 5,
            }
        ),
    ),
}


@pytest.mark.parametrize("behaviours", UNUSABLE.values(), ids=UNUSABLE)
def test_1_an_answer_that_cannot_be_used_is_blamed_on_the_server(
    shell: Shell, behaviours: dict[str, Behaviour]
) -> None:
    with hostile(behaviours) as server:
        ended = shell.pytest(f"--ehr-url={server.base}")
    assert ended.status == 1, ended.everything
    assert "complete: no" in ended.everything
    assert shell.summary()["defects"] == []


@pytest.mark.parametrize("version", ["1.0.2", "5.0.0", "\x1b[2J9"])
def test_4_another_fhir_version_is_refused_in_one_line(shell: Shell, version: str) -> None:
    kind = "Conformance" if version == "1.0.2" else "CapabilityStatement"
    statement = {"resourceType": kind, "fhirVersion": version}
    with hostile({"*": wire.says(statement)}) as server:
        ended = shell.pytest(f"--ehr-url={server.base}")
    assert ended.status == 4, ended.everything
    (line,) = ended.err.strip().splitlines()
    assert "expected FHIR R4" in line
    assert "\x1b" not in ended.everything


@pytest.mark.parametrize(
    "behaviour",
    [
        wire.closes,
        wire.breaks_off,
        lambda connection, _: connection.sendall(b"\x00\xffgarbage\r\n\r\n"),
        lambda connection, _: connection.sendall(b"HTTP/1.1 200 OK\r\nX: " + b"a" * 10**6),
    ],
    ids=["closes", "breaks off", "is no HTTP", "a head without an end"],
)
def test_6_a_server_that_gives_no_answer_is_not_reached(shell: Shell, behaviour: Behaviour) -> None:
    with hostile({"*": behaviour}) as server:
        ended = shell.pytest(f"--ehr-url={server.base}")
    assert ended.status == 6, ended.everything
    assert "the EHR could not be reached" in ended.everything


def certificate(folder: Path, name: x509.GeneralName) -> ssl.SSLContext:
    key = ec.generate_private_key(ec.SECP256R1())
    who = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "ehr")])
    now = datetime.now(UTC)
    signed = (
        x509.CertificateBuilder()
        .subject_name(who)
        .issuer_name(who)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([name]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .sign(key, hashes.SHA256())
    )
    pem = key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    (folder / "cert.pem").write_bytes(signed.public_bytes(serialization.Encoding.PEM))
    (folder / "key.pem").write_bytes(pem)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(folder / "cert.pem", folder / "key.pem")
    return context


HERE = x509.IPAddress(ip_address("127.0.0.1"))
ELSEWHERE = x509.DNSName("ehr.example.org")


def test_6_an_untrusted_certificate_says_how_to_trust_it(shell: Shell, tmp_path: Path) -> None:
    with hostile({"*": wire.says(R4)}, tls=certificate(tmp_path, HERE)) as server:
        run = shell.pytest(f"--ehr-url={server.base}")
        new = shell.harness("ehrs", "new", "mine", "--url", server.base)
    for ended in (run, new):
        assert ended.status == 6, ended.everything
        assert "tls.ca_file" in ended.everything
    assert server.asked == []


def test_6_a_certificate_for_another_host_is_refused(shell: Shell, tmp_path: Path) -> None:
    context = certificate(tmp_path, ELSEWHERE)
    with hostile({"*": wire.says(R4)}, tls=context) as server:
        (shell.folder / "mine.toml").write_text(
            f'title = "x"\nfhir_base = "{server.base}"\n[auth]\nkind = "none"\n'
            f'[tls]\nca_file = "{tmp_path / "cert.pem"}"\n'
        )
        ended = shell.pytest("--ehr=mine.toml")
    assert ended.status == 6, ended.everything
    assert "IP address mismatch" in ended.everything
    assert server.asked == []


def test_6_plain_http_behind_an_https_url_says_so(shell: Shell) -> None:
    with hostile({"*": wire.says(R4)}) as server:
        url = server.base.replace("http:", "https:")
        for ended in (
            shell.pytest(f"--ehr-url={url}"),
            shell.harness("ehrs", "new", "mine", "--url", url),
        ):
            assert ended.status == 6, ended.everything
            assert "does it speak plain http there?" in ended.everything


LOGINS = {
    "a circle": wire.redirects("{url}"),
    "a file": wire.redirects("file:///etc/passwd"),
    "a script": wire.redirects("javascript:alert(1)"),
    "a private address": wire.redirects("http://169.254.169.254/latest/"),
    "a form for another origin": wire.page(
        '<form method=post action="https://evil.invalid/x"><input name=username>'
        "<input type=password name=password></form>"
    ),
}


@pytest.mark.parametrize("behaviour", LOGINS.values(), ids=LOGINS)
def test_1_a_login_that_leads_astray_gets_no_password(
    shell: Shell, proxied: tuple[Hostile, dict[str, str]], behaviour: Behaviour
) -> None:
    server, credentials = proxied
    server.behaviours["*/oauth/authorize"] = behaviour
    ended = shell.pytest(
        "--ehr=reference",
        f"--ehr-url={server.base}",
        "-m",
        "smart",
        "-k",
        "standalone_launch",
        **credentials,
    )
    assert ended.status == 1, ended.everything
    assert shell.summary()["defects"] == []
    sent = b"".join(each.asked.body for each in server.passed)
    assert credentials["REFERENCE_PATIENT_PASSWORD"].encode() not in sent


JUNK: list[Any] = [None, True, -1, 1e300, "", [], {}, [None], [[]], {"a": 1}, "\x1b[31m", 10**30]


def places(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    if path:
        yield path
    if isinstance(value, dict):
        for name, each in value.items():
            yield from places(each, (*path, name))
    elif isinstance(value, list):
        for index, each in enumerate(value[:4]):
            yield from places(each, (*path, index))


def spoilt(chance: random.Random) -> Callable[[Passed], Passed]:
    """Drop a member of each JSON answer, or put another type in its place."""

    def alter(passed: Passed) -> Passed:
        try:
            value = json.loads(passed.body)
        except ValueError:
            return passed
        found = list(places(value))
        if not found:
            return passed
        *way, last = chance.choice(found)
        holder = value
        for key in way:
            holder = holder[key]
        if chance.random() < 0.3:
            del holder[last]
        else:
            holder[last] = chance.choice(JUNK)
        return dataclasses.replace(passed, body=json.dumps(value).encode())

    return alter


SEEDS = [int(each) for each in os.environ.get("HARNESS_SEEDS", "1").split()]
"""What the harm to answers is drawn from; more of them in one go by `HARNESS_SEEDS="2 3 4"`."""


@pytest.mark.parametrize("seed", SEEDS)
def test_resources_of_any_shape_are_no_defect_of_the_harness(
    shell: Shell, proxied: tuple[Hostile, dict[str, str]], seed: int
) -> None:
    server, credentials = proxied
    alter = spoilt(random.Random(seed))
    server.alter = lambda each: alter(each) if "/r4/Obs" in each.asked.path else each
    ended = shell.pytest(
        "--ehr=reference", f"--ehr-url={server.base}", "-m", "observations", **credentials
    )
    assert ended.status in (0, 1), ended.everything
    assert shell.summary()["defects"] == []


def until(condition: Callable[[], object], process: subprocess.Popen[str]) -> None:
    deadline = time.monotonic() + BOUND
    while not condition() and process.poll() is None and time.monotonic() < deadline:
        time.sleep(0.01)


def created(server: Hostile) -> set[str]:
    """The ids of the Observations that were created one by one."""
    return {
        dict(each.headers)["location"].partition("/Observation/")[2].partition("/")[0]
        for each in server.passed
        if each.asked.path == "/r4/Observation" and each.status == 201
    }


def undone(server: Hostile) -> set[str]:
    """The ids of the Observations that were deleted, or marked as entered in error."""
    return {
        each.asked.path.rpartition("/")[2]
        for each in server.passed
        if each.status < 300
        and (each.asked.method == "DELETE" or b"entered-in-error" in each.asked.body)
    }


def story(server: Hostile, ids: set[str]) -> list[tuple[str, str, int]]:
    """What was asked about some ids, for the message of a failure."""
    return [
        (each.asked.method, each.asked.path, each.status)
        for each in server.passed
        if any(id_ in each.asked.path or id_ in str(each.headers) for id_ in ids)
    ]


def test_6_an_ehr_that_dies_in_the_middle_is_no_defect(
    shell: Shell, proxied: tuple[Hostile, dict[str, str]]
) -> None:
    server, credentials = proxied
    process = shell.start("--ehr=reference", f"--ehr-url={server.base}", **credentials)
    until(lambda: len(server.passed) > 60, process)
    server.behaviours["*"] = wire.closes
    out, _ = process.communicate(timeout=BOUND)
    assert process.returncode == 6, out
    assert "Traceback" not in out
    assert "complete: no" in out


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_2_a_run_that_is_told_to_stop_undoes_and_reports(
    shell: Shell, proxied: tuple[Hostile, dict[str, str]], number: signal.Signals
) -> None:
    server, credentials = proxied
    process = shell.start("--ehr=reference", f"--ehr-url={server.base}", **credentials)
    until(lambda: created(server), process)
    process.send_signal(number)
    out, _ = process.communicate(timeout=BOUND)
    assert process.returncode == 2, out
    assert created(server)
    left = created(server) - undone(server)
    assert left == set(), story(server, left)
    assert "the run was interrupted" in out
    assert shell.summary()["left_behind"] == []


def test_a_reader_that_goes_away_ends_nothing_in_a_traceback(shell: Shell) -> None:
    process = shell.start("--ehr=reference", "-m", "smart", "-k", "discovery")
    assert process.stdout is not None
    process.stdout.readline()
    process.stdout.close()
    # The status of a broken pipe is pytest's own; the reports are whole.
    assert process.wait(BOUND) in (0, 1)
    assert shell.summary()["status"]["code"] == 0


@pytest.mark.parametrize(
    ("command", "status", "said"),
    [
        (["sync", "run", "--tenant", "nobody"], 4, "no file nobody.toml"),
        (["sync", "run", "--tenant", "demo-clinic", "--timeout", "nan"], 4, "positive number"),
        (["scheduler", "--once", "--timeout", "-3"], 4, "positive number"),
        (["scheduler", "--once", "--timeout", "inf"], 4, "positive number"),
        (["scheduler", "--once", "--tenants", "/nowhere"], 4, "is no folder"),
        (["reference", "--fault", "unknown"], 4, "--list-faults"),
        (["reference", "--variant", "unknown"], 4, "--list-variants"),
        (["reference", "--port", "99999999"], 4, "choose another --port"),
        (["reference", "--env-file", "/nowhere/x"], 4, "No such file"),
        (["ehrs", "new", "../x", "--url", "http://127.0.0.1:1/r4"], 4, "is no name"),
        (["ehrs", "new", "x", "--url", "http://127.0.0.1:1/r4"], 6, "connection refused"),
        (["ehrs", "new", "x", "--url", "http://127.0.0.1:1/\x1b[m"], 4, "control characters"),
        (["report", "--reports", "nowhere"], 4, "no run under"),
        (["run"], 4, "expected --ehr=NAME"),
        (["snyc"], 4, "did you mean 'sync'"),
    ],
)
def test_every_command_ends_in_one_line(
    shell: Shell, command: list[str], status: int, said: str
) -> None:
    ended = shell.harness(*command)
    assert ended.status == status, ended.everything
    assert said in ended.everything
    assert len(ended.err.strip().splitlines()) == 1
    assert "\x1b" not in ended.everything


def test_a_broken_tenant_file_delays_no_other(
    shell: Shell, proxied: tuple[Hostile, dict[str, str]]
) -> None:
    server, credentials = proxied
    tenants, ehrs = shell.folder / "fixtures/tenants", shell.folder / "fixtures/ehrs"
    for folder in (tenants, ehrs):
        folder.mkdir(parents=True)
    shipped = Path(__file__).resolve().parents[3] / "fixtures"
    described = (shipped / "ehrs/reference.toml").read_text()
    (ehrs / "behind.toml").write_text(described.replace("http://127.0.0.1:8765/r4", server.base, 2))
    tenant = (shipped / "tenants/demo-clinic.toml").read_text()
    (tenants / "good.toml").write_text(tenant.replace('ehr = "reference"', 'ehr = "behind"'))
    (tenants / "bad.toml").write_text("title = 3")
    ended = shell.harness(
        "scheduler",
        "--once",
        "--all",
        "--reports=reports",
        HARNESS_VAULT_KEY=Fernet.generate_key().decode(),
        **credentials,
    )
    assert "bad.toml: title: expected a string" in ended.everything
    assert "sync of good: complete" in ended.everything
    assert ended.status == 1


def test_two_runs_share_a_folder_of_reports(shell: Shell) -> None:
    runs = [shell.start("--ehr=reference", "-k", "capability") for _ in range(2)]
    for each in runs:
        out, _ = each.communicate(timeout=BOUND)
        assert each.returncode == 0, out
    folders = [p for p in (shell.folder / "reports/reference").glob("2*") if p.is_dir()]
    assert len(folders) == 2
    assert (shell.folder / "reports/reference/latest").resolve() in folders


def test_neither_home_nor_terminal_is_needed(shell: Shell) -> None:
    env = {"TERM": "dumb", "NO_COLOR": "1", "COLUMNS": "20"}
    home = os.environ.get("HOME")
    try:
        os.environ.pop("HOME", None)
        ended = shell.pytest("--ehr=reference", "-k", "discovery", **env)
    finally:
        if home is not None:
            os.environ["HOME"] = home
    assert ended.status == 0, ended.everything
    assert "\x1b" not in ended.out
