"""No live secret leaves memory: every value on the wire is looked for in all that a run leaves.

What is secret is found here by another way than the product's own: at a proxy, by the rules of the
specifications, and in the credentials that the reference EHR names when it starts.
"""

from __future__ import annotations

import base64
import json
import random
import re
import signal
import stat
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import parse_qsl, quote, urlsplit

import pytest
from cryptography.fernet import Fernet

from harness.tests.integration import test_wrong_input
from harness.tests.integration.hostile import Hostile, Passed
from harness.tests.integration.test_wrong_input import BOUND, Shell, created, until

shell, proxied = test_wrong_input.shell, test_wrong_input.proxied

LONG = 12
"""What is shorter protects nothing, and stands in any text by chance."""
_FIELDS = frozenset(
    {"code", "refresh_token", "access_token", "id_token", "client_secret", "client_assertion"}
    | {"code_verifier", "password", "token", "state", "csrf"}
)
_HIDDEN = re.compile(r'<input[^>]*type="hidden"[^>]*name="csrf"[^>]*value="([^"]+)"')
_PRIVATE = frozenset({"d", "p", "q", "dp", "dq", "qi", "k"})


def secrets_of(passed: Passed) -> Iterator[str]:
    """The secrets of one exchange."""
    headers = {name.lower(): value for name, value in passed.asked.headers.items()}
    oauth = "/oauth/" in passed.asked.path
    kind, _, given = headers.get("authorization", "").partition(" ")
    yield given
    if kind == "Basic":
        yield base64.b64decode(given).decode().partition(":")[2]
    cookies = [headers.get("cookie", "")]
    cookies += [value for name, value in passed.headers if name.lower() == "set-cookie"]
    for each in "; ".join(cookies).split("; "):
        yield each.partition("=")[2]
    locations = [value for name, value in passed.headers if name.lower() == "location"]
    # Elsewhere `code` is a parameter of a search.
    for query in (urlsplit(each).query for each in (passed.asked.target, *locations) if oauth):
        yield from _fields(parse_qsl(query))
    if oauth and "form" in headers.get("content-type", ""):
        yield from _fields(parse_qsl(passed.asked.body.decode("latin-1")))
    yield from _HIDDEN.findall(passed.body.decode("latin-1"))
    try:
        answer = json.loads(passed.body)
    except ValueError:
        return
    if oauth and isinstance(answer, dict):
        yield from _fields((name, value) for name, value in answer.items())


def _fields(pairs: object) -> Iterator[str]:
    for name, value in pairs:  # type: ignore[attr-defined]  # pairs of any source
        if name in _FIELDS and isinstance(value, str):
            yield value


def live(server: Hostile, credentials: dict[str, str]) -> set[str]:
    """Every secret of a run: of a JWT the signature, of a key its private members."""
    found: set[str] = set()
    for value in credentials.values():
        key = json.loads(value) if value.startswith("{") else {"k": value}
        found |= {key[name] for name in _PRIVATE & key.keys()}
    for passed in server.passed:
        for value in secrets_of(passed):
            found.add(value.rpartition(".")[2] if value.count(".") == 2 else value)
    # A test sends wrong values on purpose; those are constants, and no secrets.
    return {each for each in found if len(each) >= LONG and not re.fullmatch(r"[a-z_:/. -]+", each)}


def shapes(secret: str) -> set[bytes]:
    """Plain, percent-encoded, JSON-escaped, and in base64 at any alignment."""
    raw = secret.encode()
    found = {secret, quote(secret, safe=""), json.dumps(secret)[1:-1]}
    for before in range(3):
        coded = base64.b64encode(b"\0" * before + raw).decode()
        core = coded[4 if before else 0 : len(coded) - 4]
        found |= {core, core.replace("+", "-").replace("/", "_")} if len(core) >= LONG else set()
    return {each.encode() for each in found}


@contextmanager
def process_list() -> Iterator[set[bytes]]:
    """Every command line and title that a process had meanwhile."""
    seen: set[bytes] = set()
    over = threading.Event()

    def look() -> None:
        while not over.wait(0.05):
            for each in Path("/proc").glob("[0-9]*/cmdline"):
                try:
                    seen.add(each.read_bytes())
                except OSError:
                    continue

    thread = threading.Thread(target=look, daemon=True)
    thread.start()
    try:
        yield seen
    finally:
        over.set()
        thread.join()


