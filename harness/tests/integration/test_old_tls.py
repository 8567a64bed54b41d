"""A host that still speaks TLS 1.1 is found out, and one that does not is left in peace."""

from __future__ import annotations

import asyncio
import ssl
import warnings
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path
from runpy import run_path
from types import SimpleNamespace
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from harness.checks.acts.tls import OldTls, https_places, old_tls
from harness.config.ehr import Limits, Tls
from harness.config.paths import suites_dir
from harness.errors import EhrUnreachable, HostileInput, NotApplicable, NotConformant
from harness.http.client import HttpClient
from harness.http.clock import SystemClock
from harness.http.evidence import Evidence
from harness.http.exchange import Request
from harness.http.limiter import HostLimiters
from harness.http.tls import offers_old_tls
from harness.http.transport import Bounds, WireTransport

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}"

pytestmark = pytest.mark.skipif(not offers_old_tls(), reason="no TLS 1.1 on this machine")


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Key and certificate of this address, made for this run, in one file."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "127.0.0.1")])
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(hours=1))
        .not_valid_after(now + timedelta(hours=1))
        .add_extension(
            x509.SubjectAlternativeName([x509.IPAddress(ip_address("127.0.0.1"))]), critical=False
        )
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    file = tmp_path_factory.mktemp("tls") / "host.pem"
    file.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
        + made.public_bytes(serialization.Encoding.PEM)
    )
    return file


@asynccontextmanager
async def serving(certificate: Path, *, old: bool) -> AsyncIterator[str]:
    """A host that answers everything with an empty object, and its base URL."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    if old:
        context.set_ciphers("ALL:@SECLEVEL=0")
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)
            context.minimum_version = ssl.TLSVersion.TLSv1
    else:
        context.minimum_version = ssl.TLSVersion.TLSv1_2

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(OK)
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(answer, "127.0.0.1", 0, ssl=context)
    async with server:
        yield f"https://127.0.0.1:{server.sockets[0].getsockname()[1]}/r4"


def client_of(base: str, certificate: Path, evidence: Evidence) -> HttpClient:
    clock = SystemClock()
    return HttpClient(
        base=base,
        evidence=evidence,
        limiter=HostLimiters(Limits(), clock),
        clock=clock,
        transport=WireTransport(Tls(ca_file=certificate), Bounds(connect=5, total=10), clock),
        headers={"X-Api-Key": "not-a-real-one"},
    )


async def offered(certificate: Path, *, old: bool) -> tuple[OldTls, Evidence]:
    """What the act sees of a host that modern clients get an answer of."""
    evidence = Evidence()
    async with (
        serving(certificate, old=old) as base,
        client_of(base, certificate, evidence) as http,
    ):
        assert (await http.get(f"{base}/metadata")).status == 200
        run: Any = SimpleNamespace(http=http, ehr=SimpleNamespace(fhir_base=base))
        return await old_tls(run), evidence


def check() -> Any:
    """The check of the suites."""
    return run_path(str(suites_dir() / "smart" / "test_tls.py"))["test_tls_before_1_2_is_refused"]


def test_a_host_that_speaks_tls_1_1_fails_the_check(certificate: Path) -> None:
    seen, evidence = asyncio.run(offered(certificate, old=True))
    assert len(seen.answers) == 1
    with pytest.raises(NotConformant, match=r"over TLS 1\.1 or older"):
        check()(seen)
    asked = evidence.all[-1].request
    assert asked.old_tls
    assert asked.headers.get("X-Api-Key") is None


def test_a_host_that_wants_tls_1_2_passes_the_check(certificate: Path) -> None:
    seen, evidence = asyncio.run(offered(certificate, old=False))
    assert seen.answers == {}
    assert len(seen.refusals) == 1
    check()(seen)
    assert len(evidence.steps) == 2


def test_a_token_never_goes_over_old_tls(certificate: Path) -> None:
    async def send() -> None:
        async with client_of("https://127.0.0.1:1/r4", certificate, Evidence()) as http:
            await http.send(Request("GET", "https://127.0.0.1:1/r4", old_tls=True), bearer="t")

    with pytest.raises(HostileInput, match="never goes over old TLS"):
        asyncio.run(send())


def test_plain_http_on_loopback_has_no_tls_to_judge() -> None:
    run: Any = SimpleNamespace(ehr=SimpleNamespace(fhir_base="http://127.0.0.1:1/r4"))
    assert https_places(run, None) == {}
    with pytest.raises(NotApplicable):
        asyncio.run(old_tls(run))


def test_a_host_is_asked_once_however_many_endpoints_it_has() -> None:
    run: Any = SimpleNamespace(ehr=SimpleNamespace(fhir_base="https://ehr.example.org/r4"))
    ends = {
        "authorization_endpoint": "https://ehr.example.org/authorize",
        "token_endpoint": "https://auth.example.org/token",
        "introspection_endpoint": "http://127.0.0.1/introspect",
    }
    discovery: Any = SimpleNamespace(configuration=SimpleNamespace(**ends))
    assert https_places(run, discovery) == {
        "https://ehr.example.org": "https://ehr.example.org/r4/metadata",
        "https://auth.example.org": "https://auth.example.org/",
    }


def test_nobody_at_home_is_no_answer(certificate: Path) -> None:
    async def send() -> None:
        async with client_of("https://127.0.0.1:1/r4", certificate, Evidence()) as http:
            asked = Request("GET", "https://127.0.0.1:1/r4", old_tls=True)
            await http.send(asked, retry=False)

    with pytest.raises(EhrUnreachable):
        asyncio.run(send())