def leaks(found: set[str], *texts: bytes, folders: tuple[Path, ...]) -> list[str]:
    """Where secrets stand, without the secrets."""
    needles = {shape for each in found for shape in shapes(each)}
    kept: dict[object, bytes] = dict(enumerate(texts))
    for folder in folders:
        kept |= {each: each.read_bytes() for each in folder.rglob("*") if each.is_file()}
    return [str(place) for place, text in kept.items() if any(each in text for each in needles)]


Behind = tuple[Hostile, dict[str, str]]


@pytest.mark.parametrize(
    "options",
    [("--record",), ("-v", "--log-cli-level=DEBUG", "-m", "smart")],
    ids=["recorded", "as talkative as can be"],
)
def test_a_run_leaves_no_secret(shell: Shell, proxied: Behind, options: tuple[str, ...]) -> None:
    server, credentials = proxied
    with process_list() as processes:
        ended = shell.pytest("--ehr=reference", f"--ehr-url={server.base}", *options, **credentials)
    assert ended.status == 0, ended.everything
    found = live(server, credentials)
    assert len(found) > 30
    said = (ended.out.encode(), ended.err.encode(), *processes)
    assert leaks(found, *said, folders=(shell.folder,)) == []


def test_failures_show_no_secret(shell: Shell, proxied: Behind) -> None:
    server, credentials = proxied
    alter = test_wrong_input.spoilt(random.Random(7))
    server.alter = lambda each: alter(each) if "/oauth/token" in each.asked.path else each
    ended = shell.pytest("--ehr=reference", f"--ehr-url={server.base}", **credentials)
    assert "failed (" in ended.everything
    found = live(server, credentials)
    assert leaks(found, ended.everything.encode(), folders=(shell.folder,)) == []


def test_a_killed_run_leaves_no_secret(shell: Shell, proxied: Behind) -> None:
    server, credentials = proxied
    process = shell.start("--ehr=reference", f"--ehr-url={server.base}", "--record", **credentials)
    until(lambda: len(created(server)) > 2, process)
    process.send_signal(signal.SIGKILL)
    out, _ = process.communicate(timeout=BOUND)
    time.sleep(0)
    found = live(server, credentials)
    assert len(found) > 30
    assert leaks(found, out.encode(), folders=(shell.folder,)) == []


def test_a_sync_keeps_its_secrets_in_the_vault(shell: Shell, proxied: Behind) -> None:
    server, credentials = proxied
    shipped = Path(__file__).resolve().parents[3] / "fixtures"
    for kind, name, old, new in (
        ("ehrs", "reference", "http://127.0.0.1:8765/r4", server.base),
        ("tenants", "demo-clinic", 'ehr = "reference"', 'ehr = "behind"'),
    ):
        folder = shell.folder / "fixtures" / kind
        folder.mkdir(parents=True)
        text = (shipped / kind / f"{name}.toml").read_text().replace(old, new)
        (folder / f"{'behind' if kind == 'ehrs' else 'clinic'}.toml").write_text(text)
    key = Fernet.generate_key().decode()
    env = {**credentials, "HARNESS_VAULT_KEY": key}
    said = []
    with process_list() as processes:
        for command in (
            ["ehrs", "check", "behind", "--online"],
            ["login", "--tenant", "clinic"],
            ["sync", "run", "--tenant", "clinic", "--reports=reports"],
            ["sync", "run", "--tenant", "clinic", "--reports=reports", "--json"],
            ["scheduler", "--once", "--all", "--tenants=fixtures/tenants", "--reports=reports"],
            ["sync", "status", "--tenant", "clinic", "--json"],
        ):
            ended = shell.harness(*command, **env)
            assert ended.status == 0, ended.everything
            said.append(ended.everything.encode())
    found = {*live(server, credentials), key}
    assert len(found) > 15
    # In the data folder as well: what the vault holds is encrypted, and the store holds no token.
    assert leaks(found, *said, *processes, folders=(shell.folder,)) == []
    for each in (shell.folder / "d").rglob("*"):
        mode = stat.S_IMODE(each.stat().st_mode)
        assert mode == (0o700 if each.is_dir() else 0o600), f"{each.name}: {mode:o}"
